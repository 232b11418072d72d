"""Recording rules and alerts of Prometheus: what is worth waking somebody, and what is worth a ticket."""

from typing import Any

from docs.dashboards.by_route import METHOD, ROUTE, SERVER_ERRORS
from docs.dashboards.pipeline import ENGINE, LOST, SINK
from docs.dashboards.promql import by, series
from fapilog.metrics.catalogue import (
    CIRCUIT,
    DELIVERY,
    EVENTS_TOTAL,
    HTTP_DURATION,
    QUEUE_CAPACITY,
    QUEUE_DEPTH,
    SINK_EVENTS,
    SINK_IN_FLIGHT,
    SPOOL_BYTES,
    WORKER_LAG,
    Metric,
)

QUEUE_USAGE = "job_instance_engine:fapilog_queue:usage_ratio"
EVENTS_RATE = "job_level_outcome:fapilog_events:rate5m"
DELIVERY_P99 = "job_sink:fapilog_sink_delivery:p99_5m"
REQUESTS_RATE = "job_method_route:http_server_requests:rate5m"
FAILED_SHARE = "job_method_route:http_server_requests_failed:ratio5m"
REQUESTS_P99 = "job_method_route:http_server_duration:p99_5m"
_ROUTE = ("job", METHOD, ROUTE)
_FULL = 0.8
_LAG_SECONDS = 30
_ERROR_SHARE = 0.05
_FAILED_SHARE = 0.05
_SLOW_SECONDS = 2.5
_FEW = 0.1
"""Requests or events a second below which a share says little."""


def rules() -> Any:
    """Return the rule file's content."""
    return {
        "groups": [
            {"name": "fapilog-recorded", "rules": _recorded()},
            {"name": "fapilog-pipeline", "rules": _pipeline()},
            {"name": "fapilog-requests", "rules": _requests()},
        ]
    }


def _rate(metric: Metric, *labels: str, where: tuple[tuple[str, str, str], ...] = (), part: str = "") -> str:
    return f"sum {by(metric, *labels)} (rate({series(metric, *where, part=part)}[5m]))"


def _recorded() -> list[Any]:
    every = _rate(HTTP_DURATION, *_ROUTE, part="count")
    failed = _rate(HTTP_DURATION, *_ROUTE, where=(SERVER_ERRORS,), part="count")
    p99 = "histogram_quantile(0.99, {})".format
    return [
        {"record": QUEUE_USAGE, "expr": f"{series(QUEUE_DEPTH)} / ({series(QUEUE_CAPACITY)} > 0)"},
        {"record": EVENTS_RATE, "expr": _rate(EVENTS_TOTAL, "job", "level", "outcome")},
        {"record": DELIVERY_P99, "expr": p99(_rate(DELIVERY, "le", "job", "sink", part="bucket"))},
        {"record": REQUESTS_RATE, "expr": every},
        {"record": FAILED_SHARE, "expr": f"({failed} or 0 * {every})\n  / ({every} > 0)"},
        {"record": REQUESTS_P99, "expr": p99(_rate(HTTP_DURATION, "le", *_ROUTE, part="bucket"))},
    ]


def _alert(name: str, expression: str, pending: str, severity: str, summary: str, page: str) -> Any:
    """Return an alert.

    Args:
        name: Its name.
        expression: What must not be.
        pending: For how long it must have been so before somebody is told.
        severity: ``page`` for what loses events or requests now, ``ticket`` for what will.
        summary: What the one on call reads.
        page: Where to read on, from the root of the repository.
    """
    return {
        "alert": name,
        "expr": expression,
        "for": pending,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "runbook": f"docs/{page}"},
    }


