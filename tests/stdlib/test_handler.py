"""The handler: by value, at the call, without a lock, and never in its own way."""

import json
import logging
import logging.config
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from fapilog import SyncLoggerFacade, _runtime, context_scope, get_logger
from fapilog.delivery.buffer import BatchOptions
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.engine.queue import QueueOptions
from fapilog.protocols import Batch
from fapilog.stdlib import FapilogHandler, capture_stdlib
from fapilog.testing import CapturedLogs, RecordingSink

DEADLINE_SECONDS = 10.0


@pytest.fixture
def attached() -> logging.Logger:
    """A logger whose only handler is ours; outside the tree, where pytest would add handlers of its own."""
    made = logging.Logger(f"test.{uuid.uuid4().hex}", logging.DEBUG)
    made.addHandler(FapilogHandler())
    return made


def test_record_becomes_an_event(attached: logging.Logger, logs: CapturedLogs) -> None:
    """Name, level, message, extra and the bound context of the caller are on the event."""
    with context_scope(request_id="r1", tenant="t"):
        attached.warning("%s paid", "ann", extra={"order": 7})

    (event,) = logs.events
    assert event["logger"] == attached.name
    assert event["level"] == "WARNING"
    assert event["message"] == "ann paid"
    assert (event["order"], event["request_id"], event["tenant"]) == (7, "r1", "t")


def test_values_are_those_of_the_call(attached: logging.Logger, logs: CapturedLogs) -> None:
    """P36: what the caller changes after the call is not seen."""
    cart = ["book"]

    attached.info("cart %s", cart, extra={"cart": cart})
    cart.append("pen")

    (event,) = logs.events
    assert event["message"] == "cart ['book']"
    assert event["cart"] == ["book"]


def test_exception_is_rendered_and_stack_kept(attached: logging.Logger, logs: CapturedLogs) -> None:
    """`exception()` gives type, message and stacktrace; `stack_info` the stack."""
    try:
        raise KeyError("k")
    except KeyError:
        attached.exception("failed", stack_info=True)

    (event,) = logs.events
    assert event["exception"]["type"] == "KeyError"
    assert "test_handler.py" in event["exception"]["stacktrace"]
    assert "test_exception_is_rendered_and_stack_kept" in event["stack"]


@pytest.mark.parametrize("exc_info", [True, (None, None, None), ValueError("x"), object(), "text", 1, (1, 2)])
def test_exc_info_of_any_kind(attached: logging.Logger, logs: CapturedLogs, exc_info: Any) -> None:
    """X15: outside an `except`, an instance, or no exception at all: the event is there, nothing is raised."""
    attached.handle(logging.LogRecord(attached.name, logging.ERROR, "f", 1, "x", None, exc_info))

    (event,) = logs.events
    assert ("exception" in event) is isinstance(exc_info, ValueError)


def test_keys_of_the_envelope_cannot_be_forged(attached: logging.Logger, logs: CapturedLogs) -> None:
    """X13: a field named like a reserved key is kept under another name."""
    attached.info("real", extra={"level": "DEBUG", "timestamp": 0, "logger": "x", "trace_id": "y"})

    (event,) = logs.events
    assert (event["level"], event["logger"], event["message"]) == ("INFO", attached.name, "real")
    assert (event["level_"], event["timestamp_"], event["logger_"], event["trace_id_"]) == ("DEBUG", 0, "x", "y")


def test_levels_of_the_fapilog_logger_apply(attached: logging.Logger, logs: CapturedLogs) -> None:
    """A record below the threshold of the fapilog logger of its name is not taken."""
    logs.engine.set_level("ERROR", attached.name)

    attached.warning("no")
    attached.error("yes")

    assert logs.messages == ["yes"]


@pytest.mark.parametrize("level", [25, 60])
def test_name_of_a_foreign_level_is_kept(level: int, attached: logging.Logger, logs: CapturedLogs) -> None:
    """A level that only `logging` knows keeps its name in a field."""
    logging.addLevelName(level, "NOTICE")

    attached.log(level, "x")

    (event,) = logs.events
    assert (event["level"], event["level_name"]) == (f"LEVEL_{level}", "NOTICE")


@pytest.mark.parametrize("level", [10**9, 41, 1])
def test_levels_out_of_the_ordinary_are_accepted(attached: logging.Logger, logs: CapturedLogs, level: int) -> None:
    """X16: no level number is refused."""
    logs.engine.set_level(0)

    attached.handle(logging.LogRecord(attached.name, level, "f", 1, "x", None, None))

    assert len(logs.events) == 1


