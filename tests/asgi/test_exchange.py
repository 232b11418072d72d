"""One HTTP request, message by message."""

import asyncio
import contextlib
import gc
import random
import threading
import weakref

import pytest

from fapilog import bind_context, context_scope, get_logger, unbind_context
from fapilog.asgi import FapilogMiddleware, annotate
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.rules import AsgiOptions
from fapilog.context import OUTSIDE, current
from tests.asgi.driver import Server, answering, http_scope, reply

pytestmark = pytest.mark.asyncio


async def test_a_request_gives_one_event_with_all_its_fields(log):
    """The wide event: who asked for what, what came out, how long and how much."""
    server = Server({"type": "http.request", "body": b"abc", "more_body": False})
    scope = http_scope(method="POST", headers=[(b"user-agent", b"probe/1"), (b"x-request-id", b"r-1")])

    await server.run(FapilogMiddleware(answering(201)), scope)
    event = log.request

    assert (event["level"], event["message"], event["logger"]) == ("INFO", "request_completed", "fapilog.request")
    assert event["request_id"] == "r-1"
    expected = {
        "http_method": "POST", "path": "/things/7", "status_code": 201, "request_bytes": 3, "response_bytes": 5,
        "client_ip": "203.0.113.9", "user_agent": "probe/1", "outcome": "ok",
    }  # fmt: skip
    assert {key: event[key] for key in expected} == expected
    assert 0 <= event["duration_ms"] <= event["total_ms"]
    assert "http_route" not in event
    assert "hunter2" not in str(event)


async def test_the_application_gets_the_very_messages_and_the_very_scope(log):
    """Nothing is consumed, nothing is copied that the application or other middleware may write into."""
    seen = []
    parts = [
        {"type": "http.request", "body": b"one", "more_body": True},
        {"type": "http.request", "body": b"two", "more_body": False},
    ]

    async def app(scope, receive, send):
        seen.extend([scope, await receive(), await receive()])
        await reply(send)

    scope = http_scope()
    await Server(*parts).run(FapilogMiddleware(app), scope)

    assert seen[0] is scope
    assert seen[1] is parts[0]
    assert seen[2] is parts[1]
    assert scope == http_scope()
    assert log.request["request_bytes"] == 6


async def test_an_application_that_reads_no_body_is_not_made_to(log):
    """Nobody but the application calls ``receive``."""

    async def app(scope, receive, send):
        await reply(send)

    server = Server({"type": "http.request", "body": b"unread", "more_body": False})
    await server.run(FapilogMiddleware(app), http_scope())

    assert len(server.messages) == 1
    assert log.request["request_bytes"] == 0


@pytest.mark.parametrize(
    ("status", "level", "outcome"),
    [(200, "INFO", "ok"), (304, "INFO", "ok"), (404, "INFO", "client_error"), (422, "INFO", "client_error"),
     (500, "ERROR", "server_error"), (503, "ERROR", "server_error")],
)  # fmt: skip
async def test_an_answer_is_completed_whatever_its_status(log, status, level, outcome):
    """An answered 500 is an ERROR, but nothing was raised."""
    await Server().run(FapilogMiddleware(answering(status)), http_scope())

    event = log.request
    assert (event["message"], event["level"], event["outcome"]) == ("request_completed", level, outcome)
    assert event["status_code"] == status
    assert "exception" not in event


async def test_both_levels_can_be_set(log):
    """By name or by number."""
    options = AsgiOptions(level="DEBUG", error_level=30)
    await Server().run(RequestMiddleware(answering(200), options), http_scope())
    await Server().run(RequestMiddleware(answering(500), options), http_scope())

    assert [event["level"] for event in log.requests] == ["DEBUG", "WARNING"]


# ── the request id ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dots", [b".", b"..", b"." * 32])
async def test_dots_alone_are_no_id(log, dots):
    """Browsers take them for a way up, so what was done under such an id could not be looked up by it."""
    server = Server()
    await server.run(FapilogMiddleware(answering()), http_scope(headers=[(b"x-request-id", dots)]))

    assert len(log.request["request_id"]) == 32
    assert server.headers(b"x-request-id") != [dots]


