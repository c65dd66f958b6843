"""Reads the docstrings under the attributes of classes from the source: Python does not keep them.

Only schemas and the reference show them. So they are read when one of these is made: pydantic reads
them when a model is defined, which would be a third of the time that a job needs for its imports.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise


def attribute_docstrings(kind: type) -> dict[str, str]:
    """Return the docstrings of the attributes that the body of a class declares, by their names."""
    return _of_module(kind.__module__).get(kind.__name__, {})


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    """Return the docstrings of all classes of a module, by the names of the classes."""
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    return {
        node.name: dict(_of_class(node)) for node in tree.body if isinstance(node, ast.ClassDef)
    }


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for attribute, below in pairwise(node.body):
        if not isinstance(attribute, ast.AnnAssign) or not isinstance(below, ast.Expr):
            continue
        target, text = attribute.target, below.value
        if isinstance(target, ast.Name) and isinstance(text, ast.Constant):
            yield target.id, inspect.cleandoc(str(text.value))
