"""The flight recorder through the builders: real frameworks, sync endpoints, background tasks, the environment."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse

from fapilog import _runtime, bind_context, get_logger
from fapilog.asgi import FapilogMiddleware
from fapilog.errors import ConfigError
from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from tests.hosts.driver import running

pytestmark = pytest.mark.asyncio
log = get_logger("shop")


def tenant() -> None:
    log.debug("dependency")
    bind_context(tenant="t-1")


def application(builder: FastAPIBuilder | None) -> FastAPI:
    """An application whose routes log below the level."""
    app = FastAPI(lifespan=None if builder is None else builder.build())

    @app.get("/sync/{status}", dependencies=[Depends(tenant)])
    def sync(status: int) -> dict[str, bool]:
        log.debug("endpoint")
        if status == 1:
            raise RuntimeError
        if status != 200:
            raise HTTPException(status)
        return {"ok": True}

    @app.get("/background/{fails}")
    async def background(fails: bool, tasks: BackgroundTasks) -> dict[str, bool]:
        def task() -> None:
            log.debug("task")
            if fails:
                raise ConnectionError

        tasks.add_task(task)
        return {"ok": True}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        def rows() -> Any:
            log.debug("row")
            yield "1"
            raise LookupError

        return StreamingResponse(rows())

    return app


def messages(sink: MemorySink) -> list[str]:
    """What came out of the application's loggers and the middleware."""
    assert _runtime.default_engine().flush(10.0)
    wanted = ("shop", "fapilog.request")
    found = [event["message"] for event in sink.events if event["logger"] in wanted]
    sink.clear()
    return found


async def test_a_fastapi_application():
    """Dependencies and endpoints in threads, background tasks and streams: each request decides for itself."""
    sink = MemorySink(max_events=1_000)
    app = application(FastAPIBuilder().add_sink(sink).with_flight_recorder())
    async with running(app) as server:
        for path in ("/sync/200", "/sync/404", "/background/0"):
            await server.get(path)
            assert messages(sink) == ["request_completed"]
        await server.get("/sync/503")
        assert messages(sink) == ["dependency", "endpoint", "request_completed"]
        await server.get("/sync/1")
        assert messages(sink) == ["dependency", "endpoint", "request_failed"]
        await server.get("/background/1")
        assert messages(sink) == ["task", "request_failed"]
        await server.get("/stream")
        assert messages(sink) == ["row", "request_failed"]
        figures = _runtime.default_engine().ledger.figures()
    assert (figures["released"], figures["discarded"], figures["held"]) == (6, 5, 0)


async def test_the_middleware_alone_and_the_environment(monkeypatch):
    """``FapilogMiddleware`` takes what a builder or a variable says."""
    sink = MemorySink(max_events=1_000)
    monkeypatch.setenv("FAPILOG_FLIGHT_RECORDER__ON", "error")
    monkeypatch.setenv("FAPILOG_FLIGHT_RECORDER__MAX_EVENTS", "1")
    app = FapilogMiddleware(application(None), builder=FastAPIBuilder().add_sink(sink))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running(app))
        await asyncio.gather(*(server.get(f"/sync/{status}") for status in (200, 503, 404)))
        assert sorted(messages(sink)) == ["endpoint", *["request_completed"] * 3]


async def test_a_level_that_nobody_knows_is_refused_when_it_is_built(monkeypatch):
    """By the name of the method or the variable that said it."""
    with pytest.raises(ConfigError, match=r"^with_flight_recorder\(level\): 'LOUD'"):
        FastAPIBuilder().with_flight_recorder("LOUD").build()
    monkeypatch.setenv("FAPILOG_FLIGHT_RECORDER__LEVEL", "LOUD")
    with pytest.raises(ConfigError, match=r"^FAPILOG_FLIGHT_RECORDER__LEVEL: 'LOUD'"):
        FastAPIBuilder().build()


async def test_with_a_journal(tmp_path):
    """What is kept is not in it; what comes out is in it as if it had been logged then, redacted."""
    sink = MemorySink(max_events=1_000)
    seen: list[bytes] = []

    def in_journal() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    app = FastAPI(lifespan=FastAPIBuilder().add_sink(sink).with_journal(str(tmp_path)).with_flight_recorder().build())

    @app.get("/")
    def endpoint() -> None:
        log.info("at once")
        log.debug("kept", password="hunter2")
        seen.append(in_journal())
        raise HTTPException(500)

    async with running(app) as server:
        await server.get("/")
        seen.append(in_journal())

    assert [b"at once" in each for each in seen] == [True, True]
    assert [b"kept" in each for each in seen] == [False, True]
    assert not any(b"hunter2" in each for each in seen)
    (event,) = [event for event in sink.events if event["message"] == "kept"]
    assert event["password"] == "***"


async def test_the_console_and_the_recorder_stand_together():
    """Both may want a request's events; the recorder's way is the same with a debug route."""
    sink = MemorySink(max_events=1_000)
    app = application(FastAPIBuilder().add_sink(sink).with_flight_recorder(10).with_debug_route(token="s3cret"))
    async with running(app) as server:
        await server.get("/sync/200")
        await server.get("/sync/503")
        assert messages(sink) == ["request_completed", "dependency", "endpoint", "request_completed"]
        answer = await server.get("/debug/logging", headers={"authorization": "Bearer s3cret"})
    assert answer.json()["recorder"] == {
        "level": "DEBUG", "on": ["error", "slow"], "slow_seconds": 1.0, "kept": 4, "released": 2, "discarded": 2,
        "evicted": 0, "held": 0, "bytes": 0,
    }  # fmt: skip
