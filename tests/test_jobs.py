"""``with recorder():`` around a job: the flight recorder outside requests."""

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from fapilog import LoggerBuilder, _runtime, bind_context, carry_context, get_logger, jobs, recorder
from fapilog.context import current
from fapilog.errors import ConfigError
from fapilog.flight_options import FlightRecorderOptions
from fapilog.sinks.memory import MemorySink
from tests.flights import Flight

log = get_logger("job")


class Process(Flight):
    """The process's default engine, at INFO, and what came out of it."""

    def __init__(self, options: FlightRecorderOptions | None = None) -> None:
        super().__init__(LoggerBuilder(), options)
        _runtime.push_default(self.engine)

    def end(self) -> None:
        """Give the default back."""
        _runtime.pop_default(self.engine)
        assert self.engine.drain(10.0).dropped == 0


@pytest.fixture
def process() -> Iterator[Process]:
    """Without a flight recorder of its own."""
    made = Process()
    yield made
    assert made.figures["held"] == 0
    assert made.engine.origin("job").level == made.engine.origin("job").threshold, "a floor was left open"
    made.end()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The clock of blocks; ``now`` is seconds."""
    clock = SimpleNamespace(now=5.0)
    monkeypatch.setattr(jobs, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def test_a_block_that_goes_well_tells_nothing_more(process):
    """What is below the level is forgotten, what is above it goes out as ever."""
    with recorder():
        log.debug("step")
        log.info("told")

    assert process.messages == ["told"]
    assert process.figures["discarded"] == 1


def test_a_block_that_raises_tells_all(process):
    """In order, with their own times; the exception goes on unchanged."""
    error = ValueError("broken")
    with pytest.raises(ValueError, match="broken") as caught, recorder():
        bind_context(order=7)
        for number in range(3):
            log.debug("step", n=number)
        log.info("told")
        raise error

    assert caught.value is error
    assert error.__context__ is None
    assert process.messages == ["told", "step", "step", "step"]
    told, *steps = process.events
    assert [(step["n"], step["order"], step["flight_recorder"]) for step in steps] == [
        (n, 7, "error") for n in range(3)
    ]
    assert steps[0]["timestamp"] <= steps[2]["timestamp"] <= told["timestamp"]


@pytest.mark.asyncio
async def test_tasks_that_share_one_let_out_their_own(process):
    """What comes out is of the one that fails, whichever began or ends first."""
    shared = recorder()
    begun, failed = asyncio.Event(), asyncio.Event()

    async def failing():
        async with shared:
            log.debug("of the failing")
            await begun.wait()
            with shared:
                log.debug("of an inner block that does not fail")
            bind_context(late=True)
            raise KeyError

    async def fine():
        async with shared:
            log.debug("of the fine")
            begun.set()
            await failed.wait()

    first, second = asyncio.create_task(failing()), asyncio.create_task(fine())
    with pytest.raises(KeyError):
        await first
    failed.set()
    await second

    assert process.messages == ["of the failing"]


@pytest.mark.parametrize(("seconds", "reason"), [(0.5, None), (1.0, "slow")])
def test_a_slow_block_tells_all(process, clock, seconds, reason):
    """From ``slow_seconds`` on; a block that fails as well is an error."""
    with recorder():
        log.debug("step")
        clock.now += seconds
    assert [event["flight_recorder"] for event in process.events] == ([reason] if reason else [])

    with pytest.raises(OSError, match="x"), recorder():
        log.debug("step")
        clock.now += seconds
        raise OSError("x")
    assert process.events[-1]["flight_recorder"] == "error"


def test_options_of_the_call(process, clock):
    """``level``, ``on``, ``slow_seconds``, ``max_events`` and ``max_bytes`` are as for requests."""
    with recorder(on="slow", slow_seconds="10s"):
        clock.now += 9
        log.debug("quick")
    with pytest.raises(KeyError), recorder(on=("slow",)):
        log.debug("failed, which does not count")
        raise KeyError
    with recorder(5, on="slow", slow_seconds=2, max_events=2):
        clock.now += 3
        for number in range(4):
            log.log(5, "trace", n=number)

    assert [event.get("n") for event in process.events] == [2, 3]
    assert process.figures["evicted"] == 2


def test_what_is_not_said_is_as_the_engine_was_configured(clock):
    """A job inherits what ``with_flight_recorder`` or the environment said."""
    process = Process(FlightRecorderOptions(on="slow", slow_seconds=60, max_events=3))
    with recorder(slow_seconds=5):
        for number in range(5):
            log.debug("step", n=number)
        clock.now += 6
    with recorder():
        log.debug("not slow")
        clock.now += 6

    assert [event["n"] for event in process.events] == [2, 3, 4]
    log.debug("outside: nobody keeps it")
    assert process.figures["kept"] == 6
    process.end()


@pytest.mark.parametrize(
    ("error", "released"),
    [(SystemExit(), 0), (SystemExit(0), 0), (SystemExit(3), 1), (SystemExit("why"), 1), (KeyboardInterrupt(), 1),
     (GeneratorExit(), 0), (asyncio.CancelledError(), 0)],
)  # fmt: skip
def test_what_counts_as_an_error(process, error, released):
    """Whatever is raised, but the ends that are none: a good exit, a cancellation."""
    with pytest.raises(type(error)), recorder():
        log.debug("step")
        raise error

    assert process.figures["released"] == released


def test_a_block_within_a_block_decides_about_its_own(process):
    """The inner one's events go or stay with it; the outer one's are not touched."""
    with pytest.raises(ZeroDivisionError), recorder():
        log.debug("outer, before")
        with recorder():
            log.debug("inner, good")
        try:
            with recorder():
                log.debug("inner, bad")
                raise KeyError
        except KeyError:
            log.debug("outer, after")
        _ = 1 / 0

    assert process.messages == ["inner, bad", "outer, before", "outer, after"]


def test_one_instance_may_be_used_again_and_inside_itself(process):
    """As ``context_scope``."""
    record = recorder()
    with record, record:
        log.debug("step")
    with pytest.raises(KeyError), record:
        log.debug("again")
        raise KeyError

    assert process.messages == ["again"]


def test_as_a_decorator(process):
    """Each call of a function is a block of its own, also at the same time; its name and result stay."""
    gate = threading.Barrier(4)

    @recorder()
    def work(number: int) -> int:
        """Work."""
        log.debug("step", n=number)
        gate.wait(10)
        if number == 2:
            raise KeyError(number)
        return number

    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(work, number) for number in range(4)]

    assert [result.result() for result in results if result.exception() is None] == [0, 1, 3]
    assert (work.__name__, work.__doc__) == ("work", "Work.")
    assert [(event["n"], event["flight_recorder"]) for event in process.events] == [(2, "error")]


def test_coroutines(process):
    """``async with`` and decorated coroutine functions: tasks side by side keep their own."""

    @recorder()
    async def work(number: int) -> None:
        log.debug("step", n=number)
        await asyncio.sleep(0)
        await asyncio.create_task(part(number))
        if number % 2:
            raise LookupError

    async def part(number: int) -> None:
        log.debug("part", n=number)

    async def main() -> None:
        await asyncio.gather(*(work(number) for number in range(4)), return_exceptions=True)
        async with recorder():
            log.debug("good")

    asyncio.run(main())

    assert [(event["message"], event["n"]) for event in process.events] == [
        (message, number) for number in (1, 3) for message in ("step", "part")
    ]


def test_threads_that_carry_the_context(process):
    """A thread is part of the block if it has its context."""
    with pytest.raises(KeyError), recorder():
        for target in (carry_context(lambda: log.debug("carried")), lambda: log.debug("not carried")):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        raise KeyError

    assert process.messages == ["carried"]


def test_the_level_is_lowered_only_as_long_as_a_block_runs(process):
    """Outside of blocks a call below the level costs what it did, and nobody else's events come out."""
    origin = process.engine.origin("elsewhere")
    elsewhere = get_logger("elsewhere")
    assert origin.level == 20
    with recorder():
        assert origin.level == 10
        with recorder(5):
            assert origin.level == 5
        assert origin.level == 10
        thread = threading.Thread(target=elsewhere.debug, args=("another thread",))
        thread.start()
        thread.join()
    assert origin.level == 20
    assert process.figures["kept"] == 0