@pytest.mark.parametrize(
    "bad", [b"", b"a\r\nx: y", b"\x1b]0;x\x07", b"x" * 65_536, b"{a}", b"%s", b"<script>", b"\xff"]
)
async def test_a_malformed_id_is_replaced_and_nothing_of_it_is_kept(log, bad):
    """Neither answered nor logged."""
    server = Server()
    await server.run(FapilogMiddleware(answering()), http_scope(headers=[(b"x-request-id", bad)]))
    (answered,) = server.headers(b"x-request-id")

    assert answered.decode() == log.request["request_id"]
    assert len(answered) == 32
    assert not bad or bad.decode("latin-1") not in str(log.request)


async def test_an_id_that_was_unbound_is_still_answered(log):
    """``clear_context`` and ``unbind_context`` are about log events."""

    async def app(scope, receive, send):
        unbind_context("request_id")
        await reply(send)

    server = Server()
    await server.run(FapilogMiddleware(app), http_scope(headers=[(b"x-request-id", b"mine")]))

    assert server.headers(b"x-request-id") == [b"mine"]
    assert "request_id" not in log.request


async def test_headers_that_can_be_read_only_once_are_left_to_the_application(log):
    """The protocol says "iterable"."""
    seen = []

    async def app(scope, receive, send):
        seen.extend(scope["headers"])
        await reply(send)

    scope = {**http_scope(), "headers": iter([(b"x-request-id", b"once")])}
    await Server().run(FapilogMiddleware(app), scope)

    assert seen == [(b"x-request-id", b"once")]
    assert log.request["request_id"] == "once"


async def test_a_repeated_id_is_replaced(log):
    """Two headers say two things; neither is believed."""
    server = Server()
    headers = [(b"x-request-id", b"one"), (b"x-request-id", b"two")]
    await server.run(FapilogMiddleware(answering()), http_scope(headers=headers))

    assert log.request["request_id"] not in {"one", "two", "one, two"}


async def test_the_answer_has_exactly_one_request_id(log):
    """Also if the application sets its own: the answer names the id under which the events are found."""
    own = [(b"X-Request-ID", b"theirs"), (b"x-request-id", b"again")]
    server = Server()
    await server.run(FapilogMiddleware(answering(headers=own)), http_scope(headers=[(b"x-request-id", b"mine")]))

    assert server.headers(b"x-request-id") == [b"mine"]
    assert own == [(b"X-Request-ID", b"theirs"), (b"x-request-id", b"again")]


async def test_an_id_that_the_application_binds_is_the_requests_id(log):
    """``bind_context(request_id=…)`` moves the events, the completion event and the answer to it."""

    async def app(scope, receive, send):
        bind_context(request_id="bound-1")
        get_logger("shop").info("inside")
        await reply(send)

    server = Server()
    await server.run(FapilogMiddleware(app), http_scope())

    assert {event["request_id"] for event in log.events} == {"bound-1"}
    assert server.headers(b"x-request-id") == [b"bound-1"]


async def test_a_bound_id_that_is_not_sane_is_not_answered(log):
    """It may be logged, for it is the application's own word; a header it may not break."""

    async def app(scope, receive, send):
        bind_context(request_id="a\r\nset-cookie: x=1")
        await reply(send)

    server = Server()
    await server.run(FapilogMiddleware(app), http_scope(headers=[(b"x-request-id", b"mine")]))

    assert server.headers(b"x-request-id") == [b"mine"]


async def test_clients_ids_can_be_refused(log):
    """A spoofed id equal to that of another request then stands beside ours."""
    server = Server()
    options = AsgiOptions(accept_request_id=False, request_id_header="X-Correlation-ID")
    scope = http_scope(headers=[(b"x-correlation-id", b"spoofed")])
    await server.run(RequestMiddleware(answering(), options), scope)

    assert log.request["client_request_id"] == "spoofed"
    assert server.headers(b"x-correlation-id") == [log.request["request_id"].encode()]
    assert log.request["request_id"] != "spoofed"


