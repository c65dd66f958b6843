"""What other tools call the keys of `pipeline.yaml` about RabbitMQ."""

from __future__ import annotations

from connectors.spec import instead_of

OTHER_KEYS = instead_of(
    {
        "it is part of url: amqp://user:password@host:5672/virtual-host": "host hosts hostname "
        "port user username password vhost virtual_host uri urls",
        "it is part of url: amqps://host/?ssl_options={'cafile':'/etc/ca.pem'}": "ssl tls ca",
        "it is part of url: amqp://host/?heartbeat=60": "heartbeat",
        "write prefetch": "prefetch_count qos",
        "write queue": "queue_name queues topic",
        "it belongs to declare: {durable: true}": "durable arguments auto_delete",
        "it belongs to declare: {bind: [{exchange: orders}]}": "exchange routing_key key "
        "binding_key bindings",
        "it belongs to consume": "priority",
        "messages are acknowledged when they are stored, never before": "ack auto_ack no_ack",
        "write format": "content_type codec encoding",
        "write consumers": "workers threads concurrency",
    }
)
