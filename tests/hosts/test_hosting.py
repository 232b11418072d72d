"""The builder's methods for the edge, and what a lifespan installs and takes back."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn  # noqa: F401 - its loggers are taken over where it is in use
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fapilog import _runtime, get_logger
from fapilog.asgi import FapilogMiddleware
from fapilog.errors import ConfigError
from fapilog.starlette import StarletteBuilder
from tests.engine.sinks import Latched
from tests.hosts.conftest import Log
from tests.hosts.driver import request_of, running

BEARER = {"authorization": "Bearer s3cret"}


async def page(request: Any) -> PlainTextResponse:
    return PlainTextResponse("page")


def application(builder: StarletteBuilder, **kwargs: Any) -> Starlette:
    return Starlette(routes=[Route("/page/{name}", page)], lifespan=builder.build(**kwargs))


@pytest.mark.parametrize(
    ("said", "part"),
    [
        (lambda it: it.with_level("LOUD"), "LOUD"),
        (lambda it: it.with_preset("fastapy"), "fastapi"),
        (lambda it: it.skip_paths("health"), "health"),
        (lambda it: it.skip_paths(7), "7"),
        (lambda it: it.include_headers("no good"), "no good"),
        (lambda it: it.sample_rate(1.5), "1.5"),
        (lambda it: it.with_request_id("X Request"), "X Request"),
        (lambda it: it.with_access_log(level="LOUD"), "LOUD"),
        (lambda it: it.with_access_log(error_level="LOUD"), "LOUD"),
        (lambda it: it.with_trusted_proxies("10.0.0.0/99"), "10.0.0.0/99"),
        (lambda it: it.with_debug_route("debug"), "debug"),
        (lambda it: it.with_debug_route(token=""), "with_debug_route"),
        (lambda it: it.capture_stdlib(level="LOUD"), "LOUD"),
    ],
)
def test_a_wrong_value_fails_when_it_is_built(said: Any, part: str) -> None:
    """Not at startup, and not at the first request."""
    with pytest.raises(ConfigError, match=part):
        said(StarletteBuilder()).build()


@pytest.mark.parametrize("own", [7, "lifespan", lambda: None.x, object()])
def test_a_lifespan_that_is_none_is_refused(own: Any) -> None:
    """What cannot be called with an application fails at build if it can be known there."""
    if callable(own):
        StarletteBuilder().build(lifespan=own)
        return
    with pytest.raises(ConfigError, match="asynccontextmanager"):
        StarletteBuilder().build(lifespan=own)


def test_a_coroutine_function_is_no_lifespan() -> None:
    """The decorator has been forgotten."""

    async def own(app: Any) -> None: ...

    with pytest.raises(ConfigError, match="asynccontextmanager"):
        StarletteBuilder().build(lifespan=own)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_the_edge_options_reach_the_middleware(log: Log) -> None:
    """Skipped paths, headers, the name of the id's header, and levels."""
    builder = (
        StarletteBuilder()
        .add_sink(log.sink)
        .skip_paths("/page/health")
        .include_headers("X-Tenant")
        .with_request_id("X-Correlation-ID", accept=False)
        .with_access_log(level="WARNING")
    )
    async with running(application(builder)) as server:
        await server.get("/page/health")
        answer = await server.get("/page/one", headers={"X-Tenant": "t1", "X-Correlation-ID": "theirs"})

    assert answer.headers["x-correlation-id"] == log.request["request_id"] != "theirs"
    assert log.request["level"] == "WARNING"
    assert log.request["request_headers"] == {"x-tenant": "t1"}


@pytest.mark.asyncio
async def test_sampling_keeps_no_success_at_rate_zero(log: Log) -> None:
    """Failures stay."""
    async with running(application(StarletteBuilder().add_sink(log.sink).sample_rate(0))) as server:
        await server.get("/page/one")
        await server.get("/nowhere")

    assert [event["status_code"] for event in log.requests] == [404]


@pytest.mark.asyncio
async def test_the_engine_is_the_default_while_the_lifespan_runs(log: Log) -> None:
    """A module-level logger follows it there and back; what it logs in between is delivered when shutdown is over."""
    logger = get_logger("module")
    former = _runtime.default_engine()
    async with running(application(StarletteBuilder().add_sink(log.sink))):
        assert _runtime.default_engine() is not former
        logger.info("inside")

    assert _runtime.default_engine() is former
    assert [event["message"] for event in log.of("module")] == ["inside"]


