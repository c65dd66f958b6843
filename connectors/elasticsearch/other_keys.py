"""Hints for keys of other tools in the Elasticsearch part of `pipeline.yaml`."""

from __future__ import annotations

from connectors.spec import instead_of

_NO_LINGER = {"leave it out: a small window waits only while requests are in flight": "linger"}

OTHER_KEYS_OF_BULK = instead_of(_NO_LINGER)

OTHER_KEYS = instead_of(
    {
        **_NO_LINGER,
        "write url: http://host:9200": "host hosts port urls node nodes endpoint endpoints uri",
        "write basic_auth: user:password": "user username password http_auth auth",
        "write ca_certs": "ca cacert ca_cert ca_certificate cafile",
        "certificates are always verified: ca_certs": "verify_certs ssl_verify verify",
        "write client_cert": "cert certificate",
        "write it in aggregate.window: {count: 1000, time: 1s}": "batch_size flush_interval "
        "batch batching flush_size idle_flush_time",
        "it belongs to bulk": "max_bytes",
        "write bulk: {compress: gzip}": "compress compression compression_level gzip "
        "gzip_compression http_compression enable_compression",
        "write action": "op_type operation mode",
        "write id: {field: order.id}": "document_id id_field doc_id _id",
        "write index": "index_name indices template _index",
        "write its name in index, with action: create": "data_stream data_stream_name",
        "write request_timeout": "timeout",
        "there is no limit: the job retries until a document is stored or refused": "retries "
        "max_retries retry",
        "write concurrency": "workers max_in_flight threads parallelism",
        "write pipeline": "ingest_pipeline",
    }
)
