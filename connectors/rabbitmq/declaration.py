"""What `pipeline.yaml` says about how a queue is made, and how it is consumed."""

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
    """Binding key, as the exchange's type understands it."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What a headers exchange matches, for example."""


class Declare(Spec):
    """How the queue is made when it does not exist; one that does must be the same."""

    durable: bool = True
    """The queue outlives a restart of the broker."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Passed to the broker with the types they have here: `{x-queue-type: quorum}`."""
    bind: tuple[Binding, ...] = Field((), strict=False)
    """Exchanges that feed the queue."""


OFFSET = "x-stream-offset"
"""Header of each message that a stream delivers; and the argument that says where to begin."""


class Consume(Spec):
    """How the broker is asked for messages."""

    exclusive: bool = False
    """No other consumer is let in; the job waits until there is none."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Passed to the broker with the types they have here: `{x-priority: 10}`. Of a stream,
    `x-stream-offset` says where to begin the first time, `first` if omitted: `first`, `last`,
    `next` or an offset; from then on the job goes on where it was, and this has no effect."""


def _shape_of_declaration(value: Any) -> str | None:
    # Pydantic puts the tag into the paths of errors, where it must not look like a key.
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