async def test_request_ids_can_be_switched_off(log):
    """Then there is none, neither in the answer nor on the events."""
    server = Server()
    options = AsgiOptions(request_id=False)
    await server.run(RequestMiddleware(answering(), options), http_scope(headers=[(b"x-request-id", b"r")]))

    assert server.headers(b"x-request-id") == []
    assert "request_id" not in log.request


async def test_trace_ids_come_from_the_headers(log):
    """Without an active span, on every event of the request."""
    value = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"

    async def app(scope, receive, send):
        get_logger("shop").info("inside")
        await reply(send)

    await Server().run(FapilogMiddleware(app), http_scope(headers=[(b"traceparent", value)]))

    for event in log.events:
        assert event["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert event["span_id"] == "00f067aa0ba902b7"
        assert event["trace_flags"] == "03"


async def test_a_duplicate_traceparent_is_ignored(log):
    """The specification lets nobody choose between two."""
    value = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    await Server().run(FapilogMiddleware(answering()), http_scope(headers=[value, value]))

    assert "trace_id" not in log.request


async def test_a_span_that_is_active_only_in_send_gives_its_ids_to_the_completion_event(log):
    """As the contrib instrumentation does it: its span is current when the answer starts, and not around us."""
    from opentelemetry import trace

    context = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(3))

    async def app(scope, receive, send):
        with trace.use_span(trace.NonRecordingSpan(context)):
            await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    await Server().run(FapilogMiddleware(app), http_scope())

    assert log.request["trace_id"] == f"{0xABC:032x}"
    assert log.request["span_id"] == f"{0xDEF:016x}"
    assert log.request["trace_flags"] == "03"


# ── what the application adds ─────────────────────────────────────────────────────────────────────────────────────


async def test_annotations_reach_the_completion_event_from_everywhere(log):
    """Tasks, threads and synchronous code: a plain context variable would lose what is set below a task."""

    def in_thread():
        annotate(thread=3)
        bind_context(tenant="acme")

    async def in_task():
        annotate(task=2)

    async def app(scope, receive, send):
        annotate(cart={"items": [1]})
        await asyncio.create_task(in_task())
        await asyncio.to_thread(in_thread)
        get_logger("shop").info("later")
        await reply(send)

    await Server().run(FapilogMiddleware(app), http_scope())

    event = log.request
    assert (event["cart"], event["task"], event["thread"], event["tenant"]) == ({"items": [1]}, 2, 3, "acme")
    assert log.of("shop")[0]["tenant"] == "acme"
    assert log.of("shop")[0]["request_id"] == event["request_id"]


async def test_what_a_block_binds_stays_off_the_completion_event(log):
    """Also if an exception or a lost generator left the block open."""

    async def app(scope, receive, send):
        context_scope(step="inner").__enter__()
        get_logger("shop").info("inside")
        await reply(send)

    await Server().run(FapilogMiddleware(app), http_scope())

    assert log.of("shop")[0]["step"] == "inner"
    assert "step" not in log.request


async def test_annotations_are_taken_by_value(log):
    """What the application changes afterwards does not change the event."""
    items = [1]

    async def app(scope, receive, send):
        annotate(items=items)
        items.append(2)
        await reply(send)

    await Server().run(FapilogMiddleware(app), http_scope())

    assert log.request["items"] == [1]


async def test_a_measured_field_cannot_be_forged(log):
    """An annotation of the same name is kept beside it."""

    async def app(scope, receive, send):
        annotate(status_code=200, outcome="ok", level="DEBUG", message="fine")
        await reply(send, 500)

    await Server().run(FapilogMiddleware(app), http_scope())

    event = log.request
    assert (event["status_code"], event["outcome"], event["level"]) == (500, "server_error", "ERROR")
    assert (event["status_code_"], event["outcome_"], event["level_"], event["message_"]) == (
        200,
        "ok",
        "DEBUG",
        "fine",
    )


async def test_outside_a_request_an_annotation_goes_nowhere(log):
    """And does not stick to the next request."""
    annotate(stray=1)
    await Server().run(FapilogMiddleware(answering()), http_scope())

    assert "stray" not in log.request
    assert OUTSIDE.noted == {}


