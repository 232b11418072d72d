"""The dashboard of the pipeline: whether logging is healthy, and if not, where it is stuck."""

from typing import Any

from docs.dashboards.layout import Row, choice, dashboard, source
from docs.dashboards.panels import (
    GREEN,
    RED,
    YELLOW,
    Panel,
    figure,
    graph,
    helped,
    now,
    query,
    rate_of,
    states,
    unit_of,
)
from docs.dashboards.promql import series
from docs.dashboards.scope import Scope
from fapilog.metrics.catalogue import (
    BATCH_SIZE,
    CIRCUIT,
    DELIVERY,
    EVENTS_TOTAL,
    IN_FLIGHT,
    LOSSES,
    MASKED,
    PRESSURE,
    QUEUE_BYTES,
    QUEUE_CAPACITY,
    QUEUE_DEPTH,
    QUEUE_HIGH,
    RECORDER_BYTES,
    RECORDER_EVENTS,
    RECORDER_HELD,
    RETRIES,
    SINK_EVENTS,
    SINK_IN_FLIGHT,
    SINK_SPOOLED,
    SPOOL_BYTES,
    WORKER_LAG,
)

LOST = ("outcome", "=~", "dropped|failed")
ENGINE = ("job", "instance", "engine")
SINK = (*ENGINE, "sink")
_AT = "{{instance}} {{engine}}"
_AT_SINK = "{{instance}} {{engine}} {{sink}}"
_SCOPE = Scope({"job": "service", "instance": "instance", "engine": "engine", "sink": "sink"})


def pipeline() -> Any:
    """Return the dashboard."""
    chosen = series(EVENTS_TOTAL, ("job", "=~", "$service"), ("instance", "=~", "$instance"))
    sinks = series(SINK_EVENTS, ("job", "=~", "$service"), ("engine", "=~", "$engine"))
    variables = [
        source("prometheus", "Metrics"),
        choice("service", "Service", f"label_values({series(EVENTS_TOTAL)}, job)"),
        choice("instance", "Instance", f"label_values({series(EVENTS_TOTAL, ('job', '=~', '$service'))}, instance)"),
        choice("engine", "Engine", f"label_values({chosen}, engine)"),
        choice("sink", "Sink", f"label_values({sinks}, sink)"),
    ]
    rows: list[Row] = [
        ("Is it healthy?", _health()),
        ("Events", _events()),
        ("Queue and worker", _queue()),
        ("Sinks: what they take", _sinks()),
        ("Sinks: what is in the way", _trouble()),
        ("Flight recorder", _recorder()),
    ]
    text = "Is logging healthy: what is logged, what is lost and why, what waits, and which sink is the reason?"
    return dashboard("pipeline", "fapilog: pipeline", text, variables, rows)


def _health() -> list[Panel]:
    lost = f"sum({_SCOPE.grown(EVENTS_TOTAL, *ENGINE, where=(LOST,))})"
    full = f"max({_SCOPE.series(QUEUE_DEPTH)} / {_SCOPE.series(QUEUE_CAPACITY)})"
    apart = f"sum({_SCOPE.series(CIRCUIT, ('state', '=~', 'open|half-open'))}) or vector(0)"
    return [
        figure(
            "Events",
            now(f"sum({_SCOPE.rate(EVENTS_TOTAL, 'job')})", "events"),
            unit=rate_of(EVENTS_TOTAL),
            text=helped(EVENTS_TOTAL),
        ),
        figure(
            "Lost",
            now(lost, "lost"),
            unit="short",
            limits=(1,),
            text=helped(EVENTS_TOTAL, more="Here: dropped or failed in the time that is looked at."),
        ),
        figure(
            "Queue",
            now(full, "of its capacity"),
            unit="percentunit",
            limits=(0.5, 0.8),
            text=helped(QUEUE_DEPTH, QUEUE_CAPACITY, more="Here: the fullest queue."),
        ),
        figure(
            "Worker lag",
            now(f"max({_SCOPE.series(WORKER_LAG)})", "lag"),
            unit=unit_of(WORKER_LAG),
            limits=(5, 30),
            text=helped(WORKER_LAG),
        ),
        figure("Circuits not closed", now(apart, "circuits"), unit="short", limits=(1,), text=helped(CIRCUIT)),
        figure(
            "On disk",
            now(f"sum({_SCOPE.series(SPOOL_BYTES)})", "bytes"),
            unit=unit_of(SPOOL_BYTES),
            limits=(1, 2**30),
            text=helped(SPOOL_BYTES, SINK_SPOOLED),
        ),
    ]


def _events() -> list[Panel]:
    return [
        graph(
            "By level",
            query(_SCOPE.rate(EVENTS_TOTAL, "level"), "{{level}}"),
            unit=rate_of(EVENTS_TOTAL),
            text=helped(EVENTS_TOTAL),
            stack=True,
        ),
        graph(
            "By outcome",
            query(_SCOPE.rate(EVENTS_TOTAL, "outcome"), "{{outcome}}"),
            unit=rate_of(EVENTS_TOTAL),
            text=helped(EVENTS_TOTAL),
            stack=True,
        ),
        graph(
            "Lost, by reason",
            query(_SCOPE.rate(LOSSES, "outcome", "reason", where=(LOST,)), "{{outcome}}: {{reason}}"),
            unit=rate_of(LOSSES),
            text=helped(LOSSES, more="Here: dropped and failed. Each reason is explained in docs/operations.md."),
        ),
        graph(
            "Filtered, by name",
            query(_SCOPE.rate(LOSSES, "reason", where=(("outcome", "=", "filtered"),)), "{{reason}}"),
            unit=rate_of(LOSSES),
            text=helped(LOSSES, more="Here: filtered, as somebody has asked for. A filter too eager shows here."),
            width=12,
        ),
        graph(
            "Masked values",
            query(_SCOPE.rate(MASKED, *ENGINE), _AT),
            unit=rate_of(MASKED),
            text=helped(MASKED, more="None at all after a deployment: are the rules still there?"),
            width=12,
        ),
    ]


