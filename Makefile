# `make` alone lists the targets. How services start is written in deploy/, once.

.DEFAULT_GOAL := help
.PHONY: help demo run test check fuzz bench chaos stop

python := .venv/bin/python
with_services := urls=$$($(python) -m deploy.services start) && eval "$$urls" &&

help:
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

demo: .venv/installed ## watch the job at work on a stream of events, on local services
	@$(with_services) exec $(python) -m deploy.demo

run: .venv/installed ## run pipeline.yaml until Ctrl-C
	@$(with_services) exec $(python) -m bytewax.run flows.pipeline

test: check ## check, then all tests, those on real services too
	@$(with_services) HOPPER_LIVE=1 exec $(python) -m pytest -n 0 -m ''

check: .venv/installed ## style, format and types
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m mypy

fuzz: .venv/installed ## throw many more broken inputs at what reads bytes from outside
	@exec $(python) -m tests.fuzz

bench: .venv/installed ## measure rate, CPU and memory beside other ways to do the job
	@$(with_services) exec $(python) -m bench

chaos: .venv/installed ## break everything around the job by a seed, and look whether a message is lost
	@exec $(python) -m tests.chaos

stop: .venv/installed ## end the local services, and forget what they hold
	@$(python) -m deploy.services stop

.venv/installed: pyproject.toml deploy/venv.sh
	@sh deploy/venv.sh
	@touch $@
