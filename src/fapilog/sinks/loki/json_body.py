"""A push as JSON (https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs)."""

import orjson

from fapilog.sinks.loki.streams import Streams

CONTENT_TYPE = "application/json"


def encode(streams: Streams) -> bytes:
    """Return the body of a push: nanoseconds as text, structured metadata only where there is any."""
    return orjson.dumps(
        {
            "streams": [
                {
                    "stream": dict(labels),
                    "values": [
                        [str(time_ns), line, metadata] if metadata else [str(time_ns), line]
                        for _, time_ns, line, metadata in entries
                    ],
                }
                for labels, entries in streams.items()
            ]
        }
    )
