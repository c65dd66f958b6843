"""`hopper resume`: ends a pause."""

from __future__ import annotations

from flows.cli.pausing import make_command

command = make_command(
    "resume",
    """Consume again after `hopper pause`.

    The command reaches all processes of the job on this machine, at the ports of `metrics`.
    """,
    paused=False,
)
