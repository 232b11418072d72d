"""OpenTelemetry log records over OTLP, as protobuf over HTTP or as gRPC: one batch is one request.

options.py    OtlpOptions: what can be chosen, checked; needs no library
target.py     what is not chosen is read from the OTEL_EXPORTER_OTLP_* variables
usual.py      the mapping of the usual events, quickly
records.py    flat events become the messages of opentelemetry-proto
answers.py    what the receiver's answer means for the delivery
exporters.py  the two transports: an HTTP client, a gRPC channel
sink.py       OtlpSink: the life cycle, figures, health

    batch ─► ExportLogsServiceRequest ─┬─ POST /v1/logs ───────────┬─► accepted ──────────── taken
             one ResourceLogs a run    ╰─ gRPC LogsService/Export ─┘   partial success ───── taken, counted, never again
             of equal resources                                        refused, no answer ── SinkError

There is no queue, no retry and no thread in here: the delivery in front of the sink batches, waits and spools
(``docs/decisions/0013``).
"""
