"""The middleware around whole FastAPI applications: what only shows with a framework inside."""

import asyncio

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, StreamingResponse

from fapilog import bind_context, get_logger
from fapilog.asgi import FapilogMiddleware, annotate
from tests.asgi.driver import Server, http_scope

pytestmark = pytest.mark.asyncio

shop = get_logger("shop")


async def call(app, path, *messages, **scope):
    """Serve one request; return what was sent and what was raised."""
    server = Server(*messages)
    raised = None
    try:
        await server.run(FapilogMiddleware(app), http_scope(path, **scope))
    except Exception as error:  # noqa: BLE001 - handed back
        raised = error
    return server, raised


@pytest.mark.parametrize("inside_base_http_middleware", [False, True])
async def test_everything_of_a_request_carries_its_id_and_what_a_synchronous_dependency_bound(
    log, inside_base_http_middleware
):
    """P1, P2: endpoint, dependency, thread and background task; also through a middleware that makes tasks."""
    app = FastAPI()

    def dependency():
        bind_context(tenant="acme")
        annotate(plan="gold")
        shop.info("dependency")

    def in_background():
        shop.info("background")

    @app.get("/sync", dependencies=[Depends(dependency)])
    def sync_endpoint(tasks: BackgroundTasks):
        shop.info("endpoint")
        tasks.add_task(in_background)

    @app.get("/async", dependencies=[Depends(dependency)])
    async def async_endpoint(tasks: BackgroundTasks):
        shop.info("endpoint")
        await run_in_threadpool(shop.info, "thread")
        tasks.add_task(in_background)

    if inside_base_http_middleware:

        async def dispatch(request, call_next):
            shop.info("middleware")
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)

    for path in ("/sync", "/async"):
        await call(app, path, headers=[(b"x-request-id", path[1:].encode())])

    assert {event["request_id"] for event in log.events} == {"sync", "async"}
    assert [(event["tenant"], event["plan"], event["http_route"]) for event in log.requests] == [
        ("acme", "gold", "/sync"), ("acme", "gold", "/async"),
    ]  # fmt: skip
    seen = [event for event in log.of("shop") if event["message"] in {"endpoint", "thread", "background"}]
    assert len(seen) == 5
    assert all(event["tenant"] == "acme" for event in seen)


async def test_an_unhandled_error_has_its_header_its_handler_its_id_and_one_event(log):
    """P4, P5: the framework's outermost error handler is inside ours."""
    app = FastAPI()

    @app.get("/boom")
    async def boom():
        raise LookupError("no stock")

    @app.exception_handler(Exception)
    async def answer(request, error):
        shop.info("handled")
        return JSONResponse({"sorry": True}, 500)

    server, raised = await call(app, "/boom")

    assert isinstance(raised, LookupError)
    assert server.sent[0]["status"] == 500
    assert server.headers(b"x-request-id") == [log.request["request_id"].encode()]
    assert log.of("shop")[0]["request_id"] == log.request["request_id"]
    assert (log.request["message"], log.request["status_code"]) == ("request_failed", 500)
    assert log.request["http_route"] == "/boom"


async def test_an_http_exception_is_an_answer(log):
    """P21: raised on purpose, so no exception to report."""
    app = FastAPI()

    @app.get("/busy")
    async def busy():
        raise HTTPException(503)

    _, raised = await call(app, "/busy")

    assert raised is None
    assert (log.request["message"], log.request["status_code"]) == ("request_completed", 503)
    assert "exception" not in log.request


async def test_a_background_task_that_raises_is_one_error_and_the_answer_stands(log):
    """P13, P14: tied to the request; the duration is that of the answer."""
    app = FastAPI()

    def failing():
        raise LookupError("no mail server")

    @app.get("/ok")
    async def ok(tasks: BackgroundTasks):
        tasks.add_task(failing)

    server, raised = await call(app, "/ok")

    assert isinstance(raised, LookupError)
    assert server.sent[0]["status"] == 200
    assert (log.request["message"], log.request["status_code"]) == ("request_failed", 200)
    assert log.request["duration_ms"] <= log.request["total_ms"]


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
async def test_a_stream_whose_client_leaves(log, spec):
    """P16: told by a message under ASGI 2.3, by an OSError of ``send`` from 2.4 on."""
    app = FastAPI()

    class Rows:
        """Without an end; not a generator, whose end the garbage collector would make a task of."""

        def __aiter__(self):
            return self

        async def __anext__(self):
            await asyncio.sleep(0)
            return b"row\n"

    @app.get("/rows")
    async def export():
        return StreamingResponse(Rows())

    class Leaving(Server):
        async def send(self, message):
            await super().send(message)
            if spec == "2.4" and len(self.sent) > 5:
                raise OSError("gone")

        async def receive(self):
            while len(self.sent) < 5:
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

    server = Leaving()
    scope = http_scope("/rows", asgi={"version": "3.0", "spec_version": spec})
    try:
        await server.run(FapilogMiddleware(app), scope)
    except Exception as error:  # noqa: BLE001 - Starlette's word for it
        assert type(error).__name__ == "ClientDisconnect"  # noqa: PT017

    event = log.request
    assert (event["message"], event["level"], event["outcome"]) == ("request_completed", "INFO", "client_disconnected")
    assert event["status_code"] == 200
    assert event["response_bytes"] >= 4


async def test_a_generator_that_raises_in_the_middle(log):
    """P15: an error, with the status that was sent."""
    app = FastAPI()

    async def rows():
        yield b"row\n"
        raise LookupError("no more rows")

    @app.get("/rows")
    async def export():
        return StreamingResponse(rows())

    _, raised = await call(app, "/rows")

    assert raised is not None
    assert (log.request["message"], log.request["status_code"], log.request["response_bytes"]) == (
        "request_failed", 200, 4,
    )  # fmt: skip
