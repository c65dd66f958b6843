"""What several commands for dead letters report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.rabbitmq.dead_letter_record import Selection
from flows.cli import exit_codes
from flows.cli.letters.ages import age_text
from flows.cli.letters.kinds import Kind
from flows.cli.output import UNSURE, error, note, paint, print_text, printable

SOON_DROPPED = 15
"""Deliveries of a message after which a quorum queue may soon drop it. The default limit of
RabbitMQ 4.0 to 4.2 is 20; earlier versions have no limit, and since 4.3 browsing does not count."""


def print_kinds(kinds: Sequence[Kind], now: datetime) -> None:
    """Print a table of kinds."""
    print_text(f"{'count':>8}  {'oldest':>6}  {'newest':>6}  kind")
    for one in kinds:
        ages = [
            age_text(None if at is None else (now - at).total_seconds())
            for at in (one.oldest, one.newest)
        ]
        print_text(f"{one.count:>8}  {ages[0]:>6}  {ages[1]:>6}  {printable(one.kind)}")
        about = []
        if one.indices:
            more = f" and {len(one.indices) - 3} more" if len(one.indices) > 3 else ""
            about.append(f"index {', '.join(one.indices[:3])}{more}")
        if one.replayed:
            about.append(f"replayed before: {one.replayed}")
        if about:
            print_text(f"{'':28}{'; '.join(about)}")


def warn_of_deliveries(most: int) -> None:
    """Warn if a quorum queue may soon drop messages; `most`: their largest number of deliveries."""
    if most >= SOON_DROPPED:
        note(
            f"{paint('warning', UNSURE)}: a message was delivered {most} times: a quorum queue "
            "drops it at its delivery limit; replay it, or raise the limit with a policy"
        )


def report_none_selected(selection: Selection, kinds: Mapping[str, int], queue: str) -> int:
    """Report that no message is selected; return the exit code, `WRONG` for an unknown reason."""
    if not kinds:
        print_text(f"queue {queue}: no dead letters")
        return exit_codes.DONE
    if not (selection.kinds or selection.reasons):
        print_text(f"queue {queue}: no dead letter is selected")
        return exit_codes.DONE
    error(f"queue {queue}: no dead letter has such a reason; the kinds of reasons are:")
    for kind in kinds:
        error(f"  {printable(kind)}")
    return exit_codes.WRONG
