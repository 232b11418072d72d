"""One WebSocket, message by message."""

import asyncio

import pytest

from fapilog import get_logger
from fapilog.asgi import FapilogMiddleware, annotate
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.rules import AsgiOptions
from tests.asgi.driver import Server, websocket_scope

pytestmark = pytest.mark.asyncio

CONNECT = {"type": "websocket.connect"}
ACCEPT = {"type": "websocket.accept"}


def said(text):
    return {"type": "websocket.receive", "text": text}


def left(code):
    return {"type": "websocket.disconnect", "code": code}


async def echo(scope, receive, send):
    """Accept, answer every text, end when the client leaves."""
    await receive()
    await send(ACCEPT)
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": message["text"]})


async def serve(app, *messages, scope=None, **options):
    server = Server(CONNECT, *messages)
    await server.run(RequestMiddleware(app, AsgiOptions(**options)), scope or websocket_scope())
    return server


def shape(log):
    """Return what each event says in short."""
    return [(event["message"], event["level"], event.get("close_code"), event.get("outcome")) for event in log.requests]


async def test_one_event_opens_one_closes_and_none_is_for_a_message(log):
    """With the code of the side that closed, and what went through in between."""
    await serve(echo, *(said("äb") for _ in range(1000)), left(1001))

    opened, closed = log.requests
    assert (opened["message"], opened["path"], opened["client_ip"]) == ("websocket_opened", "/updates", "203.0.113.9")
    expected = {
        "message": "websocket_closed", "level": "INFO", "close_code": 1001, "closed_by": "client", "outcome": "ok",
        "messages_received": 1000, "messages_sent": 1000, "request_bytes": 3000, "response_bytes": 3000,
    }  # fmt: skip
    assert {key: closed[key] for key in expected} == expected
    assert opened["request_id"] == closed["request_id"]
    assert 0 <= closed["duration_ms"] <= closed["total_ms"]


