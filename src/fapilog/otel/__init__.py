"""OpenTelemetry: logs, spans and metrics that point at each other; ``docs/otel.md`` tells how."""