@pytest.mark.asyncio
async def test_the_users_lifespan_runs_inside(log: Log) -> None:
    """P27: its state passes through, and what it logs at either end is delivered."""

    @asynccontextmanager
    async def own(app: Any) -> AsyncIterator[dict[str, Any]]:
        get_logger("own").info("up", app=type(app).__name__)
        yield {"pool": "p1"}
        get_logger("own").info("down")

    async with running(application(StarletteBuilder().add_sink(log.sink), lifespan=own)) as server:
        assert server.state["pool"] == "p1"

    assert [event["message"] for event in log.of("own")] == ["up", "down"]
    assert log.of("own")[0]["app"] == "Starlette"


@pytest.mark.asyncio
@pytest.mark.parametrize("when", ["startup", "shutdown"])
async def test_the_users_lifespans_error_propagates_and_the_drain_still_runs(when: str, log: Log) -> None:
    """P27: the very exception comes out, the events are delivered, the former default is back."""
    error = RuntimeError(when)
    former = _runtime.default_engine()

    @asynccontextmanager
    async def own(app: Any) -> AsyncIterator[None]:
        get_logger("own").info("up")
        if when == "startup":
            raise error
        yield
        get_logger("own").info("down")
        raise error

    app = application(StarletteBuilder().add_sink(log.sink), lifespan=own)
    stack = app.middleware_stack = app.build_middleware_stack()
    with pytest.raises(RuntimeError) as raised:
        async with app.router.lifespan_context(app):
            pass

    assert raised.value is error
    assert [event["message"] for event in log.of("own")] == (["up"] if when == "startup" else ["up", "down"])
    assert _runtime.default_engine() is former
    assert app.middleware_stack is stack


@pytest.mark.asyncio
async def test_an_old_style_lifespan_is_taken(log: Log) -> None:
    """An undecorated asynchronous generator works as Starlette lets it."""

    async def own(app: Any) -> AsyncIterator[dict[str, int]]:
        yield {"one": 1}

    async with running(application(StarletteBuilder().add_sink(log.sink), lifespan=own)) as server:  # type: ignore[arg-type]
        assert server.state == {"one": 1}


@pytest.mark.asyncio
async def test_a_second_lifespan_works_and_installs_nothing_twice(log: Log) -> None:
    """P24: one middleware, one route, one event for a request, however often the application has run."""
    app = application(StarletteBuilder().add_sink(log.sink).with_debug_route(token="s3cret"))
    for _ in range(3):
        async with running(app) as server:
            await server.get("/page/one")
            assert (await server.get("/debug/logging", headers=BEARER)).status_code == 200

    assert len(log.requests) == 3


@pytest.mark.asyncio
async def test_lifespans_that_overlap_share_one_middleware(log: Log) -> None:
    """P24: two test clients on one application, closed in the order in which they were opened."""
    app = application(StarletteBuilder().add_sink(log.sink))
    first, second = app.router.lifespan_context(app), app.router.lifespan_context(app)
    await first.__aenter__()
    installed = app.middleware_stack
    await second.__aenter__()
    assert app.middleware_stack is installed
    await first.__aexit__(None, None, None)
    await request_of(app, path="/page/one")
    await second.__aexit__(None, None, None)

    assert log.request["http_route"] == "/page/{name}"
    assert app.middleware_stack is not installed


@pytest.mark.asyncio
async def test_what_others_have_wrapped_around_ours_stays(log: Log) -> None:
    """What somebody installs after us is not thrown away at shutdown."""
    app = application(StarletteBuilder().add_sink(log.sink))
    async with running(app):
        ours = app.middleware_stack

        async def theirs(scope: Any, receive: Any, send: Any) -> None:
            await ours(scope, receive, send)  # type: ignore[misc]

        app.middleware_stack = theirs

    assert app.middleware_stack is theirs


@pytest.mark.asyncio
async def test_after_the_lifespan_the_application_works_without_us(log: Log) -> None:
    """Everything is undone."""
    app = application(StarletteBuilder().add_sink(log.sink).with_debug_route(token="s3cret"))
    async with running(app):
        pass
    sent = await request_of(app, path="/page/one")
    debug = await request_of(app, path="/debug/logging", headers=[(b"authorization", b"Bearer s3cret")])

    assert (sent[0]["status"], debug[0]["status"]) == (200, 404)
    assert not [name for name, _ in sent[0]["headers"] if name == b"x-request-id"]
    assert log.requests == []


