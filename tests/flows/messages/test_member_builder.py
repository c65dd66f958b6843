"""Documents that become members, and documents that become none."""

from __future__ import annotations

import pytest

from connectors.elasticsearch.address import ElasticsearchAddressing
from connectors.message import Message, Origin, Properties, Rejection
from flows.messages.formats import Document
from flows.messages.member_builder import Envelope, MemberBuilder
from tests.flows.addressing import Address

ENVELOPE = Envelope(Origin("q/000", 1), Properties(), 0.0)
DELETION = Document(b"{}", "events", "7", "delete")


@pytest.mark.parametrize("summarised", [False, True])
def test_a_deletion_is_executed_but_not_counted(summarised: bool) -> None:
    """Acknowledging it without executing or refusing it would lose it."""
    builder = MemberBuilder(None if summarised else ElasticsearchAddressing(Address()), None)

    member = builder.part(ENVELOPE, Message(1, False, b"", b"", b"..."), DELETION, (0, 1))

    if summarised:
        assert member == Rejection(
            "unreadable: delete: a summary needs documents, and delete has none"
        )
    else:
        assert not isinstance(member, Rejection)
        assert (member.id, member.action) == ("7", "delete")
