"""The docstrings under attributes are read from the source, when a schema shows them."""

from __future__ import annotations

import inspect

import pytest

from connectors import docstrings
from connectors.docstrings import attribute_docstrings
from flows.config.aggregate import DistinctSpec
from flows.spec import Pipeline


class Documented:
    """A class."""

    first: int = 1
    """One line."""
    second: str
    no_text = ""
    """This is no annotated attribute."""
    third: bool = True
    """
    Several lines,
      of which one is indented.
    """

    def method(self) -> None:
        local: int = 1
        """This is not an attribute."""
        assert local


def test_each_attribute_has_the_text_below_it() -> None:
    assert attribute_docstrings(Documented) == {
        "first": "One line.",
        "third": "Several lines,\n  of which one is indented.",
    }


def test_a_class_that_no_statement_declares_has_none() -> None:
    assert attribute_docstrings(type("Made", (), {"__module__": __name__})) == {}


def test_a_model_has_the_texts_of_its_bases_too() -> None:
    assert DistinctSpec.described().keys() == DistinctSpec.model_fields.keys()


def test_a_spec_is_checked_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job pays nothing for them."""

    def refuse(_: object) -> str:
        raise AssertionError("the source is read")

    monkeypatch.setattr(inspect, "getsource", refuse)
    docstrings._of_module.cache_clear()

    Pipeline.model_rebuild(force=True)

    with pytest.raises(AssertionError, match="the source is read"):
        Pipeline.model_json_schema()
