"""Batches of events as HTTP requests: one batch is one request, taken when the receiver answers 2xx.

options.py    HttpOptions: what can be chosen, checked; needs no httpx
sink.py       HttpSink: a batch becomes a body, an answer becomes "taken" or a SinkError
client.py     HttpClient: one pool of connections, TLS, deadline, compression, capped answers; Loki and webhooks use it
answers.py    what an answer that is not 2xx means for the delivery
endpoint.py   checks of URLs, headers and credentials, without showing any of them

    batch ─► body: JSON lines, or one array ─► gzip/zstd ─► POST over a kept connection ─┬─ 2xx      taken
             Idempotency-Key of the batch                                                └─ other    SinkError
"""
