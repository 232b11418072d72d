"""The schema `ecs`, key by key."""

import json
from typing import Any

import pytest

from fapilog.processors.ecs import ECS_VERSION, ecs
from tests.processors.events import COMPLETED, FAILED, PLAIN, SPAN_ID, STAMP, TRACE_ID


def test_a_plain_event() -> None:
    """Every key, in its order."""
    expected = {
        "@timestamp": STAMP,
        "log.level": "INFO",
        "message": "Order placed",
        "ecs.version": "8.11.0",
        "log.logger": "shop.orders",
        "http.request.id": "r-1",
        "trace.id": TRACE_ID,
        "span.id": SPAN_ID,
        "service.name": "shop",
        "service.version": "1.2",
        "service.environment": "prod",
        "host.hostname": "web-1",
        "process.pid": 4711,
        "event.dataset": "shop.log",
        "labels": {
            "trace_flags": "01",
            "tenant": "acme",
            "order": 7,
            "total": 12.5,
            "paid": True,
            "coupon": None,
            "path": "/srv/orders",
        },
        "fapilog": {"items": [{"sku": "a-1", "count": 2}]},
    }

    assert list(ecs(PLAIN).items()) == list(expected.items())


def test_a_completion_event() -> None:
    """What the middleware measured has its own places."""
    expected = {
        "@timestamp": STAMP,
        "log.level": "INFO",
        "message": "request_completed",
        "ecs.version": "8.11.0",
        "log.logger": "fapilog.request",
        "http.request.id": "r-1",
        "trace.id": TRACE_ID,
        "span.id": SPAN_ID,
        "http.request.method": "GET",
        "url.path": "/orders/7",
        "http.response.status_code": 404,
        "http.request.body.bytes": 0,
        "http.response.body.bytes": 512,
        "user_agent.original": "curl/8.5",
        "event.outcome": "success",
        "event.duration": 12345000,
        "client.ip": "203.0.113.7",
        "service.name": "shop",
        "service.version": "1.2",
        "service.environment": "prod",
        "host.hostname": "web-1",
        "process.pid": 4711,
        "event.dataset": "shop.log",
        "labels": {
            "trace_flags": "01",
            "total_ms": 12.5,
            "outcome": "client_error",
            "http_route": "/orders/{order_id}",
            "peer_ip": "10.0.0.1",
            "client_request_id": "theirs",
            "tenant": "acme",
        },
        "fapilog": {"request_headers": {"accept": "*/*"}},
    }

    assert list(ecs(COMPLETED).items()) == list(expected.items())


def test_an_exception() -> None:
    """Type, message and stack trace where the schema wants them; frames and cause beside."""
    expected = {
        "@timestamp": STAMP,
        "log.level": "ERROR",
        "message": "Charge failed",
        "ecs.version": "8.11.0",
        "log.logger": "shop.payment",
        "error.type": "shop.errors.Declined",
        "error.message": "card expired",
        "error.stack_trace": "Traceback (most recent call last):\n  …",
        "service.name": "shop",
        "service.version": "1.2",
        "service.environment": "prod",
        "host.hostname": "web-1",
        "process.pid": 4711,
        "event.dataset": "shop.log",
        "labels": {"order": 7},
        "fapilog": {
            "exception": {
                "frames": [{"file": "/srv/shop/payment.py", "line": 31, "function": "charge", "code": "submit(card)"}],
                "cause": {"type": "TimeoutError", "message": "no answer in 2 s", "frames": []},
            },
            "stack": "Stack (most recent call last):\n  …",
        },
    }

    assert list(ecs(FAILED).items()) == list(expected.items())


# elastic/ecs-logging, spec/spec.json, version 1.0 (its last revision): field -> (type, required, index).
SPEC = {
    "@timestamp": ("datetime", True, 0),
    "log.level": ("string", True, 1),
    "message": ("string", False, 2),
    "ecs.version": ("string", True, None),
    "labels": ("object", False, None),
    "trace.id": ("string", False, None),
    "service.name": ("string", False, None),
    "event.dataset": ("string", False, None),
    "log.logger": ("string", False, None),
    "error.type": ("string", False, None),
    "error.message": ("string", False, None),
    "error.stack_trace": ("string", False, None),
}
SPEC_TYPES: dict[str, type] = {"datetime": str, "string": str, "object": dict}
# The same file: what the keys of labels and the data set's name must not contain.
NOT_IN_LABELS = ".*\\"
NOT_IN_DATASET = '\\/*?"<>| ,#:-'

