"""TLS, certificates, and credentials that change, of client and cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import urllib3
from pydantic import SecretStr

from connectors.elasticsearch.client import Client
from connectors.elasticsearch.sink import Elasticsearch
from connectors.elasticsearch.spec import ElasticsearchSink
from connectors.errors import Unavailable
from tests.connectors.elasticsearch.http_node import no_server
from tests.contract.sink import Answers, documents
from tests.live.certificates import Authority
from tests.live.store import PASSWORD, StoreClient
from tests.live.tls_front import tls_front
from tests.waiting import until
from tools.local import elasticsearch as local

pytestmark = pytest.mark.live


class TlsElasticsearch(NamedTuple):
    """An Elasticsearch behind TLS, and its authorities."""

    target: tuple[str, int]
    authority: Authority
    folder: Path

    def stored(self, port: int, index: str, host: str = "localhost", **keys: Any) -> list[int]:
        """Write ten documents, and return how many are stored.

        Raises:
            Unavailable: the check at the start failed.
        """
        keys = {"ca_certs": str(self.authority.certificate), **keys}
        sink = Elasticsearch(
            ElasticsearchSink(url=(f"https://{host}:{port}",), index=index, **keys)
        )
        try:
            sink.check()
            answers = Answers()
            sink.submit(documents(10), answers)
            sink.flush()
            answers.wait_for(10)
        finally:
            sink.close()
        return sorted(answers.stored)


@pytest.fixture
def behind_tls(elasticsearch_url: str, tmp_path: Path) -> TlsElasticsearch:
    parts = urlsplit(elasticsearch_url)
    target = str(parts.hostname), parts.port or 9200
    return TlsElasticsearch(target, Authority(tmp_path, "authority"), tmp_path)


def test_the_right_certificate_is_accepted(behind_tls: TlsElasticsearch, index: str) -> None:
    certificate, key = behind_tls.authority.issue("server", "localhost")
    with tls_front(behind_tls.target, certificate, key) as port:
        assert behind_tls.stored(port, index) == [*range(10)]


def test_another_authority_is_refused(behind_tls: TlsElasticsearch, index: str) -> None:
    certificate, key = Authority(behind_tls.folder, "other").issue("server", "localhost")
    with (
        tls_front(behind_tls.target, certificate, key) as port,
        pytest.raises(Unavailable, match=r"is not accepted: .*: .*name its CA in ca_certs"),
    ):
        behind_tls.stored(port, index)


def test_with_ca_certs_no_other_authority_is_trusted(
    behind_tls: TlsElasticsearch, index: str
) -> None:
    """Neither those of the system, nor those of a library."""
    certificate, key = behind_tls.authority.issue("server", "localhost")
    with tls_front(behind_tls.target, certificate, key) as port:
        url, ca_certs = f"https://localhost:{port}", str(behind_tls.authority.certificate)
        client = Client(ElasticsearchSink(url=(url,), index=index, ca_certs=ca_certs), index)
        assert client.exists(index) is False
        [node] = client._official.transport.node_pool.all()
        assert node.config.ssl_context is not None
        assert node.config.ssl_context.cert_store_stats()["x509_ca"] == 1
        client.close()


def test_without_ca_certs_the_system_decides(behind_tls: TlsElasticsearch, index: str) -> None:
    """No option trusts every certificate."""
    certificate, key = behind_tls.authority.issue("server", "localhost")
    with (
        tls_front(behind_tls.target, certificate, key) as port,
        pytest.raises(Unavailable, match=r"is not accepted"),
    ):
        behind_tls.stored(port, index, ca_certs=None)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(
    behind_tls: TlsElasticsearch, index: str, host: str
) -> None:
    certificate, key = behind_tls.authority.issue("server", "elsewhere")
    with (
        tls_front(behind_tls.target, certificate, key) as port,
        pytest.raises(Unavailable, match=f"{host}.*is not accepted: .*write in url the name"),
    ):
        behind_tls.stored(port, index, host)


def test_an_expired_certificate_is_refused(behind_tls: TlsElasticsearch, index: str) -> None:
    certificate, key = behind_tls.authority.issue("server", "localhost", days=0)
    with (
        tls_front(behind_tls.target, certificate, key) as port,
        pytest.raises(Unavailable, match="has expired: renew it"),
    ):
        behind_tls.stored(port, index)


def test_a_client_certificate_is_sent(behind_tls: TlsElasticsearch, index: str) -> None:
    authority = behind_tls.authority
    server, client = authority.issue("server", "localhost"), authority.issue("client", "hopper")
    unknown, unknown_key = Authority(behind_tls.folder, "other").issue("stranger", "hopper")
    with tls_front(behind_tls.target, *server, clients=authority.certificate) as port:
        keys = {"client_cert": str(client[0]), "client_key": str(client[1])}
        assert behind_tls.stored(port, index, **keys) == [*range(10)]

        with pytest.raises(
            Unavailable, match=r"certificate required: the server requires .* client_cert"
        ):
            behind_tls.stored(port, index)
        keys = {"client_cert": str(unknown), "client_key": str(unknown_key)}
        with pytest.raises(Unavailable, match="does not trust the CA of client_cert"):
            behind_tls.stored(port, index, **keys)


@pytest.fixture(scope="module")
def secured() -> Iterator[StoreClient]:
    """A cluster with security."""
    with local.ElasticsearchServer("secured", password=PASSWORD, fast=True).start() as server:
        yield StoreClient(server.url, **urllib3.make_headers(basic_auth=f"elastic:{PASSWORD}"))


def new_key(secured: StoreClient) -> str:
    return str(secured.ask("POST", "/_security/api_key", {"name": "of-tests"})["encoded"])


def forget_keys(secured: StoreClient) -> None:
    secured.ask("DELETE", "/_security/api_key", {"name": "of-tests"})


def write(sink: Elasticsearch) -> list[int]:
    answers = Answers()
    sink.submit(documents(10), answers)
    sink.flush()
    answers.wait_for(10)
    return sorted(answers.stored)


def test_a_replaced_key_is_read_again(
    secured: StoreClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The job needs no restart, and the log has no key."""
    file = tmp_path / "key"
    keys = [new_key(secured)]
    file.write_text(keys[0])

    def read() -> ElasticsearchSink:
        return ElasticsearchSink(
            url=(secured.url,), index="keys", api_key=SecretStr(file.read_text())
        )

    with caplog.at_level(logging.DEBUG):
        sink = Elasticsearch(read(), reload=read)
        sink.check()
        assert write(sink) == [*range(10)]

        forget_keys(secured)
        keys.append(new_key(secured))
        file.write_text(keys[1])

        assert write(sink) == [*range(10)]
        sink.close()

    assert not any(key in caplog.text for key in keys)


