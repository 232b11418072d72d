"""The engine as a whole: nothing is lost uncounted, nothing holds up anything else."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from fapilog.delivery.buffer import BatchOptions
from fapilog.diagnostics import Diagnostics
from fapilog.engine.engine import Engine
from fapilog.engine.queue import QueueOptions
from fapilog.errors import ConfigError, SinkError
from fapilog.logger.aio import AsyncLoggerFacade
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Awaited, Keeping, Latched, Raising


def assert_identity(engine: Engine) -> dict[str, Any]:
    """Check the accounting identity, for the engine and each sink, and return the figures."""
    figures = engine.figures()
    for row in (figures, *figures["sinks"].values()):
        lost = sum(sum(row[kind].values()) for kind in ("filtered", "dropped", "failed"))
        assert row["submitted"] == row["delivered"] + lost + row["in_flight"]
        assert row["in_flight"] >= 0
    return figures


def quiet() -> Diagnostics:
    return Diagnostics(write=lambda _: None)


def test_no_thread_runs_before_the_first_event_and_none_after_a_drain(make_engine: MakeEngine) -> None:
    """An engine that is not used costs nothing, and drained it leaves nothing behind."""
    sink = Keeping()
    engine = make_engine(sink)
    before = threading.active_count()
    logger = logger_of(engine)
    assert (threading.active_count(), sink.opened) == (before, 0)
    logger.info("one")
    assert threading.active_count() == before + 1
    engine.drain()
    assert (threading.active_count(), sink.opened, sink.closed) == (before, 1, 1)


@pytest.mark.parametrize("timeout", ["soon", -1, float("nan")])
def test_a_wrong_timeout_is_refused_before_anything_is_lost(make_engine: MakeEngine, timeout: Any) -> None:
    """Seconds or such as ``"5s"``; what is queued stays queued."""
    engine = make_engine(Keeping())
    logger_of(engine).info("event")
    with pytest.raises(ConfigError, match="timeout"):
        engine.drain(timeout)
    assert engine.drain("5s").delivered == 1


def test_a_drain_is_not_death(make_engine: MakeEngine) -> None:
    """After a drain the next event starts the engine again, as often as one likes."""
    sink = Keeping()
    engine = make_engine(sink)
    logger = logger_of(engine)
    for round_number in range(1, 4):
        logger.info("again", round=round_number)
        result = engine.drain()
        assert (result.submitted, result.delivered, result.in_flight) == (round_number, round_number, 0)
        assert sink.opened == sink.closed == round_number


def test_each_thread_keeps_its_order_when_callers_wait(make_engine: MakeEngine) -> None:
    """With policy wait 64 threads lose nothing, and each thread's events arrive in its order."""
    threads, each = 64, 1_000
    sink = Keeping(blocks=False)
    engine = make_engine(sink, queue=QueueOptions(capacity=500, reserve=0, policy="wait", wait_seconds=None))
    logger = logger_of(engine)
    start = threading.Barrier(threads)

    def work(number: int) -> None:
        start.wait()
        for count in range(each):
            logger.info("event", thread=number, count=count)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    result = engine.drain(60)
    assert (result.submitted, result.delivered, result.dropped) == (threads * each, threads * each, 0)
    by_thread: dict[int, list[int]] = {}
    for event in sink.events:
        by_thread.setdefault(event["thread"], []).append(event["count"])
    assert by_thread == {number: list(range(each)) for number in range(threads)}


def test_a_full_queue_drops_ordinary_events_before_errors_and_counts_them(make_engine: MakeEngine) -> None:
    """Delivered and dropped make up what was submitted; the reserve is for errors alone."""
    sink = Latched()
    engine = make_engine(sink, queue=QueueOptions(capacity=10, reserve=5))
    logger = logger_of(engine)
    logger.info("in hand")
    assert sink.entered.wait(5)
    for number in range(30):
        logger.info("ordinary", number=number)
    for number in range(8):
        logger.error("error", number=number)
    figures = assert_identity(engine)
    assert figures["dropped"] == {"queue_full": 20 + 3}
    sink.release()
    result = engine.drain()
    assert (result.submitted, result.delivered, result.dropped) == (39, 16, 23)
    kept = [(e["message"], e.get("number")) for e in sink.events]
    assert kept == [("in hand", None), *(("ordinary", n) for n in range(10)), *(("error", n) for n in range(5))]


