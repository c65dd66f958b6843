"""Reads files of `KEY=VALUE` lines, as systemd, Docker and shells know them.

Pure. No value is quoted in an error: most are secrets.
"""

from __future__ import annotations

import re


def parse(text: str) -> dict[str, str]:
    """Read the lines; skip empty ones, and those that begin with `#`.

    A name may follow `export`. Quotes around a whole value are removed, and nothing in it is
    expanded.

    Raises:
        ValueError: a line is invalid; the text begins with its number: `3: …`.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        matched = _LINE.fullmatch(line.strip())
        if matched is None:
            raise ValueError(f"{number}: must be KEY=VALUE, without spaces around the =")
        value = matched["value"]
        quoted = _QUOTED.fullmatch(value)
        found[matched["key"]] = quoted["inner"] if quoted else value
    return found


_LINE = re.compile(r"(?:export\s+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)")
_QUOTED = re.compile(r"""(?P<mark>["'])(?P<inner>.*)(?P=mark)""")
