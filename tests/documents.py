"""Reads the README files and other documents, for the tests that check them."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


def files() -> list[Path]:
    """Every file of the repository, including new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return [path for name in names if (path := ROOT / name).is_file()]


README = ROOT / "README.md"
READMES = sorted(path for path in files() if path.name == "README.md")
PAGE = ROOT / "docs" / "aggregate.md"
"""Its blocks are examples, which `test_docs_aggregate.py` plays."""
TESTING = ROOT / "docs" / "testing.md"
"""Its blocks are tests, which `test_docs_testing.py` runs."""
TUTORIAL = ROOT / "docs" / "tutorial.md"
"""Its blocks are steps, which `live/test_docs_tutorial.py` takes one after the other."""
GUIDES = sorted(path for path in (ROOT / "docs").glob("*.md") if path not in (PAGE, TUTORIAL))
DOCUMENTS = [*READMES, *GUIDES, PAGE, TUTORIAL]
DELIVERY, DEAD_LETTERS, OPERATIONS = (
    ROOT / "docs" / f"{name}.md" for name in ("delivery", "dead-letters", "operations")
)


class Block(NamedTuple):
    """The text between two fences."""

    path: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str:
        """The file of the reader that it is, by its first line; empty: none."""
        found = re.match(r"# (\S+\.\w+)\n", self.text)
        return found[1] if found else ""

    @property
    def is_test(self) -> bool:
        """Whether pytest can run it."""
        return "def test_" in self.text or "class Test" in self.text

    @property
    def needs_services(self) -> bool:
        """Whether the program connects to a server, or starts one."""
        return any(word in self.text for word in ("RABBITMQ_URL", "tools.local", "tests.live"))


def blocks(*languages: str, path: Path | None = None) -> list[Block]:
    """All fenced blocks of a document, or of every README and guide; or those of some languages."""
    return [
        block
        for path in ([path] if path else [*READMES, *GUIDES])
        for block in _blocks(path)
        if not languages or block.language in languages
    ]


def prose(path: Path) -> str:
    """The text of a document, without its blocks."""
    return _FENCED.sub("", path.read_text(encoding="utf-8"))


def code(path: Path) -> list[str]:
    """The inline code in a document's prose."""
    return re.findall(r"`([^`\n]+)`", prose(path))


def table(path: Path, first_head: str) -> list[list[str]]:
    """The rows of the table whose first column has this head, each as a list of cells."""
    _, _, rest = path.read_text(encoding="utf-8").partition(f"\n| {first_head} |")
    rows = re.match(r".*\n\|[-|]+\n((?:\|.*\n)*)", rest)
    assert rows, f"{path}: no table of {first_head}"
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows[1].splitlines()]


def commands(script: str) -> Iterator[list[str]]:
    """The words of each simple command of a script, without its environment variables."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in ("&&", "||", "|", ";"):
                words.append(word)
                continue
            while words and re.match(r"[A-Z_]+=", words[0]):
                del words[0]
            if words and words[0] == "eval":
                yield from commands(words[1].removeprefix("$(").removesuffix(")"))
            elif words:
                yield words
            words = []


_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def _blocks(path: Path) -> tuple[Block, ...]:
    text = path.read_text(encoding="utf-8")
    return tuple(
        Block(path, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in _FENCED.finditer(text)
    )


[WHOLE, *_] = [block for block in blocks("yaml") if block.path == README]
"""The first pipeline of the README; other parts of pipelines are completed by it."""

ENVIRONMENT = {"RABBITMQ_URL": "amqp://localhost/", "ELASTICSEARCH_URL": "http://localhost:9200"}
