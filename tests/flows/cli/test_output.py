"""Output for people."""

from __future__ import annotations

from flows.cli.output import plural, printable


def test_a_body_cannot_control_the_terminal() -> None:
    assert printable("a\x1b[31mb\n\tö\x9b") == "a\\x1b[31mb\n\tö\\x9b"


def test_one_and_several_are_spelled_differently() -> None:
    assert [plural(count, "message") for count in (0, 1, 2)] == [
        "0 messages",
        "1 message",
        "2 messages",
    ]
    assert plural(2, "is", "are") == "2 are"
