"""The span of a request when nobody else opens one."""

import asyncio
import contextvars
import threading

import pytest
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, NoOpTracerProvider, SpanContext, StatusCode
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from fapilog import LoggerBuilder, bind_context, get_logger
from fapilog.asgi import FapilogMiddleware
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.setup import with_telemetry
from fapilog.fastapi import FastAPIBuilder
from tests.asgi.driver import Server, answering, http_scope, reply, websocket_scope
from tests.otel.signals import span_id, trace_id

pytestmark = pytest.mark.asyncio

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01".encode()


def with_headers(*headers, **more):
    return http_scope(headers=headers, **more)


def route(app, template):
    """Leave a route in the scope, as frameworks do."""

    async def routed(scope, receive, send):
        scope["path_template"] = template
        await app(scope, receive, send)

    return routed


async def test_it_says_what_the_conventions_want(traced):
    """Name, kind, parent, and the attributes of an ordinary request."""
    scope = with_headers((b"host", b"shop.example:8443"), (b"user-agent", b"curl/8"), (b"traceparent", TRACEPARENT))
    await traced.serve(route(answering(201), "/things/{thing}"), scope)

    span = traced.span
    assert (span.name, trace_id(span), f"{span.parent.span_id:016x}") == ("GET /things/{thing}", TRACE, CALLER)
    assert span.parent.is_remote
    assert span.status.status_code is StatusCode.UNSET
    request_id = traced.log.request["request_id"]
    assert traced.attributes == {
        "http.request.method": "GET", "http.route": "/things/{thing}", "http.response.status_code": 201,
        "url.scheme": "http", "url.path": "/things/7", "url.query": "secret=***", "server.address": "shop.example",
        "server.port": 8443, "client.address": "203.0.113.9", "user_agent.original": "curl/8",
        "network.protocol.version": "1.1", "fapilog.request_id": request_id,
    }  # fmt: skip


async def test_events_have_its_ids_wherever_they_come_from(traced):
    """The request's own code, a task, and code that has the request's context but not the span's."""
    log = get_logger("app")

    async def app(scope, receive, send):
        log.info("here")
        await asyncio.create_task(asyncio.to_thread(log.info, "thread"))
        token = otel_context.attach(otel_context.Context())
        log.info("no span")
        otel_context.detach(token)
        await reply(send)

    await traced.serve(app, with_headers((b"traceparent", TRACEPARENT)))

    assert len(traced.log.events) == 4
    assert {(e["trace_id"], e["span_id"]) for e in traced.log.events} == {(TRACE, span_id(traced.span))}


async def test_the_completion_event_has_the_server_spans_id_and_no_inner_ones(traced):
    """Also when the answer begins inside of a span of the application's own."""
    tracer = traced.signals.tracers.get_tracer("app")

    async def app(scope, receive, send):
        with tracer.start_as_current_span("inner"):
            await reply(send)

    await traced.serve(app)

    assert traced.log.request["span_id"] == span_id(traced.span)


async def test_counts_are_by_level_and_of_this_request_alone(traced):
    """What was logged before the last body byte, by whichever way; not the completion event, nor what comes later."""
    log = get_logger("app")

    async def app(scope, receive, send):
        log.debug("plain")
        log.info("with a list", items=[1])
        log.info("plain")
        log.error("bad")
        await reply(send)
        log.info("background")

    await traced.serve(app)
    log.info("outside")

    counts = {key: value for key, value in traced.attributes.items() if key.startswith("fapilog.log.")}
    assert counts == {
        "fapilog.log.count.debug": 1, "fapilog.log.count.info": 2, "fapilog.log.count.error": 1,
    }  # fmt: skip


async def test_levels_without_a_name_are_counted_together(traced):
    """A span has room for 128 attributes, and the first ones go."""
    log = get_logger("app")

    async def app(scope, receive, send):
        for level in range(21, 30):
            log.log(level, "x")
        await reply(send)

    await traced.serve(app)

    counts = {key: value for key, value in traced.attributes.items() if key.startswith("fapilog.log.")}
    assert counts == {"fapilog.log.count.other": 9}


async def test_it_has_the_id_that_the_answer_names(traced):
    """Also if the application has bound another one."""

    async def app(scope, receive, send):
        bind_context(request_id="order-7")
        await reply(send)

    server = await traced.serve(app, with_headers((b"x-request-id", b"mine")))

    assert server.headers(b"x-request-id") == [b"order-7"]
    assert traced.attributes["fapilog.request_id"] == "order-7"


async def test_it_ends_with_the_last_body_byte(traced):
    """Not with the background task that follows: it has ended while that still runs."""
    ended = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        ended.append(len(traced.signals.server_spans))
        await send({"type": "http.response.body", "body": b"b"})
        ended.append(len(traced.signals.server_spans))

    await traced.serve(app)

    assert ended == [0, 1]


