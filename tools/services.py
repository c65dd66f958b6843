"""The RabbitMQ and the Elasticsearch that demo, tests and benchmarks share; `local/` runs them.

    python tools/services.py start     start both, and print their URLs for a shell to `eval`
    python tools/services.py stop      stop both, and delete their data
    python tools/services.py status    show which of them run

A service whose URL is in the environment (`RABBITMQ_URL`, `ELASTICSEARCH_URL`) is not started.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# A script finds only modules of its own folder; this one belongs to a package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.local.elasticsearch import ElasticsearchServer
from tools.local.folders import CannotStart
from tools.local.rabbitmq import RabbitMQServer
from tools.local.server import Server

SERVERS: dict[str, Callable[[], Server]] = {
    "RABBITMQ_URL": RabbitMQServer,
    "ELASTICSEARCH_URL": ElasticsearchServer,
}
"""The server to start if the variable of that name is not set."""


def url(variable: str) -> str:
    """The URL of a service; starts the service if its variable is not set.

    Raises:
        CannotStart: this machine cannot run it.
    """
    return os.environ.get(variable) or SERVERS[variable]().start().url


def start() -> None:
    """Start the services without a variable, all at once; print `export NAME=url` for each."""
    missing = [variable for variable in SERVERS if not os.environ.get(variable)]
    with ThreadPoolExecutor() as pool:
        for variable, where in zip(missing, pool.map(url, missing), strict=True):
            print(f"export {variable}={shlex.quote(where)}")


def stop() -> None:
    """Stop both, and delete their data."""
    for server in SERVERS.values():
        server().remove()


def status() -> None:
    """Print a line for each service."""
    for variable, server in SERVERS.items():
        one = server()
        if os.environ.get(variable):
            print(f"{one.kind}: {variable} names another")  # not the URL, which may have a password
        elif one.pid is None:
            print(f"{one.kind}: not running")
        else:
            answers = "answers at" if one.answers() else "does not answer at"
            print(f"{one.kind}: process {one.pid} {answers} {one.url}, files in {one.folder}")


ADVICE = """
Hopper needs a RabbitMQ and an Elasticsearch, and this machine cannot run its own. Name yours:

    export RABBITMQ_URL=amqp://user:password@host:5672/
    export ELASTICSEARCH_URL=http://host:9200

or start both with Docker (docker compose -f tools/compose.yaml up --wait) and name those:

    export RABBITMQ_URL=amqp://guest:guest@127.0.0.1:5672/
    export ELASTICSEARCH_URL=http://127.0.0.1:9200"""


def main() -> None:
    """Run the command of the command line."""
    commands = {command.__name__: command for command in (start, stop, status)}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=commands)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        commands[parser.parse_args().command]()
    except CannotStart as error:
        sys.exit(f"{error}\n{ADVICE}")


if __name__ == "__main__":
    main()