@pytest.mark.asyncio
async def test_without_a_lifespan_nothing_is_installed(log: Log) -> None:
    """P25: what the documentation says; for this case there is ``FapilogMiddleware``."""
    app = application(StarletteBuilder().add_sink(log.sink).with_debug_route(token="s3cret"))
    sent = await request_of(app, path="/page/one")

    assert sent[0]["status"] == 200
    assert log.requests == []


@pytest.mark.asyncio
async def test_the_middleware_takes_the_builders_edge_without_a_lifespan(log: Log) -> None:
    """P25: logging, the options of the edge and the debug route work in an application that nobody has started."""
    builder = StarletteBuilder().add_sink(log.sink).skip_paths("/page/quiet").with_debug_route(token="s3cret")
    app = FapilogMiddleware(Starlette(routes=[Route("/page/{name}", page)]), builder=builder)
    for path in ("/page/quiet", "/page/one"):
        await request_of(app, path=path)
    debug = await request_of(app, path="/debug/logging", headers=[(b"authorization", b"Bearer s3cret")])
    await _runtime.default_engine().drain_async()
    del app
    gc.collect()

    assert debug[0]["status"] == 200
    assert log.request["http_route"] == "/page/{name}"


@pytest.mark.asyncio
async def test_the_middleware_around_an_application_with_our_lifespan_is_one(log: Log) -> None:
    """P24: installed twice, the outer one works; there is one event and one debug route."""
    inner = application(StarletteBuilder().add_sink(log.sink))
    async with running(FapilogMiddleware(inner)) as server:
        await server.get("/page/one")

    assert log.request["status_code"] == 200


@pytest.mark.asyncio
async def test_two_applications_do_not_disturb_each_other() -> None:
    """Each lifespan has its own engine; the later one is the default."""
    logs = [Log(), Log()]
    apps = [application(StarletteBuilder().add_sink(log.sink)) for log in logs]
    async with running(apps[0]) as first, running(apps[1]) as second:
        get_logger("both").info("later wins")
        await second.get("/page/two")
    async with running(apps[0]) as first:
        await first.get("/page/one")

    assert [event["path"] for event in logs[0].requests] == ["/page/one"]
    assert [event["path"] for event in logs[1].requests] == ["/page/two"]
    assert [len(log.of("both")) for log in logs] == [0, 1]


@pytest.mark.asyncio
async def test_the_servers_loggers_are_taken_over_and_given_back(log: Log) -> None:
    """A line of uvicorn's is an event of ours while the lifespan runs, and its access line is left out."""
    server_logger, access = logging.getLogger("uvicorn.error"), logging.getLogger("uvicorn.access")
    before = [(list(it.handlers), it.propagate, it.level) for it in (server_logger, access)]
    async with running(application(StarletteBuilder().add_sink(log.sink))):
        server_logger.info("Uvicorn running on %s", "somewhere")
        access.info('%s - "%s %s HTTP/%s" %d', "c", "GET", "/", "1.1", 200)

    assert [event["message"] for event in log.of("uvicorn.error")] == ["Uvicorn running on somewhere"]
    assert log.of("uvicorn.access") == []
    assert [(list(it.handlers), it.propagate, it.level) for it in (server_logger, access)] == before


@pytest.mark.asyncio
async def test_all_of_logging_can_be_captured(log: Log) -> None:
    """``capture_stdlib()`` on the builder lasts as long as the lifespan."""
    builder = StarletteBuilder().add_sink(log.sink).with_level("DEBUG").capture_stdlib(level="DEBUG")
    async with running(application(builder)):
        logging.getLogger("some.library").debug("said", extra={"part": 1})

    (event,) = log.of("some.library")
    assert (event["message"], event["part"]) == ("said", 1)


