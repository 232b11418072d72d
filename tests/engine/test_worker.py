"""One run of the background thread: when it ends, and what it survives."""

import asyncio
import itertools
import threading
from typing import Any

import pytest

from fapilog.diagnostics import Diagnostics
from fapilog.engine.queue import QueueOptions
from fapilog.engine.worker import BUSY_PAUSE_SECONDS
from fapilog.event import EventDict
from fapilog.protocols import Batch
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Awaited, Keeping
from tests.engine.test_engine import _until


def quiet() -> Diagnostics:
    return Diagnostics(write=lambda _: None)


@pytest.mark.parametrize("policy", ["drop", "wait"])
def test_a_drain_ends_although_others_go_on_logging(make_engine: MakeEngine, policy: Any) -> None:
    """It is about what was submitted before it; the rest is left for the next run, and who waits loses nothing."""
    sink = Keeping()
    queue = QueueOptions(capacity=200, policy=policy, wait_seconds=None)
    engine = make_engine(sink, queue=queue, diagnostics=quiet())
    over = threading.Event()
    counts = [0] * 4

    def work(number: int) -> None:
        logger = logger_of(engine)
        while not over.is_set():
            logger.info("event", thread=number, number=counts[number])
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    results = [engine.drain(20) for _ in range(3)]
    over.set()
    for thread in threads:
        thread.join(20)
    last = engine.drain(20)
    assert [result.timed_out for result in (*results, last)] == [False] * 4
    assert (last.submitted, last.in_flight) == (sum(counts), 0)
    assert last.dropped == 0 or policy == "drop"
    assert len(sink.events) == last.delivered
    for number in range(4):
        mine = [event["number"] for event in sink.events if event["thread"] == number]
        assert mine == sorted(mine)


def test_a_sink_that_always_logs_can_be_drained(make_engine: MakeEngine) -> None:
    """Each of its writes is an event that makes it write again."""
    sink = Keeping()
    engine = make_engine(sink, diagnostics=quiet())
    logger = logger_of(engine)

    def logging_write(batch: Batch) -> None:
        sink.events.extend(batch.events)
        if len(sink.events) < 1_000_000:
            logger.info("inner")

    sink.write = logging_write  # type: ignore[method-assign]
    logger.info("outer")
    result = engine.drain(20)
    sink.write = lambda batch: sink.events.extend(batch.events)  # type: ignore[method-assign]
    assert not result.timed_out


def test_a_drain_inside_a_stage_is_not_waited_for(make_engine: MakeEngine) -> None:
    """The thread that would have to do it is the one that asks."""
    took: list[float] = []

    def draining(event: EventDict) -> EventDict:
        took.append(engine.drain(20).duration_seconds)
        return event

    engine = make_engine(Keeping(), processors=[draining], diagnostics=quiet())
    logger_of(engine).info("event")
    assert engine.drain(20).delivered == 1
    assert took[0] < 5


@pytest.mark.parametrize("sinks", [[Keeping("a")], [Keeping("a"), Keeping("b")], [Awaited("c")]])
def test_events_that_cannot_be_serialised_are_counted(make_engine: MakeEngine, sinks: list[Any]) -> None:
    """No memory for the lines of a slice: its events have failed, the next ones are delivered, and drains end."""
    for sink in sinks:
        sink.format = "json"
    engine = make_engine(*sinks, diagnostics=quiet())
    form = engine.parts.outputs[0].form
    assert form is not None
    encode, calls = form.encode_records, itertools.count()

    def failing(records: Any) -> list[bytes]:
        if next(calls) == 0:
            raise MemoryError
        return encode(records)

    form.encode_records = failing  # type: ignore[method-assign]
    logger = logger_of(engine)
    logger.info("one")
    engine.flush(5)
    logger.info("two")
    result = engine.drain(5)
    assert (result.failed, result.delivered, result.in_flight, result.timed_out) == (1, 1, 0, False)
    assert engine.figures()["failed"] == {"MemoryError": 1}


def test_events_of_which_no_slice_can_be_made_are_counted(make_engine: MakeEngine) -> None:
    """For the engine and for each sink, and the thread goes on."""
    engine = make_engine(Keeping("a"), Awaited("b"), processors=[lambda event: event], diagnostics=quiet())
    build, calls = engine._to_events, itertools.count()

    def failing(records: Any) -> list[EventDict]:
        if next(calls) == 0:
            raise MemoryError
        return build(records)

    engine._to_events = failing  # type: ignore[method-assign]
    logger = logger_of(engine)
    logger.info("one")
    engine.flush(5)
    logger.info("two")
    result = engine.drain(5)
    assert (result.failed, result.delivered, result.in_flight, result.timed_out) == (1, 1, 0, False)
    assert [row["failed"] for row in result.sinks.values()] == [{"MemoryError": 1}] * 2


@pytest.mark.parametrize("policy", ["drop", "wait"])
def test_after_a_drain_that_gave_up_the_other_sinks_go_on(make_engine: MakeEngine, policy: Any) -> None:
    """One that hangs holds up nobody, and when it comes back the drain that was asked for is finished."""
    hung, fine = Awaited("hung", latched=True), Keeping("fine")
    engine = make_engine(hung, fine, queue=QueueOptions(policy=policy), diagnostics=quiet())
    logger = logger_of(engine)
    logger.info("one")
    assert engine.drain(0.1).timed_out
    logger.info("two")
    _until(lambda: len(fine.events) == 2)
    hung.release()
    _until(lambda: fine.closed == 1 and not engine.queue.running)
    assert [event["message"] for event in hung.events] == ["one", "two"]
    logger.info("three")
    result = engine.drain(5)
    assert (result.timed_out, result.delivered, result.in_flight) == (False, 3, 0)


def test_a_worker_that_nobody_waits_for_looks_seldom(make_engine: MakeEngine) -> None:
    """A hung sink is not looked after every millisecond for the rest of the program."""
    gate = asyncio.Event()

    class Still(Awaited):
        async def write(self, batch: Batch) -> None:  # type: ignore[override]
            await gate.wait()

    engine = make_engine(Still(), diagnostics=quiet())
    logger_of(engine).info("one")
    assert engine.drain(0.05).timed_out
    worker = engine._worker
    assert worker is not None
    pauses: list[float] = []
    loop = worker._loop
    assert loop is not None
    later = loop.call_later

    def spying(delay: float, *args: Any) -> Any:
        pauses.append(delay)
        return later(delay, *args)

    loop.call_later = spying  # type: ignore[method-assign]
    _until(lambda: len(pauses) >= 4)
    loop.call_soon_threadsafe(gate.set)
    # The one under way at the moment of giving up does not count.
    assert min(pauses[1:]) >= BUSY_PAUSE_SECONDS
