"""Litestar: 404 and 405 are seen, exceptions that it answers are reported, and the drain comes last."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from litestar import Litestar, Request, Response, Router, asgi, get, post
from litestar.background_tasks import BackgroundTask
from litestar.connection import WebSocket
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import websocket
from litestar.params import FromPath

from fapilog import AsyncLoggerFacade, _runtime, get_logger
from fapilog.asgi import annotate
from fapilog.errors import ConfigError
from fapilog.litestar import FapilogPlugin
from tests.hosts.conftest import Log
from tests.hosts.driver import request_of, running

pytestmark = pytest.mark.asyncio
RequestLogger = NamedDependency[AsyncLoggerFacade]
BEARER = {"authorization": "Bearer s3cret"}


class Refused(Exception):
    """What the application has a handler for."""


@get("/items/{item_id:int}")
async def show(item_id: FromPath[int], logger: RequestLogger) -> dict[str, int]:
    await logger.info("shown", item=item_id)
    annotate(plan="gold")
    return {}


@post("/items/{item_id:int}")
async def change(item_id: FromPath[int]) -> None: ...


@get("/sync", sync_to_thread=True)
def sync(logger: RequestLogger) -> None:
    logger.info("sync")


@get("/boom")
async def boom() -> None:
    raise ValueError("boom")


@get("/refused")
async def refused() -> None:
    raise Refused


@get("/private")
async def private() -> None:
    raise NotAuthorizedException


@get("/task")
async def task() -> Response[str]:
    async def mail() -> None:
        get_logger("mail").info("sent")

    return Response("", background=BackgroundTask(mail))


@asgi("/mounted", is_mount=True, copy_scope=True)
async def mounted(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@websocket("/updates/{room:str}")
async def updates(socket: WebSocket[Any, Any, Any], room: FromPath[str]) -> None:
    await socket.accept()
    await socket.close(code=4001)


def answer_refused(request: Request[Any, Any, Any], error: Refused) -> Response[str]:
    return Response("no", status_code=409)


def application(plugin: FapilogPlugin, **kwargs: Any) -> Litestar:
    nested = Router("/r/{q:str}", route_handlers=[change])
    handlers = [show, sync, boom, refused, private, task, mounted, updates, nested]
    return Litestar(
        handlers, plugins=[plugin], logging_config=None, exception_handlers={Refused: answer_refused}, **kwargs
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "template"),
    [
        ("GET", "/items/7", 200, "/items/{item_id}"),
        ("GET", "/items/7/", 200, "/items/{item_id}"),
        ("DELETE", "/items/7", 405, "/items/{item_id}"),
        ("GET", "/r/x/items/7", 405, "/r/{q}/items/{item_id}"),
        ("GET", "/items/seven", 404, None),
        ("GET", "/nowhere", 404, None),
        ("GET", "/mounted/a/b", 204, "/mounted/{path}"),
        ("GET", "/private", 401, "/private"),
        ("GET", "/refused", 409, "/refused"),
    ],
)
async def test_every_answer_is_one_event_with_its_route(
    method: str, path: str, status: int, template: str | None, log: Log
) -> None:
    """P18: 404 and 405 are seen too, though Litestar refuses them before any middleware of its own."""
    async with running(application(FapilogPlugin().add_sink(log.sink))) as server:
        answer = await server.client.request(method, path)

    assert answer.status_code == log.request["status_code"] == status
    assert answer.headers["x-request-id"] == log.request["request_id"]
    assert (log.request["message"], log.request.get("http_route")) == ("request_completed", template)
    assert log.request["path"] == path
    assert "exception" not in log.request


async def test_an_unhandled_exception_is_reported_once_and_stays_answered(log: Log) -> None:
    """P5, P21: Litestar answers it itself; the event has it all the same, and the server sees nothing."""
    app = application(FapilogPlugin().add_sink(log.sink))
    async with running(app) as server:
        answer = await server.get("/boom")
        await server.get("/items/1")
        sent = await request_of(app, path="/boom")  # raises what the server would get to see

    assert answer.status_code == sent[0]["status"] == 500
    assert answer.headers["x-request-id"] == log.requests[0]["request_id"]
    assert [event["message"] for event in log.requests] == ["request_failed", "request_completed", "request_failed"]
    assert log.requests[0]["exception"]["type"] == "ValueError"
    assert (log.requests[0]["status_code"], log.requests[0]["http_route"]) == (500, "/boom")


async def test_the_events_of_a_request_carry_its_id(log: Log) -> None:
    """P1, P13: handlers, threads and background tasks; the injected logger is named after the handler's module."""
    async with running(application(FapilogPlugin().add_sink(log.sink))) as server:
        for path in ("/items/7", "/sync", "/task"):
            answer = await server.get(path, headers={"X-Request-ID": f"id-{path[1]}"})
            assert answer.is_success, answer.text

    assert [event["message"] for event in log.of(__name__)] == ["shown", "sync"]
    assert [event["request_id"] for event in log.of(__name__)] == ["id-i", "id-s"]
    assert log.of("mail")[0]["request_id"] == "id-t"
    assert log.requests[0]["plan"] == "gold"


