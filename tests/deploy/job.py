"""The job of compose.yaml and of hopper.service."""

from __future__ import annotations

from flows.spec import Pipeline, load
from tests.documents import ROOT

ENVIRONMENT = {
    "RABBITMQ_URL": "amqp://hopper:secret@rabbitmq:5672/",
    "ELASTICSEARCH_URL": "http://elasticsearch:9200",
    "ELASTICSEARCH_PASSWORD": "secret",
}
JOB: Pipeline = load(ROOT / "deploy" / "pipeline.yaml", ENVIRONMENT)
