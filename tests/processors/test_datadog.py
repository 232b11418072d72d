"""The schema `datadog`, key by key."""

from typing import Any

import pytest

from fapilog.processors.datadog import RESERVED, datadog
from tests.processors.events import COMPLETED, FAILED, PLAIN, STAMP, TRACE_ID


def test_a_plain_event() -> None:
    """Every key, in its order."""
    expected = {
        "timestamp": STAMP,
        "message": "Order placed",
        "status": "info",
        "logger": {"name": "shop.orders"},
        "service": "shop",
        "host": "web-1",
        "dd": {
            "trace_id": TRACE_ID,
            "span_id": "13235353014750950193",
            "service": "shop",
            "env": "prod",
            "version": "1.2",
        },
        "http": {"request_id": "r-1"},
        "trace_flags": "01",
        "tenant": "acme",
        "order": 7,
        "total": 12.5,
        "paid": True,
        "coupon": None,
        "items": [{"sku": "a-1", "count": 2}],
        "path": "/srv/orders",
        "pid": 4711,
    }

    assert list(datadog(PLAIN).items()) == list(expected.items())


def test_a_completion_event() -> None:
    """What the middleware measured has its own places."""
    expected = {
        "timestamp": STAMP,
        "message": "request_completed",
        "status": "info",
        "logger": {"name": "fapilog.request"},
        "service": "shop",
        "host": "web-1",
        "dd": {
            "trace_id": TRACE_ID,
            "span_id": "13235353014750950193",
            "service": "shop",
            "env": "prod",
            "version": "1.2",
        },
        "network": {"client": {"ip": "203.0.113.7"}, "bytes_read": 0, "bytes_written": 512},
        "duration": 12345000,
        "http": {
            "request_id": "r-1",
            "method": "GET",
            "status_code": 404,
            "route": "/orders/{order_id}",
            "useragent": "curl/8.5",
            "url_details": {"path": "/orders/7"},
        },
        "trace_flags": "01",
        "total_ms": 12.5,
        "outcome": "client_error",
        "peer_ip": "10.0.0.1",
        "request_headers": {"accept": "*/*"},
        "client_request_id": "theirs",
        "tenant": "acme",
        "pid": 4711,
    }

    assert list(datadog(COMPLETED).items()) == list(expected.items())


def test_an_exception() -> None:
    """Type, message and stack trace where the schema wants them; frames and cause beside."""
    expected = {
        "timestamp": STAMP,
        "message": "Charge failed",
        "status": "error",
        "logger": {"name": "shop.payment"},
        "service": "shop",
        "host": "web-1",
        "dd": {"service": "shop", "env": "prod", "version": "1.2"},
        "error": {
            "kind": "shop.errors.Declined",
            "message": "card expired",
            "stack": "Traceback (most recent call last):\n  …",
            "frames": [{"file": "/srv/shop/payment.py", "line": 31, "function": "charge", "code": "submit(card)"}],
            "cause": {"type": "TimeoutError", "message": "no answer in 2 s", "frames": []},
        },
        "order": 7,
        "stack": "Stack (most recent call last):\n  …",
        "pid": 4711,
    }

    assert list(datadog(FAILED).items()) == list(expected.items())


# Datadog documentation, default standard attributes (logs) and reserved attributes, 2025: attribute -> type.
STANDARD: dict[str, type] = {
    "duration": int,
    "error.kind": str,
    "error.message": str,
    "error.stack": str,
    "host": str,
    "http.method": str,
    "http.request_id": str,
    "http.status_code": int,
    "http.url_details.path": str,
    "http.useragent": str,
    "http.version": str,
    "logger.name": str,
    "message": str,
    "network.bytes_read": int,
    "network.bytes_written": int,
    "network.client.ip": str,
    "service": str,
    "status": str,
    "timestamp": str,
}
# As Datadog's tracers inject them into logs.
INJECTED = {"dd.trace_id", "dd.span_id", "dd.service", "dd.env", "dd.version"}
# Not among Datadog's, but below names of theirs.
OURS = {"http.route", "error.frames", "error.cause", "error.group", "logger.level"}
ROOTS = {"dd", "duration", "error", "host", "http", "logger", "message", "network", "service", "status", "timestamp"}


def _attributes(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return {name: it for key, item in value.items() for name, it in _attributes(item, f"{path}.{key}").items()}
    return {path: value}


@pytest.mark.parametrize("event", [PLAIN, COMPLETED, FAILED], ids=["plain", "completed", "failed"])
def test_attributes_are_those_of_datadog(event: dict[str, Any]) -> None:
    """With the types of the table, as a query would name them."""
    for root, value in datadog(event).items():
        if root in ROOTS:
            for name, item in _attributes(value, root).items():
                if name in STANDARD:
                    assert type(item) is STANDARD[name], name
                else:
                    assert name in INJECTED or name.startswith(tuple(OURS)), name
        else:
            assert event[root] == value


def test_ids_are_as_the_tracers_write_them() -> None:
    """The trace in 32 hexadecimal digits, the span in decimal; an id of another form is left as it is."""
    assert datadog({"trace_id": TRACE_ID, "span_id": "ffffffffffffffff"})["dd"] == {
        "trace_id": TRACE_ID,
        "span_id": "18446744073709551615",
    }
    assert datadog({"trace_id": "mine", "span_id": "7"})["dd"] == {"trace_id": "mine", "span_id": "7"}


@pytest.mark.parametrize(
    ("level", "status"),
    [
        ("DEBUG", "debug"),
        ("INFO", "info"),
        ("WARNING", "warning"),
        ("ERROR", "error"),
        ("CRITICAL", "critical"),
        ("TRACE", "debug"),
        ("LEVEL_25", "notice"),
        ("SECURITY", "info"),
        ("AUDIT", "info"),
    ],
)
def test_statuses(level: str, status: str) -> None:
    """Datadog goes by first letters: SECURITY would be OK, AUDIT an alert."""
    result = datadog({"level": level})

    assert result["status"] == status
    assert result.get("logger", {}).get("level", level) == level


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_no_field_is_taken_for_a_reserved_one(name: str) -> None:
    """Datadog would take it for the log's own status, date, host or trace."""
    result = datadog({name: {"forged": True}})

    assert result[name + "_"] == {"forged": True}
    assert name not in result