async def test_chosen_headers_are_shown_and_credentials_are_not(log):
    """The allow-list cannot be made to show a secret."""
    options = AsgiOptions(include_headers=["Accept", "Authorization", "X-Absent"])
    headers = [(b"accept", b"text/*"), (b"accept", b"*/*"), (b"authorization", b"Bearer canary")]
    await Server().run(RequestMiddleware(answering(), options), http_scope(headers=headers))

    assert log.request["request_headers"] == {"accept": "text/*, */*", "authorization": "***"}


async def test_a_trusted_proxy_names_the_client_and_the_peer_is_kept(log):
    """Both addresses, each under its name."""
    options = AsgiOptions(trusted_proxies=["203.0.113.0/24"])
    scope = http_scope(headers=[(b"x-forwarded-for", b"198.51.100.7")])
    await Server().run(RequestMiddleware(answering(), options), scope)

    assert (log.request["client_ip"], log.request["peer_ip"]) == ("198.51.100.7", "203.0.113.9")


# ── odd requests ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_unknown_method_is_other_with_the_original_beside_it(log):
    """A label comes from a closed set; the original is bounded."""
    await Server().run(FapilogMiddleware(answering()), http_scope(method="BREW" * 1000))

    assert log.request["http_method"] == "_OTHER"
    assert log.request["http_method_original"].startswith("BREWBREW")
    assert len(log.request["http_method_original"]) < 120


@pytest.mark.parametrize("path", ["/" + "a" * 65_536, "/\x1b]0;x\x07", "/a\r\nb", "/\x00", "/\udcff", "/ÿ\u2028"])
async def test_a_hostile_path_is_one_bounded_field(log, path):
    """Decoded, cut, and no more than a value."""
    await Server().run(FapilogMiddleware(answering()), http_scope(path))

    assert log.request["path"][:10] == path[:10] or "\udcff" in path
    assert len(log.request["path"]) < 1_100


@pytest.mark.parametrize("client", [None, ("", 0), ["10.0.0.1", 1]])
async def test_the_client_may_be_unknown(log, client):
    """A unix socket has no address; then there is no field."""
    await Server().run(FapilogMiddleware(answering()), http_scope(client=client))

    assert log.request.get("client_ip") == (client[0] or None if client else None)


async def test_the_root_path_is_not_doubled(log):
    """Servers put it into the path already."""
    await Server().run(FapilogMiddleware(answering()), http_scope("/api/things", root_path="/api"))

    assert log.request["path"] == "/api/things"


async def test_a_scope_that_cannot_be_read_still_reaches_the_application(log):
    """Without an event, but counted and reported."""
    scope = http_scope()
    scope["headers"] = None
    server = Server()
    await server.run(FapilogMiddleware(answering()), scope)

    assert server.body == b"hello"
    assert log.requests == []
    assert log.engine.diagnostics.counts() == {"asgi_scope": 1}


@pytest.mark.parametrize("kind", ["lifespan2", "mcp", "webtransport"])
async def test_unknown_scopes_pass_untouched(log, kind):
    """The next version of the protocol is not ours to break."""
    seen = []

    async def app(*args):
        seen.extend(args)

    scope, receive, send = {"type": kind}, object(), object()
    await FapilogMiddleware(app)(scope, receive, send)

    assert seen == [scope, receive, send]
    assert scope == {"type": kind}


# ── failures ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Boom(Exception):
    """The application's own."""


async def raised_by(app, server=None, **options):
    """Run an application and return what it raised."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever it is
        await (server or Server()).run(RequestMiddleware(app, AsgiOptions(**options)), http_scope())
    return caught.value


async def test_an_exception_goes_on_unchanged_and_is_reported_once(log):
    """The same object; the event has it; the server's line about it can be told to be a second one."""
    boom = Boom("no stock")

    async def app(scope, receive, send):
        raise boom

    assert await raised_by(app) is boom
    event = log.request
    assert (event["level"], event["message"], event["outcome"]) == ("ERROR", "request_failed", "server_error")
    assert event["status_code"] == 500
    assert (event["exception"]["type"].rpartition(".")[2], event["exception"]["message"]) == ("Boom", "no stock")
    assert boom.__fapilog_reported__ is True


