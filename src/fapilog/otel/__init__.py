"""OpenTelemetry: logs, spans and metrics that point at each other; ``docs/otel.md`` tells how."""

from fapilog.otel.links import span_link

__all__ = ["span_link"]