def test_large_events_are_bounded_by_bytes(make_engine: MakeEngine) -> None:
    """A thousand events of a megabyte do not fit in a queue of ten megabytes, whatever its capacity."""
    sink = Latched()
    engine = make_engine(sink, queue=QueueOptions(capacity=10_000, max_bytes="10 MB"))
    logger = logger_of(engine)
    logger.info("in hand")
    assert sink.entered.wait(5)
    for _ in range(1_000):
        logger.info("x" * 200_000)
    assert engine.snapshot()["queue"]["bytes"] <= 10_000_000
    assert 40 <= engine.snapshot()["queue"]["depth"] <= 50
    sink.release()
    result = engine.drain()
    assert result.delivered + result.dropped == result.submitted == 1_001


def test_a_caller_waits_no_longer_than_it_was_told(make_engine: MakeEngine) -> None:
    """Under wait with a deadline a call on a full queue ends, and the event is counted as dropped."""
    sink = Latched()
    engine = make_engine(sink, queue=QueueOptions(capacity=1, reserve=0, policy="wait", wait_seconds=0.01))
    logger = logger_of(engine)
    logger.info("in hand")
    assert sink.entered.wait(5)
    logger.info("queued")
    logger.info("too many")
    assert assert_identity(engine)["dropped"] == {"queue_full": 1}
    sink.release()
    assert engine.drain().delivered == 2


def test_a_running_loop_is_never_blocked_by_a_sync_call(make_engine: MakeEngine) -> None:
    """On an event loop a sync call on a full queue drops at once, even if it may wait without limit."""
    sink = Latched()
    engine = make_engine(sink, queue=QueueOptions(capacity=1, reserve=0, policy="wait", wait_seconds=None))
    logger = logger_of(engine)
    logger.info("in hand")
    assert sink.entered.wait(5)

    async def main() -> None:
        logger.info("queued")
        logger.info("dropped")

    asyncio.run(main())
    assert assert_identity(engine)["dropped"] == {"queue_full": 1}
    sink.release()


def test_an_awaited_call_waits_for_room_and_a_forgotten_one_loses_nothing(make_engine: MakeEngine) -> None:
    """Both are in line from the moment of the call, and arrive in the order of the calls."""
    sink = Latched()
    engine = make_engine(sink, queue=QueueOptions(capacity=2, reserve=0, policy="wait", wait_seconds=None))
    origin = engine.origin("test")
    logger = AsyncLoggerFacade(origin, lambda: engine)

    async def main() -> None:
        await logger.info("0")
        while not sink.entered.is_set():
            await asyncio.sleep(0.001)
        await logger.info("1")
        await logger.info("2")
        logger.info("3")
        logger.error("4")
        awaited = asyncio.ensure_future(_wait(logger.info("5")))
        await asyncio.sleep(0)
        assert not awaited.done()
        assert assert_identity(engine)["in_flight"] == 6
        sink.release()
        await awaited
        result = await engine.drain_async()
        assert (result.submitted, result.delivered) == (6, 6)

    asyncio.run(main())
    assert [event["message"] for event in sink.events] == list("012345")


async def _wait(awaitable: Any) -> None:
    await awaitable


