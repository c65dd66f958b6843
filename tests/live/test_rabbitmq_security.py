"""TLS, certificates, and passwords that change, of client and broker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors.errors import SpecError, Unavailable
from connectors.message import Outcomes, Rejected, Rejection
from connectors.rabbitmq.source import RabbitMQ
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource
from tests.contract.source import Receiver
from tests.live.certificates import Authority
from tests.live.queues import RabbitMQRig, rabbitmq_rig
from tests.waiting import until
from tools.local.folders import root_folder
from tools.local.ports import free_ports
from tools.local.rabbitmq import RabbitMQServer as Broker

pytestmark = pytest.mark.live

SECRET = "pass/w0rd@of:someone"
QUOTED = "pass%2Fw0rd%40of%3Asomeone"


class TlsBroker(NamedTuple):
    """A broker with TLS whose certificate is for `localhost`, and its authorities."""

    broker: Broker
    port: int
    folder: Path
    authority: Authority
    client: tuple[Path, Path]

    def url(self, host: str = "localhost", user: str = "guest:guest@", **options: Any) -> str:
        mechanism = options.pop("auth_mechanism", "plain")
        options = {"cafile": str(self.authority.certificate), **options}
        query = f"ssl_options={ {k: str(v) for k, v in options.items()} }".replace(" ", "")
        return f"amqps://{user}{host}:{self.port}/?{query}&auth_mechanism={mechanism}"

    def show(self, certificate: Path, key: Path) -> None:
        """Let the broker use another certificate from now on."""
        shutil.copy(certificate, self.folder / "shown.pem")
        shutil.copy(key, self.folder / "shown.key")
        self.broker.ctl("eval", "ssl:clear_pem_cache().")


@pytest.fixture(scope="module")
def secured() -> Iterator[TlsBroker]:
    folder = Path(tempfile.mkdtemp(dir=root_folder()))
    folder.chmod(0o755)
    authority = Authority(folder, "authority")
    client = authority.issue("client", "hopper-client")
    for source, shown in zip(authority.issue("server", "localhost"), ("pem", "key"), strict=True):
        shutil.copy(source, folder / f"shown.{shown}")
    [port] = free_ports(1)
    settings = {
        "listeners.ssl.1": f"127.0.0.1:{port}",
        "ssl_options.cacertfile": str(authority.certificate),
        "ssl_options.certfile": str(folder / "shown.pem"),
        "ssl_options.keyfile": str(folder / "shown.key"),
        "ssl_options.verify": "verify_peer",
        "ssl_options.fail_if_no_peer_cert": "false",
        "auth_mechanisms.1": "PLAIN",
        "auth_mechanisms.2": "EXTERNAL",
        "ssl_cert_login_from": "common_name",
    }
    try:
        with Broker("secured", settings=settings) as broker:
            plugins = broker.folder / "enabled_plugins"
            plugins.write_text("[rabbitmq_auth_mechanism_ssl].\n")
            broker.ctl("eval", f'rabbit_plugins:ensure("{plugins}").')
            broker.ctl("add_user", "hopper-client", "not used")
            broker.ctl("set_permissions", "hopper-client", ".*", ".*", ".*")
            yield TlsBroker(broker, port, folder, authority, client)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def rig(secured: TlsBroker) -> Iterator[RabbitMQRig]:
    with rabbitmq_rig(secured.broker.url) as rig:
        yield rig


def source(url: str, rig: RabbitMQRig) -> RabbitMQ:
    return RabbitMQ(RabbitMQSource(url=url, queue=rig.queue), None, workers=1)  # type: ignore[arg-type]


def refusal(url: str, rig: RabbitMQRig) -> str:
    with pytest.raises(Unavailable) as error:
        source(url, rig).check()
    assert "guest" not in str(error.value)
    return str(error.value)


def through(url: str, rig: RabbitMQRig) -> None:
    """Messages are consumed, large ones among them, and acknowledged."""
    bodies = [b"x" * size for size in (0, 10, 100_000, 1_000_000)]
    rig.publish(*bodies)
    checked = source(url, rig)
    checked.check()
    receiver = Receiver(checked.consumer(f"{rig.queue}/000"))
    receiver.store(receiver.wait_for(len(bodies)))
    assert receiver.bodies() == bodies
    receiver.consumer.close()
    assert rig.left() == 0


def test_a_broker_of_a_trusted_authority_is_accepted(secured: TlsBroker, rig: RabbitMQRig) -> None:
    through(secured.url(), rig)


def test_a_broker_of_an_unknown_authority_is_refused(secured: TlsBroker, rig: RabbitMQRig) -> None:
    """By default the system's authorities are trusted; an authority of the same name is not."""
    (secured.folder / "other").mkdir(exist_ok=True)
    other = Authority(secured.folder / "other", "authority")
    default = f"amqps://guest:guest@localhost:{secured.port}/"

    for url in (default, secured.url(cafile=other.certificate)):
        text = refusal(url, rig)
        assert "the broker's certificate is not accepted" in text
        assert "?ssl_options={'cafile':'/path/ca.pem'}" in text


