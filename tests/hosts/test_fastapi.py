"""FastAPI: identity through every kind of code, route templates, tracing, and the request's logger."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import iter_route_contexts
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from fapilog import AsyncLoggerFacade, bind_context, get_logger
from fapilog.asgi import annotate
from fapilog.asgi.debug import one_time_link
from fapilog.fastapi import FastAPIBuilder, get_request_logger
from fapilog.starlette import RouteTemplates
from tests.hosts.conftest import Log
from tests.hosts.driver import request_of, running

pytestmark = pytest.mark.asyncio
RequestLogger = Annotated[AsyncLoggerFacade, Depends(get_request_logger)]
BEARER = {"authorization": "Bearer s3cret"}


def application(log: Log, **kwargs: Any) -> FastAPI:
    return FastAPI(lifespan=FastAPIBuilder().add_sink(log.sink).build(), **kwargs)


def ids(log: Log) -> set[str | None]:
    return {event.get("request_id") for event in log.events if event["logger"] != "uvicorn.error"}


# --- identity --------------------------------------------------------------------------------------------------------


def add_four_kinds(app: FastAPI) -> None:
    """An endpoint whose request passes through a sync and an async dependency, a thread and the endpoint itself."""
    logger = get_logger("kinds")

    def sync_dependency() -> None:
        bind_context(tenant="t1")
        annotate(plan="gold")
        logger.info("sync dependency")

    async def async_dependency() -> None:
        logger.info("async dependency")

    @app.get("/kinds", dependencies=[Depends(sync_dependency), Depends(async_dependency)])
    async def kinds() -> None:
        logger.info("endpoint")
        await asyncio.to_thread(logger.info, "thread")

    @app.get("/sync", dependencies=[Depends(sync_dependency)])
    def sync() -> None:
        logger.info("sync endpoint")


@pytest.mark.parametrize("inside", [False, True])
async def test_one_request_has_one_id_everywhere(inside: bool, log: Log) -> None:
    """P1, P2: in dependencies, endpoints and threads, also below a BaseHTTPMiddleware."""
    app = application(log)
    add_four_kinds(app)
    if inside:

        async def dispatch(request: Any, call_next: Any) -> Any:
            get_logger("kinds").info("base middleware")
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    async with running(app) as server:
        answer = await server.get("/kinds", headers={"X-Request-ID": "mine"})

    assert answer.headers["x-request-id"] == "mine"
    assert ids(log) == {"mine"}
    assert len(log.of("kinds")) == 4 + inside


@pytest.mark.parametrize("path", ["/kinds", "/sync"])
async def test_what_a_sync_dependency_adds_reaches_the_completion_event(path: str, log: Log) -> None:
    """P1: a plain ContextVar set in a worker thread would not."""
    app = application(log)
    add_four_kinds(app)
    async with running(app) as server:
        await server.get(path)

    assert (log.request["tenant"], log.request["plan"]) == ("t1", "gold")
    assert all(event["tenant"] == "t1" for event in log.of("kinds") if event["message"].endswith("endpoint"))


async def test_concurrent_requests_do_not_mix(log: Log) -> None:
    """P3: every event carries the id of its own request; afterwards there is none."""
    app = application(log)
    gate = asyncio.Event()

    @app.get("/wait/{number}")
    async def wait(number: int, logger: RequestLogger) -> None:
        await gate.wait()
        logger.info("done", number=number)

    async with running(app) as server:
        requests = [
            asyncio.create_task(server.get(f"/wait/{number}", headers={"X-Request-ID": f"id-{number}"}))
            for number in range(100)
        ]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*requests)
        get_logger("outside").info("none")

    done = [event for event in log.events if event["message"] == "done"]
    assert len(done) == len(log.requests) == 100
    assert all(event["request_id"] == f"id-{event['number']}" for event in done)
    assert "request_id" not in log.of("outside")[0]


async def test_an_exception_handler_sees_the_id(log: Log) -> None:
    """P4: a handler of Exception runs outside the user's middleware; P5: its answer carries the id."""
    app = application(log)

    @app.exception_handler(Exception)
    async def handler(request: Any, error: Exception) -> JSONResponse:
        get_logger("handler").info("handling")
        return JSONResponse({"error": "ours"}, status_code=500)

    @app.get("/boom")
    async def boom() -> None:
        raise ValueError("boom")

    async with running(app) as server:
        answer = await server.get("/boom", headers={"X-Request-ID": "mine"})

    assert (answer.status_code, answer.json()) == (500, {"error": "ours"})
    assert answer.headers.get_list("x-request-id") == ["mine"]
    assert ids(log) == {"mine"}


