"""Files of `KEY=VALUE` lines."""

from __future__ import annotations

import pytest

from flows.config.env_file import parse


def test_lines_are_variables() -> None:
    text = "# a comment\n\nA=1\n  export B='two words'\nC=\"x#y\"\nD=\nE=a=b\nF='half\nG=${A}\n"

    assert parse(text) == {
        "A": "1",
        "B": "two words",
        "C": "x#y",
        "D": "",
        "E": "a=b",
        "F": "'half",
        "G": "${A}",
    }


@pytest.mark.parametrize("line", ["secret", "A = secret", "1A=secret", "export =secret"])
def test_an_invalid_line_is_reported_without_its_content(line: str) -> None:
    with pytest.raises(ValueError, match=r"^2: must be KEY=VALUE") as caught:
        parse(f"A=1\n{line}\n")

    assert "secret" not in str(caught.value)