def test_a_broker_of_another_name_is_refused(secured: TlsBroker, rig: RabbitMQRig) -> None:
    """Unless the URL says which name to expect."""
    url = secured.url(host="127.0.0.1")

    assert "write in the URL the name that the certificate has" in refusal(url, rig)
    through(secured.url(host="127.0.0.1", server_hostname="localhost"), rig)


def test_an_expired_certificate_is_refused(secured: TlsBroker, rig: RabbitMQRig) -> None:
    secured.show(*secured.authority.issue("expired", "localhost", days=0))
    try:
        text = refusal(secured.url(), rig)
    finally:
        secured.show(secured.folder / "server.pem", secured.folder / "server.key")

    assert "certificate has expired; renew it" in text


def test_a_client_with_a_certificate_needs_no_password(
    secured: TlsBroker, rig: RabbitMQRig
) -> None:
    """SASL EXTERNAL: the broker takes the name from the certificate."""
    certificate, key = secured.client
    url = secured.url(user="", auth_mechanism="external", certfile=certificate, keyfile=key)

    through(url, rig)


def test_without_a_certificate_a_login_by_name_is_refused(
    secured: TlsBroker, rig: RabbitMQRig
) -> None:
    refused = refusal(secured.url(user="", auth_mechanism="external"), rig)

    assert "ACCESS_REFUSED" in refused or "EXTERNAL" in refused


def test_a_port_without_tls_is_reported(secured: TlsBroker, rig: RabbitMQRig) -> None:
    plain = secured.broker.ports[0]

    assert "does not speak TLS" in refusal(f"amqps://guest:guest@localhost:{plain}/", rig)


def test_a_missing_file_is_reported(secured: TlsBroker, rig: RabbitMQRig) -> None:
    text = refusal(secured.url(cafile="/no/such/file"), rig)

    assert "ssl_options: a certificate, a key or a CA cannot be read: No such file" in text


def test_a_changed_password_is_read_again(
    secured: TlsBroker, rig: RabbitMQRig, caplog: pytest.LogCaptureFixture
) -> None:
    """While the job runs, for consuming and for parking; and no password is ever shown."""
    broker, queue = secured.broker, rig.queue
    broker.ctl("add_user", "someone", SECRET)
    broker.ctl("set_permissions", "someone", ".*", ".*", ".*")
    passwords = [QUOTED]

    def specs() -> tuple[RabbitMQSource, RabbitMQDeadLetter]:
        if not passwords:
            raise SpecError(["the file cannot be read"])
        url = f"amqp://someone:{passwords[-1]}@127.0.0.1:{broker.ports[0]}/"
        return (
            RabbitMQSource.model_validate({"url": url, "queue": queue}),
            RabbitMQDeadLetter(routing_key=rig.parking),
        )

    rig.publish(b"1", b"2")
    reader = RabbitMQ(*specs(), workers=1, reload=specs)
    receiver = Receiver(reader.consumer(f"{queue}/000"))
    receiver.store(receiver.wait_for(2)[:1])
    broker.ctl("change_password", "someone", "another-secret")
    passwords.clear()
    broker.ctl("close_all_user_connections", "someone", "password changed")
    until(lambda: "cannot read the credentials again" in caplog.text)
    passwords.append("another-secret")

    (origin, again) = receiver.wait_for(3)[-1]
    assert again.body == b"2"
    receiver.consumer.settle(Outcomes(origin, [], [Rejected(again, Rejection("bad"))]))

    [(_, properties)] = until(rig.parked_whole)
    receiver.consumer.close()
    assert rig.left() == 0
    shown = f"{caplog.text}{properties}"
    assert not [secret for secret in (SECRET, QUOTED, "another-secret") if secret in shown]
