"""The schema `otel`, key by key."""

from importlib import import_module
from typing import Any

import pytest

from fapilog.processors.otel import otel
from tests.processors.events import COMPLETED, FAILED, PLAIN, SPAN_ID, STAMP_NS, TRACE_ID


def test_a_plain_event() -> None:
    """Every key, in its order."""
    expected = {
        "Timestamp": STAMP_NS,
        "ObservedTimestamp": STAMP_NS,
        "TraceId": TRACE_ID,
        "SpanId": SPAN_ID,
        "TraceFlags": 1,
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "Body": "Order placed",
        "Resource": {
            "service.name": "shop",
            "service.version": "1.2",
            "deployment.environment.name": "prod",
            "host.name": "web-1",
            "process.pid": 4711,
        },
        "InstrumentationScope": {"Name": "shop.orders"},
        "Attributes": {
            "request_id": "r-1",
            "tenant": "acme",
            "order": 7,
            "total": 12.5,
            "paid": True,
            "coupon": None,
            "items": [{"sku": "a-1", "count": 2}],
            "path": "/srv/orders",
        },
    }

    assert list(otel(PLAIN).items()) == list(expected.items())


def test_a_completion_event() -> None:
    """What the middleware measured has its own places."""
    expected = {
        "Timestamp": STAMP_NS,
        "ObservedTimestamp": STAMP_NS,
        "TraceId": TRACE_ID,
        "SpanId": SPAN_ID,
        "TraceFlags": 1,
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "Body": "request_completed",
        "Resource": {
            "service.name": "shop",
            "service.version": "1.2",
            "deployment.environment.name": "prod",
            "host.name": "web-1",
            "process.pid": 4711,
        },
        "InstrumentationScope": {"Name": "fapilog.request"},
        "Attributes": {
            "http.request.method": "GET",
            "http.route": "/orders/{order_id}",
            "url.path": "/orders/7",
            "http.response.status_code": 404,
            "http.request.body.size": 0,
            "http.response.body.size": 512,
            "client.address": "203.0.113.7",
            "network.peer.address": "10.0.0.1",
            "user_agent.original": "curl/8.5",
            "http.request.header.accept": ["*/*"],
            "request_id": "r-1",
            "duration_ms": 12.345,
            "total_ms": 12.5,
            "outcome": "client_error",
            "client_request_id": "theirs",
            "tenant": "acme",
        },
    }

    assert list(otel(COMPLETED).items()) == list(expected.items())


def test_an_exception() -> None:
    """Type, message and stack trace where the schema wants them; frames and cause beside."""
    expected = {
        "Timestamp": STAMP_NS,
        "ObservedTimestamp": STAMP_NS,
        "SeverityText": "ERROR",
        "SeverityNumber": 17,
        "Body": "Charge failed",
        "Resource": {
            "service.name": "shop",
            "service.version": "1.2",
            "deployment.environment.name": "prod",
            "host.name": "web-1",
            "process.pid": 4711,
        },
        "InstrumentationScope": {"Name": "shop.payment"},
        "Attributes": {
            "exception.type": "shop.errors.Declined",
            "exception.message": "card expired",
            "exception.stacktrace": "Traceback (most recent call last):\n  …",
            "fapilog.exception": {
                "frames": [{"file": "/srv/shop/payment.py", "line": 31, "function": "charge", "code": "submit(card)"}],
                "cause": {"type": "TimeoutError", "message": "no answer in 2 s", "frames": []},
            },
            "order": 7,
            "stack": "Stack (most recent call last):\n  …",
        },
    }

    assert list(otel(FAILED).items()) == list(expected.items())


# OpenTelemetry specification 1.55, logs/data-model.md: field -> type in JSON.
# 64-bit times are decimal text, as in the JSON mapping of OTLP.
DATA_MODEL: dict[str, type] = {
    "Timestamp": str,
    "ObservedTimestamp": str,
    "TraceId": str,
    "SpanId": str,
    "TraceFlags": int,
    "SeverityText": str,
    "SeverityNumber": int,
    "Body": object,
    "Resource": dict,
    "InstrumentationScope": dict,
    "Attributes": dict,
    "EventName": str,
}
# The same page: the ranges of SeverityNumber.
RANGES = {"TRACE": range(1, 5), "DEBUG": range(5, 9), "INFO": range(9, 13), "WARN": range(13, 17)}
RANGES |= {"ERROR": range(17, 21), "FATAL": range(21, 25)}

# OpenTelemetry semantic conventions 1.44: registry of attributes; attribute -> type.
ATTRIBUTES: dict[str, type] = {
    "client.address": str,
    "error.type": str,
    "exception.message": str,
    "exception.stacktrace": str,
    "exception.type": str,
    "http.request.body.size": int,
    "http.request.method": str,
    "http.request.method_original": str,
    "http.response.body.size": int,
    "http.response.status_code": int,
    "http.route": str,
    "network.peer.address": str,
    "network.protocol.version": str,
    "url.path": str,
    "user_agent.original": str,
}
RESOURCE: dict[str, type] = {
    "service.name": str,
    "service.version": str,
    "deployment.environment.name": str,
    "host.name": str,
    "process.pid": int,
}
every_event = pytest.mark.parametrize("event", [PLAIN, COMPLETED, FAILED], ids=["plain", "completed", "failed"])