async def test_an_exception_behind_an_error_page_has_its_status_and_header(log):
    """As ServerErrorMiddleware does: it answers 500 and raises all the same."""

    async def app(scope, receive, send):
        await reply(send, 500, b"Internal Server Error")
        raise Boom

    server = Server()
    await raised_by(app, server)

    assert log.request["message"] == "request_failed"
    assert log.request["status_code"] == 500
    assert server.headers(b"x-request-id") == [log.request["request_id"].encode()]


async def test_an_exception_in_the_middle_of_a_stream_keeps_the_status_that_was_sent(log):
    """The client saw a 200; the event says both."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise Boom

    await raised_by(app)
    event = log.request

    assert (event["message"], event["status_code"], event["outcome"]) == ("request_failed", 200, "server_error")
    assert event["response_bytes"] == 4


async def test_an_exception_in_a_background_task_is_one_error_and_the_answer_stands(log):
    """Tied to the request by its id, with the status that was sent."""

    async def app(scope, receive, send):
        await reply(send)
        raise Boom

    await raised_by(app)

    assert (log.request["message"], log.request["status_code"]) == ("request_failed", 200)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ExceptionGroup("g", [Boom(), ValueError()])])
async def test_exits_and_groups_are_failures_and_go_on_unchanged(log, error):
    """Nothing that is raised is swallowed, wrapped or replaced."""

    async def app(scope, receive, send):
        raise error

    assert await raised_by(app) is error
    assert log.request["message"] == "request_failed"


async def test_an_application_that_answers_nothing_is_a_server_error(log):
    """The server will answer 500 for it."""

    async def app(scope, receive, send):
        return

    await Server().run(FapilogMiddleware(app), http_scope())

    assert (log.request["status_code"], log.request["outcome"], log.request["level"]) == (500, "server_error", "ERROR")


async def test_an_answer_that_stops_in_the_middle_is_a_server_error(log):
    """Not ok: the client is waiting for the rest."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})

    await Server().run(FapilogMiddleware(app), http_scope())

    assert (log.request["status_code"], log.request["outcome"]) == (200, "server_error")


async def test_a_failing_route_resolver_is_our_own_affair(log):
    """A 405 stays a 405; it is counted and reported."""

    def route_of(scope):
        raise LookupError("no routes")

    server = Server()
    await server.run(RequestMiddleware(answering(405), route_of=route_of), http_scope())

    assert server.sent[0]["status"] == 405
    assert log.request["status_code"] == 405
    assert log.engine.diagnostics.counts() == {"asgi_route": 1}


# ── clients that leave ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_client_that_leaves_before_the_answer_is_no_server_error(log):
    """One event, at INFO, without a status."""

    class ClientDisconnect(Exception):
        pass

    async def app(scope, receive, send):
        assert (await receive())["type"] == "http.disconnect"
        raise ClientDisconnect

    await raised_by(app, Server({"type": "http.disconnect"}))

    event = log.request
    assert (event["message"], event["level"]) == ("request_completed", "INFO")
    assert event["outcome"] == "client_disconnected"
    assert "status_code" not in event
    assert "exception" not in event


async def test_the_error_page_for_a_client_that_left_is_no_5xx(log):
    """Error middleware answers 500 for the exception that says so, to nobody."""

    class ClientDisconnect(Exception):
        pass

    async def app(scope, receive, send):
        await receive()
        await reply(send, 500)
        raise ClientDisconnect

    await raised_by(app, Server({"type": "http.disconnect"}))

    assert (log.request["message"], log.request["outcome"]) == ("request_completed", "client_disconnected")
    assert "status_code" not in log.request
    assert log.request["response_bytes"] == 0


async def test_a_request_that_is_cancelled_while_its_last_byte_waits(log):
    """The answer was not handed over."""
    waiting = asyncio.Event()

    class Slow(Server):
        async def send(self, message):
            if message["type"] == "http.response.body":
                waiting.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(Slow().run(FapilogMiddleware(answering()), http_scope()))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (log.request["outcome"], log.request["response_bytes"]) == ("client_disconnected", 0)


