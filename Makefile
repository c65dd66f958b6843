# `make` alone lists the targets. How services start is written in tools/, once.

.DEFAULT_GOAL := help
.PHONY: help install demo run test check coverage fuzz bench chaos lock stop

python := .venv/bin/python
with_services := urls=$$($(python) -m tools.services start) && eval "$$urls" &&

help:
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

install: .venv/installed ## Hopper and the packages of requirements.lock, in .venv

demo: .venv/installed ## watch the job at work on a stream of events, on local services
	@$(with_services) exec $(python) -m tools.demo

run: .venv/installed ## run pipeline.yaml until Ctrl-C
	@$(with_services) exec $(python) -m bytewax.run flows.pipeline

test: check ## check, then all tests, those on real services too
	@$(with_services) HOPPER_LIVE=1 exec $(python) -m pytest -m ''

check: .venv/installed ## style, format, spelling and types
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m codespell_lib
	$(python) -m mypy

coverage: .venv/installed ## which lines and branches the tests without servers reach
	@$(python) -m coverage erase
	@$(python) -m coverage run -m pytest -n 0 -q
	@$(python) -m coverage combine -q
	@$(python) -m coverage report --skip-covered --sort=cover

fuzz: .venv/installed ## throw many more broken inputs at what reads bytes from outside
	@exec $(python) -m pytest -n 0 -p no:randomly --timeout 0 --hypothesis-profile fuzz \
		--hypothesis-show-statistics tests/connectors/rabbitmq/test_fuzz.py

bench: .venv/installed ## measure rate, CPU and memory beside other ways to do the job
	@$(with_services) exec $(python) -m bench

chaos: .venv/installed ## break everything around the job by a seed, and look whether a message is lost
	@exec $(python) -m tests.chaos

lock: .venv/installed ## pin again all that development, CI and the image install, at the newest that fit
	@$(python) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --extra dev \
		--extra traces --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --upgrade \
		pyproject.toml -o requirements.lock
	@$(python) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--extra traces --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
		--constraint requirements.lock pyproject.toml -o deploy/requirements.lock

stop: .venv/installed ## end the local services, and forget what they hold
	@$(python) -m tools.services stop

.venv/installed: pyproject.toml requirements.lock flows/version.py tools/venv.sh
	@sh tools/venv.sh
	@touch $@