async def test_an_unhandled_error_is_one_event_with_the_exception(log: Log) -> None:
    """P5, P21: 500 with its header, one request_failed, and no second traceback by the server."""
    app = application(log)

    @app.get("/boom")
    async def boom() -> None:
        raise ValueError("boom")

    async with running(app) as server:
        answer = await server.get("/boom")
        with pytest.raises(ValueError, match="boom") as raised:
            await request_of(app, path="/boom")
        # What uvicorn does with it.
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=raised.value)

    assert (answer.status_code, answer.headers["x-request-id"]) == (500, log.requests[0]["request_id"])
    assert [event["message"] for event in log.events] == ["request_failed"] * 2
    assert log.requests[0]["exception"]["type"] == "ValueError"
    assert (log.requests[0]["status_code"], log.requests[0]["http_route"]) == (500, "/boom")


async def test_an_http_exception_is_no_exception(log: Log) -> None:
    """P21: it is an answer."""
    app = application(log)

    @app.get("/gone")
    async def gone() -> None:
        raise HTTPException(410)

    async with running(app) as server:
        await server.get("/gone")

    assert (log.request["message"], log.request["level"]) == ("request_completed", "INFO")
    assert log.request["status_code"] == 410
    assert "exception" not in log.request


async def test_the_applications_own_id_header_is_the_only_one(log: Log) -> None:
    """P6: exactly one header."""
    app = application(log)

    @app.get("/own")
    async def own() -> JSONResponse:
        return JSONResponse({}, headers={"X-Request-ID": "theirs"})

    async with running(app) as server:
        answer = await server.get("/own")

    assert len(answer.headers.get_list("x-request-id")) == 1


async def test_background_tasks_belong_to_the_request(log: Log) -> None:
    """P13, P14: their events carry the id; one that raises is one error, and the 200 stays a 200."""
    app = application(log)

    def mail() -> None:
        get_logger("mail").info("sent")
        raise OSError("smtp")

    @app.get("/order")
    async def order(tasks: BackgroundTasks) -> None:
        tasks.add_task(mail)

    async with running(app) as server:
        answer = await server.get("/order", headers={"X-Request-ID": "mine"})

    assert answer.status_code == 200
    assert ids(log) == {"mine"}
    assert [event["level"] for event in log.events] == ["INFO", "ERROR"]
    assert (log.request["message"], log.request["status_code"]) == ("request_failed", 200)
    assert log.request["total_ms"] >= log.request["duration_ms"]


async def test_a_stream_that_breaks_keeps_its_status(log: Log) -> None:
    """P15: an error after the status was sent."""
    app = application(log)

    @app.get("/export")
    async def export() -> StreamingResponse:
        async def rows() -> AsyncIterator[bytes]:
            yield b"12345"
            raise ValueError("row 2")

        return StreamingResponse(rows())

    async with running(app) as server:
        await server.get("/export")

    assert (log.request["message"], log.request["status_code"]) == ("request_failed", 200)
    assert log.request["response_bytes"] == 5


# --- route templates -------------------------------------------------------------------------------------------------


async def page(request: Any) -> PlainTextResponse:
    return PlainTextResponse("page")


