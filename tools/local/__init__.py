"""RabbitMQ and Elasticsearch on this machine, without containers; the standard library only.

    RabbitMQ().start().url          the shared one: reused when it runs, left running
    with Elasticsearch("name"):     a private one: empty, for the caller alone, removed at the end

Linux only. Nothing here touches a server that something else started.
"""
