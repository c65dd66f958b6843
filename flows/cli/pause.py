"""`hopper pause`: stops a running job from consuming, without ending it."""

from __future__ import annotations

from flows.cli.pausing import make_command

command = make_command(
    "pause",
    """Stop consuming, without ending the job.

    Groups complete by their rules, documents are written and messages acknowledged; messages wait
    in the broker until `hopper resume`. The command reaches all processes of the job on this
    machine, at the ports of `metrics`.
    """,
    paused=True,
)
