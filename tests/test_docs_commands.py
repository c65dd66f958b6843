"""The page about the commands is the output of `--help`."""

from __future__ import annotations

from connectors.rabbitmq.dead_letter_handlers import MAX_IN_FLIGHT
from flows.cli import exit_codes
from flows.cli.letters.queue import MAX_BROWSED
from flows.cli.letters.report import SOON_DROPPED
from flows.cli.page import page
from tests.documents import DEAD_LETTERS, ROOT, table

COMMANDS = ROOT / "docs" / "commands.md"


def test_the_page_is_the_output_of_help() -> None:
    """To update it: python -m flows.reference --write."""
    assert page() in COMMANDS.read_text()


def test_all_exit_codes_of_commands_are_listed() -> None:
    source = (ROOT / "flows/cli/exit_codes.py").read_text()
    codes = {str(value) for name, value in vars(exit_codes).items() if name.isupper()}

    rows = table(COMMANDS, "Exit code")

    assert {code for code, _ in rows} == codes
    assert all(f'"""{text}"""' in source for _, text in rows)


def test_the_numbers_are_those_of_the_code() -> None:
    text = DEAD_LETTERS.read_text()
    assert f"up to {MAX_IN_FLIGHT} messages in flight" in text
    assert f"`list` warns from {SOON_DROPPED} on" in text
    assert f"browses at most {MAX_BROWSED}" in page()
    assert f"up to {MAX_IN_FLIGHT} messages may be sent twice" in page()
