"""URLs are checked, and hide their passwords."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.url import Url, parse, without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://guest:secret@host/", "amqp://guest:***@host/"),
        ("amqps://guest:secret@host:5671/v%2Fh", "amqps://guest:***@host:5671/v%2Fh"),
        ("http://user:a:b@c@host", "http://user:***@host"),
        ("amqp://guest:se/c?r#et@host/", "amqp://guest:***@host/"),
        ("amqp://:secret@host", "amqp://:***@host"),
        ("amqp://guest@host:5672/", "amqp://guest@host:5672/"),
        ("http://host:9200/path", "http://host:9200/path"),
        ("amqps://host/?ssl_options={'password':1}", "amqps://host/?***"),
        ("", ""),
    ],
)
def test_a_printed_url_has_no_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert without_password(Url(url)) == shown


def test_a_url_hides_its_password_in_every_print(caplog: pytest.LogCaptureFixture) -> None:
    url = Url("amqp://guest:secret@host/")
    shown = "amqp://guest:***@host/"
    logging.getLogger("test").warning("%s %r %s", url, url, (url,))

    assert f"{url} {url!s} {url!r} {url:>30}" == f"{shown} {shown} '{shown}' {shown:>30}"
    assert caplog.messages == [f"{shown} '{shown}' ('{shown}',)"]


def test_code_gets_the_whole_url() -> None:
    url = Url("amqp://guest:secret@host/")

    assert url == "amqp://guest:secret@host/"
    assert "http" + url[4:] == "http://guest:secret@host/"
    assert parse(url, ("amqp",)).password == "secret"


@pytest.mark.parametrize(
    "url",
    [
        "host",
        "host:5672",
        "//host",
        "http://host",
        "amqp:host",
        "amqp://",
        "amqp:///vhost",
        "amqp://:5672",
        "amqp://host:0",
        "amqp://host:65536",
        "amqp://host:port",
        "amqp://[::1",
        "amqp://host/#a",
        "amqp://host/#",
        "amqp://ho st",
        "amqp://host\n",
        "",
    ],
)
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|port|host|nothing"):
        parse(url, ("amqp", "amqps"))


@given(st.text("/?#@:%[] s", min_size=1))
def test_no_error_quotes_a_password(password: str) -> None:
    """One hundred passwords that were not percent-encoded."""
    try:
        parse(f"amqp://guest:{password}hunter2@host:x/", ("amqp",))
    except ValueError as error:
        assert "hunter2" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("password", ["p/w", "12/w", "/w", "p#w", "1#w", "p?w", "1?w", "p[w"])
def test_a_password_that_is_not_encoded_is_shown_how_to_encode(password: str) -> None:
    remedy = r"in a name or password, write / \? # @ : % as %2F %3F %23 %40 %3A %25$"
    for url in (f"amqp://user:{password}@host", f"amqp://user:{password}@host:5672/vhost"):
        with pytest.raises(ValueError, match=remedy) as refused:
            parse(url, ("amqp",))
        assert password not in str(refused.value).replace("/ ? #", "")


def test_a_shell_variable_is_shown_how_to_write_it() -> None:
    with pytest.raises(ValueError, match=r"; a variable is written \$\{NAME\}$"):
        parse("$url", ("amqp",))
