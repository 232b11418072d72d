"""One request louder by its header: all of it, and nothing of the others."""

import asyncio
import gc
import logging
import threading
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest

from fapilog import _runtime, bind_context, clear_context, get_logger, recorder
from fapilog.asgi.debug import level_token
from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.louder import LouderRules
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.context import OUTSIDE, Scope, current
from fapilog.edge_options import AsgiOptions
from fapilog.stdlib import FapilogHandler, capture_stdlib
from fapilog.testing import FakeClock
from tests.asgi.conftest import Log
from tests.asgi.driver import App, Server, http_scope, reply, websocket_scope

SECRET = "s3cret-token"
pytestmark = pytest.mark.asyncio


class Loudness:
    """An engine at INFO, and what makes requests to its applications louder."""

    def __init__(self, log: Log) -> None:
        self.log = log
        log.engine.set_level("INFO")
        self.clock = FakeClock()
        self.rules = LouderRules(
            Token(SECRET), _runtime.default_engine, self.clock, lambda scope: str(scope["client"][0])
        )
        self.made_before = get_logger("app").bind(made="before")

    def around(self, app: App, **options: Any) -> RequestMiddleware:
        """Put the middleware in front."""
        return RequestMiddleware(app, AsgiOptions(**options), below=self.rules.around(None))

    def header(self, level: str | int = "DEBUG", seconds: float = 600) -> list[tuple[bytes, bytes]]:
        """Return a valid header."""
        return [(b"x-log-level", level_token(SECRET, level, seconds, clock=self.clock).encode())]

    @property
    def messages(self) -> list[str]:
        """What the application has said."""
        return [event["message"] for event in self.log.of("app")]

    @property
    def is_floor_open(self) -> bool:
        """Whether log calls below the level come as far as to somebody who may want them."""
        origin = self.made_before._origin
        return origin.level < origin.threshold


@pytest.fixture
def loudness(log: Log) -> Iterator[Loudness]:
    made = Loudness(log)
    yield made
    gc.collect()
    assert not made.is_floor_open


async def test_of_a_hundred_requests_one_is_louder(loudness: Loudness) -> None:
    """All run at the same time, in each other's way; loggers were made and bound before."""
    all_here = asyncio.Barrier(100)
    log = loudness.made_before

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await all_here.wait()
        log.debug("first", path=scope["path"])
        await asyncio.sleep(0)
        get_logger("app").bind(made="inside").debug("second", path=scope["path"])
        await all_here.wait()
        await reply(send)

    served = loudness.around(app)
    scopes = [http_scope(f"/{n}", headers=loudness.header() if n == 57 else ()) for n in range(100)]
    await asyncio.gather(*(Server().run(served, scope) for scope in scopes))

    assert [(event["message"], event["path"]) for event in loudness.log.of("app")] == [
        ("first", "/57"),
        ("second", "/57"),
    ]
    assert [event["path"] for event in loudness.log.requests if "log_level" in event] == ["/57"]
    assert len(loudness.log.requests) == 100


async def test_the_level_that_was_asked_for_is_the_lowest(loudness: Loudness) -> None:
    """Louder than the others, and no louder than asked."""
    loudness.log.engine.set_level("ERROR")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for level in ("debug", "info", "warning", "error"):
            getattr(get_logger("app"), level)(level)
        assert get_logger("app").is_enabled_for("INFO")
        assert not get_logger("app").is_enabled_for("DEBUG")
        await reply(send)

    await Server().run(loudness.around(app), http_scope(headers=loudness.header("INFO")))

    assert loudness.messages == ["info", "warning", "error"]
    assert loudness.log.request["log_level"] == "INFO"