async def test_a_client_that_leaves_in_the_middle_of_a_stream(log):
    """The bytes that went out before; what is sent afterwards goes nowhere and is not counted."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.body", "body": b"6789", "more_body": False})

    await Server({"type": "http.disconnect"}).run(FapilogMiddleware(app), http_scope())

    event = log.request
    assert (event["outcome"], event["status_code"], event["response_bytes"]) == ("client_disconnected", 200, 5)


@pytest.mark.parametrize("wrap", [lambda error: error, lambda error: ExceptionGroup("tasks", [error])])
async def test_a_server_that_raises_for_a_client_that_left(log, wrap):
    """ASGI 2.4: ``send`` raises an ``OSError``; it goes on unchanged and is no failure of the application."""
    lost = ConnectionResetError("gone")

    class Gone(Server):
        async def send(self, message):
            if message["type"] == "http.response.body":
                raise lost
            await super().send(message)

    async def app(scope, receive, send):
        try:
            await reply(send)
        except OSError as error:
            raise wrap(error)  # noqa: B904

    await raised_by(app, Gone())

    assert (log.request["message"], log.request["outcome"]) == ("request_completed", "client_disconnected")


async def test_an_os_error_of_the_application_is_a_failure(log):
    """Only the one that ``send`` raised means that the client has left."""

    async def app(scope, receive, send):
        raise ConnectionResetError("database gone")

    await raised_by(app)

    assert (log.request["message"], log.request["outcome"]) == ("request_failed", "server_error")


async def test_a_bug_after_the_client_left_is_not_hidden(log):
    """The client is gone, and the application has failed: the event says both."""

    async def app(scope, receive, send):
        await receive()
        raise Boom

    await raised_by(app, Server({"type": "http.disconnect"}))

    assert (log.request["message"], log.request["level"]) == ("request_failed", "ERROR")
    assert log.request["outcome"] == "client_disconnected"


async def test_a_cancelled_request_gives_its_event_and_stays_cancelled(log):
    """By a timeout or the server's end."""
    waiting = asyncio.Event()

    async def app(scope, receive, send):
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Server().run(FapilogMiddleware(app), http_scope()))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    event = log.request
    assert (event["message"], event["level"], event["outcome"]) == ("request_completed", "INFO", "client_disconnected")
    assert "status_code" not in event


async def test_a_cancelled_background_task_leaves_the_answer_what_it_was(log):
    """The client has everything it asked for."""
    waiting = asyncio.Event()

    async def app(scope, receive, send):
        await reply(send)
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Server().run(FapilogMiddleware(app), http_scope()))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert log.request["outcome"] == "ok"


async def test_waiting_for_the_disconnect_after_the_answer_is_not_a_client_that_left(log):
    """Long-running listeners see ``http.disconnect`` at the end of every request."""

    async def app(scope, receive, send):
        await reply(send)
        assert (await receive())["type"] == "http.disconnect"

    await Server({"type": "http.disconnect"}).run(FapilogMiddleware(app), http_scope())

    assert (log.request["outcome"], log.request["response_bytes"]) == ("ok", 5)


# ── long and strange answers ──────────────────────────────────────────────────────────────────────────────────────


async def test_the_duration_ends_with_the_last_body_byte(log, monkeypatch):
    """A 200 ms background task after a 1 ms answer is not a 201 ms request; both figures are given."""
    now = [10_000_000_000]
    monkeypatch.setattr("fapilog.asgi.exchange.perf_counter_ns", lambda: now[0])

    async def app(scope, receive, send):
        now[0] += 1_000_000
        await reply(send)
        now[0] += 200_000_000

    await Server().run(FapilogMiddleware(app), http_scope())

    assert (log.request["duration_ms"], log.request["total_ms"]) == (1.0, 201.0)


async def test_a_stream_is_counted_chunk_by_chunk_and_reported_at_its_end(log):
    """One event after the last chunk, nothing before."""
    counts = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(50):
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        counts.append(len(log.requests))
        await send({"type": "http.response.body"})

    await Server().run(FapilogMiddleware(app), http_scope())

    assert counts == [0]
    assert log.request["response_bytes"] == 50_000


async def test_the_answer_to_head_has_no_body(log):
    """Servers leave out what the application sends."""
    await Server().run(FapilogMiddleware(answering()), http_scope(method="HEAD"))

    assert log.request["response_bytes"] == 0