def test_a_hung_sink_stalls_only_itself(make_engine: MakeEngine) -> None:
    """A neighbour gets every event at once, and the drain ends at its deadline with everything accounted for."""
    hung, fine = Latched(), Keeping("fine")
    engine = make_engine(hung, fine, diagnostics=quiet())
    logger = logger_of(engine)
    for number in range(500):
        logger.info("event", number=number)
    assert hung.entered.wait(5)
    result = engine.drain(0.3)
    assert result.timed_out
    assert result.duration_seconds < 10
    assert [event["number"] for event in fine.events] == list(range(500))
    rows = result.sinks
    assert rows["fine"]["delivered"] == 500
    assert rows["latched"]["delivered"] == 0
    assert rows["latched"]["in_flight"] + sum(rows["latched"]["dropped"].values()) == 500
    assert_identity(engine)
    hung.release()
    logger.info("after")
    assert engine.drain(10).sinks["latched"]["in_flight"] == 0


@pytest.mark.parametrize("error", [ValueError("no"), SinkError("down", retryable=True)])
def test_a_sink_that_raises_costs_its_neighbours_nothing(make_engine: MakeEngine, error: Exception) -> None:
    """Its events are counted as failed with the reason, said once, and its neighbour has them all."""
    said: list[str] = []
    bad, good = Raising(error), Keeping("good")
    engine = make_engine(bad, good, diagnostics=Diagnostics(write=said.append))
    logger = logger_of(engine)
    for _ in range(300):
        logger.info("event")
    result = engine.drain()
    assert len(good.events) == 300
    assert result.sinks["raising"]["failed"] == {type(error).__name__: 300}
    assert (result.delivered, result.failed) == (0, 300)
    assert sum("sink raising" in line for line in said) == 1
    assert_identity(engine)


def test_a_partial_success_fails_only_the_named_events(make_engine: MakeEngine) -> None:
    """What a sink names by index has failed; the rest of the batch is delivered."""
    engine = make_engine(Raising(SinkError("three", failed_indexes=[0, 2])), diagnostics=quiet())
    logger = logger_of(engine)
    with engine.queue.lock:
        engine.queue.open()
        engine.queue.running = True
        for _ in range(5):
            logger.info("event")
        engine.queue.running = False
        engine.queue.limit = 0
    result = engine.drain()
    assert (result.delivered, result.failed, result.submitted) == (3, 2, 5)


def test_an_asynchronous_sink_gets_batches_by_count(make_engine: MakeEngine) -> None:
    """No batch is larger than asked for, all are in order, and a drain does not wait for the age."""
    sink = Awaited()
    engine = make_engine(sink, batch=BatchOptions(max_events=10, max_age_seconds=3600))
    logger = logger_of(engine)
    for number in range(95):
        logger.info("event", number=number)
    engine.drain()
    assert [event["number"] for event in sink.events] == list(range(95))
    assert [len(batch) for batch in sink.batches] == [10] * 9 + [5]


def test_a_flush_brings_everything_submitted_before_to_the_sinks(make_engine: MakeEngine) -> None:
    """It does not wait for a batch to come of age, and the engine runs on."""
    sink, beside = Awaited(), Keeping("beside")
    engine = make_engine(sink, beside, batch=BatchOptions(max_age_seconds=3600))
    logger = logger_of(engine)
    for number in range(50):
        logger.info("event", number=number)
    assert engine.flush(30)
    assert len(sink.events) == len(beside.events) == 50
    assert engine.snapshot()["state"] == "running"


def test_a_flush_that_cannot_end_says_so(make_engine: MakeEngine) -> None:
    """With a sink that hangs a flush returns False at its deadline."""
    sink = Latched()
    engine = make_engine(sink)
    logger_of(engine).info("event")
    assert not engine.flush(0.02)


