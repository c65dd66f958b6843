from __future__ import annotations

import pytest
from pydantic import ValidationError

from connectors.elasticsearch.setup.spec import ElasticsearchSetup


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        ({"mapping": {"n": {"type": "long"}}}, "write fields under properties"),
        ({"template": "Orders"}, "the name of an index or a template must be lowercase"),
        ({"aliases": ["all", "a*"]}, "the name of an alias must have no"),
        ({"data_stream": {}, "first_index": "a-1"}, "an index is an alias or a data stream"),
        ({"data_stream": {"retention": "0s"}}, "greater than 0"),
    ],
)
def test_what_elasticsearch_would_refuse_is_refused(setup: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ElasticsearchSetup.model_validate(setup)


def test_one_alias_is_a_list_of_one() -> None:
    assert ElasticsearchSetup.model_validate({"aliases": "all"}).aliases == ("all",)


def test_keys_of_other_tools_have_a_hint() -> None:
    assert ElasticsearchSetup.hint_of("ilm") == "write data_stream: {retention: 30d}"
