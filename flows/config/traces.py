"""The model of `traces` in `pipeline.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from connectors.spec import Problem, Spec, instead_of
from connectors.url import parse


def _without_login(text: str) -> str:
    parts = parse(text, ("http", "https"))
    if parts.username or parts.query:
        raise ValueError(
            "may have no login and no ?: write what the collector asks for into the variable "
            "OTEL_EXPORTER_OTLP_HEADERS"
        )
    return text


class TracesSpec(Spec):
    """Traces of OpenTelemetry, by OTLP over HTTP; they need the extra `rabbit-hopper[traces]`."""

    elsewhere: ClassVar = instead_of(
        {
            "write endpoint": "url exporter otlp collector address",
            "write sample": "ratio sampling sample_ratio sample_rate",
            "write service": "service_name name",
        }
    )

    endpoint: Annotated[str, AfterValidator(_without_login)] = "http://127.0.0.1:4318"
    """Address of the collector; spans go to `/v1/traces` below it."""
    sample: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the groups that are recorded where no message names a trace. Where one does, its
    sender decides."""
    service: Annotated[str, Field(min_length=1)] | None = None
    """`service.name` of the spans; omitted: the name of the job."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if not _is_installed("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
            yield Problem((), "needs OpenTelemetry: python -m pip install 'rabbit-hopper[traces]'")


def _is_installed(*modules: str) -> bool:
    try:
        return all(find_spec(module) is not None for module in modules)
    except ModuleNotFoundError:  # of a package around a module
        return False
