"""RabbitMQ and Elasticsearch on this machine, without containers; the standard library only.

    rabbitmq.start()                     the shared one: reused when it runs, left running
    elasticsearch.start("name", ...)     a private one: empty, for the caller alone, removed by it

Both return a `Server`. Linux only. Nothing here touches a server that something else started.
"""
