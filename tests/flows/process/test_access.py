"""Which requests the port of a process answers."""

from __future__ import annotations

import pytest

from flows.process.access import is_own_host, refusal_of_change, refusal_of_contents


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("", True),
        ("localhost", True),
        ("LocalHost.:9100", True),
        ("127.0.0.1:9100", True),
        ("10.1.2.3", True),
        ("[::1]:9100", True),
        ("[fe80::1]", True),
        ("node-7:9100", True),
        ("Hopper.orders.svc:9100", True),
        ("hopper.orders.svc.attacker.example", False),
        ("attacker.example:9100", False),
        ("127.0.0.1.attacker.example", False),
        ("[::1", True),
        ("[attacker.example]", False),
    ],
)
def test_a_request_for_a_foreign_host_is_recognised(host: str, is_own: bool) -> None:
    assert is_own_host(host, {"node-7", "hopper.orders.svc"}) is is_own


@pytest.mark.parametrize(
    ("peer", "authorization", "token", "may"),
    [
        ("127.0.0.1", None, None, True),
        ("::1", None, "secret", True),
        ("10.0.0.7", None, None, False),
        ("10.0.0.7", None, "secret", False),
        ("10.0.0.7", "Bearer secret", "secret", True),
        ("10.0.0.7", "Bearer guess", "secret", False),
        ("10.0.0.7", "Bearer gehe\u00efm", "secret", False),
        ("10.0.0.7", "", None, False),
        ("127.0.0.1", "Bearer guess", "secret", True),
    ],
)
def test_a_change_needs_this_machine_or_the_token(
    peer: str, authorization: str | None, token: str | None, may: bool
) -> None:
    refusal = refusal_of_change(
        peer=peer, host="h:1", origin=None, authorization=authorization, token=token
    )

    assert (refusal is None) is may


@pytest.mark.parametrize(
    ("origin", "may"),
    [("http://127.0.0.1:9100", True), ("https://attacker", False), ("null", False)],
)
def test_a_page_of_another_site_changes_nothing(origin: str, may: bool) -> None:
    """Not even with the token, which a page could know."""
    refusal = refusal_of_change(
        peer="127.0.0.1",
        host="127.0.0.1:9100",
        origin=origin,
        authorization="Bearer secret",
        token="secret",
    )

    assert (refusal is None) is may


@pytest.mark.parametrize(
    ("authorization", "token", "may"),
    [
        (None, None, False),
        ("Bearer ", None, False),
        (None, "secret", False),
        ("Bearer guess", "secret", False),
        ("Bearer secret", "secret", True),
    ],
)
def test_contents_of_messages_need_the_token(
    authorization: str | None, token: str | None, may: bool
) -> None:
    """Also from this machine, since all of its users reach the port."""
    assert (refusal_of_contents(authorization=authorization, token=token) is None) is may