def test_a_context_that_was_bound_in_the_block_is_gone_after_it(process):
    """The block ends in the scope that it began in; binding in it keeps the recorder."""
    before = current.get()
    with recorder():
        bind_context(step=1)
        log.debug("kept")
    assert current.get() is before
    assert process.figures["kept"] == 1


def test_only_where_no_loop_runs_a_block_may_wait(process, monkeypatch):
    """In a thread that may block its events wait for room as a log call does; in a loop they are put in line."""
    told = []
    finish = jobs.Recorder.finish
    monkeypatch.setattr(
        jobs.Recorder, "finish", lambda self, reason, may_await: (told.append(may_await), finish(self, reason))
    )

    async def main() -> None:
        with recorder():
            log.debug("step")

    with recorder():
        log.debug("step")
    asyncio.run(main())

    assert told == [False, True]


def test_a_block_blocks_like_a_log_call_where_a_full_queue_makes_callers_wait():
    """Under ``wait`` a thread waits for room when its events come out: none is lost."""
    sink = MemorySink(max_events=10_000)
    chosen = LoggerBuilder().with_queue(capacity=20, reserve=0).with_backpressure("wait", None).add_sink(sink).options()
    engine = _runtime.build_engine(chosen)
    _runtime.push_default(engine)
    with pytest.raises(KeyError), recorder(max_bytes="10 MB"):
        for number in range(500):
            log.debug("step", n=number)
        raise KeyError
    assert engine.flush(10.0)
    assert [event["n"] for event in sink.events] == list(range(500))
    _runtime.pop_default(engine)
    engine.drain(10.0)


