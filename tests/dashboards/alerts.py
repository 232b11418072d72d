"""What happens to an application, as series over time, and which alerts it must raise: for ``promtool test rules``."""

from typing import Any, NamedTuple

from fapilog.metrics.catalogue import (
    CIRCUIT,
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
from fapilog.metrics.naming import label_names, series_names

FIXED = {
    "engine": "root", "sink": "loki", "level": "INFO", "http_request_method": "GET", "http_route": "/orders/{id}",
    "http_response_status_code": "200",
}  # fmt: skip
"""The values of labels where a case says no others."""


class Case(NamedTuple):
    """One story.

    Attributes:
        alert: Which alert it is about.
        series: Each with its values, one a minute, in promtool's short form: ``0+5x10`` is 0, 5, 10, … 50.
        at: When it is asked, in minutes.
        fires: Whether the alert is up then.
        title: What happens.
    """

    alert: str
    series: dict[str, str]
    at: int
    fires: bool
    title: str

    def as_test(self) -> dict[str, Any]:
        """Return the case as promtool wants it."""
        series = [{"series": name, "values": values} for name, values in self.series.items()]
        return {"interval": "1m", "name": self.title, "input_series": series}


def one(metric: Metric, part: str = "", **labels: str) -> str:
    """Return the name of one series of a metric, with all labels that it has."""
    [name] = [name for name in series_names(metric) if name.endswith(part)]
    values = {"job": "shop", "instance": "a:80", **{key: FIXED.get(key, "") for key in label_names(metric)}, **labels}
    inside = ", ".join(f'{key}="{value}"' for key, value in values.items() if value)
    return f"{name}{{{inside}}}"


def requests(slower: str, status: str = "200") -> dict[str, str]:
    """Return the buckets of requests of which these, by promtool's short form, took longer than 2.5 s."""
    return {
        one(HTTP_DURATION, "_bucket", le="2.5", http_response_status_code=status): "0+60x30",
        one(HTTP_DURATION, "_bucket", le="5.0", http_response_status_code=status): slower,
        one(HTTP_DURATION, "_bucket", le="+Inf", http_response_status_code=status): slower,
        one(HTTP_DURATION, "_count", http_response_status_code=status): slower,
    }


def answers(status: str, values: str) -> dict[str, str]:
    """Return the count of requests with this status."""
    return {one(HTTP_DURATION, "_count", http_response_status_code=status): values}


DROPPED = one(EVENTS_TOTAL, outcome="dropped")
FAILED = one(EVENTS_TOTAL, outcome="failed", level="ERROR")
DELIVERED = one(EVENTS_TOTAL, outcome="delivered")
ERRORS = one(EVENTS_TOTAL, outcome="delivered", level="ERROR")
DEPTH, CAPACITY = one(QUEUE_DEPTH), one(QUEUE_CAPACITY)
AT_SINK = one(SINK_EVENTS, outcome="delivered")
LOST_AT_SINK = one(SINK_EVENTS, outcome="failed")
WAITING = one(SINK_IN_FLIGHT)
SPOOL = one(SPOOL_BYTES)


def circuit(closed: str, opened: str) -> dict[str, str]:
    """Return the three series of a breaker that is never half-open."""
    return {
        one(CIRCUIT, state="closed"): closed,
        one(CIRCUIT, state="open"): opened,
        one(CIRCUIT, state="half-open"): "0x30",
    }


CASES = (
    Case("FapilogEventsLost", {DROPPED: "0x9 3x21"}, 12, fires=True, title="three are dropped"),
    Case("FapilogEventsLost", {DROPPED: "0x9 3x21"}, 20, fires=False, title="and none any more, ten minutes later"),
    Case("FapilogEventsLost", {FAILED: "_x9 1x21"}, 12, fires=True, title="the first ever of its level fails"),
    Case("FapilogEventsLost", {FAILED: "5x30"}, 20, fires=False, title="all that were lost, were lost long ago"),
    Case("FapilogEventsLost", {DROPPED: "9x9 0x1 2x20"}, 12, fires=True, title="a new process loses two"),
    Case("FapilogEventsLost", {DROPPED: "_x9 0x21"}, 12, fires=False, title="a new process loses none"),
    Case("FapilogEventsLost", {DELIVERED: "0+90x30"}, 20, fires=False, title="everything is delivered"),
    Case("FapilogManyErrors", {DELIVERED: "0+60x30", ERRORS: "0+6x30"}, 25, fires=True, title="one of eleven"),
    Case("FapilogManyErrors", {DELIVERED: "0+600x30", ERRORS: "0+6x30"}, 25, fires=False, title="one of a hundred"),
    Case("FapilogManyErrors", {DELIVERED: "0+1x30", ERRORS: "0+1x30"}, 25, fires=False, title="half of nearly none"),
    Case("FapilogQueueNearlyFull", {DEPTH: "10x4 9000x10", CAPACITY: "10000x30"}, 9, fires=True, title="90 percent"),
    Case("FapilogQueueNearlyFull", {DEPTH: "10x4 9000x1 10x9", CAPACITY: "10000x30"}, 9, fires=False, title="a burst"),
    Case(
        "FapilogQueueNearlyFull", {DEPTH: "10x4 9000x10", CAPACITY: "10000x30"}, 6, fires=False, title="a minute long"
    ),
    Case("FapilogQueueNearlyFull", {DEPTH: "7000x30", CAPACITY: "10000x30"}, 9, fires=False, title="70 percent"),
    Case("FapilogWorkerLag", {one(WORKER_LAG): "0x4 40x10"}, 9, fires=True, title="40 seconds"),
    Case("FapilogWorkerLag", {one(WORKER_LAG): "2x30"}, 9, fires=False, title="2 seconds"),
    Case("FapilogCircuitOpen", circuit("1x4 0x10", "0x4 1x10"), 9, fires=True, title="open for five minutes"),
    Case("FapilogCircuitOpen", circuit("1x4 0x1 1x9", "0x4 1x1 0x9"), 9, fires=False, title="opened and closed again"),
    Case("FapilogSpoolGrowing", {SPOOL: "0+1000x60"}, 40, fires=True, title="a kilobyte a minute"),
    Case("FapilogSpoolGrowing", {SPOOL: "90000-1000x60"}, 40, fires=False, title="it becomes less"),
    Case("FapilogSpoolGrowing", {SPOOL: "0x60"}, 40, fires=False, title="nothing is there"),
    Case("FapilogSinkFailing", {AT_SINK: "0+10x30", LOST_AT_SINK: "0+10x30"}, 20, fires=True, title="every other"),
    Case("FapilogSinkFailing", {AT_SINK: "0+1000x30", LOST_AT_SINK: "0+1x30"}, 20, fires=False, title="one of 1001"),
    Case("FapilogNothingDelivered", {WAITING: "0x4 50x40", AT_SINK: "0+9x4 36x40"}, 30, fires=True, title="it stops"),
    Case("FapilogNothingDelivered", {WAITING: "0x4 50x40"}, 30, fires=True, title="it has never taken any"),
    Case("FapilogNothingDelivered", {WAITING: "50x40", AT_SINK: "0+9x40"}, 30, fires=False, title="it takes some"),
    Case("FapilogNothingDelivered", {WAITING: "0x40", AT_SINK: "9x40"}, 30, fires=False, title="nobody logs anything"),
    Case(
        "RequestsFail",
        {**answers("200", "0+60x30"), **answers("503", "0+10x30")},
        20,
        fires=True,
        title="one of seven is answered 503",
    ),
    Case("RequestsFail", {**answers("200", "0+60x30")}, 20, fires=False, title="all are answered 200"),
    Case("RequestsFail", {**answers("404", "0+60x30")}, 20, fires=False, title="all are answered 404"),
    Case("RequestsFail", {**answers("500", "0+1x30")}, 20, fires=False, title="one a minute fails, and that is all"),
    Case("RequestsSlow", requests("0+90x30"), 25, fires=True, title="a third takes over 2.5 s"),
    Case("RequestsSlow", requests("0+60x30"), 25, fires=False, title="none takes over 2.5 s"),
)
