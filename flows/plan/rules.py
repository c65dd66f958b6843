"""The rule of each key of `pipeline.yaml`: what its change means for what is open. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from flows.plan import answers, state_answers
from flows.plan.changed_keys import Key
from flows.plan.effect import Rule
from flows.plan.state_answers import (
    goes_on,
    refused,
    refused_if_it_keeps_other,
    refused_with_other_queues,
    stays,
)


def _under(prefix: str, rules: Mapping[str, Rule]) -> dict[Key, Rule]:
    """Return rules by whole paths; the names of several keys are separated by spaces."""
    start = tuple(prefix.split(".")) if prefix else ()
    return {(*start, *key.split(".")): rule for keys, rule in rules.items() for key in keys.split()}


SOURCE: Mapping[str, Rule] = {
    "consumers": answers.consumers,
    "memory prefetch": answers.restart,
    "format indices max_message": answers.content,
}
"""Of the keys that all sources have."""

RULES: Mapping[Key, Rule] = {
    **_under(
        "",
        {
            "version drain_timeout metrics reload log traces": answers.restart,
            "name": refused_with_other_queues(answers.name),
            "setup": answers.setup,
            "state": state_answers.state,
        },
    ),
    **_under(
        "",
        {"source source.rabbitmq source.memory": answers.other_source, "aggregate": answers.window},
    ),
    **_under("source.memory", {**SOURCE, "name": answers.queue}),
    **_under("source.rabbitmq", SOURCE),
    **_under(
        "source.rabbitmq",
        {
            "url": answers.broker,
            "queue": answers.queue,
            "declare": answers.declaration,
            "consume": answers.subscription,
            "offset_queue": answers.offset,
            "consumer_timeout max_deliveries": answers.restart,
        },
    ),
    **_under(
        "aggregate",
        {
            "by": refused(answers.key),
            "missing_key": goes_on(answers.key),
            "incomplete": refused_if_it_keeps_other(answers.policy),
            "late max_groups": answers.policy,
            "on_stop": refused_if_it_keeps_other(answers.on_stop),
            "remember amend_for": stays(answers.remembered),
            "distinct distinct.by": answers.distinct,
            "distinct.for distinct.max_values": stays(answers.distinct),
            "order": refused(answers.order),
            "reduce": refused(answers.reduce),
            "summary": goes_on(answers.reduce),
            "window": answers.window,
        },
    ),
    **_under(
        "aggregate.window",
        {
            "count bytes time idle last first size": goes_on(answers.window),
            "until tumbling tumbling.every": refused(answers.window),
            "event_time": refused(answers.event_time),
            "lateness idle_after ahead": goes_on(answers.event_time),
        },
    ),
    **_under(
        "aggregate.window.tumbling",
        {
            "zone": refused(answers.window),
            "emit_every": answers.early,
            "event_time": refused(answers.event_time),
            "lateness idle_after ahead": goes_on(answers.event_time),
        },
    ),
    **_under("", {"sink sink.elasticsearch sink.memory sink.memory.name": answers.other_sink}),
    **_under(
        "sink.elasticsearch",
        {
            "url": answers.cluster,
            "api_key basic_auth ca_certs client_cert client_key": answers.restart,
            "index index_fallback routing": answers.index,
            "action upsert version": answers.action,
            "id": answers.identity,
            "pipeline": answers.content,
            "require_alias on_missing_index bulk request_timeout": answers.restart,
            "concurrency": answers.several_requests,
        },
    ),
    **_under("dead_letter", {"rabbitmq": answers.dead_letters}),
    **_under("dead_letter.rabbitmq", {"url exchange routing_key": answers.dead_letters}),
    **_under(
        "",
        {"dead_letter": answers.dead_letters, "dead_letter.rabbitmq.reject_limit": answers.restart},
    ),
}
"""The rule of each key."""