@pytest.mark.asyncio
async def test_the_servers_loggers_can_be_left_alone(log: Log) -> None:
    """``capture_stdlib(loggers=(), servers=False)`` touches none."""
    builder = StarletteBuilder().add_sink(log.sink).capture_stdlib(loggers=(), servers=False)
    async with running(application(builder)):
        logging.getLogger("uvicorn.error").info("not ours")

    assert log.of("uvicorn.error") == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("preset", "asked", "token", "status"),
    [
        (None, False, None, 404), (None, True, None, 401), ("dev", False, None, 404), ("dev", True, None, 401),
        ("fastapi", False, None, 401), ("production", False, None, 404), ("production", True, None, 404),
        ("production", True, "s3cret", 401),
    ],
)  # fmt: skip
async def test_where_there_is_a_debug_route(
    preset: str | None, asked: bool, token: str | None, status: int, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    """H10: off unless asked for or in the preset; off in production unless it has a token of its own."""
    builder = StarletteBuilder() if preset is None else StarletteBuilder().with_preset(preset)
    if asked:
        builder.with_debug_route(token=token)
    async with running(application(builder.add_sink(log.sink))) as server:
        answer = await server.get("/debug/logging")

    told = capsys.readouterr().err
    assert answer.status_code == status
    assert ("/debug/logging?once=" in told) == (status == 401 and token is None)
    assert ("off under production" in told) == (asked and status == 404)


@pytest.mark.asyncio
async def test_the_route_of_the_preset_can_be_taken_away(log: Log) -> None:
    """``with_debug_route(None)``."""
    builder = StarletteBuilder().with_preset("fastapi").with_debug_route(None).add_sink(log.sink)
    async with running(application(builder)) as server:
        assert (await server.get("/debug/logging")).status_code == 404


@pytest.mark.asyncio
async def test_the_link_is_printed_once_and_works(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    """A generated token is told on standard error and nowhere else, however often the application runs."""
    app = application(StarletteBuilder().add_sink(log.sink).with_debug_route("/figures"))
    said: list[str] = []
    statuses: list[int] = []
    for _ in range(2):
        async with running(app) as server:
            said.append(capsys.readouterr().err)
            link, token = (line.split()[-1] for line in said[0].splitlines())
            assert link.startswith("/figures?once=")
            opened = await server.get(link, headers={"accept": "text/html"})
            statuses.append(opened.status_code)
            assert (await server.get("/figures", headers={"authorization": f"Bearer {token}"})).status_code == 200

    assert said[1] == ""
    assert statuses == [200, 401]
    assert link.partition("=")[2] not in repr(log.events)
    assert token not in repr(log.events)


@pytest.mark.asyncio
async def test_the_figures_are_those_of_the_engine(log: Log) -> None:
    """Engine, queue, sinks and levels; P48: reading them is not logged."""
    app = application(StarletteBuilder().add_sink(log.sink).skip_paths("/page/quiet").with_debug_route(token="s3cret"))
    async with running(app) as server:
        get_logger("app").info("one")
        await server.get("/page/quiet")
        figures = (await server.get("/debug/logging", headers=BEARER)).json()
        await server.get("/debug/logging")

    assert figures["state"] == "running"
    assert figures["submitted"] == 1
    assert figures["submitted"] == figures["delivered"] + figures["in_flight"]
    assert figures["queue"]["capacity"] == 10_000
    assert figures["sinks"].keys() == {"memory"}
    assert figures["levels"]["default"]["effective"] == "INFO"
    assert figures["withheld"] == {"skip_paths": 1}
    assert log.requests == []


@pytest.mark.asyncio
async def test_no_text_of_an_error_is_shown(log: Log) -> None:
    """H12: an exception may hold a connection string; kind, time and type are enough to look further."""

    def broken(event: Any) -> bool:
        raise OSError("postgres://user:canary@db")

    builder = StarletteBuilder().add_sink(log.sink).with_filter(broken).with_diagnostics(enabled=False)
    async with running(application(builder.with_debug_route(token="s3cret"))) as server:
        get_logger("app").info("one")
        assert _runtime.default_engine().flush(5)
        answer = await server.get("/debug/logging", headers=BEARER)

    assert answer.json()["diagnostics"]["recent"]
    assert "canary" not in answer.text


@pytest.mark.asyncio
@pytest.mark.parametrize("asked", [True, False])
async def test_a_request_may_end_only_when_its_events_are_with_the_sinks(asked: bool) -> None:
    """What a platform that freezes the process between requests needs: preset serverless asks for it."""
    sink = Latched()
    builder = StarletteBuilder().flush_each_request(enabled=asked).add_sink(sink)
    async with running(application(builder)) as server:
        request = asyncio.ensure_future(server.get("/page/7"))
        assert await asyncio.to_thread(sink.entered.wait, 10)
        done, _ = await asyncio.wait({request}, timeout=0.1 if asked else 5)
        assert bool(done) is not asked
        sink.release()
        assert (await request).status_code == 200


@pytest.mark.parametrize(("preset", "flushes"), [("serverless", True), ("production", False)])
def test_the_serverless_preset_flushes_each_request(preset: str, flushes: bool) -> None:
    """As design 9 has it."""
    assert StarletteBuilder().with_preset(preset).options().asgi.flush_each_request is flushes