def add_routes(app: FastAPI, folder: str) -> FastAPI:
    """Every way in which a path can come about."""
    inner = APIRouter(prefix="/inner/{b}")

    @inner.get("/leaf/{c:int}")
    def leaf(b: str, c: int) -> None: ...

    @inner.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4001)

    outer = APIRouter(prefix="/outer")
    outer.include_router(inner)
    sub = FastAPI()
    sub.include_router(inner)
    sub.add_api_route("/", lambda: None)

    async def closure(scope: Any, receive: Any, send: Any) -> None:
        await sub(scope, receive, send)

    app.include_router(outer)
    app.include_router(outer, prefix="/v2/{tenant}")
    app.mount("/sub/{m}", sub)
    app.mount("/again", sub)
    app.mount("/hidden", closure)
    app.mount("/plain", Starlette(routes=[Route("/x/{y}", page)]))
    app.mount("/static", StaticFiles(directory=folder))
    app.add_api_route("/items/{item}", item)
    app.add_api_route("/a", either)
    app.add_api_route("/b/", either)
    return app


def item(item: int) -> None: ...


def either() -> None: ...


ROUTES = [
    ("GET", "/items/1", 200, "/items/{item}"),
    ("GET", "/items/x", 422, "/items/{item}"),
    ("POST", "/items/1", 405, "/items/{item}"),
    ("GET", "/items/1/", 307, "/items/{item}"),
    ("GET", "/nowhere", 404, None),
    ("GET", "/items", 404, None),
    ("GET", "/a", 200, "/a"),
    ("GET", "/b/", 200, "/b/"),
    ("GET", "/b", 307, "/b/"),
    ("GET", "/outer/inner/B/leaf/3", 200, "/outer/inner/{b}/leaf/{c}"),
    ("GET", "/v2/t/outer/inner/B/leaf/3", 200, "/v2/{tenant}/outer/inner/{b}/leaf/{c}"),
    ("POST", "/v2/t/outer/inner/B/leaf/3", 405, "/v2/{tenant}/outer/inner/{b}/leaf/{c}"),
    ("GET", "/sub/M/", 200, "/sub/{m}/"),
    ("GET", "/sub/M/inner/B/leaf/1", 200, "/sub/{m}/inner/{b}/leaf/{c}"),
    ("GET", "/again/inner/B/leaf/1", 200, "/again/inner/{b}/leaf/{c}"),
    ("GET", "/again/inner/B/leaf/1/", 307, "/again/inner/{b}/leaf/{c}"),
    ("GET", "/again/nowhere", 404, None),
    ("GET", "/hidden/inner/B/leaf/1", 200, None),
    ("GET", "/plain/x/1", 200, "/plain/x/{y}"),
    ("GET", "/plain/nowhere", 404, None),
    ("GET", "/static/file.txt", 200, "/static/{path}"),
    ("GET", "/openapi.json", 200, "/openapi.json"),
]


@pytest.mark.parametrize("telemetry", [False, True])
async def test_the_route_template_is_right(telemetry: bool, log: Log, tmp_path: Any) -> None:
    """P18: nested routers, mounts, 404, 405, 422, slash redirects; with FastAPI's own telemetry on or off."""
    (tmp_path / "file.txt").write_text("x")
    tracing: Any = {"tracer_provider": TracerProvider(), "operation_spans": False} if telemetry else {"tracing": False}
    app = add_routes(application(log, telemetry=tracing), str(tmp_path))
    async with running(app) as server:
        answers = [(await server.client.request(method, path)).status_code for method, path, _, _ in ROUTES]

    assert answers == [status for _, _, status, _ in ROUTES]
    seen = [(event["path"], event.get("http_route")) for event in log.requests]
    assert seen == [(path, template) for _, path, _, template in ROUTES]


async def test_the_route_of_a_websocket(log: Log, tmp_path: Any) -> None:
    """P18, P11: both events have it, and the code is kept; a path that nobody serves has none."""
    app = add_routes(application(log), str(tmp_path))
    async with running(app) as server:
        await server.websocket("/v2/t/outer/inner/B/ws")
        await server.websocket("/nowhere")

    routes = [event.get("http_route") for event in log.requests]
    assert routes == ["/v2/{tenant}/outer/inner/{b}/ws"] * 2 + [None]
    assert log.requests[1]["close_code"] == 4001


