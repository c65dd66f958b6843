"""RabbitMQ and Elasticsearch on this machine, without containers; the standard library only.

    RabbitMQServer().start().url          the shared server: reused if it runs, and left running
    with ElasticsearchServer("name"):     a private one: empty, for the caller alone, then removed

Linux only. Servers that other programs have started are not touched.
"""
