"""Somebody else opens the server span: theirs is used, told the same, and left to them."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.trace import SpanKind

from fapilog import LoggerBuilder, get_logger
from fapilog.asgi import FapilogMiddleware
from fapilog.asgi.tracing.others import inner_apps
from tests.asgi.driver import Server, answering, http_scope, reply, websocket_scope
from tests.hosts.driver import running
from tests.otel.signals import span_id

pytestmark = pytest.mark.asyncio


def builder(traced: Any) -> LoggerBuilder:
    return LoggerBuilder().add_sink(traced.log.sink).with_tracing(tracer_provider=traced.signals.tracers)


def ours(traced: Any, app: Any) -> FapilogMiddleware:
    """Return the middleware around an application, on an engine of its own that writes where the test looks."""
    return FapilogMiddleware(app, builder=builder(traced))


def is_told(traced: Any, **more: Any) -> None:
    """Check that the one server span has the request's id and its counts."""
    expected = {"fapilog.log.count.info": 1, **more}
    assert expected.items() <= traced.attributes.items()
    assert traced.attributes["fapilog.request_id"]


async def app_that_logs(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    get_logger("app").info("here")
    await reply(send)


async def test_contribs_middleware_outside(traced):
    """Its span is the active one when the request comes in."""
    await Server().run(
        OpenTelemetryMiddleware(traced.wrap(app_that_logs), tracer_provider=traced.signals.tracers), http_scope()
    )

    is_told(traced)
    assert {event["span_id"] for event in traced.log.events} == {span_id(traced.span)}


async def test_contribs_middleware_inside(traced):
    """Its hook tells; the user's own hook is called before."""
    told = []
    inner = OpenTelemetryMiddleware(
        app_that_logs, tracer_provider=traced.signals.tracers, server_request_hook=lambda span, scope: told.append(span)
    )
    app = traced.wrap(inner)
    for _ in range(2):
        await Server().run(app, http_scope())

    assert [span.attributes["fapilog.log.count.info"] for span in traced.signals.server_spans] == [1, 1]
    assert len(told) == 2
    ids = {span_id(span) for span in traced.signals.server_spans}
    assert {event["span_id"] for event in traced.log.events} == ids


async def test_a_websocket_inside_contribs_middleware(traced):
    """Its span ends before we hear that the application is done, so it is told when either side closes."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    inner = OpenTelemetryMiddleware(app, tracer_provider=traced.signals.tracers)
    await Server({"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}).run(
        traced.wrap(inner), websocket_scope()
    )

    is_told(traced)  # the event that tells of the opening


async def test_an_excluded_path_of_contribs_has_no_span(traced):
    """Who excludes it does not want one of ours instead."""
    inner = OpenTelemetryMiddleware(app_that_logs, excluded_urls="things", tracer_provider=traced.signals.tracers)
    await Server().run(traced.wrap(inner), http_scope())

    assert traced.signals.server_spans == []


def shop(traced: Any, **telemetry: Any) -> FastAPI:
    app = FastAPI(telemetry={"tracer_provider": traced.signals.tracers, **telemetry})

    @app.get("/things/{thing}")
    async def thing(thing: int) -> int:
        get_logger("app").info("here")
        if not thing:
            raise ValueError("none")
        return thing

    @app.websocket("/updates")
    async def updates(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    return app


@pytest.mark.parametrize("path", ["/things/7", "/things/0", "/nothing"])
async def test_fastapis_telemetry_inside_of_the_middleware(path, traced):
    """``FapilogMiddleware(app)``: FastAPI opens its span behind us, and we find it when it answers."""
    async with running(ours(traced, shop(traced))) as server:
        await server.get(path)

    (span,) = traced.signals.server_spans
    assert span.attributes["fapilog.request_id"]
    completion = [event for event in traced.log.sink.events if event["logger"] == "fapilog.request"]
    assert [event["span_id"] for event in completion] == [span_id(span)]
    assert len([event for span in traced.signals.spans for event in span.events]) == (path == "/things/0")


async def test_fastapis_telemetry_inside_of_the_middleware_and_a_websocket(traced):
    """Found when it accepts."""
    async with running(ours(traced, shop(traced))) as server:
        await server.websocket("/updates")

    (span,) = traced.signals.server_spans
    assert span.attributes["fapilog.request_id"]


async def test_fastapis_telemetry_switched_off_leaves_it_to_us(traced):
    """``telemetry={"tracing": False}``."""
    async with running(ours(traced, shop(traced, tracing=False))) as server:
        await server.get("/things/7")

    assert traced.span.instrumentation_scope.name == "fapilog"
    is_told(traced)


async def test_an_exception_that_fastapi_reports_as_a_log_is_on_no_span(traced):
    """One record, over all signals."""
    app = shop(traced, logger_provider=traced.signals.loggers)
    async with running(ours(traced, app)) as server:
        await server.get("/things/0")

    assert traced.signals.exceptions == ["ValueError"]
    assert traced.span.events == ()


async def test_a_span_that_is_current_where_the_server_runs_is_not_the_servers(traced):
    """Nor the parent of every request: who calls says so in the headers."""
    tracer = traced.signals.tracers.get_tracer("test")
    with tracer.start_as_current_span("the program", kind=SpanKind.INTERNAL) as program:
        await traced.serve(answering())
        assert trace.get_current_span() is program

    assert traced.span.parent is None
    assert traced.span.instrumentation_scope.name == "fapilog"


async def test_a_chain_without_an_end_is_walked_a_while():
    """An attribute ``app`` may be anything."""

    class Loop:
        @property
        def app(self):
            return self

    assert len(list(inner_apps(Loop()))) == 50


async def test_a_request_that_is_begun_within_another_one_has_a_span_of_its_own(traced):
    """The next of an HTTP/1.1 pipeline inherits the context of the one before; so does a call in the process."""
    app = traced.wrap(app_that_logs)
    trace_of = "00-{:032x}-00000000000000aa-01".format
    begun = []

    class Pipeline(Server):
        async def send(self, message):
            await super().send(message)
            if message["type"] == "http.response.body" and len(begun) < 3:
                begun.append(1)
                headers = [(b"traceparent", trace_of(len(begun)).encode())]
                await Pipeline().run(app, http_scope(headers=headers))

    await Pipeline().run(app, http_scope())

    spans = traced.signals.server_spans
    assert len({span_id(span) for span in spans}) == len(spans) == 4
    assert sorted(span.context.trace_id for span in spans)[:3] == [1, 2, 3]
    ids = {span.attributes["fapilog.request_id"]: span_id(span) for span in spans}
    assert [event["span_id"] for event in traced.log.events] == [ids[e["request_id"]] for e in traced.log.events]


async def test_a_span_that_has_ended_is_nobodys_server_span(traced):
    """The server was started in it."""
    with traced.signals.tracers.get_tracer("test").start_as_current_span("start-up", kind=SpanKind.SERVER) as span:
        span.end()
        await traced.serve(app_that_logs)

    assert len(traced.signals.server_spans) == 2
    assert traced.signals.server_spans[1].parent is None


async def test_a_request_to_an_application_in_the_same_process_has_a_span_of_its_own(traced):
    """Without an instrumented client between them; the outer request's keeps its id."""
    inner = traced.wrap(app_that_logs)

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await Server().run(inner, http_scope("/inner"))
        await app_that_logs(scope, receive, send)

    await traced.serve(outer)

    assert [span.attributes["fapilog.log.count.info"] for span in traced.signals.server_spans[:1]] == [1]
    assert len({span.attributes["fapilog.request_id"] for span in traced.signals.server_spans}) == 2


async def test_a_span_that_has_ended_before_the_request_is_not_its_span(traced):
    """The one around the start of the server, whose context the server's tasks keep."""
    with traced.signals.tracers.get_tracer("app").start_as_current_span("startup"):
        task = asyncio.create_task(traced.serve(app_that_logs))
    await task

    assert traced.span.parent is None
    assert {event["span_id"] for event in traced.log.events} == {span_id(traced.span)}


async def test_what_contrib_instruments_without_a_lifespan_is_told_from_the_first_request_on(traced):
    """Its middleware is built within that request; taken out while the application runs it leaves the span to us."""
    app = shop(traced, tracing=False)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=traced.signals.tracers)
    wrapped = traced.wrap(app)

    for each in ("contrib's", "again", "ours", "contrib's, put in again"):
        if each == "ours":
            FastAPIInstrumentor.uninstrument_app(app)
        elif each.endswith("put in again"):
            FastAPIInstrumentor.instrument_app(app, tracer_provider=traced.signals.tracers)
            app.middleware_stack = None
        await Server().run(wrapped, http_scope())
    FastAPIInstrumentor.uninstrument_app(app)

    spans = traced.signals.server_spans
    assert [span.instrumentation_scope.name.rpartition(".")[2] for span in spans] == [
        "fastapi", "fastapi", "fapilog", "fastapi",
    ]  # fmt: skip
    assert [span.attributes["fapilog.log.count.info"] for span in spans] == [1, 1, 1, 1]