@every_event
def test_the_data_model_is_kept(event: dict[str, Any]) -> None:
    """No field but those of the log data model, each of its type; attributes named as in the conventions."""
    record = otel(event)

    for name, value in record.items():
        assert isinstance(value, DATA_MODEL[name]), name
    assert {name: type(value) for name, value in record["Resource"].items()} == RESOURCE
    for name, value in record["Attributes"].items():
        if name in ATTRIBUTES:
            assert type(value) is ATTRIBUTES[name], name
        else:
            assert name in event or name.startswith(("http.request.header.", "fapilog.")), name


@pytest.mark.parametrize("name", [*ATTRIBUTES, *RESOURCE])
def test_every_attribute_is_in_the_registry(name: str) -> None:
    """The constants of the Python package of the semantic conventions know it."""
    area = "deployment" if name.startswith("deployment") else name.split(".", maxsplit=1)[0]
    module = import_module(f"opentelemetry.semconv._incubating.attributes.{area}_attributes")

    assert getattr(module, name.replace(".", "_").upper()) == name


@pytest.mark.parametrize(
    ("level", "number"),
    [
        ("DEBUG", 5),
        ("INFO", 9),
        ("WARNING", 13),
        ("ERROR", 17),
        ("CRITICAL", 21),
        ("TRACE", 1),
        ("LEVEL_1", 1),
        ("LEVEL_15", 6),
        ("NOTICE", 10),
        ("LEVEL_25", 10),
        ("LEVEL_45", 18),
        ("LEVEL_99", 22),
        ("AUDIT", 9),
        ("LEVEL_", 9),
        ("LEVEL_" + "9" * 5_000, 9),
    ],
)
def test_severities(level: str, number: int) -> None:
    """Each in its range; between two standard levels the second of the lower one's; the name is kept as text."""
    record = otel({"level": level})

    assert (record["SeverityText"], record["SeverityNumber"]) == (level, number)


def test_standard_levels_are_the_first_of_their_ranges() -> None:
    """The data model recommends the smallest number where a range has one level."""
    for level, name in (
        ("DEBUG", "DEBUG"),
        ("INFO", "INFO"),
        ("WARNING", "WARN"),
        ("ERROR", "ERROR"),
        ("CRITICAL", "FATAL"),
    ):
        assert otel({"level": level})["SeverityNumber"] == RANGES[name][0]


@pytest.mark.parametrize("stamp", ["yesterday", "2026-01-02T03:04:05", "1969-12-31T23:59:59.999999Z", 5, None])
def test_what_is_no_time_is_an_attribute(stamp: Any) -> None:
    """The data model counts from 1970."""
    record = otel({"timestamp": stamp})

    assert "Timestamp" not in record
    assert record["Attributes"] == {"timestamp": stamp}


def test_times_are_exact() -> None:
    """To the microsecond, at the ends of the calendar."""
    assert otel({"timestamp": "1970-01-01T00:00:00.000000Z"})["Timestamp"] == "0"
    assert otel({"timestamp": "2026-01-02T05:04:05.123456+02:00"})["Timestamp"] == STAMP_NS
    assert otel({"timestamp": "9999-12-31T23:59:59.999999Z"})["Timestamp"] == "253402300799999999000"


@pytest.mark.parametrize("wrong", ["", "abc", "A" * 32, "0" * 33, 7, ["a"]])
def test_ids_that_are_none_are_attributes(wrong: Any) -> None:
    """The context may bind anything under these names."""
    record = otel({"trace_id": wrong, "span_id": wrong, "trace_flags": wrong})

    assert record["Attributes"] == {"trace_id": wrong, "span_id": wrong, "trace_flags": wrong}


def test_an_attribute_of_ours_is_not_overwritten() -> None:
    """A field with the name of an attribute that is set gets `_`; without a clash it may use the conventions' names."""
    assert otel({**FAILED, "exception.type": "mine"})["Attributes"]["exception.type_"] == "mine"
    assert otel({"exception.type": "mine"})["Attributes"] == {"exception.type": "mine"}


@pytest.mark.parametrize(("status", "kind"), [(500, "500"), (503, "503"), (404, None), (200, None)])
def test_the_type_of_a_server_s_error(status: int, kind: str | None) -> None:
    """The status from 500 on, or the exception."""
    event = {"http_method": "GET", "status_code": status}

    assert otel(event)["Attributes"].get("error.type") == kind
    assert otel({**event, "exception": {"type": "KeyError"}})["Attributes"]["error.type"] == "KeyError"
