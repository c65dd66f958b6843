"""A spec is shown without its secrets."""

from __future__ import annotations

import json

from flows.config.without_secrets import without_secrets
from flows.spec import Pipeline
from tests.flows.served_job import SECRETS, SPEC


def test_no_secret_is_shown() -> None:
    """Neither passwords in URLs nor keys, tokens and what follows a ? in a URL."""
    spec = Pipeline.model_validate(
        SPEC
        | {
            "metrics": {"port": 9100, "token": "radish"},
            "dead_letter": {
                "rabbitmq": {
                    "url": "amqps://a:carrot@b?ssl_options={'password':'turnip'}",
                    "routing_key": "parked",
                }
            },
        }
    )

    shown = without_secrets(spec)

    assert [secret for secret in SECRETS if secret in json.dumps(shown)] == []
    assert shown["source"]["rabbitmq"]["url"] == ["amqp://guest:***@localhost:5672/"]
    assert shown["metrics"] == {"port": 9100, "token": "***"}


def test_it_shows_what_the_file_says_and_no_defaults() -> None:
    shown = without_secrets(Pipeline.model_validate(SPEC))

    assert shown["aggregate"] == {
        "by": "order",
        "window": {"time": 600.0, "last": "message.type == 'end'"},
        "reduce": {"total": {"sum": "amount"}},
    }
    assert shown["dead_letter"] == {"rabbitmq": {"routing_key": "orders.parked"}}