def test_filters_of_the_handler_are_asked(attached: logging.Logger, logs: CapturedLogs) -> None:
    """A filter may refuse a record."""
    attached.handlers[0].addFilter(lambda record: "no" not in record.getMessage())

    attached.info("yes")
    attached.info("no")

    assert logs.messages == ["yes"]


def test_filter_that_raises_is_reported_and_not_raised(attached: logging.Logger, logs: CapturedLogs) -> None:
    """Whatever goes wrong in here stays in here."""

    def broken(_: logging.LogRecord) -> bool:
        raise RuntimeError("broken filter")

    attached.handlers[0].addFilter(broken)

    attached.info("x")

    assert logs.events == []
    assert logs.engine.diagnostics.counts()["stdlib"] == 1


def test_object_that_logs_while_it_is_rendered(attached: logging.Logger, logs: CapturedLogs) -> None:
    """R17: a record made while another is taken apart is taken; one made while that one is, is counted."""

    class Chatty:
        def __str__(self) -> str:
            attached.info("%s", self)
            return "chatty"

    attached.info("%s", Chatty())

    assert logs.messages == ["chatty", "chatty"]
    assert logs.engine.diagnostics.counts()["recursion"] == 1


def test_object_that_always_logs_does_not_silence_the_rest(attached: logging.Logger, logs: CapturedLogs) -> None:
    """R17: after a suppressed record the next one is taken as ever."""

    class Chatty:
        def __repr__(self) -> str:
            attached.info("inner", extra={"me": self})
            return "chatty"

    attached.info("outer", extra={"me": Chatty()})
    attached.info("after")

    assert logs.messages[-2:] == ["outer", "after"]


class LibrarySink(RecordingSink):
    """Uses a library that logs a line for each request it makes."""

    def __init__(self, library: logging.Logger, lines: int = 1) -> None:
        super().__init__("library")
        self._library = library
        self._lines = lines

    def write(self, batch: Batch) -> None:
        for _ in range(self._lines):
            self._library.info("POST /push 204")
        super().write(batch)


class AsyncLibrarySink(LibrarySink):
    async def write(self, batch: Batch) -> None:  # type: ignore[override]
        LibrarySink.write(self, batch)


@pytest.mark.parametrize("kind", [LibrarySink, AsyncLibrarySink])
@pytest.mark.parametrize("policy", ["drop", "wait"])
def test_library_of_a_sink_that_logs_feeds_it_once(kind: Any, policy: Any, logger: logging.Logger) -> None:
    """P35, R17: one level, then suppressed and counted, on every thread of the engine and under both policies."""
    sink = kind(logger, lines=3)
    engine = make_engine(sink, QueueOptions(policy=policy, wait_seconds=None))

    log_through(engine, lambda log: log.info("one"), logger)

    assert sink.messages == ["one", "POST /push 204"]
    assert engine.diagnostics.counts()["recursion"] == 5


class LateLibrarySink(LibrarySink):
    """Its library logs when a caller is in line for room, which is the worst moment, or when all have logged."""

    def __init__(self, library: logging.Logger) -> None:
        super().__init__(library)
        self.all_logged = threading.Event()
        self.anybody_waits: Callable[[], object] = bool

    def write(self, batch: Batch) -> None:
        while not (self.anybody_waits() or self.all_logged.wait(0.001)):
            pass
        super().write(batch)


def test_full_queue_does_not_lock_up_the_thread_that_empties_it(logger: logging.Logger) -> None:
    """P35: under `wait` without limit, a writer thread whose library logs into a full queue goes on."""
    sink = LateLibrarySink(logger)
    engine = make_engine(sink, QueueOptions(capacity=4, reserve=0, policy="wait", wait_seconds=None))
    sink.anybody_waits = lambda: engine.queue._line

    def many(log: SyncLoggerFacade) -> None:
        for number in range(200):
            log.info(f"n{number}")
        sink.all_logged.set()

    log_through(engine, many, logger)

    assert [message for message in sink.messages if message[0] == "n"] == [f"n{number}" for number in range(200)]


def make_engine(sink: RecordingSink, queue: QueueOptions) -> Engine:
    """Make an engine with two sinks, so that a synchronous one has a thread of its own."""
    outputs = [Output(each, None) for each in (sink, RecordingSink("other"))]
    sink.blocks = True
    levels = _runtime.origin("root").queue.levels
    batch = BatchOptions(max_events=10, max_age_seconds=0.01)
    return Engine(EngineParts(levels, 0, outputs, queue, batch, diagnostics=Diagnostics(write=lambda _: None)))


