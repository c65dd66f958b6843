"""The RabbitMQ part of a spec."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pydantic import ValidationError

from connectors.rabbitmq.declaration import Declare
from connectors.rabbitmq.spec import RabbitMQDeadLetter, RabbitMQSource


def source(**keys: Any) -> RabbitMQSource:
    return RabbitMQSource(**{"url": "amqp://host", "queue": "q"} | keys)


def test_in_code_a_url_may_be_one_or_a_list() -> None:
    assert source(url="amqp://a").url == ("amqp://a",)
    assert source(url=["amqp://a", "amqps://b"]).url == ("amqp://a", "amqps://b")


@pytest.mark.parametrize(
    ("url", "virtual_host"),
    [
        ("amqp://host", "/"),
        ("amqp://host/", "/"),
        ("amqp://host/%2F", "/"),
        ("amqp://host/%2f", "/"),
        ("amqp://host/name", "name"),
        ("amqp://host/a%2Fb", "a/b"),
    ],
)
def test_a_virtual_host_is_read_like_pika_reads_it(url: str, virtual_host: str) -> None:
    (accepted,) = source(url=url).url

    assert pika.URLParameters(accepted).virtual_host == virtual_host


@pytest.mark.parametrize(
    "url",
    [
        "amqp://us%40er:p%2Fw@host:5673/v?heartbeat=30&blocked_connection_timeout=60",
        "amqps://host/?tcp_options={'TCP_KEEPIDLE':60}",
        "amqp://host/?frame_max=131072&socket_timeout=5&stack_timeout=10",
        "amqp://[::1]:5672/",
        "amqp://:@host/",
    ],
)
def test_pika_can_read_every_accepted_url(url: str) -> None:
    pika.URLParameters(source(url=url).url[0])


@pytest.mark.parametrize("options", ["", "x", "[1]", "None", "{'ca_certs': open('f')}"])
def test_options_are_a_mapping_of_plain_values(options: str) -> None:
    source(url="amqps://host/?ssl_options={'ca_certs':'/etc/ca.pem'}")
    with pytest.raises(ValidationError, match=r"ssl_options after the \? must be a mapping"):
        source(url=f"amqps://host/?ssl_options={options.replace(' ', '')}")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("amqps://host/?ssl_options={'protocol':2}", "ssl_options may have: cafile"),
        ("amqps://host/?ssl_options={'cafile':1}", "values of ssl_options must be texts"),
        ("amqps://host/?ssl_options={'keyfile':'k'}", "name its certfile too"),
        ("amqp://host/?ssl_options={'cafile':'f'}", "ssl_options need amqps://"),
        ("amqps://host/?auth_mechanism=anonymous", "must be plain or external"),
        ("amqps://host/?heartbeat=0", "would never notice a dead connection"),
    ],
)
def test_no_option_weakens_the_verification(url: str, says: str) -> None:
    """With an older protocol pika would not verify the broker's certificate."""
    with pytest.raises(ValidationError, match=says):
        source(url=url)


@pytest.mark.parametrize("name", ["connection_attempts", "retry_delay", "channel_max", "locale"])
def test_parameters_that_hopper_sets_itself_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=r"what follows the \? must be one of"):
        source(url=f"amqp://host/?{name}=1")


def test_arguments_keep_their_types() -> None:
    arguments = {"x-max-length": 1000, "x-queue-type": "quorum", "x-flag": True, "x-list": [1.5]}
    spec = source(declare={"arguments": arguments})

    assert isinstance(spec.declare, Declare)
    assert spec.declare.arguments == arguments
    assert [type(value) for value in spec.declare.arguments.values()] == [int, str, bool, list]


def test_a_queue_is_declared_or_must_exist() -> None:
    assert source().declare is None
    assert source(declare="passive").declare == "passive"
    assert source(declare={}).declare == Declare(durable=True, arguments={}, bind=())


def test_names_have_at_most_255_bytes() -> None:
    source(queue="é" * 127)
    with pytest.raises(ValidationError, match="must be at most 255 bytes long"):
        source(queue="é" * 128)


def test_parked_messages_go_to_a_queue_or_to_an_exchange() -> None:
    assert RabbitMQDeadLetter(routing_key="parked").url is None
    assert RabbitMQDeadLetter(exchange="dead").routing_key == ""
    with pytest.raises(ValidationError, match="needs a routing_key"):
        RabbitMQDeadLetter()


@pytest.mark.parametrize(
    ("declare", "seconds"),
    [
        (None, 1800.0),
        ("passive", 1800.0),
        ({}, 1800.0),
        ({"arguments": {"x-consumer-timeout": 60_000}}, 60.0),
        ({"arguments": {"x-consumer-timeout": "soon"}}, 1800.0),
    ],
)
def test_the_consumer_timeout_is_that_of_the_queue_or_the_default(
    declare: Any, seconds: float
) -> None:
    assert source(declare=declare).consumer_timeout == seconds


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        ({}, 300.0),
        ({"declare": {"arguments": {"x-consumer-timeout": 60_000}}}, 300.0),
        ({"consumer_timeout": "2m"}, 120.0),
    ],
)
def test_the_consumer_timeout_may_be_an_argument_of_the_consumer(keys: Any, seconds: float) -> None:
    """RabbitMQ supports it since 4.3; the key of the spec outranks it."""
    consume = {"arguments": {"x-consumer-timeout": 300_000}}

    assert source(consume=consume, **keys).consumer_timeout == seconds


@pytest.mark.parametrize(
    ("arguments", "most", "warned"),
    [
        ({}, 10, False),
        ({"x-queue-type": "quorum"}, 10, False),
        ({"x-queue-type": "quorum"}, 20, True),
        ({"x-queue-type": "quorum"}, None, True),
        ({"x-queue-type": "quorum", "x-delivery-limit": 5}, 10, True),
        ({"x-queue-type": "quorum", "x-delivery-limit": 1000}, 10, False),
        (
            {"x-queue-type": "quorum", "x-delivery-limit": 5, "x-dead-letter-exchange": "dead"},
            10,
            False,
        ),
    ],
)
def test_a_queue_that_drops_messages_before_they_are_parked_gives_a_warning(
    arguments: dict[str, Any], most: int | None, warned: bool
) -> None:
    spec = source(declare={"arguments": arguments}, max_deliveries=most)

    assert bool(list(spec.warnings())) == warned


@pytest.mark.parametrize(
    "keys",
    [
        {"declare": {"arguments": {"x-queue-type": "stream"}}},
        {"consume": {"arguments": {"x-stream-offset": 17}}},
        {"consume": {"exclusive": True}},
    ],
)
def test_a_stream_and_an_exclusive_queue_have_one_consumer(keys: dict[str, Any]) -> None:
    assert source().consumers_of_each(workers=4) == 4
    assert source(**keys).consumers_of_each(workers=4) == 1
    with pytest.raises(ValidationError, match="must be 1"):
        source(**keys, consumers=2)


def test_a_stream_is_read_from_its_first_message_by_default() -> None:
    stream = source(declare={"arguments": {"x-queue-type": "stream"}})
    assert (stream.start_offset, stream.offsets) == ("first", "q.offset")

    other = source(consume={"arguments": {"x-stream-offset": 17}}, offset_queue="mine")
    assert (other.start_offset, other.offsets) == (17, "mine")


def test_a_queue_that_newer_versions_of_rabbitmq_refuse_gives_a_warning() -> None:
    [warning] = source(declare={"durable": False}).warnings()

    assert warning.at == ("declare", "durable")