async def test_a_websocket_has_two_events(log: Log) -> None:
    """P11: open and close, with the route and the code."""
    async with running(application(FapilogPlugin().add_sink(log.sink))) as server:
        await server.websocket("/updates/r1")

    assert [event["message"] for event in log.requests] == ["websocket_opened", "websocket_closed"]
    assert {event["http_route"] for event in log.requests} == {"/updates/{room}"}
    assert log.requests[1]["close_code"] == 4001


async def test_what_the_application_logs_at_its_ends_is_delivered(log: Log) -> None:
    """P27: its lifespan, its hooks, all before the drain; afterwards the former default is back."""
    logger, former = get_logger("ends"), _runtime.default_engine()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        logger.info("lifespan up")
        yield
        logger.info("lifespan down")

    async def shutdown() -> None:
        logger.info("on_shutdown")

    app = application(FapilogPlugin().add_sink(log.sink), lifespan=[lifespan], on_shutdown=[shutdown])
    handler = app.asgi_handler
    async with running(app):
        assert app.asgi_handler is not handler

    assert [event["message"] for event in log.of("ends")] == ["lifespan up", "lifespan down", "on_shutdown"]
    assert _runtime.default_engine() is former
    assert app.asgi_handler is handler


async def test_an_application_that_does_not_start_is_drained(log: Log) -> None:
    """P27: the very error propagates, and what was logged before is there."""
    error = RuntimeError("no database")

    async def startup() -> None:
        get_logger("ends").info("starting")
        raise error

    app = application(FapilogPlugin().add_sink(log.sink), on_startup=[startup])
    with pytest.raises(ExceptionGroup) as raised:  # of Litestar's event emitter
        async with app.lifespan():
            pass

    assert raised.value.exceptions[0] is error
    assert [event["message"] for event in log.of("ends")] == ["starting"]


async def test_a_second_lifespan_installs_nothing_twice(log: Log) -> None:
    """P24: one event for a request, however often the application has run."""
    app = application(FapilogPlugin().add_sink(log.sink).with_debug_route(token="s3cret"))
    for _ in range(2):
        async with running(app) as server:
            await server.get("/items/7")
            assert (await server.get("/debug/logging", headers=BEARER)).status_code == 200
            assert (await server.get("/debug/logging")).status_code == 401

    assert len(log.requests) == 2


async def test_a_wrong_value_fails_when_the_application_is_made() -> None:
    """Not when it starts."""
    with pytest.raises(ConfigError, match="LOUD"):
        application(FapilogPlugin().with_level("LOUD"))
    with pytest.raises(ConfigError, match="fastapi"):
        FapilogPlugin(preset="fastapy")


async def test_a_dependency_of_the_applications_own_wins(log: Log) -> None:
    """``logger`` is a convenience, no claim."""

    @get("/own")
    async def own(logger: NamedDependency[Any]) -> str:
        return str(logger)

    async def provide() -> str:
        return "mine"

    app = Litestar(
        [own], plugins=[FapilogPlugin().add_sink(log.sink)], logging_config=None, dependencies={"logger": provide}
    )
    async with running(app) as server:
        assert (await server.get("/own")).text == "mine"