async def test_the_completion_event_comes_out_although_it_is_skipped(loudness: Loudness) -> None:
    """Who asks for one request wants to see it whole; what the others do not say stays counted as withheld."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        clear_context()
        await reply(send)

    served = loudness.around(app, skip_paths=("/health",), sample_rate=0.0)
    await Server().run(served, http_scope("/health"))
    await Server().run(served, http_scope("/other"))
    await Server().run(served, http_scope("/health", headers=loudness.header()))
    await Server().run(served, http_scope("/other", headers=loudness.header()))

    assert [(event["path"], event["log_level"]) for event in loudness.log.requests] == [
        ("/health", "DEBUG"),
        ("/other", "DEBUG"),
    ]
    assert served.access.rules.withheld == {"skip_paths": 1, "sample_rate": 1}


async def test_the_header_is_masked_and_goes_nowhere(loudness: Loudness) -> None:
    """Whoever can read the log must not get a value that is still good."""
    header = loudness.header()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await reply(send)

    served = loudness.around(app, include_headers=("X-Log-Level",))
    await Server().run(served, http_scope(headers=header))
    await Server().run(served, http_scope(headers=[(b"x-log-level", header[0][1] + b"x")]))

    assert [event["request_headers"] for event in loudness.log.requests] == [{"x-log-level": "***"}] * 2
    assert header[0][1].decode() not in str(loudness.log.events)


async def test_threads_tasks_and_what_comes_after_the_answer(loudness: Loudness) -> None:
    """A thread pool, a background task inside the call, and a task that outlives the request."""
    go_on = asyncio.Event()
    tasks = []

    async def outlives() -> None:
        await go_on.wait()
        get_logger("app").debug("after all")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.to_thread(get_logger("app").debug, "in a thread")
        tasks.append(asyncio.create_task(outlives()))
        await reply(send)
        get_logger("app").debug("in the background")

    await Server().run(loudness.around(app), http_scope(headers=loudness.header()))
    assert loudness.is_floor_open
    go_on.set()
    await tasks.pop()

    assert loudness.messages == ["in a thread", "in the background", "after all"]
    # What runs now was woken by the task and has it in its hands.
    await asyncio.sleep(0)
    assert not loudness.is_floor_open


async def test_the_floor_closes_with_the_request_itself(loudness: Loudness) -> None:
    """At once, not when the collector comes; and what is said outside stays quiet while it is open."""
    gc.disable()
    try:
        outside = threading.Event()
        done = threading.Event()

        def another() -> None:
            assert outside.wait(10)
            get_logger("app").debug("outside")
            done.set()

        thread = threading.Thread(target=another)
        thread.start()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert loudness.is_floor_open
            outside.set()
            assert await asyncio.to_thread(done.wait, 10)
            get_logger("app").debug("inside")
            await reply(send)

        await asyncio.create_task(Server().run(loudness.around(app), http_scope(headers=loudness.header())))

        thread.join()
        assert not loudness.is_floor_open
        assert loudness.messages == ["inside"]
    finally:
        gc.enable()


async def test_what_lives_for_ever_is_louder_until_the_header_ends(loudness: Loudness) -> None:
    """A pool's task that the request happened to start keeps its context as long as the process lives."""
    again = asyncio.Event()
    over = asyncio.Event()
    tasks = []

    async def pool() -> None:
        get_logger("app").debug("while it is good")
        await again.wait()
        get_logger("app").debug("when it is not")
        over.set()
        await asyncio.Event().wait()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        tasks.append(asyncio.create_task(pool()))
        await asyncio.sleep(0)
        await reply(send)

    await Server().run(loudness.around(app), http_scope(headers=loudness.header(seconds=60)))
    loudness.clock.advance(60)
    assert loudness.is_floor_open
    again.set()
    await over.wait()

    assert loudness.messages == ["while it is good"]
    assert not loudness.is_floor_open
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_stream_is_louder_to_its_end(loudness: Loudness) -> None:
    """Also where the application binds on its way."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in range(3):
            bind_context(part=part)
            get_logger("app").debug("sent")
            await send({"type": "http.response.body", "body": b"x", "more_body": part < 2})

    await Server().run(loudness.around(app), http_scope(headers=loudness.header()))

    assert [event["part"] for event in loudness.log.of("app")] == [0, 1, 2]


async def test_a_websocket_is_louder_to_its_end(loudness: Loudness) -> None:
    """Its messages too, and both of its events come out although its path is skipped."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(2):
            message = await receive()
            get_logger("app").debug("heard", text=message["text"])
        await send({"type": "websocket.close", "code": 1000})

    messages = [{"type": "websocket.connect"}, *({"type": "websocket.receive", "text": text} for text in "ab")]
    served = loudness.around(app, skip_paths=("*",))
    await Server(*messages).run(served, websocket_scope(headers=loudness.header()))
    await Server(*messages).run(served, websocket_scope())

    assert [event["text"] for event in loudness.log.of("app")] == ["a", "b"]
    assert [event["message"] for event in loudness.log.requests] == ["websocket_opened", "websocket_closed"]
    assert loudness.log.requests[1]["log_level"] == "DEBUG"


async def test_exceptions_and_containers_below_the_level_come_whole(loudness: Loudness) -> None:
    """The way around the fast path is the same as for any event."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            raise ValueError("boom")
        except ValueError:
            get_logger("app").debug("caught %s", "it", exc_info=True, order={"lines": [1, 2]})
        await reply(send)

    await Server().run(loudness.around(app), http_scope(headers=loudness.header()))

    (event,) = loudness.log.of("app")
    assert event["message"] == "caught it"
    assert event["order"] == {"lines": [1, 2]}
    assert event["exception"]["type"] == "ValueError"
    assert event["request_id"] == loudness.log.request["request_id"]


async def test_a_request_that_fails_lets_go_of_the_floor(loudness: Loudness) -> None:
    """The exception's frames hold the request; whoever has handled it has let go of them, without the collector."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        get_logger("app").debug("before")
        raise ValueError("boom")

    raised: list[str] = []

    async def serve() -> None:
        # Not pytest.raises, which keeps the exception in a cycle.
        try:
            await Server().run(loudness.around(app), http_scope(headers=loudness.header()))
        except ValueError as error:
            raised.append(str(error))

    gc.disable()
    try:
        await asyncio.create_task(serve())
        assert loudness.log.request["log_level"] == "DEBUG"
        assert (loudness.messages, raised) == (["before"], ["boom"])
        await asyncio.sleep(0)
        assert not loudness.is_floor_open
    finally:
        gc.enable()