def test_a_password_that_is_changed_later_is_read_again(
    secured: StoreClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Until then all documents wait, and the log says why."""
    file = tmp_path / "login"
    user = "/_security/user/changing"
    secured.ask("PUT", user, {"password": "before-it", "roles": ["superuser"]})
    file.write_text("changing:before-it")

    def read() -> ElasticsearchSink:
        return ElasticsearchSink(
            url=(secured.url,), index="logins", basic_auth=SecretStr(file.read_text())
        )

    sink, answers = Elasticsearch(read(), reload=read), Answers()
    assert write(sink) == [*range(10)]
    secured.ask("POST", f"{user}/_password", {"password": "after-it"})

    with caplog.at_level(logging.DEBUG):
        sink.submit(documents(10), answers)
        sink.flush()
        until(lambda: "401" in caplog.text)
        assert answers.take() == 0
        changed = tmp_path / "changed"  # at no moment is the file empty
        changed.write_text("changing:after-it")
        changed.replace(file)
        answers.wait_for(10)
        sink.close()

    assert "before-it" not in caplog.text
    assert "after-it" not in caplog.text


def test_no_secret_is_in_logs_and_errors(
    secured: StoreClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither after a refused login, nor without a server."""
    texts = []
    keys: list[dict[str, Any]] = [
        {"api_key": "c2VjcmV0OnNlY3JldA=="},
        {"basic_auth": "elastic:secret-word"},
        {"url": (secured.url.replace("//", "//elastic:secret-word@"),)},
        {"url": (no_server().replace("//", "//elastic:secret-word@"),)},
        {"url": (secured.url.replace("http://", "https://elastic:secret-word@"),)},
    ]
    with caplog.at_level(logging.DEBUG):
        for key in keys:
            sink = Elasticsearch(ElasticsearchSink(**{"url": (secured.url,), "index": "no", **key}))
            try:
                sink.check()
            except Unavailable as error:
                texts.append(f"{error} {error!r} {error.__cause__!r}")
            answers = Answers()
            sink.submit(documents(1), answers)
            sink.flush()
            caplog.clear()
            until(lambda: "has not accepted all documents" in caplog.text)
            texts.append(caplog.text)
            sink.close()

    assert len(texts) == 9
    for text in texts:
        assert "secret-word" not in text
        assert "c2VjcmV0OnNlY3JldA" not in text
