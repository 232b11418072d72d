"""Every metric: name, kind, unit, labels and help. The one list that publishers, dashboards and docs are made of.

Names and units are OpenTelemetry's (https://opentelemetry.io/docs/specs/semconv/general/metrics/); what they are called
in Prometheus follows from them by the rules of
https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/.
"""

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Boundaries of durations, as the semantic conventions advise them for HTTP."""
EVENTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0)
"""Boundaries of batch sizes."""


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: OpenTelemetry's name.
        kind: A counter only grows while the process lives; a gauge is what it is now.
        unit: In UCUM; what is in braces is a word for people.
        labels: The attributes that each of its points has.
        help: One sentence.
        boundaries: Of a histogram.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    help: str
    boundaries: tuple[float, ...] = ()


EVENTS_TOTAL = Metric(
    "fapilog.events",
    "counter",
    "{event}",
    ("engine", "level", "outcome"),
    "Events by level and by what became of them at all sinks together: delivered, filtered, dropped or failed.",
)
LOSSES = Metric(
    "fapilog.events.withheld",
    "counter",
    "{event}",
    ("engine", "outcome", "reason"),
    "Events that were filtered, dropped or failed, by the reason.",
)
IN_FLIGHT = Metric(
    "fapilog.events.in_flight", "gauge", "{event}", ("engine",), "Events that are logged and not settled yet."
)
MASKED = Metric(
    "fapilog.redaction.masked", "counter", "{value}", ("engine",), "Values and texts that redaction has changed."
)
QUEUE_DEPTH = Metric("fapilog.queue.depth", "gauge", "{event}", ("engine",), "Events that wait in the queue.")
QUEUE_CAPACITY = Metric(
    "fapilog.queue.capacity", "gauge", "{event}", ("engine",), "Events that may wait, without the reserve for errors."
)
QUEUE_BYTES = Metric("fapilog.queue.size", "gauge", "By", ("engine",), "Bytes of the events that wait in the queue.")
QUEUE_HIGH = Metric(
    "fapilog.queue.high_watermark", "gauge", "{event}", ("engine",), "The most events that ever waited in the queue."
)
WORKER_LAG = Metric(
    "fapilog.worker.lag", "gauge", "s", ("engine",), "How long the oldest event in the queue has been waiting."
)
SINK_EVENTS = Metric(
    "fapilog.sink.events",
    "counter",
    "{event}",
    ("engine", "sink", "outcome"),
    "Events by what became of them at one sink: delivered, filtered, dropped or failed.",
)
SINK_IN_FLIGHT = Metric(
    "fapilog.sink.in_flight", "gauge", "{event}", ("engine", "sink"), "Events that this sink has not settled yet."
)
SINK_SPOOLED = Metric(
    "fapilog.sink.spooled", "gauge", "{event}", ("engine", "sink"), "Events that wait on disk for this sink."
)
SPOOL_BYTES = Metric("fapilog.sink.spool.size", "gauge", "By", ("engine", "sink"), "Bytes that wait on disk.")
RETRIES = Metric(
    "fapilog.sink.retries", "counter", "{retry}", ("engine", "sink"), "How often a batch was given to a sink again."
)
CIRCUIT = Metric(
    "fapilog.sink.circuit.state",
    "gauge",
    "{state}",
    ("engine", "sink", "state"),
    "1 for the state that the sink's circuit breaker is in, 0 for the others: closed, open, half-open.",
)
PRESSURE = Metric(
    "fapilog.sink.pressure",
    "gauge",
    "{level}",
    ("engine", "sink"),
    "The pressure on the sink: 0 normal, 1 elevated, 2 high, 3 critical.",
)
DELIVERY = Metric(
    "fapilog.sink.delivery.duration",
    "histogram",
    "s",
    ("engine", "sink"),
    "How long a batch took from being given to the sink until it was taken or given up, retries included.",
    SECONDS,
)
BATCH_SIZE = Metric("fapilog.sink.batch.size", "histogram", "{event}", ("engine", "sink"), "Events in a batch.", EVENTS)
RECORDER_EVENTS = Metric(
    "fapilog.flight_recorder.events",
    "counter",
    "{event}",
    ("engine", "outcome"),
    "Events that the flight recorder had kept, by what became of them: released, discarded or evicted.",
)
RECORDER_HELD = Metric(
    "fapilog.flight_recorder.held", "gauge", "{event}", ("engine",), "Events that the flight recorder keeps now."
)
RECORDER_BYTES = Metric(
    "fapilog.flight_recorder.size", "gauge", "By", ("engine",), "Bytes of the events that the flight recorder keeps."
)
HTTP_LABELS = (
    "http.request.method", "url.scheme", "http.route", "http.response.status_code", "error.type",
    "network.protocol.version",
)  # fmt: skip
HTTP_DURATION = Metric(
    "http.server.request.duration", "histogram", "s", HTTP_LABELS, "Duration of HTTP server requests.", SECONDS
)

ENGINE_METRICS = (
    EVENTS_TOTAL, LOSSES, IN_FLIGHT, MASKED, QUEUE_DEPTH, QUEUE_CAPACITY, QUEUE_BYTES, QUEUE_HIGH, WORKER_LAG,
    SINK_EVENTS, SINK_IN_FLIGHT, SINK_SPOOLED, SPOOL_BYTES, RETRIES, CIRCUIT, PRESSURE, DELIVERY, BATCH_SIZE,
    RECORDER_EVENTS, RECORDER_HELD, RECORDER_BYTES,
)  # fmt: skip
"""What an engine tells of itself."""
CATALOGUE = (*ENGINE_METRICS, HTTP_DURATION)
"""All of them."""