async def test_trailers_come_after_the_last_byte(log):
    """A client that leaves in between has not had the whole answer."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "trailers": True})
        await send({"type": "http.response.body", "body": b"all"})
        await receive()
        await send({"type": "http.response.trailers", "headers": [(b"sum", b"1")], "more_trailers": False})

    server = Server()
    await server.run(FapilogMiddleware(app), http_scope())
    await Server({"type": "http.disconnect"}).run(FapilogMiddleware(app), http_scope())

    assert server.sent[-1]["headers"] == [(b"sum", b"1")]
    assert [event["outcome"] for event in log.requests] == ["ok", "client_disconnected"]


async def test_a_path_sent_by_the_server_counts_what_was_declared(log):
    """How long the file is only the server knows."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"1234")]})
        await send({"type": "http.response.pathsend", "path": "/srv/file"})

    server = Server()
    await server.run(FapilogMiddleware(app), http_scope(extensions={"http.response.pathsend": {}}))

    assert server.sent[1] == {"type": "http.response.pathsend", "path": "/srv/file"}
    assert (log.request["outcome"], log.request["response_bytes"]) == ("ok", 1234)


async def test_zero_copy_counts_what_is_known(log):
    """With several parts, and a last one without a count."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.zerocopysend", "file": 3, "count": 10, "more_body": True})
        await send({"type": "http.response.zerocopysend", "file": 3})

    await Server().run(FapilogMiddleware(app), http_scope(extensions={"http.response.zerocopysend": {}}))

    assert (log.request["outcome"], log.request["response_bytes"]) == ("ok", 10)


async def test_messages_of_other_extensions_pass_untouched(log):
    """Known or not."""
    extra = [
        {"type": "http.response.push", "path": "/a", "headers": []},
        {"type": "http.response.early_hint", "links": []},
        {"type": "x.future", "body": 3},
    ]

    async def app(scope, receive, send):
        for message in extra:
            await send(message)
        await reply(send)

    server = Server()
    await server.run(FapilogMiddleware(app), http_scope())

    assert all(mine is theirs for mine, theirs in zip(server.sent, extra, strict=False))
    assert log.request["outcome"] == "ok"


async def test_a_start_message_we_cannot_read_is_passed_on_as_it_is(log):
    """What is wrong with it is between the application and the server."""
    broken = {"type": "http.response.start"}

    async def app(scope, receive, send):
        await send(broken)

    server = Server()
    await server.run(FapilogMiddleware(app), http_scope())

    assert server.sent == [broken]


# ── context ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_hundred_concurrent_requests_keep_apart(log):
    """No event carries another request's id, in tasks and threads, too; afterwards there is none."""
    everybody = asyncio.Barrier(100)
    dice = random.Random(7)

    def in_thread(name):
        get_logger("shop").info("thread", own=name)

    async def app(scope, receive, send):
        name = scope["path"][1:]
        bind_context(name=name)
        await everybody.wait()
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
        get_logger("shop").info("inside", own=name)
        await asyncio.to_thread(in_thread, name)
        annotate(own=name)
        await reply(send)

    middleware = FapilogMiddleware(app)
    scopes = [http_scope(f"/r{n}", headers=[(b"x-request-id", f"r{n}".encode())]) for n in range(100)]
    await asyncio.gather(*(Server().run(middleware, scope) for scope in scopes))
    get_logger("shop").info("after", own="nobody")

    events = log.events
    assert len(events) == 301
    assert all(event["own"] == event.get("request_id", "nobody") for event in events)
    assert all(event["name"] == event["own"] for event in events[:-1])
    assert current.get().request is OUTSIDE


async def test_the_context_is_restored_even_if_the_application_leaves_it_changed(log):
    """One keep-alive connection may serve its requests in one context."""

    async def app(scope, receive, send):
        bind_context(leak=1)
        await reply(send)

    before = current.get()
    middleware = FapilogMiddleware(app)
    await middleware(http_scope(), Server().receive, Server().send)
    assert current.get() is before
    await middleware(http_scope(), Server().receive, Server().send)

    first, second = log.requests
    assert first["request_id"] != second["request_id"]


