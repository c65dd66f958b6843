"""Imports and calls user functions, named as in `my_rules:is_complete`.

They may raise anything. This is the only module that catches every exception, because a failure of
a user function concerns one message, not the job.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable
from inspect import signature
from typing import Any


class Failed(Exception):
    """A user function raised, or returned an invalid value; the text is one line."""


def names_function(text: str) -> bool:
    """Return whether the text is the import path of a function, not an expression."""
    return _NAME(text) is not None


def load(text: str) -> Callable[..., Any]:
    """Import a function by `module:name`, also from the working directory.

    Raises:
        ValueError: it cannot be imported; the text says why.
    """
    match = _NAME(text)
    if match is None:
        raise ValueError("a function of your own is written module:function")
    module_name, names = match.groups()
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)  # as python -m does
    try:
        module = importlib.import_module(module_name)
    except _THEIRS as error:
        raise ValueError(f"{module_name} cannot be imported: {_one_line(error)}") from error
    found: Any = module
    for name in names.split("."):
        if not hasattr(found, name):
            place = getattr(module, "__file__", None) or "built in"
            raise ValueError(f"there is no {names} in {module_name} ({place})")
        found = getattr(found, name)
    if not callable(found):
        raise ValueError(f"{text} is no function")
    return found  # type: ignore[no-any-return]  # it can be called


def probe(function: Callable[..., Any], *sample: Any) -> tuple[Any] | None:
    """Call a function once at load, with an empty sample; return its answer in a tuple.

    `None`: it raised an error that may come from the empty sample.

    Raises:
        ValueError: it can never work: it takes other arguments, or uses an unknown name.
    """
    try:
        signature(function).bind(*sample)
    except TypeError as error:
        raise ValueError(
            f"{_named(function)} must take {len(sample)} argument(s): {error}"
        ) from None
    except ValueError:
        pass  # Functions written in C may have no signature.
    try:
        return (function(*sample),)
    except _THEIRS as error:
        if isinstance(error, UnboundLocalError):
            return None  # e.g. a variable that only a loop over the empty sample sets
        # No message can cause an unknown name, nor an unknown attribute of the sample itself.
        misnamed = isinstance(error, AttributeError) and any(error.obj is one for one in sample)
        if misnamed or isinstance(error, (NameError, ImportError, NotImplementedError)):
            raise ValueError(f"{_named(function)}: {_one_line(error)}") from error
        return None


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a user function.

    Raises:
        Failed: it raised.
    """
    try:
        return function(*arguments)
    except _THEIRS as error:
        raise Failed(f"{_named(function)}: {_one_line(error)}") from error


def _named(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_REASON]


_THEIRS = (Exception, SystemExit)
"""Everything that user code can raise, `sys.exit()` too; KeyboardInterrupt (Ctrl-C) passes."""
_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)").fullmatch
_MAX_REASON = 300
"""In characters: a reason is sent in a header."""