def test_a_sink_buffer_that_is_full_drops_for_that_sink_alone(make_engine: MakeEngine) -> None:
    """Under drop a slow sink loses what its own buffer cannot hold; its neighbour loses nothing."""
    slow, fine = Awaited("slow", latched=True), Keeping("fine", blocks=False)
    engine = make_engine(slow, fine, queue=QueueOptions(capacity=100, reserve=10), batch=BatchOptions(max_events=10))
    logger = logger_of(engine)
    for number in range(1_000):
        logger.info("event", number=number)
        if number % 50 == 0:
            _until(lambda number=number: len(fine.events) > number)
    _until(lambda: len(fine.events) == 1_000)
    rows = assert_identity(engine)["sinks"]
    assert rows["fine"]["dropped"] == {}
    assert rows["slow"]["dropped"] == {"sink_buffer_full": 1_000 - 100 - 10}
    slow.release()
    assert engine.drain().sinks["slow"]["delivered"] == 110


def test_under_wait_a_slow_sink_makes_callers_wait_and_loses_nothing(make_engine: MakeEngine) -> None:
    """Callers are held back before a sink's buffer overflows."""
    slow, fine = Awaited("slow"), Keeping("fine")
    options = QueueOptions(capacity=50, reserve=0, policy="wait", wait_seconds=None)
    engine = make_engine(slow, fine, queue=options, batch=BatchOptions(max_events=7, max_age_seconds=0.001))
    logger = logger_of(engine)
    for number in range(2_000):
        logger.info("event", number=number)
    result = engine.drain(30)
    assert (result.delivered, result.dropped) == (2_000, 0)
    assert [event["number"] for event in slow.events] == list(range(2_000))


