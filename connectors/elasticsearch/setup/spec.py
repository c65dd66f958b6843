"""The models of `setup` in `pipeline.yaml`: what `hopper setup` prepares in Elasticsearch.

The job reads and checks these keys, and uses none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from connectors.elasticsearch.index_name import problem_of_name
from connectors.spec import Indices, Problem, Spec, instead_of
from connectors.units import Duration

KEYS_OF_A_MAPPING = (
    *("properties", "runtime", "dynamic", "dynamic_templates", "dynamic_date_formats"),
    *("date_detection", "numeric_detection", "subobjects", "_meta", "_routing", "_source"),
)
"""The keys of a mapping as Elasticsearch takes it ("Mapping" in its reference)."""


def _name(text: str) -> str:
    problem = problem_of_name(text)
    if problem is not None:
        raise ValueError(problem.replace("an index", "an index or a template"))
    return text


class DataStreamSetup(Spec):
    """The data stream of the sink, and how long it keeps documents."""

    retention: Annotated[Duration, Field(gt=0, examples=["30d"])] | None = None
    """How long Elasticsearch keeps a document, counted from the rollover of its backing index; then
    Elasticsearch deletes it. Omitted: for ever."""


class ElasticsearchSetup(Spec):
    """What `hopper setup` prepares for `sink.elasticsearch.index`; the job ignores it.

    The index template is for the indices that the sink names. Without `data_stream` and
    `first_index`, `hopper setup` creates the index itself, or none if `index` is a template of
    several names.
    """

    elsewhere: ClassVar = instead_of(
        {
            "write mapping": "mappings properties schema",
            "write data_stream: {retention: 30d}": "lifecycle retention ilm policy",
            "write first_index: orders-000001": "rollover write_index rollover_alias",
            "write aliases": "alias read_alias",
        }
    )

    template: Annotated[str, AfterValidator(_name)] | None = None
    """Name of the index template; omitted: the name of the job, in lowercase."""
    priority: Annotated[int, Field(ge=0)] = 200
    """Of the index templates that fit an index, Elasticsearch takes the one with the highest
    priority; those that come with it have at most 100."""
    mapping: dict[str, Any] = Field(default_factory=dict)
    """The mapping, as Elasticsearch takes it: `{dynamic: strict, properties: {n: {type: long}}}`.
    A field of an existing index that is missing here stays as it is."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings of new indices: `{number_of_replicas: 1}`. Existing indices keep theirs."""
    data_stream: DataStreamSetup | None = None
    """`index` is a data stream, which needs `action: create`; `{}`: it keeps all documents."""
    first_index: Annotated[str, AfterValidator(_name)] | None = None
    """`index` is an alias that writes to this index first. After a rollover it writes to the next
    one, `orders-000002` after `orders-000001`, which the index template is for too."""
    aliases: Indices = ()
    """More names for these indices together, for those who search them: one name, or several."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        for key in self.mapping:
            if key not in KEYS_OF_A_MAPPING:
                text = "is no key of a mapping: write fields under properties"
                yield Problem(("mapping", key), text)
        if self.data_stream is not None and self.first_index is not None:
            text = "data_stream is set too: an index is an alias or a data stream"
            yield Problem(("first_index",), text)
        for name in self.aliases:
            problem = problem_of_name(name)
            if problem is not None:
                yield Problem(("aliases",), problem.replace("an index", "an alias"))
