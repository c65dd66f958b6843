"""The models of `reduce` and `summary` in `pipeline.yaml`: the document that a group becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from connectors.spec import Problem, Spec, instead_of
from connectors.spelling import NO_POINTER, names_in, written
from flows.config.field_types import PathText, Reducer


def _quantile(q: str) -> str:
    return f"write quantile, with q: {q}"


class Reduction(Spec):
    """A field of the summary: one function, and the path of its values in each message.

    Messages without a value at the path are skipped. `count` alone, instead of a mapping, counts
    all messages.
    """

    elsewhere: ClassVar = instead_of(
        {
            "write quantile, with q: 0.5": "median",
            "write quantile, with a q such as 0.95": "percentile percentiles quantiles",
            "write q, from 0 to 1: 0.95": "p percent percents",
            "write quantile, with q: 0.999": "p999 p99_9",
            "there are {functions}; any other is your own, as reduce: module:function": "stddev "
            "stdev std variance var mode top range rate weighted_avg",
            "write avg": "average mean",
            "write max": "maximum highest largest",
            "write min": "minimum lowest smallest",
            "write sum": "total add sums",
            "write distinct": "unique uniq set collect_set distinct_values",
            "write count_distinct": "cardinality nunique unique_count distinct_count",
            "write list": "collect collect_list array array_agg append push values items",
            "write concat": "join string_agg implode concatenate",
            "write last": "latest newest last_value",
            "write first": "earliest oldest first_value",
            "write merge": "object deep_merge update",
            **{_quantile(f"0.{n:02}"): f"p{n} percentile_{n}" for n in range(1, 100)},
        }
    )

    @classmethod
    def hint_of(cls, key: str) -> str | None:
        """See `Spec`."""
        hint = super().hint_of(key)
        return hint and hint.format(functions=", ".join(FUNCTIONS))

    count: PathText | None = None
    """Number of messages with a value at the path, null included."""
    sum: PathText | None = None
    """Sum of the numbers, null if there are none. The sum of whole numbers is whole and exact. A
    text that is a number counts as one. Null is skipped; so is any other value, and the metrics
    count it."""
    min: PathText | None = None
    """The smallest number; other values are skipped, as with `sum`."""
    max: PathText | None = None
    """The largest number; other values are skipped, as with `sum`."""
    avg: PathText | None = None
    """The mean of the numbers; other values are skipped, as with `sum`."""
    first: PathText | None = None
    """The value of the first message that has one; null is a value."""
    last: PathText | None = None
    """The value of the last message that has one; null is a value."""
    list: PathText | None = None
    """All values, null included, in the order of the messages; `[]` if there are none."""
    distinct: PathText | None = None
    """Each value once, null included, in the order of its first message; `1` and `1.0` are one
    value, `1` and `"1"` are two."""
    count_distinct: PathText | None = None
    """The number of distinct values: exact up to 4096, beyond that within about 2 %."""
    quantile: PathText | None = None
    """The number that a share `q` of the numbers does not exceed, approximately; other values are
    skipped, as with `sum`."""
    merge: PathText | None = None
    """Objects merged, nested objects too; of each field the last value counts."""
    concat: PathText | None = None
    """Texts joined, with the `separator` between them."""
    q: Annotated[float, Field(ge=0, le=1)] | None = None
    """For `quantile`: `0.5` is the median, `0.99` the number that one in a hundred exceeds."""
    separator: str = ""
    """For `concat`."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        if len(self._given()) != 1:
            yield Problem((), f"needs exactly one of: {', '.join(FUNCTIONS)}")
        elif self.quantile is not None and self.q is None:
            yield Problem((), "quantile needs q, from 0 to 1: 0.5 is the median")
        if self.q is not None and self.quantile is None:
            yield Problem(("q",), "needs quantile")
        if self.separator and self.concat is None:
            yield Problem(("separator",), "needs concat")

    @property
    def function(self) -> str:
        """Name of the function."""
        return self._given()[0]

    @property
    def path(self) -> str:
        """Path of the function's values."""
        return str(getattr(self, self.function))

    def _given(self) -> tuple[str, ...]:
        return tuple(name for name in FUNCTIONS if getattr(self, name) is not None)


FUNCTIONS = tuple(name for name in Reduction.model_fields if name not in ("q", "separator"))


def _field(name: str) -> str:
    if name.startswith("/"):
        raise ValueError(f"{NO_POINTER}: write {written(names_in(name)) or 'order.id'}")
    if "" in name.split("."):
        raise ValueError("is not the name of a field: a name, or several with a dot between two")
    return name


FieldName = Annotated[str, AfterValidator(_field)]
"""Name of a document's field. A dot in it makes it a field of an object."""


def _shape_of_reduction(value: Any) -> str | None:
    # Pydantic puts the tag into the paths of errors, where it must not look like a key.
    if isinstance(value, (dict, Reduction)):
        return "<mapping>"
    return "<count>" if value == "count" else None


_OneField = Annotated[
    Annotated[Literal["count"], Tag("<count>")] | Annotated[Reduction, Tag("<mapping>")],
    Discriminator(
        _shape_of_reduction,
        custom_error_type="reduction",
        custom_error_message="must be count, or a function and its path: {sum: amount}",
    ),
]

Reductions = Annotated[
    dict[FieldName, _OneField],
    Field(min_length=1),
]
"""The reductions, by the names of their fields."""


def _shape_of_reduce(value: Any) -> str | None:
    if isinstance(value, dict):
        return "<mapping>"
    return "<function>" if isinstance(value, str) else None


Reduce = Annotated[
    Annotated[Reductions, Tag("<mapping>")] | Annotated[Reducer, Tag("<function>")],
    Discriminator(
        _shape_of_reduce,
        custom_error_type="reduce",
        custom_error_message="must be module:function, or a mapping such as {total: {sum: amount}}",
    ),
]


class SummarySpec(Spec):
    """Names of the fields that every summary has beside those of `reduce`; `null` omits one."""

    key: FieldName | None = "key"
    """The key of the group; omitted where there is no `by`."""
    start: FieldName | None = "window_start"
    """Start of the aligned window, else the arrival of the first message."""
    end: FieldName | None = "window_end"
    """End of the aligned window, else the arrival of the last message."""
    count: FieldName | None = "count"
    """Number of messages in the group."""
    completed_by: FieldName | None = "completed_by"
    """The rule that completed the group."""
    fingerprint: FieldName | None = "fingerprint"
    """With aligned windows: a hash of the messages in the group, by which the job recognises the
    documents that it has written itself. Without it, a group whose window has a document already is
    parked."""

    def problems(self) -> Iterator[Problem]:
        """See `Spec`."""
        seen: dict[str, str] = {}
        for key in type(self).model_fields:
            name = getattr(self, key)
            if name in seen:
                yield Problem((key,), f"is the name of {seen[name]} too")
            elif name is not None:
                seen[name] = key

    @property
    def names(self) -> dict[str, str]:
        """The names of the fields that every summary has, each with its key here."""
        everywhere = [key for key in type(self).model_fields if key != "fingerprint"]
        named = {key: getattr(self, key) for key in everywhere}
        return {name: key for key, name in named.items() if name is not None}