def test_a_recorder_that_breaks_is_reported_and_changes_nothing(process, monkeypatch):
    """What the block raises goes on, and the floor is closed."""
    monkeypatch.setattr("fapilog.flight.Ledger.release", lambda *_, **__: 1 / 0)
    with pytest.raises(KeyError), recorder():
        log.debug("step")
        raise KeyError
    assert process.engine.diagnostics.counts()["recorder"] == 1
    process.engine.ledger.reset()


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_that_is_forked_within_a_block(process):
    """The child goes on in the same block: what it logs comes out there, what its parent logged does not."""
    child = -1
    try:
        with recorder():
            log.debug("parent")
            child = os.fork()
            log.debug("child" if child == 0 else "parent, after")
            raise KeyError
    except KeyError:
        if child == 0:
            code = 1
            try:
                code = 0 if process.messages == ["child"] else 2
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert process.messages == ["parent", "parent, after"]


@pytest.mark.parametrize(
    ("values", "where"),
    [({"level": None, "on": "never"}, "recorder(on)"), ({"slow_seconds": 0}, "recorder(slow_seconds)"),
     ({"level": 1.5}, "recorder(level)"), ({"max_events": 0}, "recorder(max_events)"),
     ({"max_bytes": "some"}, "recorder(max_bytes)")],
)  # fmt: skip
def test_a_wrong_value_is_refused_when_it_is_made(values, where):
    """It says which, and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        recorder(**values)
    assert str(caught.value).startswith(f"{where}: ")


def test_a_block_may_be_left_in_another_context(process):
    """As those of fixtures and of asynchronous generators are at times."""
    block = recorder()
    block.__enter__()
    log.debug("kept")
    Context().run(block.__exit__, KeyError, KeyError("late"), None)

    assert process.messages == ["kept"]


def _steps():
    yield 1


async def _later_steps():
    yield 1


@pytest.mark.parametrize("function", [_steps, _later_steps, partial(_steps), Process])
def test_a_generator_or_class_is_refused(function):
    """The block would be over before what was meant has begun."""
    with pytest.raises(ConfigError, match="in a generator use with"):
        recorder()(function)


def test_a_level_that_nobody_knows_is_refused_at_the_block(process):
    """Levels may be registered after the decorator was made; nothing is left open."""
    record = recorder("LOUDEST")
    with pytest.raises(ConfigError, match=r"recorder\(level\)"), record:
        pass
    assert process.engine.origin("job").level == 20


def test_in_a_process_that_configures_nothing(capfd):
    """A script needs no setup at all."""
    with pytest.raises(KeyError), recorder():
        log.debug("step")
        raise KeyError
    assert _runtime.default_engine().drain(10.0).delivered == 1
    assert '"flight_recorder":"error"' in capfd.readouterr().out
