"""What an engine and its sinks do is in nobody's trace, however the libraries are instrumented that they use."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY, _SUPPRESS_INSTRUMENTATION_KEY, get_current
from opentelemetry.instrumentation import dbapi
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled, is_instrumentation_enabled
from opentelemetry.trace import get_current_span

from fapilog import LoggerBuilder
from fapilog import context as fapilog_context
from fapilog.context import OWN_WORK, current, do_own_work
from fapilog.delivery.fallback import Target
from fapilog.offload import DaemonExecutor, Offload
from fapilog.protocols import Batch
from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.http.sink import HttpSink
from fapilog.testing.contracts import make_batch
from tests.otel.signals import Signals
from tests.sinks.http.peers import NO_CONTENT, answering, peer

CASES = pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
"""Whether the instrumentations are told to do nothing: without that, the tests would have to see their spans."""


@pytest.fixture
def instrumented(signals: Signals, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Instrument httpx and sqlite3, as ``opentelemetry-instrument`` would."""
    if not request.getfixturevalue("told"):
        monkeypatch.setattr(fapilog_context, "_leave_traces", lambda _: None)
    httpx = HTTPXClientInstrumentor()
    httpx.instrument(tracer_provider=signals.tracers)
    # What opentelemetry-instrumentation-sqlite3 does.
    dbapi.wrap_connect("test", sqlite3, "connect", "sqlite", tracer_provider=signals.tracers)
    try:
        yield
    finally:
        dbapi.unwrap_connect(sqlite3, "connect")
        httpx.uninstrument()


@CASES
@pytest.mark.usefixtures("instrumented")
@pytest.mark.asyncio
async def test_httpx_makes_no_span_of_a_delivery(signals: Signals, *, told: bool) -> None:
    """The receiver gets the events, and no ``traceparent`` with them."""
    async with peer(answering(NO_CONTENT)) as receiver:
        logger = LoggerBuilder().add_sink(HttpSink(HttpOptions(receiver.url))).build()
        with signals.tracers.get_tracer("shop").start_as_current_span("request"):
            logger.info("one")
            result = await logger.stop_and_drain()

    assert result.delivered == 1
    assert [request.headers.get("traceparent") is None for request in receiver.requests] == [told]
    assert [span.name for span in signals.spans if span.name != "request"] == ([] if told else ["POST"])


class Table:
    """A user's own sink on a cursor of sqlite3, whose calls the instrumentation sees; those on the connection not."""

    name = "table"
    threaded = True

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open(self) -> None:
        self._connection = sqlite3.connect(self._path)
        self._connection.cursor().execute("CREATE TABLE events (line TEXT)")

    def write(self, batch: Batch) -> None:
        self._connection.cursor().execute("INSERT INTO events VALUES (?)", (batch.lines.decode(),))
        self._connection.commit()

    async def close(self) -> None:
        self._connection.close()


@CASES
@pytest.mark.usefixtures("instrumented")
def test_sqlite3_makes_no_span_of_a_delivery(signals: Signals, tmp_path: Path, *, told: bool) -> None:
    """Nor of opening and closing the file, in the sink's own thread; nor of what our own sink does."""
    logger = LoggerBuilder().add_sink(Table(tmp_path / "table.db")).add_sqlite(tmp_path / "logs.db").build()
    with signals.tracers.get_tracer("shop").start_as_current_span("request"):
        logger.info("one")
        result = logger.drain()

    assert result.delivered == 1
    assert [span.name for span in signals.spans if span.name != "request"] == ([] if told else ["CREATE", "INSERT"])


class Looking:
    """Notes in which context it is called."""

    def __init__(self, name: str = "looking", *, blocks: bool = True, threaded: bool = False) -> None:
        self.name, self.blocks, self.threaded = name, blocks, threaded
        self.seen: list[tuple[str, bool]] = []

    def look(self, what: str) -> None:
        free = is_instrumentation_enabled() or is_http_instrumentation_enabled()
        own = current.get().request is OWN_WORK and not get_current_span().get_span_context().is_valid
        self.seen.append((what, own and not free))

    async def open(self) -> None:
        self.look("open")

    def write(self, batch: Batch) -> None:
        self.look("write")

    async def close(self) -> None:
        self.look("close")