def _pipeline() -> list[Any]:
    lost = series(EVENTS_TOTAL, LOST)
    grouped = by(EVENTS_TOTAL, *ENGINE)
    sink_of = ", ".join(SINK)
    errors = f'sum by (job) ({EVENTS_RATE}{{level=~"ERROR|CRITICAL"}})'
    failed = _rate(SINK_EVENTS, *SINK, where=(LOST,))
    delivered = series(SINK_EVENTS, ("outcome", "=", "delivered"))
    spool = series(SPOOL_BYTES)
    where = "{{ $labels.job }} at {{ $labels.instance }}"
    sink = "{{ $labels.sink }}"
    share = "{{ $value | humanizePercentage }}"
    return [
        _alert(
            "FapilogEventsLost",
            # The second half: a series that was not there before has no increase, and what it begins with was lost.
            f"sum {grouped} (increase({lost}[5m])) > 0\nor\nsum {grouped} ({lost} unless {lost} offset 5m) > 0",
            "0s",
            "page",
            f"{where} has lost log events in the last 5 minutes; the panel 'Lost, by reason' says why.",
            "operations.md#what-is-lost-and-when",
        ),
        _alert(
            "FapilogManyErrors",
            f"{errors} / sum by (job) ({EVENTS_RATE}) > {_ERROR_SHARE}\nand\nsum by (job) ({EVENTS_RATE}) > {_FEW}",
            "10m",
            "ticket",
            "{{ $value | humanizePercentage }} of what {{ $labels.job }} logs are errors, for 10 minutes.",
            "dashboards.md#alerts",
        ),
        _alert(
            "FapilogQueueNearlyFull",
            f"{QUEUE_USAGE} > {_FULL}",
            "2m",
            "page",
            f"The log queue of {where} is {share} full; when it is full, events are lost.",
            "operations.md#a-full-queue",
        ),
        _alert(
            "FapilogWorkerLag",
            f"{series(WORKER_LAG)} > {_LAG_SECONDS}",
            "2m",
            "page",
            f"The worker of {where} does not keep up: events wait {{{{ $value | humanizeDuration }}}} in the queue.",
            "engine.md#the-queue",
        ),
        _alert(
            "FapilogCircuitOpen",
            f"max {by(CIRCUIT, *SINK)} ({series(CIRCUIT, ('state', '=', 'closed'))}) == 0",
            "2m",
            "page",
            f"{where} has given up its sink {sink} for now: the receiver fails or does not answer.",
            "delivery.md#circuit-breaker",
        ),
        _alert(
            "FapilogSpoolGrowing",
            f"deriv({spool}[15m]) > 0 and {spool} > 0",
            "15m",
            "ticket",
            f"{where} puts more events for {sink} on disk than it takes from there, for half an hour.",
            "spool.md#what-happens",
        ),
        _alert(
            "FapilogSinkFailing",
            f"{failed} / ({_rate(SINK_EVENTS, *SINK)} > 0) > {_FAILED_SHARE}",
            "5m",
            "page",
            f"{share} of the events for the sink {sink} of {where} are lost there.",
            "delivery.md#what-is-lost-and-when",
        ),
        _alert(
            "FapilogNothingDelivered",
            f"sum {by(SINK_IN_FLIGHT, *SINK)} ({series(SINK_IN_FLIGHT)}) > 0\n"
            f"unless on ({sink_of})\nsum {by(SINK_EVENTS, *SINK)} (increase({delivered}[10m])) > 0",
            "10m",
            "page",
            f"Events wait for the sink {sink} of {where}, and it has taken none for 10 minutes.",
            "delivery.md#what-you-read-on-standard-error-in-an-outage",
        ),
    ]


def _requests() -> list[Any]:
    labels = ", ".join(_ROUTE)
    enough = f"and on ({labels})\n{REQUESTS_RATE} > {_FEW}"
    route = f"{{{{ $labels.{METHOD} }}}} {{{{ $labels.{ROUTE} }}}} of {{{{ $labels.job }}}}"
    return [
        _alert(
            "RequestsFail",
            f"{FAILED_SHARE} > {_FAILED_SHARE}\n{enough}",
            "5m",
            "page",
            f"{{{{ $value | humanizePercentage }}}} of the requests to {route} are answered 500 or above.",
            "dashboards.md#alerts",
        ),
        _alert(
            "RequestsSlow",
            f"{REQUESTS_P99} > {_SLOW_SECONDS}\n{enough}",
            "10m",
            "ticket",
            f"One of 100 requests to {route} takes {{{{ $value | humanizeDuration }}}} or longer.",
            "dashboards.md#alerts",
        ),
    ]
