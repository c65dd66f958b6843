"""Replaces `${…}` by environment variables and secret files.

It works on the text of one scalar, after the YAML is parsed: a value can never become syntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

Placeholder = Callable[[str], str]
"""name -> the placeholder for a variable that is not set, or for an unreadable `file:/path`."""


class Unset(ValueError):
    """A variable without a default is not set, or a file cannot be read."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name
        """`NAME`, or `file:/path`."""


def substitute(
    text: str, environment: Mapping[str, str], placeholder: Placeholder | None = None
) -> str:
    """Replace `${NAME}`, `${NAME:-default}` and `${file:/path}`; `$$` is a dollar.

    As in a shell, the default is for a variable that is not set or empty. The final newline of a
    file is removed. `placeholder`: makes a value for a missing one.

    Raises:
        Unset: there is no value, and no placeholder. The text names the variable or the file.
        ValueError: the text in the braces is invalid.
    """

    def value(place: re.Match[str]) -> str:
        try:
            return _value(place, environment)
        except Unset as unset:
            if placeholder is None:
                raise
            return placeholder(unset.name)

    return _PLACE.sub(value, text)


def problem_of_dollar(text: str) -> str | None:
    """Describe the first dollar that looks like a shell's variable or command, or return `None`."""
    found = _OF_A_SHELL.search(text.replace("$$", "  "))
    if found is None:
        return None
    hint = "commands are not run" if found[0] == "$(" else "a variable is written ${NAME}"
    return f"{hint}; a literal dollar is written $$"


def _value(place: re.Match[str], environment: Mapping[str, str]) -> str:
    if place[0] == "$$":
        return "$"
    content = place["content"]
    if content is None:
        raise ValueError("${ is never closed; a dollar is written $$")
    if content.startswith("file:"):
        return _read(content[len("file:") :])
    variable = _VARIABLE.fullmatch(content)
    if not variable:
        # Do not quote the content: it may be the middle of a password.
        raise ValueError("write ${NAME}, ${NAME:-default} or ${file:/path}; a dollar is written $$")
    name, default = variable["name"], variable["default"]
    value = environment.get(name)
    if default is not None:
        return value or default
    if value is None:
        raise Unset(name, f"the environment variable {name} is not set")
    return value


def _read(path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        text = f"the file {path} cannot be read: {error.strerror}"
        raise Unset(f"file:{path}", text) from None
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} is not text in UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


_PLACE = re.compile(r"\$\$|\$\{(?:(?P<content>[^}]*)\})?")
_OF_A_SHELL = re.compile(r"\$(?:\(|[A-Z_][A-Z0-9_]*\b)")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)
