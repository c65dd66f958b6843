"""What a shard remembers of groups that have left, and for how long."""

from __future__ import annotations

from flows.groups.remembered import RECOGNISED, ClosedKeys, Recognised


def test_a_message_is_found_in_the_group_in_which_it_left() -> None:
    recognised = Recognised()
    recognised.left(["a", "b"], 7)
    recognised.left(["c", None, ("m", 0)], 9)

    assert [recognised.find(name) for name in ("a", "b", "c", ("m", 0), "x")] == [
        (7, 0),
        (7, 1),
        (9, 0),
        (9, 2),
        None,
    ]


def test_a_message_that_left_after_the_last_look_up_is_found() -> None:
    recognised = Recognised()
    assert recognised.find("a") is None

    recognised.left(["a"], 1)

    assert recognised.find("a") == (1, 0)


def test_a_message_that_left_twice_is_found_where_it_left_last() -> None:
    recognised = Recognised()
    recognised.left(["a"], 1)
    recognised.left(["a"], 2)

    assert recognised.find("a") == (2, 0)


def test_messages_are_forgotten_only_after_many_others() -> None:
    recognised = Recognised()
    recognised.left(["first"], 1)
    for number in range(2 * RECOGNISED // 1000):
        assert (recognised.find("first") is not None) or number * 1000 >= RECOGNISED
        recognised.left([f"{number}/{place}" for place in range(1000)], number + 2)
    recognised.left(["last"], 999)

    assert recognised.find("first") is None
    assert recognised.find("last") == (999, 0)


def test_the_key_that_was_completed_longest_ago_is_forgotten() -> None:
    """A key that completes again counts as completed now."""
    closed = ClosedKeys(2)
    for key in ("a", "b", "a", "c"):
        closed.close(key)

    assert [key in closed for key in ("a", "b", "c")] == [True, False, True]