async def test_records_of_logging_take_part_where_they_are_made(loudness: Loudness) -> None:
    """``capture_stdlib`` may take more than the levels let through: then a louder request says it, and no other."""
    stdlib = logging.getLogger("app")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        stdlib.debug("from logging", extra={"path": scope["path"]})
        await reply(send)

    served = loudness.around(app)
    with capture_stdlib(level="DEBUG"):
        await Server().run(served, http_scope("/quiet"))
        await Server().run(served, http_scope("/loud", headers=loudness.header()))
    await Server().run(served, http_scope("/late", headers=loudness.header()))

    assert [event["path"] for event in loudness.log.of("app")] == ["/loud"]


async def test_a_record_of_logging_that_is_not_taken_is_left_to_other_handlers(
    loudness: Loudness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While some request is louder; OpenTelemetry's handler leaves out only what we answer for."""
    noted: list[str] = []
    with capture_stdlib(level="DEBUG"):
        (handler,) = (each for each in logging.getLogger().handlers if isinstance(each, FapilogHandler))
        monkeypatch.setattr(handler.otel_handlers, "note", lambda record, queue: noted.append(record.getMessage()))

        async def app(scope: Any, receive: Any, send: Any) -> None:
            logging.getLogger("app").debug("inside")
            copy_context().run(outside)
            await reply(send)

        def outside() -> None:
            current.set(Scope({}, OUTSIDE))
            logging.getLogger("app").debug("outside")

        await Server().run(loudness.around(app), http_scope(headers=loudness.header()))

    assert noted == ["inside"]


class Inner:
    """Keeps what comes to it, as the flight recorder does."""

    level = 5

    def __init__(self) -> None:
        self.kept: list[int] = []

    def take(self, record: tuple[Any, ...], size_bytes: int, queue: Any, may_await: bool) -> None:
        """Keep the level."""
        self.kept.append(record[1])


async def test_what_is_below_the_louder_level_too_goes_to_the_recorder(loudness: Loudness) -> None:
    """Both at once: nothing twice, nothing lost between them."""
    inner = Inner()
    loudness.log.engine.set_level("WARNING")
    close = loudness.log.engine.open_floor(5)
    served = RequestMiddleware(answer_at_each_level, below=loudness.rules.around(lambda _: inner))

    await Server().run(served, http_scope(headers=loudness.header("INFO")))
    assert (loudness.messages, inner.kept) == (["20", "30"], [10])
    await Server().run(served, http_scope())
    assert (loudness.messages, inner.kept) == (["20", "30", "30"], [10, 10, 20, 20])
    close()


async def answer_at_each_level(scope: Any, receive: Any, send: Any) -> None:
    for level in (10, 20, 30):
        get_logger("app").log(level, str(level))
    await reply(send)


async def test_a_hook_that_fails_costs_no_request(loudness: Loudness) -> None:
    """It is counted and told, and the request is one like any other."""

    def broken(_: Any) -> None:
        raise RuntimeError("broken")

    served = RequestMiddleware(answer_at_each_level, below=loudness.rules.around(broken))

    await Server().run(served, http_scope(headers=loudness.header()))

    assert loudness.messages == ["20", "30"]
    assert loudness.log.engine.diagnostics.counts()["asgi_below"] == 1


async def test_nothing_is_around_a_request_like_any_other(loudness: Loudness) -> None:
    """Without a header and a rule its scope is what it was before there was such a thing."""
    seen: list[Scope] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current.get())
        await reply(send)

    await Server().run(loudness.around(app), http_scope())

    assert seen[0].below is None
    assert not loudness.is_floor_open


async def test_a_recorded_job_within_a_louder_request_is_louder_too(loudness: Loudness) -> None:
    """What the grant lets through comes out at once; below it, and in other requests, the job's recorder decides."""
    log = loudness.made_before

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for fails in (False, True):
            try:
                with recorder(level=1), recorder(level=5):
                    log.debug(f"debug {fails}")
                    log.log(5, f"trace {fails}")
                    if fails:
                        raise KeyError
            except KeyError:
                log.debug("after")
        await reply(send)

    served = loudness.around(app)
    await Server().run(served, http_scope(headers=loudness.header()))
    assert loudness.messages == ["debug False", "debug True", "trace True", "after"]

    await Server().run(served, http_scope())
    assert loudness.messages[4:] == ["debug True", "trace True"]