async def test_with_trailers_it_ends_with_the_last_of_them(traced):
    """The body is not the end of such an answer."""
    ended = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send({"type": "http.response.body", "body": b"a"})
        ended.append(len(traced.signals.server_spans))
        await send({"type": "http.response.trailers", "headers": []})
        ended.append(len(traced.signals.server_spans))

    await traced.serve(app)

    assert ended == [0, 1]


async def test_its_end_is_that_of_the_answer_even_if_the_application_raises_much_later(traced):
    """From status 500 on it waits to see what comes out, and is as long as the answer was."""
    told = []

    async def app(scope, receive, send):
        await reply(send, 500)
        told.append(len(traced.signals.server_spans))
        traced.signals.tracers.get_tracer("app").start_span("later").end()
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        await traced.serve(app)

    (later,) = [span for span in traced.signals.spans if span.name == "later"]
    assert told == [0]
    assert traced.span.end_time <= later.start_time
    assert traced.attributes["error.type"] == "ValueError"


@pytest.mark.parametrize(
    ("status", "error"), [(200, None), (302, None), (404, None), (499, None), (500, "500"), (503, "503")]
)
async def test_an_answer_is_an_error_from_500_on(status, error, traced):
    """Then ``error.type`` is the status; a client's mistake is none of the server's."""
    await traced.serve(answering(status))

    assert traced.attributes.get("error.type") == error
    assert traced.span.status.status_code is (StatusCode.ERROR if error else StatusCode.UNSET)
    assert traced.attributes["http.response.status_code"] == status
    assert not traced.span.events


async def test_an_answer_that_stops_in_the_middle_is_an_error(traced):
    """As in the completion event."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    await traced.serve(app)

    assert traced.attributes["error.type"] == "incomplete_response"
    assert traced.log.request["outcome"] == "server_error"


@pytest.mark.parametrize("how", ["returns", "cancelled", "send fails"])
async def test_a_client_that_leaves_is_no_error(how, traced):
    """P16: whichever way the application learns of it."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if how == "cancelled":
            raise asyncio.CancelledError
        if how == "send fails":
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        else:
            await receive()

    class Leaving(Server):
        async def send(self, message):
            if message["type"] == "http.response.body":
                raise OSError("gone")
            await super().send(message)

    server = Leaving({"type": "http.request"}, {"type": "http.disconnect"})
    try:
        await server.run(traced.wrap(app), http_scope())
    except (asyncio.CancelledError, OSError):
        assert how != "returns"

    assert "error.type" not in traced.attributes
    assert traced.span.status.status_code is StatusCode.UNSET
    assert traced.log.request["outcome"] == "client_disconnected"


async def test_an_unknown_method_is_other(traced):
    """P20: the span's name is not the client's to choose."""
    await traced.serve(route(answering(), "/x"), http_scope(method="BREW"))

    assert traced.span.name == "HTTP /x"
    assert traced.attributes["http.request.method"] == "_OTHER"
    assert traced.attributes["http.request.method_original"] == "BREW"


async def test_secrets_in_the_path_and_the_user_agent_are_hidden(traced):
    """As on the event."""
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    scope = with_headers((b"user-agent", f"Bearer {jwt}".encode()), path=f"/reset/{jwt}")
    await traced.serve(answering(), scope)

    assert "eyJ" not in str(traced.attributes)
    assert traced.attributes["url.path"] == traced.log.request["path"] == "/reset/***"


async def test_without_a_route_the_name_is_the_method(traced):
    """Never the path, of which there are as many as clients can think of."""
    await traced.serve(answering(404))

    assert traced.span.name == "GET"
    assert "http.route" not in traced.attributes


async def test_the_address_is_that_of_the_client_behind_trusted_proxies(traced):
    """Then the peer is told, too."""
    builder = FastAPIBuilder().with_trusted_proxies("203.0.113.0/24")
    options = builder.with_tracing(tracer_provider=traced.signals.tracers).options()
    app = RequestMiddleware(with_telemetry(answering(), options), options.asgi)
    await Server().run(app, with_headers((b"x-forwarded-for", b"198.51.100.7")))

    assert traced.attributes["client.address"] == "198.51.100.7"
    assert traced.attributes["network.peer.address"] == "203.0.113.9"


async def test_skipped_paths_have_none(traced):
    """The trace of the caller is handed on all the same."""
    seen = {}

    async def app(scope, receive, send):
        propagate.inject(seen)
        await reply(send)

    await traced.serve(app, with_headers((b"traceparent", TRACEPARENT)), skip_paths=["/things/*"])

    assert traced.signals.spans == []
    assert seen["traceparent"] == TRACEPARENT.decode()
    assert traced.log.request["trace_id"] == TRACE


