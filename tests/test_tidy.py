"""The rules of the architecture that the source shows: imports, and lengths."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from tests.documents import ROOT, files

SOURCES = sorted(p for folder in ("flows", "connectors") for p in (ROOT / folder).rglob("*.py"))

ONLY_IN = {
    "bytewax": (
        "flows/pipeline.py",
        "flows/steps/",
        "flows/traces/steps.py",
        "flows/process/start.py",
    ),
    "opentelemetry": ("flows/traces/tracer.py",),
    "pika": ("connectors/rabbitmq/",),
    "elastic_transport": ("connectors/elasticsearch/library.py",),
    "elasticsearch": ("connectors/elasticsearch/library.py",),
    "flows": ("flows/",),
    "yaml": ("flows/config/yaml.py", "flows/config/substitution.py"),
    "re2": ("flows/conditions/cel/patterns.py",),
    "prometheus_client": (
        "connectors/metrics.py",
        "flows/process/collector.py",
        "flows/process/server.py",
    ),
    "msgspec": ("flows/", "connectors/"),
    "click": ("flows/cli/",),
    "rich": ("flows/cli/top.py", "flows/cli/watching/screen.py"),
}
"""The modules that may import a package, by the beginning of their paths."""

WAITING = {"time", "threading", "socket", "select", "queue", "asyncio", "subprocess", "random"}

MAX_LINES_OF_A_FUNCTION = 50
MAX_LINES_OF_A_MODULE = 300


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


class SourceFile(NamedTuple):
    """What the rules need to know of a file."""

    docstring: str
    imports: frozenset[str]
    """Full names of all modules that it imports, anywhere in it."""
    functions: list[tuple[str, int]]
    """Names, and numbers of lines."""
    caught: list[tuple[str, int]]
    """Types of exceptions that it catches, and in which lines."""


@cache
def read(path: Path) -> SourceFile:
    """What stays of a file: all trees together would be half a million objects."""
    module = ast.parse(path.read_text())
    imports: set[str] = set()
    functions, caught = [], []
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: a relative import"
            imports.add(f"{node.module}")
            imports.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
            functions.append((node.name, node.end_lineno - node.lineno + 1))
        elif isinstance(node, ast.ExceptHandler):
            caught.append((ast.unparse(node.type) if node.type else "everything", node.lineno))
    return SourceFile(ast.get_docstring(module) or "", frozenset(imports), functions, caught)


def test_each_package_is_imported_only_where_it_belongs() -> None:
    """So a change of the package affects one place."""
    found = [
        f"{name(path)} imports {package}"
        for path in SOURCES
        for package, places in ONLY_IN.items()
        if package in {imported.partition(".")[0] for imported in read(path).imports}
        and not name(path).startswith(places or "nowhere")
    ]
    assert found == []


def test_no_connector_knows_another() -> None:
    connectors = {p.name for p in (ROOT / "connectors").iterdir() if (p / "__init__.py").exists()}
    found = [
        f"{name(path)} imports {imported}"
        for path in SOURCES
        for imported in read(path).imports
        for other in connectors
        if name(path).startswith("connectors/")
        and imported.startswith(f"connectors.{other}")
        and not name(path).startswith(f"connectors/{other}/")
    ]
    assert found == []


KNOWS_CONNECTORS = (
    "flows/cli/",
    "flows/config/cross_checks",
    "flows/graph.py",
    "flows/process/services.py",
    "flows/simulation/",
    "flows/spec.py",
)
"""The modules of flows/ that may name a connector: they read a spec, or make a source or a sink."""


def test_the_flow_knows_no_connector() -> None:
    """They know only the interface: another sink needs no change of the flow."""
    found = [
        f"{name(path)} imports {imported}"
        for path in SOURCES
        for imported in read(path).imports
        if name(path).startswith("flows/")
        and re.match(r"connectors\.(rabbitmq|elasticsearch|memory)\b", imported)
        and not name(path).startswith(KNOWS_CONNECTORS)
    ]
    assert found == []


def room(module: str) -> str:
    """The folder of `flows/` that a module is in, or the module itself."""
    return module.split(".")[1]


def test_folders_do_not_import_each_other_in_circles() -> None:
    """Data flows one way; TopologicalSorter names a circle if there is one."""
    below: defaultdict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        if name(path).startswith("flows/"):
            module = name(path).removesuffix(".py").replace("/", ".")
            rooms = {room(other) for other in read(path).imports if other.startswith("flows.")}
            below[room(module)] |= rooms - {room(module)}
    assert list(TopologicalSorter(below).static_order())


def test_a_job_never_imports_the_command_nor_what_its_spec_does_not_use(
    tmp_path: Path,
) -> None:
    """Nor their libraries: a job without traces or state takes no memory for them."""
    found = [
        f"{name(path)} imports {imported}"
        for path in SOURCES
        for imported in read(path).imports
        if imported.startswith("flows.cli")
        and not name(path).startswith(("flows/cli/", "flows/__main__.py", "flows/reference.py"))
    ]
    assert found == []

    unwanted = {"click", "flows.cli", "flows.traces", "opentelemetry"}
    unwanted |= {"flows.groups.kept_shard", "flows.state.journal", "flows.steps.keep", "sqlite3"}
    pipeline = tmp_path / "pipeline.yaml"
    pipeline.write_text(
        "{version: 1, name: plain, source: {memory: {name: plain}}, sink: {memory: {}}, "
        "aggregate: {window: {count: 10, time: 1s}}, log: {level: error}}"
    )
    code = (
        f"import sys; from flows.pipeline import flow; flow({str(pipeline)!r}); "
        f"print({unwanted} & set(sys.modules))"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert printed == "set()\n"


def is_pure(path: Path) -> bool:
    """Whether its docstring says so: it decides, gets the time as an argument, and never waits."""
    return re.search(r"\bpure\b", read(path).docstring.lower()) is not None


def test_a_pure_module_does_not_wait() -> None:
    """It uses no time but its argument."""
    pure = [path for path in SOURCES if is_pure(path)]

    assert len(pure) > 70
    for path in pure:
        waiting = {imported.partition(".")[0] for imported in read(path).imports} & WAITING
        assert not waiting, name(path)


def test_importing_only_defines() -> None:
    """It starts no thread, opens no connection and reads no file."""
    modules = [name(p)[:-3].replace("/", ".") for p in SOURCES if p.name != "__main__.py"]
    code = (
        "import sys, threading, socket\n"
        "def refuse(*_): raise AssertionError('a connection')\n"
        "socket.socket.connect = refuse\n"
        f"for module in {modules!r}: __import__(module)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, check=True)


def test_functions_and_modules_are_short() -> None:
    """And each module says what it is for."""
    for path in SOURCES:
        assert read(path).docstring, f"{name(path)} has no docstring"
        assert path.read_text().count("\n") <= MAX_LINES_OF_A_MODULE, name(path)
        for function, length in read(path).functions:
            printed = f"{name(path)}: {function} has {length} lines"
            assert length <= MAX_LINES_OF_A_FUNCTION, printed


def test_no_exception_is_swallowed() -> None:
    """A crash is safe; an error without a report is not.

    An exception of a user function is reported with the message that it was called for.
    """
    for path in SOURCES:
        users = name(path) == "flows/conditions/user_functions.py"
        everything = () if users else ("Exception", "BaseException")
        for caught, line in read(path).caught:
            assert caught not in ("everything", *everything), f"{name(path)}:{line}"


def test_no_work_is_left_for_later() -> None:
    for path in SOURCES:
        assert not re.findall(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text()), name(path)


CROSS_CUTTING = {
    "connectors/rabbitmq/test_fuzz.py": "broken bytes, for every parser of external bytes",
    "flows/conditions/cel/test_conformance.py": "the language, compared with CEL's reference",
    "flows/groups/test_shard_by_key.py": "a shard with keys; without them it is test_shard.py",
    "flows/groups/test_shard_interleavings.py": "a shard, with events in any order",
    "flows/test_cases.py": "whole jobs, as in tests/cases/",
    "flows/test_full_windows.py": "whole jobs, with windows larger than the prefetch",
    "flows/test_kept_cluster.py": "whole jobs with state, on several workers",
    "flows/test_known_failures.py": "whole jobs, where similar systems have failed",
    "flows/test_restart.py": "whole jobs, after a restart",
    "tools/test_compose.py": "compose.yaml is no module",
}
"""Tests that belong to no single module, each with its subject."""


def test_tests_mirror_the_modules() -> None:
    """So the tests of a module are found by its path."""
    tests = ROOT / "tests"
    about_no_module = {
        path.relative_to(tests).as_posix()
        for folder in ("flows", "connectors", "tools")
        for path in (tests / folder).rglob("test_*.py")
        if not (ROOT / path.relative_to(tests)).with_name(path.name.removeprefix("test_")).exists()
    }
    assert about_no_module == set(CROSS_CUTTING)


def test_no_test_imports_from_a_test() -> None:
    """Code that several tests need is in a module of its own."""
    found = [
        f"{name(path)}: {line}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for line in re.findall(r"^ *(?:from|import) tests\b.*\btest_.*", path.read_text(), re.M)
    ]
    assert found == []


def test_each_class_name_is_used_once() -> None:
    """In all folders: a search for a name finds one class."""
    classes: defaultdict[str, list[str]] = defaultdict(list)
    for folder in ("flows", "connectors", "tools", "bench", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for found in re.findall(r"^ *class (\w+)", path.read_text(), re.M):
                classes[found].append(name(path))
    assert {one: places for one, places in classes.items() if len(places) > 1} == {}


DIALECT = re.compile(
    r"\b(whoever|whatever|nobody|somebody|shall|(?:comes?|came|coming) again|lets? us in)\b",
    re.IGNORECASE,
)
SOURCE_DIALECT = re.compile(r"\b(told|heard)\b", re.IGNORECASE)
SPEAKS_OF_IT = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "tests/test_tidy.py"}


def test_prose_names_its_subject() -> None:
    """CONTRIBUTING has the rule; these words hide who does what, or replace the field's term."""
    sources = set(SOURCES)
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in files()
        if name(path) not in SPEAKS_OF_IT
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if DIALECT.search(line) or (path in sources and SOURCE_DIALECT.search(line))
    ]
    assert found == []


MAX_SUBJECT = 72
RULE_SINCE = "2026-11-28T08:15:00Z"


def test_subjects_of_commits_are_short() -> None:
    """So a list of them is readable at a glance."""
    command = ["git", "log", "--no-merges", f"--since={RULE_SINCE}", "--format=%s"]
    subjects = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    assert [subject for subject in subjects if len(subject) > MAX_SUBJECT] == []