async def test_the_root_path_is_in_the_template_once(log: Log, tmp_path: Any) -> None:
    """P22: as FastAPI's telemetry and the semantic conventions have it."""
    app = add_routes(application(log), str(tmp_path))
    async with running(app):
        for path in ("/api/items/1", "/api/again/inner/B/leaf/1", "/api/items/1/"):
            await request_of(app, path=path, root_path="/api")

    assert [event["http_route"] for event in log.requests] == [
        "/api/items/{item}", "/api/again/inner/{b}/leaf/{c}", "/api/items/{item}",
    ]  # fmt: skip


async def test_a_route_that_is_added_later_is_found(log: Log) -> None:
    """The tree is read again when it has grown; the route alone does not know the prefix of its router."""
    router = APIRouter()
    router.add_api_route("/leaf", either)
    app = application(log)
    async with running(app) as server:
        await server.get("/late/leaf")
        app.include_router(router, prefix="/late")
        await server.get("/late/leaf")

    assert [event.get("http_route") for event in log.requests] == [None, "/late/leaf"]


async def test_the_resolver_never_costs_a_request(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """P19: whatever goes wrong in it, a 405 stays a 405 and the event is there."""

    def broken(self: Any, scope: Any) -> str:
        raise KeyError("route")

    monkeypatch.setattr(RouteTemplates, "__call__", broken)
    app = FastAPI(lifespan=FastAPIBuilder().add_sink(log.sink).with_diagnostics(enabled=False).build())
    app.add_api_route("/items/{item}", item)
    async with running(app) as server:
        answer = await server.client.post("/items/1")

    assert answer.status_code == 405
    assert log.request["status_code"] == 405
    assert "http_route" not in log.request


async def test_an_index_that_is_read_costs_nothing_more() -> None:
    """Only a change in the number of routes reads the tree again."""
    app = FastAPI()
    app.add_api_route("/items/{item}", item)
    reads = []

    def flatten(routes: Any) -> Any:
        reads.append(len(routes))
        return iter_route_contexts(routes)

    templates = RouteTemplates(app, flatten)
    scope = {"type": "http", "path": "/items/1", "endpoint": item}
    assert [templates(scope) for _ in range(3)] == ["/items/{item}"] * 3
    assert len(reads) == 1


# --- installing ------------------------------------------------------------------------------------------------------


async def test_it_stands_outermost_although_the_stack_is_built(log: Log) -> None:
    """P23: ``add_middleware`` raises in a lifespan; ours sees even the answer of a middleware that refuses."""
    app = application(log)

    async def refuse(request: Any, call_next: Any) -> Any:
        return PlainTextResponse("no", 403)

    app.add_middleware(BaseHTTPMiddleware, dispatch=refuse)
    async with running(app) as server:
        with pytest.raises(RuntimeError):
            app.add_middleware(BaseHTTPMiddleware, dispatch=refuse)
        await server.get("/")

    assert log.request["status_code"] == 403


async def test_the_debug_route_is_no_route_of_the_application(log: Log) -> None:
    """P26: reachable beside a catch-all route, and neither in the routes nor in the OpenAPI document."""
    builder = FastAPIBuilder().add_sink(log.sink).with_debug_route(token="s3cret")
    app = FastAPI(lifespan=builder.build())
    app.add_api_route("/{rest:path}", lambda: "caught")
    async with running(app) as server:
        assert "queue" in (await server.get("/debug/logging", headers=BEARER)).json()
        assert (await server.get("/debug/logging")).status_code == 401
        assert (await server.get("/debug/logging/")).json() == "caught"
        assert list((await server.get("/openapi.json")).json()["paths"]) == ["/{rest}"]


async def test_what_is_on_the_span_of_fastapis_telemetry_opens_nothing(log: Log) -> None:
    """A query is exported with the trace: the link in it has been opened by then, and has no token in it."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    builder = FastAPIBuilder().add_sink(log.sink).with_debug_route(token="s3cret")
    app = FastAPI(lifespan=builder.build(), telemetry={"tracer_provider": provider})
    async with running(app) as server:
        link = one_time_link("s3cret", base="http://app")
        opened = await server.get(link, headers={"accept": "text/html"})
        server.client.cookies.clear()
        again = await server.get(link, headers={"accept": "text/html"})

    assert (opened.status_code, again.status_code) == (200, 401)
    assert "s3cret" not in repr([span.to_json() for span in exporter.get_finished_spans()])


@pytest.fixture
def spans() -> Iterator[tuple[TracerProvider, InMemorySpanExporter]]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider, exporter
    provider.shutdown()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_with_contribs_instrumentation(when: str, log: Log, spans: Any) -> None:
    """P28: installed before or after ``instrument_app``: server spans, the 500's header, and the event's trace id."""
    provider, exporter = spans
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})
    lifespan = FastAPIBuilder().add_sink(log.sink).build()
    if when == "before":
        app.router.lifespan_context = lifespan
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, exclude_spans=["send", "receive"])
    if when == "after":
        app.router.lifespan_context = lifespan

    @app.get("/boom")
    async def boom() -> None:
        get_logger("app").info("inside")
        raise ValueError("boom")

    async with running(app) as server:
        answer = await server.get("/boom")
    FastAPIInstrumentor.uninstrument_app(app)

    (span,) = [span for span in exporter.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert span.attributes["http.route"] == "/boom"
    assert answer.headers["x-request-id"] == log.request["request_id"]
    assert log.request["trace_id"] == f"{span.context.trace_id:032x}"
    assert log.request["span_id"] == f"{span.context.span_id:016x}"
    assert log.of("app")[0]["trace_id"] == log.request["trace_id"]


async def test_with_fastapis_own_telemetry(log: Log, spans: Any) -> None:
    """P28: its span is current everywhere; the completion event has its ids."""
    provider, exporter = spans
    app = application(log, telemetry={"tracer_provider": provider})

    @app.get("/boom")
    async def boom(logger: RequestLogger) -> None:
        logger.info("inside")
        raise ValueError("boom")

    async with running(app) as server:
        answer = await server.get("/boom")

    (span,) = [span for span in exporter.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert answer.headers["x-request-id"] == log.request["request_id"]
    assert log.request["trace_id"] == f"{span.context.trace_id:032x}"
    assert span.attributes["http.route"] == log.request["http_route"] == "/boom"
    assert {event["trace_id"] for event in log.events} == {log.request["trace_id"]}


# --- the request's logger --------------------------------------------------------------------------------------------


async def test_the_dependency_works_in_every_kind_of_endpoint(log: Log) -> None:
    """Async, sync and WebSocket; named after the endpoint's module, with the request's id."""
    app = application(log)

    @app.get("/async")
    async def asynchronous(logger: RequestLogger) -> None:
        await logger.info("async")

    @app.get("/sync")
    def synchronous(logger: RequestLogger) -> None:
        assert threading.current_thread() is not threading.main_thread()
        logger.info("sync")

    @app.websocket("/ws")
    async def socket(websocket: WebSocket, logger: RequestLogger) -> None:
        await websocket.accept()
        logger.info("websocket")
        await websocket.close()

    async with running(app) as server:
        await server.get("/async")
        await server.get("/sync")
        await server.websocket("/ws")

    assert [event["message"] for event in log.of(__name__)] == ["async", "sync", "websocket"]
    requests = list(dict.fromkeys(event["request_id"] for event in log.requests))
    assert [event["request_id"] for event in log.of(__name__)] == requests


async def test_the_dependency_follows_levels_set_by_name(log: Log) -> None:
    """It is the very logger that ``get_logger(__name__)`` in the endpoint's module would be."""
    app = application(log)

    @app.get("/")
    async def index(logger: RequestLogger) -> dict[str, Any]:
        return {"name": logger.name, "type": type(logger).__name__}

    async with running(app) as server:
        assert (await server.get("/")).json() == {"name": __name__, "type": "AsyncLoggerFacade"}


async def test_the_dependency_can_be_overridden(log: Log) -> None:
    """A test of the application can put another logger in its place."""
    app = application(log)
    app.dependency_overrides[get_request_logger] = lambda: get_logger("other")

    @app.get("/")
    async def index(logger: RequestLogger) -> str:
        return logger.name

    async with running(app) as server:
        assert (await server.get("/")).json() == "other"