async def test_suppressed_instrumentation_has_none(traced):
    """As everywhere in OpenTelemetry."""
    token = otel_context.attach(otel_context.set_value("suppress_instrumentation", True))
    await traced.serve(answering())
    otel_context.detach(token)

    assert traced.signals.spans == []


async def test_an_unsampled_request_is_told_nothing_and_its_events_have_its_ids(traced):
    """The ids are good for finding the caller's."""
    provider = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    options = LoggerBuilder().with_tracing(tracer_provider=provider).options()
    await Server().run(
        RequestMiddleware(with_telemetry(answering(), options), options.asgi),
        with_headers((b"traceparent", TRACEPARENT)),
    )

    event = traced.log.request
    assert event["trace_id"] == TRACE
    assert event["span_id"] != CALLER
    assert event["trace_flags"] == "00"


@pytest.mark.parametrize("provider", [None, NoOpTracerProvider()])
async def test_without_an_sdk_the_callers_trace_is_on_events_and_handed_on(provider, traced):
    """tracestate and baggage, too."""
    seen = {}
    log = get_logger("app")

    async def app(scope, receive, send):
        log.info("here")
        propagate.inject(seen)
        await reply(send)

    sent = {"traceparent": TRACEPARENT.decode(), "tracestate": "vendor=1", "baggage": "tenant=acme"}
    options = LoggerBuilder().with_tracing(tracer_provider=provider).options()
    await Server().run(
        RequestMiddleware(with_telemetry(app, options), options.asgi),
        with_headers(*((name.encode(), value.encode()) for name, value in sent.items())),
    )

    assert seen == sent
    assert {(e["trace_id"], e["span_id"]) for e in traced.log.events} == {(TRACE, CALLER)}
    assert not trace.get_current_span().get_span_context().is_valid


async def test_two_of_ours_open_one(traced):
    """A mounted application with fapilog of its own stands inside of the outer one."""
    inner = FapilogMiddleware(answering(), builder=LoggerBuilder().with_tracing(tracer_provider=traced.signals.tracers))
    await traced.serve(inner)

    assert len(traced.signals.spans) == 1


async def test_what_fails_in_us_never_reaches_the_application(traced, monkeypatch):
    """P19: it is counted and said."""

    def fail(*args, **kwargs):
        raise RuntimeError("ours")

    app = traced.wrap(answering())
    for name in ("sending", "sent_last", "finish", "received"):
        monkeypatch.setattr(f"fapilog.asgi.tracing.request.TracedRequest.{name}", fail)
    server = Server()
    await server.run(app, http_scope())

    assert server.body == b"hello"
    assert traced.log.engine.diagnostics.counts()["tracing"] >= 3


async def test_a_provider_that_raises_costs_no_request(traced):
    """Nor does a tracer."""

    class Broken:
        def get_tracer(self, *args, **kwargs):
            raise RuntimeError("no tracer")

    options = LoggerBuilder().with_tracing(tracer_provider=Broken()).options()
    server = Server()
    await server.run(RequestMiddleware(with_telemetry(answering(), options), options.asgi), http_scope())

    assert server.body == b"hello"


async def test_the_scope_is_clean_afterwards(traced):
    """Nothing of ours outlives the request in what the server keeps."""
    scope = http_scope()
    before = set(scope)
    await traced.serve(answering(), scope)

    assert set(scope) == before
    assert not trace.get_current_span().get_span_context().is_valid


async def test_a_request_that_is_closed_elsewhere_says_nothing_and_ends(traced, caplog):
    """By the garbage collector or a loop that is closed: in another context than it began in."""

    async def app(scope, receive, send):
        await asyncio.Event().wait()

    coroutine = traced.wrap(app)(http_scope(), Server().receive, Server().send)
    contextvars.copy_context().run(coroutine.send, None)
    contextvars.copy_context().run(coroutine.close)

    assert caplog.records == []
    assert len(traced.signals.server_spans) == 1


async def accept_and_close(scope, receive, send, code=1000):
    await receive()
    await send({"type": "websocket.accept"})
    get_logger("app").info("open")
    await send({"type": "websocket.close", "code": code})


async def test_a_websocket_is_one_span_from_the_handshake_to_the_end(traced):
    """A GET that was answered by 101 (RFC 6455)."""
    await traced.serve(route(accept_and_close, "/updates"), websocket_scope(), {"type": "websocket.connect"})

    assert traced.span.name == "GET /updates"
    wanted = {
        "http.request.method": "GET", "http.response.status_code": 101, "network.protocol.name": "websocket",
        "url.scheme": "ws",
    }  # fmt: skip
    assert wanted.items() <= traced.attributes.items()
    assert {event["span_id"] for event in traced.log.events} == {span_id(traced.span)}
    assert "error.type" not in traced.attributes


async def refuse(scope, receive, send):
    await receive()
    await send({"type": "websocket.close", "code": 1008})