async def test_bytes_are_counted_like_text(log):
    """Binary messages, too."""

    async def app(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await receive()
        await send({"type": "websocket.send", "bytes": b"12345"})
        await send({"type": "websocket.close"})

    await serve(app, {"type": "websocket.receive", "bytes": b"123"})

    assert (log.requests[1]["request_bytes"], log.requests[1]["response_bytes"]) == (3, 5)
    assert (log.requests[1]["close_code"], log.requests[1]["closed_by"]) == (1000, "application")


@pytest.mark.parametrize("code", [1001, 1008, 3000, 4000, 4001, 4999])
async def test_the_applications_code_is_kept(log, code):
    """What the server then tells about its own closing does not replace it."""

    async def app(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.close", "code": code})
        await receive()

    await serve(app, left(1006))

    assert shape(log) == [("websocket_opened", "INFO", None, None), ("websocket_closed", "INFO", code, "ok")]


@pytest.mark.parametrize(
    ("code", "outcome"), [(1000, "ok"), (1001, "ok"), (1006, "client_disconnected"), (4001, "ok"), (None, "ok")]
)
async def test_the_clients_code_is_kept(log, code, outcome):
    """1006 means that it went without a word; a missing code is 1005."""
    await serve(echo, left(code))

    assert shape(log)[1] == ("websocket_closed", "INFO", code or 1005, outcome)


async def test_an_internal_error_code_is_a_server_error(log):
    """The application says itself that it has failed."""

    async def app(scope, receive, send):
        await send(ACCEPT)
        await send({"type": "websocket.close", "code": 1011})

    await serve(app)

    assert shape(log)[1] == ("websocket_closed", "ERROR", 1011, "server_error")


async def test_a_refused_handshake_is_marked(log):
    """One event; servers answer 403."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.close", "code": 4001})

    await serve(app)

    assert shape(log) == [("websocket_refused", "INFO", None, "client_error")]
    assert log.request["status_code"] == 403


@pytest.mark.parametrize(("status", "outcome"), [(401, "client_error"), (503, "server_error"), (302, "ok")])
async def test_a_denial_response_keeps_its_status(log, status, outcome):
    """And has the request id in its headers."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    server = await serve(app)

    assert (log.request["message"], log.request["status_code"]) == ("websocket_refused", status)
    assert log.request["outcome"] == outcome
    assert server.headers(b"x-request-id") == [log.request["request_id"].encode()]


async def test_the_answer_of_the_handshake_has_the_request_id(log):
    """Exactly once, beside the application's own headers."""

    async def app(scope, receive, send):
        await send({"type": "websocket.accept", "headers": [(b"x-request-id", b"theirs"), (b"a", b"b")]})
        await send({"type": "websocket.close"})

    server = await serve(app)

    assert server.headers(b"x-request-id") == [log.requests[0]["request_id"].encode()]
    assert server.headers(b"a") == [b"b"]


async def test_an_application_that_neither_accepts_nor_closes_is_a_server_error(log):
    """Servers answer 500."""

    async def app(scope, receive, send):
        return

    await serve(app)

    assert shape(log) == [("websocket_refused", "ERROR", None, "server_error")]
    assert log.request["status_code"] == 500


async def test_an_application_that_ends_without_closing_has_no_code_to_tell(log):
    """The connection breaks off: 1006, and not the client's fault."""

    async def app(scope, receive, send):
        await send(ACCEPT)

    await serve(app)

    assert shape(log)[1] == ("websocket_closed", "ERROR", 1006, "server_error")


async def test_a_client_that_leaves_before_the_handshake_is_over(log):
    """Nothing was opened; nobody refused."""

    async def app(scope, receive, send):
        await receive()
        await receive()

    await serve(app, left(1006))

    assert shape(log) == [("websocket_closed", "INFO", 1006, "client_disconnected")]


@pytest.mark.parametrize("accepts", [True, False])
async def test_an_exception_goes_on_unchanged_and_is_reported_once(log, accepts):
    """Before or after the handshake."""
    boom = LookupError("no such order")

    async def app(scope, receive, send):
        if accepts:
            await send(ACCEPT)
        raise boom

    with pytest.raises(LookupError) as caught:
        await serve(app)

    assert caught.value is boom
    failed = log.requests[-1]
    assert (failed["message"], failed["level"], failed["outcome"]) == ("websocket_failed", "ERROR", "server_error")
    assert failed["exception"]["message"] == "no such order"
    assert len(log.requests) == 1 + accepts
    assert failed.get("status_code") == (None if accepts else 500)
    assert boom.__fapilog_reported__ is True


async def test_a_framework_that_raises_for_a_client_that_left_has_not_failed(log):
    """An endpoint need not catch it."""

    class WebSocketDisconnect(Exception):
        pass

    async def app(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await receive()
        raise WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect):
        await serve(app, left(1001))

    assert shape(log)[1] == ("websocket_closed", "INFO", 1001, "ok")


async def test_a_cancelled_websocket_gives_its_event(log):
    """By the server's end."""
    waiting = asyncio.Event()

    async def app(scope, receive, send):
        await send(ACCEPT)
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(serve(app))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert shape(log)[1] == ("websocket_closed", "INFO", 1006, "client_disconnected")


async def test_annotations_are_on_the_last_event(log):
    """And log events in between carry the id."""

    async def app(scope, receive, send):
        await send(ACCEPT)
        annotate(room="a")
        get_logger("shop").info("inside")
        await send({"type": "websocket.close"})

    await serve(app)

    opened, closed = log.requests
    assert "room" not in opened
    assert closed["room"] == "a"
    assert log.of("shop")[0]["request_id"] == closed["request_id"]


async def test_a_skipped_path_gives_neither_event_unless_it_fails(log):
    """Open and close stay a pair."""

    async def failing(scope, receive, send):
        await send(ACCEPT)
        raise LookupError

    await serve(echo, left(1000), skip_paths=["/updates"])
    assert log.requests == []
    with pytest.raises(LookupError):
        await serve(failing, skip_paths=["/updates"])
    assert [event["message"] for event in log.requests] == ["websocket_failed"]


async def test_a_refusal_on_a_skipped_path_is_not_told(log):
    """Unless it is an error."""

    async def refusing(scope, receive, send):
        await send({"type": "websocket.close"})

    async def broken(scope, receive, send):
        return

    await serve(refusing, skip_paths=["/updates"])
    await serve(broken, skip_paths=["/updates"])

    assert shape(log) == [("websocket_refused", "ERROR", None, "server_error")]


async def test_without_an_access_log_there_is_no_event(log):
    """Whatever happens."""
    await serve(echo, left(1000), access_log=False)

    assert log.requests == []


async def test_installed_twice_it_gives_each_event_once(log):
    """The inner one steps aside."""
    server = Server(CONNECT, left(1000))
    await server.run(FapilogMiddleware(FapilogMiddleware(echo)), websocket_scope())

    assert [event["message"] for event in log.requests] == ["websocket_opened", "websocket_closed"]
