"""The part of `pipeline.yaml` that declares a queue and says how to consume it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from connectors.rabbitmq.url import ShortText
from connectors.spec import Spec


class Binding(Spec):
    """A binding of the queue."""

    exchange: Annotated[ShortText, Field(min_length=1)]
    """Name of an exchange that exists."""
    routing_key: ShortText = ""
    """Binding key, in the notation of the exchange's type."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the binding: the headers that a headers exchange matches, for example."""


class Declare(Spec):
    """How to declare the queue; an existing queue must have the same properties."""

    durable: bool = True
    """The queue survives a restart of the broker."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Passed to the broker with the types they have here: `{x-queue-type: quorum}`."""
    bind: tuple[Binding, ...] = Field((), strict=False)
    """Bindings of the queue to exchanges."""


OFFSET = "x-stream-offset"
"""Header of each message that a stream delivers; and the argument with the offset to begin at."""


class Consume(Spec):
    """How the job subscribes to the queue."""

    exclusive: bool = False
    """The broker refuses all other consumers; the job waits until there is none."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Passed to the broker with the types they have here: `{x-priority: 10}`. For a stream,
    `x-stream-offset` is where the job begins the first time: `first` (if omitted), `last`, `next`
    or an offset. After that the job continues where it stopped, and the argument has no effect."""


def _shape_of_declaration(value: Any) -> str | None:
    # Pydantic puts the tag into the path of an error, where it must not look like a key.
    if isinstance(value, (dict, Declare)):
        return "<mapping>"
    return "<passive>" if value == "passive" else None


Declaration = Annotated[
    Annotated[Declare, Tag("<mapping>")] | Annotated[Literal["passive"], Tag("<passive>")],
    Discriminator(
        _shape_of_declaration,
        custom_error_type="declaration",
        custom_error_message="must be passive, or a mapping such as {durable: true}",
    ),
]