def _queue() -> list[Panel]:
    return [
        graph(
            "Depth",
            query(_SCOPE.most(QUEUE_DEPTH, *ENGINE), f"{_AT} waiting"),
            query(_SCOPE.most(QUEUE_HIGH, *ENGINE), f"{_AT} most ever"),
            query(_SCOPE.most(QUEUE_CAPACITY, *ENGINE), f"{_AT} capacity"),
            unit=unit_of(QUEUE_DEPTH),
            text=helped(QUEUE_DEPTH, QUEUE_HIGH, QUEUE_CAPACITY),
        ),
        graph(
            "Bytes",
            query(_SCOPE.most(QUEUE_BYTES, *ENGINE), _AT),
            unit=unit_of(QUEUE_BYTES),
            text=helped(QUEUE_BYTES),
        ),
        graph(
            "Worker lag",
            query(_SCOPE.most(WORKER_LAG, *ENGINE), _AT),
            unit=unit_of(WORKER_LAG),
            text=helped(WORKER_LAG),
        ),
        graph(
            "Not settled",
            query(_SCOPE.most(IN_FLIGHT, *ENGINE), _AT),
            unit=unit_of(IN_FLIGHT),
            text=helped(IN_FLIGHT, more="In the queue, in a sink's buffer, on its way, or on disk."),
            width=24,
        ),
    ]


def _sinks() -> list[Panel]:
    return [
        graph(
            "Events",
            query(_SCOPE.rate(SINK_EVENTS, "sink", "outcome"), "{{sink}} {{outcome}}"),
            unit=rate_of(SINK_EVENTS),
            text=helped(SINK_EVENTS),
        ),
        graph(
            "Not settled",
            query(_SCOPE.most(SINK_IN_FLIGHT, *SINK), _AT_SINK),
            unit=unit_of(SINK_IN_FLIGHT),
            text=helped(SINK_IN_FLIGHT),
        ),
        graph(
            "Batch size",
            query(_SCOPE.mean(BATCH_SIZE, "sink"), "{{sink}} mean"),
            query(_SCOPE.quantile(0.99, BATCH_SIZE, "sink"), "{{sink}} p99"),
            unit=unit_of(BATCH_SIZE),
            text=helped(BATCH_SIZE),
        ),
        graph(
            "Delivery",
            query(_SCOPE.quantile(0.5, DELIVERY, "sink"), "{{sink}} p50", exemplar=True),
            query(_SCOPE.quantile(0.99, DELIVERY, "sink"), "{{sink}} p99"),
            unit=unit_of(DELIVERY),
            text=helped(DELIVERY),
            width=24,
        ),
    ]


def _trouble() -> list[Panel]:
    opened = _SCOPE.series(CIRCUIT, ("state", "=", "open"))
    tried = _SCOPE.series(CIRCUIT, ("state", "=", "half-open"))
    breakers = ("closed", GREEN), ("half-open", YELLOW), ("open", RED)
    pressures = ("normal", GREEN), ("elevated", "light-yellow"), ("high", "orange"), ("critical", RED)
    return [
        states(
            "Circuit",
            query(f"max by ({', '.join(SINK)}) (2 * {opened} or {tried})", _AT_SINK),
            text=helped(CIRCUIT),
            names=breakers,
        ),
        states(
            "Pressure",
            query(_SCOPE.most(PRESSURE, *SINK), _AT_SINK),
            text=helped(PRESSURE, more="Of sinks with `with_adaptive`."),
            names=pressures,
        ),
        graph(
            "Retries",
            query(_SCOPE.rate(RETRIES, "sink"), "{{sink}}"),
            unit=rate_of(RETRIES),
            text=helped(RETRIES),
        ),
        graph(
            "On disk: bytes",
            query(_SCOPE.most(SPOOL_BYTES, *SINK), _AT_SINK),
            unit=unit_of(SPOOL_BYTES),
            text=helped(SPOOL_BYTES),
        ),
        graph(
            "On disk: events",
            query(_SCOPE.most(SINK_SPOOLED, *SINK), _AT_SINK),
            unit=unit_of(SINK_SPOOLED),
            text=helped(SINK_SPOOLED),
        ),
    ]


def _recorder() -> list[Panel]:
    return [
        graph(
            "What became of kept events",
            query(_SCOPE.rate(RECORDER_EVENTS, "outcome"), "{{outcome}}"),
            unit=rate_of(RECORDER_EVENTS),
            text=helped(
                RECORDER_EVENTS,
                more="Released come out because a request failed or was slow. Many evicted: its bounds are too narrow.",
            ),
        ),
        graph(
            "Kept now: events",
            query(_SCOPE.most(RECORDER_HELD, *ENGINE), _AT),
            unit=unit_of(RECORDER_HELD),
            text=helped(RECORDER_HELD),
        ),
        graph(
            "Kept now: bytes",
            query(_SCOPE.most(RECORDER_BYTES, *ENGINE), _AT),
            unit=unit_of(RECORDER_BYTES),
            text=helped(RECORDER_BYTES, more="Of all requests together; the bound is `max_total_bytes`."),
        ),
    ]
