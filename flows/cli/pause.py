"""`hopper pause`: lets a running job receive nothing, and keep its place."""

from __future__ import annotations

from flows.cli.pausing import make_command

command = make_command(
    "pause",
    """Stop consuming, without ending the job.

    Groups complete by their rules, documents are written and messages acknowledged; messages wait
    in the broker until `hopper resume`. All processes of the job on this machine are asked, at the
    ports of `metrics`.
    """,
    paused=True,
)
