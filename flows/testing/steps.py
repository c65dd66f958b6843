"""Makes steps of a play from those of a test, and from the lines of a sample. Pure."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator

import msgspec

from connectors.message import Properties
from flows.simulation import play
from flows.simulation.play import Fault, MessageArrives, TimedStep
from flows.testing.spec import PipelineTest
from flows.testing.steps_spec import BODIES, MessageSpec, StepSpec


def steps_of(test: PipelineTest) -> Iterator[TimedStep]:
    """Return the steps of a test, each with its time."""
    now = 0.0
    for step in test.steps:
        now = now if step.at is None else step.at
        yield TimedStep(now, _what(step))


def message_of(spec: MessageSpec) -> MessageArrives:
    """Return the message that a spec describes."""
    properties = Properties(**spec.properties.model_dump(), headers=spec.headers or None)
    return MessageArrives(_body(spec), properties, spec.redelivered, spec.queue)


def _body(spec: MessageSpec) -> bytes:
    if spec.text is not None:
        return spec.text.encode()
    if spec.base64 is not None:
        return b64decode(spec.base64)
    return msgspec.json.encode(spec.body)


def _what(step: StepSpec) -> MessageArrives | Fault:
    if step.model_fields_set & set(BODIES):
        return message_of(step)
    if step.answer is not None:
        return play.answer(step.answer.status, step.answer.item, step.answer.times)
    if step.down is not None:
        return play.down(step.down)
    if step.crash is not None:
        return play.crash(step.crash)
    if step.stop is not None:
        return play.stop(step.stop)
    return play.lose_connection if step.lose_connection else play.complete