async def deny(scope, receive, send):
    await receive()
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"no"})


async def break_off(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    raise LookupError("broken")


async def close_failing(scope, receive, send):
    await accept_and_close(scope, receive, send, 1011)


@pytest.mark.parametrize(
    ("app", "status", "error"),
    [(refuse, 403, None), (deny, 401, None), (break_off, 101, "LookupError"), (close_failing, 101, "1011")],
)
async def test_how_a_websocket_ends_is_on_its_span(app, status, error, traced):
    """A refusal has its status; an error is one as in the completion event."""
    try:
        await traced.serve(app, websocket_scope(), {"type": "websocket.connect"})
    except LookupError:
        assert app is break_off

    assert traced.attributes["http.response.status_code"] == status
    assert traced.attributes.get("error.type") == error
    assert (traced.log.requests[-1]["outcome"] == "server_error") is (error is not None)


async def test_two_first_requests_in_two_threads_have_a_span_each(traced):
    """Neither finds the provider without its tracer, which the other one is still being given."""
    provider, asked = traced.signals.tracers, []
    second = threading.Event()

    class Slow:
        def get_tracer(self, *args):
            asked.append(args)
            if len(asked) == 1:
                thread.start()
                assert second.wait(5)
            return provider.get_tracer(*args)

    options = LoggerBuilder().with_tracing(tracer_provider=Slow()).options()
    app = RequestMiddleware(with_telemetry(answering(), options), options.asgi)

    def serve():
        asyncio.run(Server().run(app, http_scope("/second")))
        second.set()

    thread = threading.Thread(target=serve)
    await Server().run(app, http_scope("/first"))
    thread.join()

    assert [span.attributes["url.path"] for span in traced.signals.server_spans] == ["/second", "/first"]


async def test_a_provider_that_makes_no_tracer_costs_nothing_but_spans(traced):
    """It is asked once, and not for each request."""
    asked = []

    class Broken:
        def get_tracer(self, *args):
            asked.append(args)
            raise TypeError("no such parameter")

    options = LoggerBuilder().with_tracing(tracer_provider=Broken(), baggage=["tenant"]).options()
    app = RequestMiddleware(with_telemetry(answering(), options), options.asgi)
    for _ in range(2):
        await Server().run(app, with_headers((b"traceparent", TRACEPARENT), (b"baggage", b"tenant=acme")))

    assert len(asked) == 1
    assert [(event["trace_id"], event["tenant"]) for event in traced.log.events] == [(TRACE, "acme")] * 2


async def test_what_a_background_task_logs_is_not_counted_whatever_the_status(traced):
    """From 500 on the span is held open behind the answer, as the application may still raise; its counts are not."""
    log = get_logger("app")

    async def app(scope, receive, send):
        log.error("before")
        await reply(send, 503)
        log.error("background")

    await traced.serve(app)

    assert traced.attributes["fapilog.log.count.error"] == 1
    assert traced.attributes["error.type"] == "503"


async def test_a_name_that_the_application_gives_it_stays(traced):
    """The route is an attribute all the same."""

    async def app(scope, receive, send):
        trace.get_current_span().update_name("checkout")
        await reply(send)

    await traced.serve(route(app, "/things/{thing}"))

    assert (traced.span.name, traced.attributes["http.route"]) == ("checkout", "/things/{thing}")


async def test_the_error_page_for_a_client_that_has_left_is_no_error(traced):
    """P16: as when it breaks off its upload, and the framework answers and raises ``ClientDisconnect``."""

    async def upload(request):
        await request.body()

    app = Starlette(routes=[Route("/things/{thing}", upload, methods=["POST"])])
    server = Server({"type": "http.request", "body": b"abc", "more_body": True}, {"type": "http.disconnect"})

    with pytest.raises(ClientDisconnect):
        await server.run(traced.wrap(app), http_scope(method="POST"))

    assert server.sent[0]["status"] == 500
    assert traced.log.request["outcome"] == "client_disconnected"
    assert traced.span.status.status_code is StatusCode.UNSET
    assert not {"http.response.status_code", "error.type"} & traced.attributes.keys()


async def test_a_span_that_raises_leaves_nothing_behind(traced):
    """What was current before is so again, and the application hears nothing of it."""

    class Raising(NonRecordingSpan):
        def is_recording(self):
            raise RuntimeError("recording?")

    class Broken:
        def get_tracer(self, *args):
            return self

        def start_span(self, *args):
            return Raising(SpanContext(1, 2, is_remote=False))

    options = LoggerBuilder().with_tracing(tracer_provider=Broken()).options()
    server = Server()
    await server.run(RequestMiddleware(with_telemetry(answering(), options), options.asgi), http_scope())

    assert server.sent[0]["status"] == 200
    assert otel_context.get_current() == {}