async def test_a_task_that_outlives_its_request_keeps_its_id(log):
    """And may still annotate, without effect."""
    go, tasks = asyncio.Event(), []

    async def later():
        await go.wait()
        annotate(late=1)
        get_logger("shop").info("late")

    async def app(scope, receive, send):
        tasks.append(asyncio.create_task(later()))
        await reply(send)

    await Server().run(FapilogMiddleware(app), http_scope(headers=[(b"x-request-id", b"r-9")]))
    go.set()
    await asyncio.gather(*tasks)

    assert log.of("shop")[0]["request_id"] == "r-9"
    assert "late" not in log.request


async def test_a_request_abandoned_by_its_loop_is_reported_in_whatever_context_that_happens(log):
    """A coroutine that is closed runs its end in the context of whoever closes it."""

    async def app(scope, receive, send):
        await receive()

    class Never(Server):
        async def receive(self):
            await asyncio.Future()

    call = FapilogMiddleware(app)(http_scope(), Never().receive, Never().send)
    call.send(None)
    thread = threading.Thread(target=call.close)
    thread.start()
    thread.join()

    assert log.request["outcome"] == "client_disconnected"


async def test_installed_twice_it_gives_one_event_and_one_header(log):
    """The outer one works, the inner ones step aside; directly, and below a mount that copies the scope."""
    inner = RequestMiddleware(FapilogMiddleware(answering()))

    async def mount(scope, receive, send):
        await inner({**scope, "root_path": "/sub"}, receive, send)

    for app in (inner, mount):
        server = Server()
        await server.run(FapilogMiddleware(app), http_scope())
        assert len(server.headers(b"x-request-id")) == 1

    assert len(log.requests) == 2


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_skipped_path_has_its_context_but_no_event(log):
    """Its own log events carry the id, the answer too."""

    async def app(scope, receive, send):
        get_logger("shop").info("inside")
        await reply(send)

    server = Server()
    await server.run(RequestMiddleware(app, AsgiOptions(skip_paths=["/health"])), http_scope("/health"))

    assert log.requests == []
    assert log.of("shop")[0]["request_id"].encode() in server.headers(b"x-request-id")


@pytest.mark.parametrize("rules", [{"skip_paths": ["/health"]}, {"sample_rate": 0}])
async def test_a_failure_is_always_told(log, rules):
    """On a skipped path and with nothing sampled: an exception and a 5xx."""

    async def app(scope, receive, send):
        raise Boom

    with pytest.raises(Boom):
        await Server().run(RequestMiddleware(app, AsgiOptions(**rules)), http_scope("/health"))
    await Server().run(RequestMiddleware(answering(503), AsgiOptions(**rules)), http_scope("/health"))
    await Server().run(RequestMiddleware(answering(200), AsgiOptions(**rules)), http_scope("/health"))

    assert [event["message"] for event in log.requests] == ["request_failed", "request_completed"]


async def test_without_an_access_log_there_is_no_event_but_context_and_header(log):
    """The server's own lines tell what happened."""

    async def app(scope, receive, send):
        get_logger("shop").info("inside")
        await reply(send, 500)

    server = Server()
    await server.run(RequestMiddleware(app, AsgiOptions(access_log=False)), http_scope())

    assert log.requests == []
    assert server.headers(b"x-request-id") == [log.of("shop")[0]["request_id"].encode()]


async def test_nothing_of_a_request_is_kept(log):
    """What the application held is gone with the request, without a garbage collector, even if it failed."""
    gone = []

    class Resource:
        pass

    async def app(scope, receive, send):
        resource = scope["resource"] = Resource()
        scope["tools"] = (receive, send)
        gone.append(weakref.ref(resource))
        if scope["path"] == "/lost":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"x"})
        await reply(send)

    class Lost(Server):
        async def send(self, message):
            if message["type"] == "http.response.body":
                raise OSError

    middleware = FapilogMiddleware(app)
    gc.disable()
    try:
        await Server().run(middleware, http_scope())
        with contextlib.suppress(OSError):
            await Lost().run(middleware, http_scope("/lost"))
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()
