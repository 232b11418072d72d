"""The schema `grouped`, key by key."""

from fapilog.processors.grouped import grouped
from tests.processors.events import COMPLETED, FAILED, PLAIN, SPAN_ID, STAMP, TRACE_ID


def test_a_plain_event() -> None:
    """Every key, in its order."""
    expected = {
        "timestamp": STAMP,
        "level": "INFO",
        "logger": "shop.orders",
        "message": "Order placed",
        "trace": {"request_id": "r-1", "id": TRACE_ID, "span_id": SPAN_ID, "flags": "01"},
        "fields": {
            "tenant": "acme",
            "order": 7,
            "total": 12.5,
            "paid": True,
            "coupon": None,
            "items": [{"sku": "a-1", "count": 2}],
            "path": "/srv/orders",
        },
        "service": {"name": "shop", "version": "1.2", "env": "prod"},
        "host": {"name": "web-1"},
        "process": {"pid": 4711},
    }

    assert list(grouped(PLAIN).items()) == list(expected.items())


def test_a_completion_event() -> None:
    """What the middleware measured has its own places."""
    expected = {
        "timestamp": STAMP,
        "level": "INFO",
        "logger": "fapilog.request",
        "message": "request_completed",
        "trace": {"request_id": "r-1", "id": TRACE_ID, "span_id": SPAN_ID, "flags": "01"},
        "http": {
            "method": "GET",
            "route": "/orders/{order_id}",
            "path": "/orders/7",
            "status_code": 404,
            "outcome": "client_error",
            "duration_ms": 12.345,
            "total_ms": 12.5,
            "request_bytes": 0,
            "response_bytes": 512,
            "client_ip": "203.0.113.7",
            "peer_ip": "10.0.0.1",
            "user_agent": "curl/8.5",
            "client_request_id": "theirs",
            "request_headers": {"accept": "*/*"},
        },
        "fields": {"tenant": "acme"},
        "service": {"name": "shop", "version": "1.2", "env": "prod"},
        "host": {"name": "web-1"},
        "process": {"pid": 4711},
    }

    assert list(grouped(COMPLETED).items()) == list(expected.items())


def test_an_exception() -> None:
    """Type, message and stack trace where the schema wants them; frames and cause beside."""
    expected = {
        "timestamp": STAMP,
        "level": "ERROR",
        "logger": "shop.payment",
        "message": "Charge failed",
        "fields": {"order": 7},
        "error": {
            "type": "shop.errors.Declined",
            "message": "card expired",
            "stacktrace": "Traceback (most recent call last):\n  …",
            "frames": [{"file": "/srv/shop/payment.py", "line": 31, "function": "charge", "code": "submit(card)"}],
            "cause": {"type": "TimeoutError", "message": "no answer in 2 s", "frames": []},
        },
        "stack": "Stack (most recent call last):\n  …",
        "service": {"name": "shop", "version": "1.2", "env": "prod"},
        "host": {"name": "web-1"},
        "process": {"pid": 4711},
    }

    assert list(grouped(FAILED).items()) == list(expected.items())


def test_all_fields_are_in_one_group() -> None:
    """A field may have the name of a group, and clashes with nothing."""
    event = {"message": "m", "trace": 1, "http": 2, "fields": 3, "error": 4}

    assert grouped(event) == {"message": "m", "fields": {"trace": 1, "http": 2, "fields": 3, "error": 4}}


def test_a_websocket_is_a_request_too() -> None:
    """Its events have no method, but the logger of the completion events."""
    event = {"logger": "fapilog.request", "message": "websocket_closed", "path": "/feed", "close_code": 1000}

    assert grouped(event)["http"] == {"path": "/feed", "close_code": 1000}


def test_a_name_of_the_process_that_a_field_took_is_a_field() -> None:
    """Unless it is of the same type: then the flat event cannot tell either."""
    assert grouped({"service": {"name": "x"}, "pid": "seven"}) == {"fields": {"service": {"name": "x"}, "pid": "seven"}}
