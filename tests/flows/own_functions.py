"""User functions, good and bad ones, for the tests of the code that calls them."""

from __future__ import annotations

from typing import Any

CALLS: list[Any] = []


def is_end(view: Any) -> bool:
    return bool(view.message.get("type") == "end")


def of_everything(view: Any) -> bool:
    return bool(
        view.message["n"] == 1
        and view.header["x"] == "h"
        and view.property.correlation_id == "c"
        and view.routing_key == "orders"
        and view.queue == "tasks"
        and view.group.count == 2
    )


def needs_a_field(view: Any) -> bool:
    return bool(view.message["total"] > 100)


def counts_its_calls(view: Any) -> bool:
    CALLS.append(view)
    return False


def returns_a_text(view: Any) -> str:
    return f"{view.message.get('type')}\nand more"


def returns_nothing(view: Any) -> None:
    view.message.get("type")


def misspells_the_view(view: Any) -> bool:
    return bool(view.mesage["type"] == "end")


def misspells_a_name(view: Any) -> bool:
    return bool(vew.message["type"] == "end")  # type: ignore[name-defined]  # noqa: F821


def takes_two(view: Any, group: Any) -> bool:
    return bool(view == group)


def takes_anything(*arguments: Any) -> bool:
    return len(arguments) == 1


class OwnRules:
    """A function may belong to a class."""

    @staticmethod
    def is_end(view: Any) -> bool:
        return is_end(view)


NUMBER = 5


def numbers(documents: list[dict[str, Any]]) -> dict[str, Any]:
    texts = {document["is"] for document in documents}
    return {"numbers": [document["n"] for document in documents], "is": sorted(texts)}