def test_stages_run_in_their_order_and_a_raising_one_is_passed_over(make_engine: MakeEngine) -> None:
    """Filter, enricher, redactor, processor; what they hold back is counted by name."""

    def broken(event: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError(event["message"])

    def even(event: dict[str, Any]) -> bool:
        return bool(event["number"] % 2 == 0)

    def no_six(event: dict[str, Any]) -> dict[str, Any] | None:
        return None if event["number"] == 6 else event

    sink = Keeping()
    engine = make_engine(
        sink,
        diagnostics=quiet(),
        filters=[even, broken],
        enrichers=[lambda e: {"seen": e["number"], "number": "never over the caller's"}, broken],
        redactors=[lambda e: {**e, "secret": "***"}],
        processors=[broken, no_six],
    )
    logger = logger_of(engine)
    for number in range(8):
        logger.info("event", number=number, secret="s")
    result = engine.drain()
    assert [(e["number"], e["seen"], e["secret"]) for e in sink.events] == [(n, n, "***") for n in (0, 2, 4)]
    assert (result.filtered, result.delivered, result.failed) == (5, 3, 0)
    assert engine.figures()["filtered"] == {"even": 4, "no_six": 1}
    assert set(engine.diagnostics.counts()) == {"filter broken", "enricher broken", "processor broken"}


def test_a_redactor_that_raises_lets_nothing_through(make_engine: MakeEngine) -> None:
    """Only time, level, logger and a note are left of the event."""

    def broken(event: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError

    sink = Keeping()
    engine = make_engine(sink, diagnostics=quiet(), redactors=[broken])
    logger_of(engine).info("my password is hunter2", password="hunter2")
    engine.drain()
    assert set(sink.events[0]) == {"timestamp", "level", "logger", "message"}
    assert "hunter2" not in str(sink.events)


def test_stages_never_change_what_other_events_share(make_engine: MakeEngine) -> None:
    """A stage that writes into a nested value touches its own event alone."""

    def mark(event: dict[str, Any]) -> dict[str, Any]:
        event["user"]["seen"] = event["user"].get("seen", 0) + 1
        return event

    sink = Keeping()
    engine = make_engine(sink, processors=[mark])
    logger = logger_of(engine).bind(user={"id": 1})
    logger.info("a")
    logger.info("b")
    engine.drain()
    assert [event["user"] for event in sink.events] == [{"id": 1, "seen": 1}] * 2


def test_a_log_call_inside_a_sink_neither_recurses_nor_deadlocks(make_engine: MakeEngine) -> None:
    """It is an event like any other, on the same engine."""
    sink = Keeping()
    engine = make_engine(sink)
    logger = logger_of(engine)
    write = sink.write

    def logging_write(batch: Any) -> None:
        write(batch)
        if any(event["message"] == "outer" for event in batch.events):
            logger.info("inner")

    sink.write = logging_write  # type: ignore[method-assign]
    logger.info("outer")
    result = engine.drain()
    assert [event["message"] for event in sink.events] == ["outer", "inner"]
    assert result.in_flight == 0


def test_a_sink_that_logs_about_every_event_does_not_feed_itself(make_engine: MakeEngine) -> None:
    """R17: about one of its events for each from elsewhere, then suppressed and counted; the others are not touched."""
    sink = Keeping()
    engine = make_engine(sink, diagnostics=quiet())
    logger = logger_of(engine)
    write = sink.write

    def chatty(batch: Any) -> None:
        write(batch)
        for event in batch.events:
            logger.info("wrote", what=event["message"])

    sink.write = chatty  # type: ignore[method-assign]
    for number in range(100):
        logger.info(f"event {number}")
    _until(lambda: sum(engine.figures()["dropped"].values()) == 100)
    result = engine.drain()
    assert (result.submitted, result.delivered, result.dropped) == (300, 200, 100)
    assert engine.figures()["dropped"] == {"recursion": 100}
    assert sum(event["message"].startswith("event") for event in sink.events) == 100


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sink_that_raises_what_no_one_may_catch_is_survived(make_engine: MakeEngine) -> None:
    """The background thread dies with SystemExit; the batch is counted and the next event starts a new thread."""
    bad = Raising(SystemExit("from a sink"))
    engine = make_engine(bad, diagnostics=quiet())
    logger = logger_of(engine)
    logger.info("one")
    _until(lambda: engine.figures()["failed"] != {})
    _until(lambda: not engine.queue.running)
    bad.write = lambda batch: bad.events.extend(batch.events)  # type: ignore[method-assign]
    logger.info("two")
    engine.flush(5)
    assert [event["message"] for event in bad.events] == ["two"]
    assert_identity(engine)


def test_drops_are_told_by_one_event(make_engine: MakeEngine) -> None:
    """One summary a window, with the reasons, and none for each drop."""
    sink = Latched()
    clock = _Clock()
    engine = make_engine(sink, queue=QueueOptions(capacity=1, reserve=0), clock=clock)
    logger = logger_of(engine)
    logger.info("in hand")
    assert sink.entered.wait(5)
    for _ in range(10):
        logger.info("event")
    sink.release()
    assert engine.flush(30)
    clock.now += 10
    _until(lambda: any(event["message"] == "events dropped" for event in sink.events))
    summary = next(event for event in sink.events if event["message"] == "events dropped")
    assert (summary["dropped"], summary["reasons"], summary["level"]) == (9, {"queue_full": 9}, "WARNING")
    assert Counter(event["message"] for event in sink.events)["events dropped"] == 1


def test_a_level_change_reaches_loggers_obtained_before(make_engine: MakeEngine) -> None:
    """By name and everything below it, and taken back again."""
    sink = Keeping()
    engine = make_engine(sink)
    parent, child, other = (logger_of(engine, name) for name in ("app", "app.db", "apple"))
    engine.set_level("DEBUG", "app")
    for logger in (parent, child.bind(a=1), other):
        logger.debug("event")
    engine.set_level(None, "app")
    parent.debug("off again")
    engine.drain()
    assert [event["logger"] for event in sink.events] == ["app", "app.db"]


class _Clock:
    now = 0.0

    def time_ns(self) -> int:
        return int(self.now * 1e9)

    def monotonic(self) -> float:
        return self.now


def _until(true: Callable[[], bool]) -> None:
    """Poll another thread's work with a deadline."""
    ready = threading.Event()
    for _ in range(5_000):
        if true():
            return
        ready.wait(0.001)
    pytest.fail("did not happen within 5 seconds")
