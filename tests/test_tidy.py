"""What of the architecture can be seen in the source: who imports whom, and how long things get."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(p for folder in ("flows", "connectors") for p in (ROOT / folder).rglob("*.py"))

ONLY_IN = {
    "bytewax": (
        "flows/pipeline.py",
        "flows/consumers.py",
        "flows/steps.py",
        "flows/write.py",
        "flows/start.py",
    ),
    "pika": ("connectors/rabbitmq/",),
    "elastic_transport": ("connectors/elasticsearch/client.py",),
    "elasticsearch": (),
    "flows": ("flows/",),
    "yaml": ("flows/declared/yaml.py", "flows/declared/substitution.py"),
    "re2": ("flows/fields/expressions/patterns.py",),
    "prometheus_client": ("connectors/metrics.py",),
    "msgspec": ("flows/", "connectors/"),
}
"""Who may import what: the beginning of the paths."""

PURE = [
    "flows/groups/shard.py",
    "flows/groups/amendments.py",
    "flows/accounts/books.py",
    "flows/accounts/backpressure.py",
    "flows/accounts/conservation.py",
    "flows/groups/departures.py",
    "flows/groups/held.py",
    "flows/groups/late.py",
    "flows/groups/lines.py",
    "flows/groups/open_group.py",
    "flows/groups/open_groups.py",
    "flows/groups/ordering.py",
    "flows/groups/remembered.py",
    "flows/groups/rules.py",
    "flows/groups/running.py",
    "flows/groups/stream_time.py",
    "flows/groups/windows.py",
    "flows/bodies/bulk.py",
    "flows/correlate.py",
    "flows/declared/fit.py",
    "flows/declared/fit_sink.py",
    "flows/declared/syntax.py",
    "flows/introduction.py",
    "flows/fields/expressions/remedies.py",
    "flows/bodies/charset.py",
    "flows/bodies/encoding.py",
    "flows/bodies/several.py",
    "flows/bodies/wrapping.py",
    "flows/bodies/formats.py",
    "flows/accounts/health.py",
    "flows/bodies/parts.py",
    "flows/reduce.py",
    "flows/bodies/splitter.py",
    "connectors/message.py",
    "connectors/prefetch.py",
    "connectors/reject_kind.py",
    "connectors/retry.py",
    "connectors/times.py",
    "connectors/spelling.py",
    "connectors/rabbitmq/age.py",
    "connectors/rabbitmq/circuit_breaker.py",
    "connectors/rabbitmq/delivery.py",
    "connectors/rabbitmq/foreign.py",
    "connectors/rabbitmq/ledger.py",
    "connectors/rabbitmq/parked.py",
    "connectors/rabbitmq/poison.py",
    "connectors/rabbitmq/refusal.py",
    "connectors/rabbitmq/reject_limit.py",
    "connectors/rabbitmq/reject_log.py",
    "connectors/rabbitmq/stream.py",
    "connectors/rabbitmq/table.py",
    "connectors/elasticsearch/address.py",
    "connectors/elasticsearch/backlog.py",
    "connectors/elasticsearch/bulk.py",
    "connectors/elasticsearch/columns.py",
    "connectors/elasticsearch/dates.py",
    "connectors/elasticsearch/error_body.py",
    "connectors/elasticsearch/existence.py",
    "connectors/elasticsearch/index_name.py",
    "connectors/elasticsearch/isolate.py",
    "connectors/elasticsearch/ingest_errors.py",
    "connectors/elasticsearch/lines.py",
    "connectors/elasticsearch/observer.py",
    "connectors/elasticsearch/order.py",
    "connectors/elasticsearch/pace.py",
    "connectors/elasticsearch/proxy_answer.py",
    "connectors/elasticsearch/request.py",
    "connectors/elasticsearch/settle.py",
    "connectors/elasticsearch/other_templates.py",
    "connectors/elasticsearch/template.py",
]
"""These decide: they get the time as an argument, and wait for nothing."""
WAITING = {"time", "threading", "socket", "select", "queue", "asyncio", "subprocess", "random"}

LINES_OF_A_FUNCTION_MOST = 50
LINES_OF_A_MODULE_MOST = 250


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Everything in a file, the module first."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> frozenset[str]:
    """Full names of all modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: a relative import"
            found.add(f"{node.module}")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def test_each_package_is_known_only_where_it_belongs() -> None:
    """A change of one of them then is a change of one place."""
    strangers = [
        f"{name(path)} imports {package}"
        for path in SOURCES
        for package, places in ONLY_IN.items()
        if package in {imported.partition(".")[0] for imported in imports(path)}
        and not name(path).startswith(places or "nowhere")
    ]
    assert strangers == []


def test_no_connector_knows_another() -> None:
    connectors = {p.name for p in (ROOT / "connectors").iterdir() if (p / "__init__.py").exists()}
    strangers = [
        f"{name(path)} imports {imported}"
        for path in SOURCES
        for imported in imports(path)
        for other in connectors
        if name(path).startswith("connectors/")
        and imported.startswith(f"connectors.{other}")
        and not name(path).startswith(f"connectors/{other}/")
    ]
    assert strangers == []


def test_who_decides_does_not_wait() -> None:
    """And takes no time but the one it is given."""
    for path in PURE:
        waiting = {imported.partition(".")[0] for imported in imports(ROOT / path)} & WAITING
        assert not waiting, path


def test_importing_does_nothing_but_define() -> None:
    """No thread, no connection, no file: a fresh interpreter is none the worse for it."""
    modules = [name(p)[:-3].replace("/", ".") for p in SOURCES if p.name != "__main__.py"]
    code = (
        "import sys, threading, socket\n"
        "def refuse(*_): raise AssertionError('a connection')\n"
        "socket.socket.connect = refuse\n"
        f"for module in {modules!r}: __import__(module)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, check=True)


def test_things_fit_on_a_screen() -> None:
    """Functions and modules; and each module says what it is for."""
    for path in SOURCES:
        [module, *below] = nodes(path)
        assert isinstance(module, ast.Module)
        assert ast.get_docstring(module), f"{name(path)} has no docstring"
        assert path.read_text().count("\n") <= LINES_OF_A_MODULE_MOST, name(path)
        for node in below:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
                length = node.end_lineno - node.lineno + 1
                told = f"{name(path)}: {node.name} has {length} lines"
                assert length <= LINES_OF_A_FUNCTION_MOST, told


def test_nothing_is_swallowed() -> None:
    """A crash is a safe answer; an error that nobody hears of is not.

    What a user's own function raises is told of the one message that it was called for.
    """
    for path in SOURCES:
        everything = () if name(path) == "flows/fields/own.py" else ("Exception", "BaseException")
        for node in nodes(path):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                assert caught not in ("everything", *everything), f"{name(path)}:{node.lineno}"


def test_nothing_is_left_for_later() -> None:
    for path in SOURCES:
        assert not re.findall(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text()), name(path)
