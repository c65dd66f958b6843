"""`hopper resume`: ends a pause."""

from __future__ import annotations

from flows.cli.pausing import make_command

command = make_command(
    "resume",
    """Consume again after `hopper pause`.

    All processes of the job on this machine are asked, at the ports of `metrics`.
    """,
    paused=False,
)
