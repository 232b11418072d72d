"""The lifespan scope, message by message: who gets the events when, and when they are delivered."""

import asyncio
import gc
import json
import logging
import sys

import pytest
import uvicorn

from fapilog import LoggerBuilder, _runtime, get_logger
from fapilog.asgi import FapilogMiddleware
from fapilog.sinks.memory import MemorySink
from tests.asgi.driver import Server, answering, http_scope

pytestmark = pytest.mark.asyncio

STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
STARTED, STOPPED = {"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}


def lifespan_scope(**more):
    return {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}, **more}


@pytest.fixture(autouse=True)
def _collected():
    """What an application without a lifespan leaves is given back when its middleware is collected."""
    yield
    gc.collect()


class Own:
    """A middleware with an engine of memory of its own around an application."""

    def __init__(self, app):
        self.sink = MemorySink()
        self.middleware = FapilogMiddleware(app, builder=LoggerBuilder().add_sink(self.sink))

    def messages(self):
        return [event["message"] for event in self.sink.events]


def living(during=None):
    """Return an application with a well-behaved lifespan that logs at both ends and answers requests."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await answering()(scope, receive, send)
            return
        assert await receive() == STARTUP
        get_logger("app").info("starting")
        await send(STARTED)
        assert await receive() == SHUTDOWN
        get_logger("app").info("stopping")
        await send(STOPPED)

    return app


async def test_the_engine_is_the_default_while_the_application_runs_and_is_drained_before_the_end_is_told(log):
    """The server may end the process as soon as it has the last message: everything is with the sinks by then."""
    delivered = []
    own = Own(living())

    class Watching(Server):
        async def send(self, message):
            delivered.append(own.messages())
            await super().send(message)

    before = _runtime.default_engine()
    server = Watching(STARTUP, SHUTDOWN)
    await server.run(own.middleware, lifespan_scope())

    assert server.sent == [STARTED, STOPPED]
    assert delivered[-1] == ["starting", "stopping"]
    assert _runtime.default_engine() is before
    assert log.events == []


async def test_a_second_lifespan_works_like_the_first():
    """A drain is not the death of an engine."""
    own = Own(living())
    for _ in range(2):
        await Server(STARTUP, SHUTDOWN).run(own.middleware, lifespan_scope())

    assert own.messages() == ["starting", "stopping"] * 2


async def test_without_an_engine_of_its_own_it_drains_the_default_one(log):
    """Whichever that is by then."""
    await Server(STARTUP, SHUTDOWN).run(FapilogMiddleware(living()), lifespan_scope())

    assert [event["message"] for event in log.sink.events] == ["starting", "stopping"]


async def test_the_state_is_the_servers_own_object(log):
    """What the application puts into it arrives."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)
        await living()(scope, receive, send)

    scope = lifespan_scope()
    await Server(STARTUP, SHUTDOWN).run(FapilogMiddleware(app), scope)

    assert seen[0] is scope
    assert scope == lifespan_scope()


@pytest.mark.parametrize("error", [AssertionError("http only"), RuntimeError("no database"), SystemExit(3)])
async def test_an_error_at_startup_goes_on_unchanged_and_what_was_logged_is_delivered(error):
    """uvicorn reads it as "unsupported" or as a failed start: that is not ours to decide."""

    async def app(scope, receive, send):
        get_logger("app").error("cannot start")
        raise error

    own = Own(app)
    server = Server(STARTUP)
    with pytest.raises(type(error)) as caught:
        await server.run(own.middleware, lifespan_scope())

    assert caught.value is error
    assert server.sent == []
    assert own.messages() == ["cannot start"]
    error.__traceback__ = None  # it holds this frame, and pytest holds the error


@pytest.mark.parametrize("kind", ["lifespan.startup.failed", "lifespan.shutdown.failed"])
async def test_a_failure_that_is_told_is_passed_on_after_the_drain(kind):
    """With its text."""
    told = {"type": kind, "message": "no database"}

    async def app(scope, receive, send):
        await receive()
        get_logger("app").error("failing")
        if "shutdown" in kind:
            await send(STARTED)
            await receive()
        await send(told)

    own = Own(app)
    delivered = []

    class Watching(Server):
        async def send(self, message):
            delivered.append(own.messages())
            await super().send(message)

    server = Watching(STARTUP, SHUTDOWN)
    await server.run(own.middleware, lifespan_scope())

    assert server.sent[-1] is told
    assert delivered[-1] == ["failing"]


async def test_an_error_at_shutdown_goes_on_unchanged_after_the_drain():
    """The same object."""
    error = RuntimeError("cannot stop")

    async def app(scope, receive, send):
        await receive()
        await send(STARTED)
        await receive()
        get_logger("app").info("stopping")
        raise error

    own = Own(app)
    with pytest.raises(RuntimeError) as caught:
        await Server(STARTUP, SHUTDOWN).run(own.middleware, lifespan_scope())

    assert caught.value is error
    assert own.messages() == ["stopping"]


async def test_a_cancelled_lifespan_is_drained_and_stays_cancelled():
    """As when a server gives up waiting, or its loop ends."""
    running = asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        await send(STARTED)
        get_logger("app").info("running")
        running.set()
        await asyncio.Event().wait()

    own = Own(app)
    task = asyncio.create_task(Server(STARTUP).run(own.middleware, lifespan_scope()))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert own.messages() == ["running"]


