"""Our own server span in front of other applications: bare ASGI, Starlette and Litestar."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from litestar import Litestar, get, websocket
from litestar.connection import WebSocket as LitestarSocket
from litestar.params import FromPath
from opentelemetry.trace import StatusCode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from fapilog.asgi import FapilogMiddleware
from fapilog.fastapi import FastAPIBuilder
from fapilog.litestar import FapilogPlugin
from fapilog.sinks.memory import MemorySink
from fapilog.starlette import StarletteBuilder
from tests.otel.matrix_app import LOGGER, Case, Watch, ask, messages_of, running, shop
from tests.otel.signals import Signals, span_id, trace_id

pytestmark = pytest.mark.asyncio
CALLER_TRACE, CALLER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = [(b"traceparent", f"00-{CALLER_TRACE}-{CALLER_SPAN}-01".encode())]
CASES = {
    "ok": Case("/items/{item}", 200, ("endpoint",)),
    "unhandled 500": Case("/broken/{item}", 500, ("endpoint",), completion="request_failed", error="RuntimeError"),
    "websocket": Case("/live/{item}", None, ("endpoint",), completion="websocket_closed"),
}


class Host(NamedTuple):
    """An application of one kind.

    Attributes:
        build: Makes it, with tracing into these signals and events into this sink.
        knows_routes: Whether it has routes at all.
        answers: Whether it answers an exception itself.
    """

    build: Callable[[Signals, MemorySink], Any]
    knows_routes: bool = True
    answers: bool = True


async def _lifespan(receive: Any, send: Any) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})


async def _bare(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    shop.info("endpoint")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope["path"].startswith("/broken"):
        raise RuntimeError("broken")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"7"})


def _in_front_of_bare(signals: Signals, sink: MemorySink) -> Any:
    builder = FastAPIBuilder().add_sink(sink).with_tracing(tracer_provider=signals.tracers)
    return FapilogMiddleware(_bare, builder=builder)


def _starlette(signals: Signals, sink: MemorySink) -> Any:
    async def show(request: Request) -> JSONResponse:
        shop.info("endpoint")
        return JSONResponse(request.path_params["item"])

    async def broken(request: Request) -> None:
        shop.info("endpoint")
        raise RuntimeError("broken")

    async def live(socket: WebSocket) -> None:
        await socket.accept()
        shop.info("endpoint")
        await socket.receive_text()
        await socket.close(1000)

    routes = [Route("/items/{item}", show), Route("/broken/{item}", broken), WebSocketRoute("/live/{item}", live)]
    builder = StarletteBuilder().add_sink(sink).with_tracing(tracer_provider=signals.tracers)
    return Starlette(routes=routes, lifespan=builder.build())


def _litestar(signals: Signals, sink: MemorySink) -> Any:
    @get("/items/{item:int}")
    async def show(item: FromPath[int]) -> int:
        shop.info("endpoint")
        return item

    @get("/broken/{item:int}")
    async def broken(item: FromPath[int]) -> None:
        shop.info("endpoint")
        raise RuntimeError("broken")

    @websocket("/live/{item:int}")
    async def live(socket: LitestarSocket, item: FromPath[int]) -> None:
        await socket.accept()
        shop.info("endpoint")
        await socket.receive_text()
        await socket.close(1000)

    plugin = FapilogPlugin().add_sink(sink).with_tracing(tracer_provider=signals.tracers)
    return Litestar([show, broken, live], plugins=[plugin], logging_config=None)


HOSTS = {
    "bare ASGI": Host(_in_front_of_bare, knows_routes=False, answers=False),
    "Starlette": Host(_starlette),
    "Litestar": Host(_litestar),
}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("name", HOSTS)
async def test_one_server_span_with_its_ids_on_every_event_and_one_exception_record(signals, name, kind):
    """Our span does not depend on the framework: where it stands, what is on it, and who points at it."""
    host, case, sink = HOSTS[name], CASES[kind], MemorySink()
    app = host.build(signals, sink)
    watch = Watch(*messages_of(case))

    async with running(app):
        await ask(app, case, watch, CALLER)

    events = [event for event in sink.events if event["logger"] in {LOGGER, "fapilog.request"}]
    (span,) = signals.server_spans
    assert {event["message"] for event in events} == case.logged
    assert {(event["trace_id"], event["span_id"]) for event in events} == {(CALLER_TRACE, span_id(span))}
    assert (trace_id(span), f"{span.parent.span_id:016x}") == (CALLER_TRACE, CALLER_SPAN)
    assert span.attributes["fapilog.request_id"] == events[0]["request_id"]
    assert span.attributes["fapilog.log.count.info"] == case.infos
    route = case.route if host.knows_routes else None
    assert span.name == (f"GET {route}" if route else "GET")
    assert span.attributes.get("http.route") == route
    assert {event.get("http_route") for event in events if event["message"] == case.completion} == {route}
    check_failure(span, case, host)
    assert signals.exceptions == ([case.error] if case.error else [])
    assert [event["message"] for event in events if "exception" in event] == ([case.completion] if case.error else [])


def check_failure(span, case, host):
    """What the span says of how it went."""
    expected = {None: 101, 200: 200, 500: 500 if host.answers else None}[case.status]
    assert span.attributes.get("http.response.status_code") == expected
    assert span.attributes.get("error.type") == case.error
    assert span.status.status_code is (StatusCode.ERROR if case.error else StatusCode.UNSET)
