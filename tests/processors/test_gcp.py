"""The schema `gcp`, key by key."""

from typing import Any

import pytest

from fapilog.processors.gcp import REPORTED_ERROR, RESERVED, gcp
from tests.processors.events import COMPLETED, FAILED, PLAIN, SPAN_ID, STAMP, TRACE_ID


def test_a_plain_event() -> None:
    """Every key, in its order."""
    expected = {
        "severity": "INFO",
        "message": "Order placed",
        "time": STAMP,
        "logging.googleapis.com/trace": TRACE_ID,
        "logging.googleapis.com/spanId": SPAN_ID,
        "logging.googleapis.com/trace_sampled": True,
        "request_id": "r-1",
        "tenant": "acme",
        "order": 7,
        "total": 12.5,
        "paid": True,
        "coupon": None,
        "items": [{"sku": "a-1", "count": 2}],
        "path": "/srv/orders",
        "logging.googleapis.com/labels": {
            "logger": "shop.orders",
            "service": "shop",
            "version": "1.2",
            "env": "prod",
            "host": "web-1",
            "pid": "4711",
        },
    }

    assert list(gcp(PLAIN).items()) == list(expected.items())


def test_a_completion_event() -> None:
    """What the middleware measured has its own places."""
    expected = {
        "severity": "INFO",
        "message": "request_completed",
        "time": STAMP,
        "logging.googleapis.com/trace": TRACE_ID,
        "logging.googleapis.com/spanId": SPAN_ID,
        "logging.googleapis.com/trace_sampled": True,
        "httpRequest": {
            "requestMethod": "GET",
            "requestUrl": "/orders/7",
            "status": 404,
            "userAgent": "curl/8.5",
            "remoteIp": "203.0.113.7",
            "requestSize": "0",
            "responseSize": "512",
            "latency": "0.012345s",
        },
        "request_id": "r-1",
        "total_ms": 12.5,
        "outcome": "client_error",
        "http_route": "/orders/{order_id}",
        "peer_ip": "10.0.0.1",
        "request_headers": {"accept": "*/*"},
        "client_request_id": "theirs",
        "tenant": "acme",
        "logging.googleapis.com/labels": {
            "logger": "fapilog.request",
            "service": "shop",
            "version": "1.2",
            "env": "prod",
            "host": "web-1",
            "pid": "4711",
        },
    }

    assert list(gcp(COMPLETED).items()) == list(expected.items())


def test_an_exception() -> None:
    """Type, message and stack trace where the schema wants them; frames and cause beside."""
    expected = {
        "severity": "ERROR",
        "message": "Charge failed",
        "time": STAMP,
        "stack_trace": "Traceback (most recent call last):\n  …",
        "@type": "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent",
        "serviceContext": {"service": "shop", "version": "1.2"},
        "exception": {
            "type": "shop.errors.Declined",
            "message": "card expired",
            "frames": [{"file": "/srv/shop/payment.py", "line": 31, "function": "charge", "code": "submit(card)"}],
            "cause": {"type": "TimeoutError", "message": "no answer in 2 s", "frames": []},
        },
        "order": 7,
        "stack": "Stack (most recent call last):\n  …",
        "logging.googleapis.com/labels": {
            "logger": "shop.payment",
            "service": "shop",
            "version": "1.2",
            "env": "prod",
            "host": "web-1",
            "pid": "4711",
        },
    }

    assert list(gcp(FAILED).items()) == list(expected.items())


# Cloud Logging, REST v2, LogEntry.LogSeverity.
SEVERITIES = {"DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"}
# The same page, HttpRequest: field -> type in JSON (int64 and Duration are text).
HTTP_REQUEST: dict[str, type] = {
    "requestMethod": str,
    "requestUrl": str,
    "requestSize": str,
    "status": int,
    "responseSize": str,
    "userAgent": str,
    "remoteIp": str,
    "serverIp": str,
    "referer": str,
    "latency": str,
    "protocol": str,
}


def test_the_request_has_the_fields_of_cloud_logging() -> None:
    """Names and types of `HttpRequest`."""
    request = gcp({**COMPLETED, "http_version": "1.1"})["httpRequest"]

    assert request["protocol"] == "HTTP/1.1"
    for name, value in request.items():
        assert type(value) is HTTP_REQUEST[name], name


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("DEBUG", "DEBUG"),
        ("WARNING", "WARNING"),
        ("CRITICAL", "CRITICAL"),
        ("TRACE", "DEBUG"),
        ("LEVEL_25", "NOTICE"),
        ("LEVEL_45", "ERROR"),
        ("LEVEL_99", "CRITICAL"),
        ("AUDIT", "INFO"),
        (7, "INFO"),
    ],
)
def test_severities(level: Any, severity: str) -> None:
    """Only those that Cloud Logging knows; the name of another level stays beside it."""
    result = gcp({"level": level})

    assert result["severity"] == severity
    assert severity in SEVERITIES
    assert result.get("level", severity) == level


@pytest.mark.parametrize(
    ("milliseconds", "latency"),
    [(0, "0s"), (1.5, "0.0015s"), (12.345, "0.012345s"), (90_000, "90s"), (1e9, "1000000s")],
)
def test_latencies_are_durations(milliseconds: float, latency: str) -> None:
    """Seconds with up to nine digits and an `s`."""
    assert gcp({"http_method": "GET", "duration_ms": milliseconds})["httpRequest"] == {
        "requestMethod": "GET",
        "latency": latency,
    }


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1, "12", None, True, 10**400, [1]])
def test_what_is_no_duration_is_a_field(wrong: Any) -> None:
    """It stays under its own name."""
    result = gcp({"http_method": "GET", "duration_ms": wrong, "request_bytes": wrong if wrong == 10**400 else "x"})

    assert result["duration_ms"] is wrong
    assert result["httpRequest"] == {"requestMethod": "GET"}


@pytest.mark.parametrize(("flags", "sampled", "kept"), [("00", False, None), ("01", True, None), ("03", True, "03")])
def test_whether_a_trace_is_sampled(flags: str, sampled: bool, kept: str | None) -> None:
    """Flags with more than that bit are kept."""
    result = gcp({"trace_flags": flags})

    assert result["logging.googleapis.com/trace_sampled"] is sampled
    assert result.get("trace_flags") == kept


def test_only_errors_are_reported() -> None:
    """A warning with an exception has its stack trace, but is no reported error by its type."""
    assert gcp(FAILED)["@type"] == REPORTED_ERROR
    assert "@type" not in gcp({**FAILED, "level": "WARNING"})
    assert gcp({**FAILED, "level": "WARNING"})["stack_trace"] == FAILED["exception"]["stacktrace"]


@pytest.mark.parametrize("name", sorted(RESERVED - {"exception"}))
def test_no_field_is_taken_for_a_special_one(name: str) -> None:
    """Cloud Logging would act on it; the field is kept under another name. `exception` is none in a flat event."""
    result = gcp({name: {"forged": True}} | ({"level": "INFO"} if name != "level" else {}))

    assert result.get(name) != {"forged": True}
    assert result[name + "_"] == {"forged": True}