class AsyncLooking(Looking):
    """The same with an asynchronous ``write``, which also looks from a thread that it calls, and from a task."""

    async def write(self, batch: Batch) -> None:  # type: ignore[override] # asynchronous, which the protocol allows
        self.look("write")
        await asyncio.create_task(self._later())
        await asyncio.get_running_loop().run_in_executor(None, self.look, "executor")
        await asyncio.to_thread(self.look, "thread")

    async def _later(self) -> None:
        self.look("task")


@pytest.mark.parametrize(
    "sinks",
    [
        lambda: [Looking()],
        lambda: [Looking("first"), Looking("second")],
        lambda: [Looking(blocks=False)],
        lambda: [Looking(threaded=True)],
        lambda: [AsyncLooking()],
    ],
    ids=["the only one", "threads of their own", "inline", "threaded", "asynchronous"],
)
def test_every_thread_that_calls_a_sink_is_marked(signals: Signals, sinks: Any) -> None:
    """From opening to closing, also when the engine was started inside a span and starts a second time."""
    made = sinks()
    builder = LoggerBuilder()
    for sink in made:
        builder = builder.add_sink(sink)
    logger = builder.build()
    for _ in range(2):
        with signals.tracers.get_tracer("shop").start_as_current_span("request"):
            logger.info("one")
            logger.drain()
            assert get_current_span().get_span_context().is_valid
    for sink in made:
        assert {"open", "write", "close"} <= {what for what, _ in sink.seen}
        assert [what for what, marked in sink.seen if not marked] == []


def test_work_that_is_done_in_the_caller_s_thread_is_marked_as_long_as_it_lasts(
    signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the exit, where the system gives no thread any more; afterwards everything is as before."""
    sink = Looking()
    logger = LoggerBuilder().add_sink(sink).build()
    engine = logger._origin.queue._start.__self__  # type: ignore[attr-defined]

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with signals.tracers.get_tracer("shop").start_as_current_span("request") as span, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        logger.info("one")
        result = engine.finish()
        assert get_current_span() is span
        assert is_instrumentation_enabled()

    assert result.delivered == 1
    assert sink.seen == [("open", True), ("write", True), ("close", True)]


def test_a_context_is_marked_for_one_call(signals: Signals) -> None:
    """What it returns and raises goes through; the caller's context is untouched."""
    looking = Looking()
    with signals.tracers.get_tracer("shop").start_as_current_span("request"):
        before = get_current()
        assert do_own_work(lambda number: number + 1, 1) == 2
        do_own_work(looking.look, "here")
        with pytest.raises(ZeroDivisionError):
            do_own_work(lambda: 1 / 0)
        assert get_current() is before

    assert looking.seen == [("here", True)]


def test_each_key_that_instrumentations_look_at_is_set() -> None:
    """The plain one is the older; what the others are called is known to the API alone."""
    keys = {"suppress_instrumentation", _SUPPRESS_INSTRUMENTATION_KEY, _SUPPRESS_HTTP_INSTRUMENTATION_KEY}

    assert do_own_work(lambda: dict(get_current())) == dict.fromkeys(keys, True)


def test_what_is_rescued_by_the_fallback_is_marked(signals: Signals) -> None:
    """Whoever drains has no more time; a thread writes to the other sink."""
    other = Looking("other")
    with signals.tracers.get_tracer("shop").start_as_current_span("request"):
        assert Target(other, None).rescue(make_batch([{"message": "m"}]))

    assert other.seen == [("open", True), ("write", True)]


def test_offloaded_calls_are_marked() -> None:
    """Those of a sink's thread, and those that resolve names."""
    looking = Looking()

    async def call() -> None:
        offload = Offload("test")
        await offload.run(looking.look, "offload")
        offload.close()

    copy_context().run(asyncio.run, call())
    DaemonExecutor().submit(looking.look, "executor").result(10)

    assert looking.seen == [("offload", True), ("executor", True)]


def test_a_broken_runtime_context_does_not_cost_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather spans of a delivery than no delivery."""

    def broken(_: object) -> Any:
        raise RuntimeError("no context")

    monkeypatch.setattr("opentelemetry.context.attach", broken)
    sink = Looking()
    logger = LoggerBuilder().add_sink(sink).build()
    logger.info("one")

    assert logger.drain().delivered == 1
