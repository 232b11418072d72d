"""Flat events of ``fapilog/1`` for the schemas: a plain one, a completion event, an exception."""

from typing import Any

from hypothesis import strategies as st

from fapilog.event import to_event
from tests.odd_values import keys, values
from tests.serializers.records import NAMES, RESOURCE, records

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
IDENTITY = {"request_id": "r-1", "trace_id": TRACE_ID, "span_id": SPAN_ID, "trace_flags": "01"}
STAMP = "2026-01-02T03:04:05.123456Z"
STAMP_NS = "1767323045123456000"
PROCESS = {"service": "shop", "env": "prod", "version": "1.2", "host": "web-1", "pid": 4711}

PLAIN: dict[str, Any] = {
    "timestamp": STAMP,
    "level": "INFO",
    "logger": "shop.orders",
    "message": "Order placed",
    **IDENTITY,
    "tenant": "acme",
    "order": 7,
    "total": 12.5,
    "paid": True,
    "coupon": None,
    "items": [{"sku": "a-1", "count": 2}],
    "path": "/srv/orders",
    **PROCESS,
}
"""``path`` is a field like any other: the event is not about a request."""

COMPLETED: dict[str, Any] = {
    "timestamp": STAMP,
    "level": "INFO",
    "logger": "fapilog.request",
    "message": "request_completed",
    **IDENTITY,
    "http_method": "GET",
    "path": "/orders/7",
    "status_code": 404,
    "duration_ms": 12.345,
    "total_ms": 12.5,
    "request_bytes": 0,
    "response_bytes": 512,
    "outcome": "client_error",
    "http_route": "/orders/{order_id}",
    "client_ip": "203.0.113.7",
    "user_agent": "curl/8.5",
    "peer_ip": "10.0.0.1",
    "request_headers": {"accept": "*/*"},
    "client_request_id": "theirs",
    "tenant": "acme",
    **PROCESS,
}

EXCEPTION: dict[str, Any] = {
    "type": "shop.errors.Declined",
    "message": "card expired",
    "stacktrace": "Traceback (most recent call last):\n  …",
    "frames": [{"file": "/srv/shop/payment.py", "line": 31, "function": "charge", "code": "submit(card)"}],
    "cause": {"type": "TimeoutError", "message": "no answer in 2 s", "frames": []},
}
FRAMES = {"frames": EXCEPTION["frames"], "cause": EXCEPTION["cause"]}

FAILED: dict[str, Any] = {
    "timestamp": STAMP,
    "level": "ERROR",
    "logger": "shop.payment",
    "message": "Charge failed",
    "order": 7,
    "exception": EXCEPTION,
    "stack": "Stack (most recent call last):\n  …",
    **PROCESS,
}

KNOWN = sorted({*PLAIN, *COMPLETED, *FAILED, "http_version", "http_method_original", "size_guard"})
TAKEN = [
    *("severity", "httpRequest", "@type", "time", "serviceContext", "stack_trace", "logging.googleapis.com/trace"),
    *("status", "dd", "dd.trace_id", "error", "error.stack", "http", "network", "duration", "ddtags", "host_"),
    *("@timestamp", "log.level", "labels", "fapilog", "trace.id", "a.b", "a_b", "a_b_", "event.dataset"),
    *("Timestamp", "Body", "Attributes", "exception.type", "http.request.method", "fields", "trace", "process"),
]


@st.composite
def odd_events(draw: st.DrawFn) -> dict[Any, Any]:
    """Draw an event with anything in it: known keys of any type, keys of the schemas, keys that are no text."""
    base = draw(st.sampled_from([{}, PLAIN, COMPLETED, FAILED]) | records().map(_flat))
    extra = draw(st.dictionaries(st.sampled_from(KNOWN) | st.sampled_from(TAKEN) | keys, values, max_size=8))
    gone = draw(st.sets(st.sampled_from(KNOWN), max_size=4))
    return {key: value for key, value in {**base, **extra}.items() if key not in gone}


def _flat(record: Any) -> dict[str, Any]:
    return to_event(record, NAMES, RESOURCE)