def log_through(engine: Engine, log: Callable[[SyncLoggerFacade], None], library: logging.Logger) -> None:
    """Log on an engine that is the default and takes the library's records; returns when all is delivered."""
    settled: list[bool] = []

    def work() -> None:
        log(get_logger("app"))
        settled.append(engine.flush(DEADLINE_SECONDS))

    _runtime.push_default(engine)
    worker = threading.Thread(target=work, daemon=True)
    with capture_stdlib(loggers=[library.name]):
        worker.start()
        worker.join(2 * DEADLINE_SECONDS)
        result = engine.drain(DEADLINE_SECONDS)
    _runtime.pop_default(engine)
    assert settled == [True]
    assert (result.dropped, result.failed, result.in_flight) == (0, 0, 0)


def test_signal_handler_that_logs(attached: logging.Logger, logs: CapturedLogs) -> None:
    """R16: a signal that arrives while a record is taken apart may log."""

    class Interrupted:
        def __str__(self) -> str:
            os.kill(os.getpid(), signal.SIGUSR1)
            return "x"

    former = signal.signal(signal.SIGUSR1, lambda *_: attached.info("signal"))
    try:
        attached.info("%s", Interrupted())
    finally:
        signal.signal(signal.SIGUSR1, former)

    assert sorted(logs.messages) == ["signal", "x"]


def test_signal_handler_that_logs_while_the_queue_is_locked(attached: logging.Logger, logs: CapturedLogs) -> None:
    """R16: our queue's lock, held by the interrupted code, does not lock the handler out."""
    former = signal.signal(signal.SIGUSR1, lambda *_: attached.info("signal"))
    try:
        with logs.engine.queue.lock:
            os.kill(os.getpid(), signal.SIGUSR1)
            attached.info("locked")
    finally:
        signal.signal(signal.SIGUSR1, former)

    assert logs.messages == ["signal", "locked"]


def test_lock_of_logging_that_is_held_does_not_stop_the_engine(attached: logging.Logger, logs: CapturedLogs) -> None:
    """R18: the engine that runs goes on delivering while somebody configures `logging`."""
    attached.info("before")
    assert logs.messages == ["before"]

    with logging._lock:
        attached.info("during")
        assert logs.messages == ["before", "during"]


def test_shutdown_of_logging_leaves_the_handler_working(attached: logging.Logger, logs: CapturedLogs) -> None:
    """R18: `logging.shutdown()` neither hangs nor ends the way to fapilog."""
    logging.shutdown()
    attached.info("after")

    assert logs.messages == ["after"]


def test_named_in_a_dict_config(logger: logging.Logger, logs: CapturedLogs) -> None:
    """The handler needs nothing but its dotted name."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"ours": {"class": "fapilog.stdlib.FapilogHandler", "level": "WARNING", "source": True}},
            "loggers": {logger.name: {"handlers": ["ours"], "propagate": False, "level": "DEBUG"}},
        }
    )
    try:
        logger.info("no")
        logger.warning("yes")
    finally:
        logger.handlers.clear()

    (event,) = logs.events
    assert event["message"] == "yes"
    assert event["code.function.name"] == "test_named_in_a_dict_config"


def test_many_threads(attached: logging.Logger, logs: CapturedLogs) -> None:
    """Each thread's records arrive, once and in its order."""
    barrier = threading.Barrier(8)

    def work(thread: int) -> None:
        barrier.wait()
        for number in range(200):
            attached.info("x", extra={"worker": thread, "n": number})

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = logs.events
    for thread in range(8):
        assert [event["n"] for event in events if event["worker"] == thread] == list(range(200))


FORK = """
import logging, os, sys
from fapilog import get_logger
from fapilog.stdlib import capture_stdlib

capture_stdlib()
log = logging.getLogger("library")
log.info("before")
child = os.fork()
log.info("child" if child == 0 else "parent")
if child:
    assert os.waitpid(child, 0)[1] == 0
sys.exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_logs_its_own_and_the_parent_its_own() -> None:
    """P31: after a fork each process writes what it logged itself, once."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=60)

    assert sorted(json.loads(line)["message"] for line in done.stdout.splitlines()) == ["before", "child", "parent"]