# elastic/ecs, generated/csv/fields.csv, 8.11: field -> type in Elasticsearch.
FIELDS = {
    "@timestamp": "date",
    "client.address": "keyword",
    "client.ip": "ip",
    "ecs.version": "keyword",
    "error.message": "match_only_text",
    "error.stack_trace": "wildcard",
    "error.type": "keyword",
    "event.dataset": "keyword",
    "event.duration": "long",
    "event.outcome": "keyword",
    "host.hostname": "keyword",
    "http.request.body.bytes": "long",
    "http.request.id": "keyword",
    "http.request.method": "keyword",
    "http.response.body.bytes": "long",
    "http.response.status_code": "long",
    "http.version": "keyword",
    "labels": "object",
    "log.level": "keyword",
    "log.logger": "keyword",
    "message": "match_only_text",
    "process.pid": "long",
    "service.environment": "keyword",
    "service.name": "keyword",
    "service.version": "keyword",
    "span.id": "keyword",
    "trace.id": "keyword",
    "url.path": "wildcard",
    "user_agent.original": "keyword",
}
FIELD_TYPES: dict[str, type] = {
    "date": str,
    "ip": str,
    "keyword": str,
    "long": int,
    "match_only_text": str,
    "object": dict,
    "wildcard": str,
}
OUTCOMES = {"success", "failure", "unknown"}
every_event = pytest.mark.parametrize("event", [PLAIN, COMPLETED, FAILED], ids=["plain", "completed", "failed"])


@every_event
def test_the_logging_specification_is_kept(event: dict[str, Any]) -> None:
    """Required fields are there, the first three are first, types are right, `log.level` is not nested."""
    result = ecs(event)

    for name, (kind, required, index) in SPEC.items():
        assert name in result or not required, name
        if name in result:
            assert isinstance(result[name], SPEC_TYPES[kind]), name
        if index is not None:
            assert list(result)[index] == name
    assert "log" not in result


@every_event
def test_every_key_is_one_of_ecs_or_ours(event: dict[str, Any]) -> None:
    """With the type that Elasticsearch's mapping has; only `fapilog` is no name of ECS."""
    result = ecs(event)

    for name in result.keys() - {"fapilog"}:
        assert type(result[name]) is FIELD_TYPES[FIELDS[name]], name
    assert result["ecs.version"] == ECS_VERSION
    assert result.get("event.outcome", "unknown") in OUTCOMES


@every_event
def test_labels_are_flat(event: dict[str, Any]) -> None:
    """ECS stores them as keywords: no objects, and no characters in their names that mean a path."""
    for name, value in ecs(event).get("labels", {}).items():
        assert not isinstance(value, dict | list)
        assert not set(name) & set(NOT_IN_LABELS)


def test_names_with_dots_do_not_become_paths_or_clash() -> None:
    """A label that had to be renamed does not take another one's name."""
    event = {"a.b": 1, "a_b": 2, "a*b": 3, "a_b_": 4, "c.d": [5], "c_d": [6]}

    result = ecs(event)

    assert result["labels"] == {"a_b__": 1, "a_b": 2, "a_b___": 3, "a_b_": 4}
    assert result["fapilog"] == {"c_d_": [5], "c_d": [6]}


@pytest.mark.parametrize(
    ("client", "key"),
    [
        ("203.0.113.7", "client.ip"),
        ("2001:db8::1", "client.ip"),
        ("testclient", "client.address"),
        ("fe80::1%eth0", "client.address"),
        ("1.2.3.4:80", "client.address"),
        ("", "client.address"),
    ],
)
def test_only_an_address_is_an_ip(client: str, key: str) -> None:
    """Elasticsearch refuses the whole document for an `ip` that is none."""
    result = ecs({"http_method": "GET", "client_ip": client})

    assert result[key] == client
    assert len({"client.ip", "client.address"} & result.keys()) == 1


def test_the_data_set_is_named_after_the_service() -> None:
    """In lower case, without the characters that the specification replaces, at most 100."""
    assert ecs({"service": "My Shop/EU-1"})["event.dataset"] == "my_shop_eu_1.log"
    assert ecs({"service": NOT_IN_DATASET})["event.dataset"] == "_" * len(NOT_IN_DATASET) + ".log"
    assert len(ecs({"service": "x" * 500})["event.dataset"]) == 100


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("ok", "success"), ("client_error", "success"), ("server_error", "failure"), ("client_disconnected", "unknown")],
)
def test_outcomes_are_those_of_the_server(outcome: str, expected: str) -> None:
    """A client's error is none of the service; our word for it stays a label."""
    result = ecs({"http_method": "GET", "outcome": outcome})

    assert (result["event.outcome"], result["labels"]["outcome"]) == (expected, outcome)


def test_a_field_of_another_type_is_a_label_or_custom() -> None:
    """Objects under known names break nothing."""
    event = {
        "http_method": {"a": 1},
        "logger": "fapilog.request",
        "status_code": "404",
        "duration_ms": None,
        "pid": "x",
    }

    result = ecs(event)

    assert result["fapilog"] == {"http_method": {"a": 1}}
    assert result["labels"] == {"status_code": "404", "duration_ms": None, "pid": "x"}
    json.dumps(result)
