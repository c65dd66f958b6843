"""Makes the documents of a group: one for each member, or one summary.

Pure. It does not know how a sink stores documents.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from connectors.connector import Addressing
from connectors.message import Documents
from flows.conditions import user_functions
from flows.config.aggregate import AggregateSpec
from flows.outcomes.outcomes import has_parts
from flows.summaries.summary import Summaries
from flows.values.group import Group, Unwritten

MakeDocuments = Callable[[Group], Documents | Unwritten]
"""group -> its documents, or why it has none."""


def make_documents(spec: AggregateSpec, addressing: Addressing) -> MakeDocuments:
    """Build the function for a spec: with `reduce` one document a group, else one a member."""
    if spec.reduce is None:
        return partial(documents, names=not addressing.leaves_ids)
    function = user_functions.load(spec.reduce) if isinstance(spec.reduce, str) else None
    return summary_documents(Summaries(spec.summary, addressing, function))


def documents(group: Group, *, names: bool = True) -> Documents:
    """Return the documents of a group, one for each member, in the order of the members.

    `names`: a group of the state names its documents that have no `_id`, so that it may be written
    again.
    """
    members, kept = group.members, group.kept
    # Only documents of split messages have an action and a routing of their own.
    has_metadata = has_parts(members)
    ids = [member.id for member in members]
    if kept is not None and names:
        ids = [id or f"{kept.name}.{position}" for position, id in enumerate(ids)]
    copied = kept is not None and kept.is_again
    return Documents(
        [member.document for member in members],
        _column([member.index for member in members]),
        _column(ids),
        actions=_column([member.action for member in members]) if has_metadata else None,
        routings=_column([member.routing for member in members]) if has_metadata else None,
        redelivered=(
            [copied or member.message.redelivered for member in members] if None in ids else None
        ),
    )


def summary_documents(summaries: Summaries) -> MakeDocuments:
    """Build a function that makes one document of a group."""

    def make(group: Group) -> Documents | Unwritten:
        summary = summaries.summarise(group)
        if isinstance(summary, Unwritten):
            return summary
        made = Documents([summary.document], [summary.index], [summary.id])
        return made if summary.claim is None else made._replace(claims=[summary.claim])

    return make


def _column(values: list[str | None]) -> list[str | None] | None:
    return None if values.count(None) == len(values) else values
