"""The unit fits the job: how it starts and ends, and what it tells systemd."""

from __future__ import annotations

from flows.process import start, systemd
from tests.deploy.job import JOB
from tests.documents import ROOT

LINES = (ROOT / "deploy" / "systemd" / "hopper.service").read_text().splitlines()
UNIT = dict(line.split("=", 1) for line in LINES if "=" in line and not line.startswith("#"))


def test_it_is_the_job_itself_that_tells_when_it_is_ready() -> None:
    """No shell and no `hopper run` stands between."""
    assert UNIT["ExecStart"].endswith("/python -m bytewax.run flows.pipeline")
    assert (UNIT["Type"], UNIT["NotifyAccess"], systemd.READY) == ("notify", "main", "READY=1")


def test_a_reload_is_a_signal_to_the_job() -> None:
    assert UNIT["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_the_watchdog_waits_for_more_than_some_checks() -> None:
    assert int(UNIT["WatchdogSec"]) >= 10


def test_the_job_has_time_to_drain() -> None:
    assert int(UNIT["TimeoutStopSec"]) > JOB.drain_timeout


def test_a_wrong_spec_is_not_tried_again() -> None:
    assert UNIT["Restart"] == "on-failure"
    assert UNIT["RestartPreventExitStatus"] == str(start.EXIT_SPEC)


def test_it_may_do_nothing_but_its_job() -> None:
    assert UNIT["DynamicUser"] == "yes"
    assert UNIT["NoNewPrivileges"] == "yes"
    assert UNIT["ProtectSystem"] == "strict"
    assert UNIT["CapabilityBoundingSet"] == ""
