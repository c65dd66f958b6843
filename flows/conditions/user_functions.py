"""Functions of the user's own, named as in `my_rules:is_complete`: found, and called with care.

They may raise anything: this is the one place where everything is caught, because what
is wrong with them concerns the messages that they are asked about, and not the whole job.
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
    """A function of the user's own raised, or returned what it must not; the text is one line."""


def names_function(text: str) -> bool:
    """Whether it is spelled as a function's import path, and so is no expression."""
    return _NAME(text) is not None


def load(text: str) -> Callable[..., Any]:
    """Import a function by `module:name`, from the working directory too.

    Raises:
        ValueError: there is none; the text says why.
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
        raise ValueError(f"{module_name} cannot be imported: {_told(error)}") from error
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
    """Call it once at load, with a sample that is as empty as can be; return its answer.

    `None`: it raised something that the emptiness may be the reason for.

    Raises:
        ValueError: it can never work: it takes other arguments, or names what there is not.
    """
    try:
        signature(function).bind(*sample)
    except TypeError as error:
        raise ValueError(
            f"{_named(function)} must take {len(sample)} argument(s): {error}"
        ) from None
    except ValueError:
        pass  # What is written in C may have no signature.
    try:
        return (function(*sample),)
    except _THEIRS as error:
        if isinstance(error, UnboundLocalError):
            return None  # what a loop over nothing would have set
        # A name that is not there is never the message's fault; nor is an attribute of ours.
        misnamed = isinstance(error, AttributeError) and any(error.obj is one for one in sample)
        if misnamed or isinstance(error, (NameError, ImportError, NotImplementedError)):
            raise ValueError(f"{_named(function)}: {_told(error)}") from error
        return None


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call it.

    Raises:
        Failed: it raised.
    """
    try:
        return function(*arguments)
    except _THEIRS as error:
        raise Failed(f"{_named(function)}: {_told(error)}") from error


def _named(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_REASON]


_THEIRS = (Exception, SystemExit)
"""Everything that the user's code can raise. `sys.exit()` in there is a failure like any other.
Ctrl-C goes through."""
_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)").fullmatch
_MAX_REASON = 300
"""A reason travels in a header."""