async def test_an_application_without_a_lifespan_is_served_all_the_same(log):
    """The scope made it raise; the first request lends the engine, and it is given back when nobody is left."""

    async def app(scope, receive, send):
        assert scope["type"] == "http"
        get_logger("app").info("inside")
        await answering()(scope, receive, send)

    own = Own(app)
    with pytest.raises(AssertionError):
        await Server(STARTUP).run(own.middleware, lifespan_scope())
    for _ in range(2):
        await Server().run(own.middleware, http_scope())
    engine = _runtime.default_engine()
    assert engine.flush(10)

    assert own.messages() == ["inside", "request_completed"] * 2
    assert log.events == []
    own.middleware = None
    gc.collect()
    assert logging.getLogger("uvicorn").handlers == []
    assert _runtime.default_engine() is log.engine
    assert engine.drain(10).in_flight == 0


async def test_without_any_lifespan_the_first_request_lends_the_engine():
    """Before a lifespan, or after one is over: a test client need not be entered."""
    own = Own(living())
    for _ in range(2):
        await Server().run(own.middleware, http_scope())
    assert _runtime.default_engine().drain(10).in_flight == 0
    other = Own(living())
    await Server(STARTUP, SHUTDOWN).run(other.middleware, lifespan_scope())
    await Server().run(other.middleware, http_scope())
    assert _runtime.default_engine().drain(10).in_flight == 0

    assert own.messages() == ["request_completed"] * 2
    assert other.messages() == ["starting", "stopping", "request_completed"]


async def test_an_application_that_ignores_the_lifespan_is_served_all_the_same():
    """It returns without a word, and the server goes on."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            get_logger("app").info("inside")
            await answering()(scope, receive, send)

    own = Own(app)
    await Server(STARTUP).run(own.middleware, lifespan_scope())
    await Server().run(own.middleware, http_scope())
    assert _runtime.default_engine().drain(10).in_flight == 0

    assert own.messages() == ["inside", "request_completed"]


async def test_the_servers_loggers_stay_with_us_if_the_application_has_no_lifespan(log):
    """The server goes on, and so do its lines; they are given back with the middleware."""

    async def app(scope, receive, send):
        raise NotImplementedError

    middleware = FapilogMiddleware(app)
    with pytest.raises(NotImplementedError):
        await Server(STARTUP).run(middleware, lifespan_scope())
    logging.getLogger("uvicorn.error").info("ASGI 'lifespan' protocol appears unsupported.")

    assert [event["logger"] for event in log.events] == ["uvicorn.error"]
    del middleware
    gc.collect()
    assert logging.getLogger("uvicorn").handlers == []


async def test_of_two_the_outer_one_takes_part(log):
    """The inner one steps aside, also here."""
    inner = Own(living())
    outer = FapilogMiddleware(inner.middleware)
    await Server(STARTUP, SHUTDOWN).run(outer, lifespan_scope())

    assert inner.messages() == []
    assert [event["message"] for event in log.events] == ["starting", "stopping"]


async def test_an_inner_one_does_not_lend_its_engine_to_requests(log):
    """Requests that the outer one has taken are none of its business."""
    inner = Own(answering())
    await Server().run(FapilogMiddleware(inner.middleware), http_scope())

    assert _runtime.default_engine() is log.engine
    assert log.request["message"] == "request_completed"


async def test_the_servers_loggers_are_taken_over_meanwhile(log):
    """The server's lines are events; its access lines are left out, for the completion events tell the same."""
    assert uvicorn.__name__ in sys.modules  # loggers of servers that are not in use are left alone
    error, access = logging.getLogger("uvicorn.error"), logging.getLogger("uvicorn.access")
    before = [(logger.handlers, logger.propagate, logger.level) for logger in (error, access)]

    async def app(scope, receive, send):
        await receive()
        error.info("Application startup")
        access.info('%s - "%s %s HTTP/%s" %d', "1.2.3.4:5", "GET", "/", "1.1", 200)
        await send(STARTED)
        await receive()
        await send(STOPPED)

    await Server(STARTUP, SHUTDOWN).run(FapilogMiddleware(app), lifespan_scope())

    assert [(event["logger"], event["message"]) for event in log.events] == [("uvicorn.error", "Application startup")]
    assert [(logger.handlers, logger.propagate, logger.level) for logger in (error, access)] == before


async def test_a_hosts_builder_brings_what_it_was_told(log, capfd):
    """Rules, ids, debug route and captures; with and without a lifespan, in front of a catch-all application."""
    from fapilog.starlette import StarletteBuilder

    builder = StarletteBuilder().add_sink(MemorySink()).skip_paths("/health").with_debug_route(token="s3cret")
    middleware = FapilogMiddleware(living(), builder=builder.capture_stdlib(level="DEBUG"))
    local = (b"host", b"localhost")
    ask = http_scope("/debug/logging", headers=[local, (b"authorization", b"Bearer s3cret")], query_string=b"")
    await Server().run(middleware, http_scope("/health"))
    figures, refused = Server(), Server()
    await figures.run(middleware, ask)
    await refused.run(middleware, http_scope("/debug/logging", headers=[local], query_string=b""))

    assert figures.sent[0]["status"] == 200
    assert json.loads(figures.body)["withheld"] == {"skip_paths": 1}
    assert refused.sent[0]["status"] == 401
    assert "s3cret" not in "".join(capfd.readouterr())
    _runtime.default_engine().drain(10)


async def test_the_standard_library_is_captured_if_the_builder_was_told_so():
    """For as long as the lifespan runs."""
    from fapilog.starlette import StarletteBuilder

    async def app(scope, receive, send):
        await receive()
        await send(STARTED)
        logging.getLogger("library").debug("from a library")
        await receive()
        await send(STOPPED)

    sink = MemorySink()
    builder = StarletteBuilder().with_level("DEBUG").add_sink(sink).capture_stdlib(level="DEBUG")
    await Server(STARTUP, SHUTDOWN).run(FapilogMiddleware(app, builder=builder), lifespan_scope())

    assert [event["message"] for event in sink.events] == ["from a library"]
