"""The engine's metrics: each moves when what it counts happens, and together they agree with the figures."""

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fapilog.delivery.breaker import Breaker, BreakerOptions
from fapilog.delivery.buffer import BatchOptions
from fapilog.delivery.retry import Retry, RetryOptions
from fapilog.delivery.routing import Route, RoutingOptions
from fapilog.delivery.spool.options import SpoolOptions
from fapilog.delivery.spool.store import SpoolStore
from fapilog.delivery.spooling import Spooling
from fapilog.delivery.wrapping import Honest
from fapilog.diagnostics import Diagnostics
from fapilog.engine.engine import Engine
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.journaling import JournalParts
from fapilog.engine.metering import MOST_REASONS, OTHER, OUTCOMES
from fapilog.engine.pressure import AdaptiveOptions
from fapilog.engine.queue import QueueOptions
from fapilog.errors import SinkError
from fapilog.levels import LevelTable
from fapilog.logger.aio import AsyncLoggerFacade
from fapilog.metrics import catalogue as the
from fapilog.metrics.catalogue import ENGINE_METRICS, Metric
from fapilog.metrics.points import Counts
from fapilog.protocols import Batch
from fapilog.redaction.options import RedactionOptions
from fapilog.redaction.redactor import Redactor
from fapilog.serializers.json import JsonFormat
from fapilog.testing.fakes import FakeClock, HangingSink, RecordingSink, SlowSink
from tests.delivery.receivers import Receiver
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Awaited, Keeping, Latched, Raising

QUIET = Diagnostics(write=lambda _: None)


def points(engine: Engine, metric: Metric) -> dict[tuple[str, ...], Any]:
    """Return the points of a metric that are not zero, by their labels without the engine's."""
    (found,) = [its for family, its in engine.metrics() if family == metric]
    return {point.labels[1:]: point.value for point in found if point.value}


def value(engine: Engine, metric: Metric) -> Any:
    return points(engine, metric).get((), 0)


def agree(engine: Engine) -> None:
    """Check that totals by level, totals by reason and the figures are the same, and that the identity holds."""
    figures = engine.figures()
    by_level, by_reason = points(engine, the.EVENTS_TOTAL), points(engine, the.LOSSES)
    whole = value(engine, the.IN_FLIGHT)
    assert whole == figures["in_flight"]
    for outcome in OUTCOMES:
        told = figures[outcome] if outcome == "delivered" else sum(figures[outcome].values())
        assert sum(count for (_, its), count in by_level.items() if its == outcome) == told
        if outcome != "delivered":
            assert {reason: n for (its, reason), n in by_reason.items() if its == outcome} == _some(figures[outcome])
        whole += told
    assert whole == figures["submitted"]
    in_flight, outcomes = points(engine, the.SINK_IN_FLIGHT), points(engine, the.SINK_EVENTS)
    for name, row in figures["sinks"].items():
        assert in_flight.get((name,), 0) == row["in_flight"]
        for outcome in OUTCOMES:
            told = row[outcome] if outcome == "delivered" else sum(row[outcome].values())
            assert outcomes.get((name, outcome), 0) == told


def _some(figures: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in figures.items() if count}


def test_every_metric_of_the_catalogue_is_there_with_its_labels(make_engine: MakeEngine) -> None:
    """In the catalogue's order, each point with as many labels as its metric has; the engine's name is the first."""
    engine = make_engine(Keeping(), name="orders")
    logger_of(engine).info("event")
    engine.drain()
    families = engine.metrics()

    assert [metric for metric, _ in families] == list(ENGINE_METRICS)
    for metric, its in families:
        assert len({point.labels for point in its}) == len(its)
        for point in its:
            assert len(point.labels) == len(metric.labels)
            assert point.labels[0] == "orders"
            assert isinstance(point.value, Counts) == (metric.kind == "histogram")


def test_what_is_delivered_counts_by_level(make_engine: MakeEngine) -> None:
    """Whole slices, and the levels of none are mixed up."""
    engine = make_engine(Keeping(), Awaited(), level=10)
    logger = logger_of(engine)
    for _ in range(200):
        logger.info("event")
    for _ in range(7):
        logger.error("event")
    logger.debug("event")
    engine.drain()

    assert points(engine, the.EVENTS_TOTAL) == {
        ("DEBUG", "delivered"): 1, ("INFO", "delivered"): 200, ("ERROR", "delivered"): 7,
    }  # fmt: skip
    agree(engine)


def test_the_standard_levels_are_there_before_anything_happens(make_engine: MakeEngine) -> None:
    """A counter that appears with its first event hides that event from a rate."""
    engine = make_engine(Keeping())
    (found,) = [its for metric, its in engine.metrics() if metric == the.EVENTS_TOTAL]

    assert len(found) == 5 * len(OUTCOMES)
    assert {point.value for point in found} == {0}


def test_levels_without_a_name_count_as_other_for_good(make_engine: MakeEngine) -> None:
    """A name that is registered later would make the counter of the others go down."""
    engine = make_engine(Keeping(), level=1)
    table = engine.parts.levels
    table.register("NOTICE", 25)
    logger = logger_of(engine)
    logger.log("NOTICE", "event")
    logger.log(33, "event")
    engine.flush(10)
    seen = points(engine, the.EVENTS_TOTAL)
    table.register("LATE", 33)
    logger.log(33, "event")
    engine.drain()

    assert seen == {("NOTICE", "delivered"): 1, (OTHER, "delivered"): 1}
    assert points(engine, the.EVENTS_TOTAL) == {("NOTICE", "delivered"): 1, (OTHER, "delivered"): 2}


def test_what_stages_hold_back_counts_by_level_and_reason(make_engine: MakeEngine) -> None:
    """Filters, processors, and redactors that fail when such events are to be dropped."""

    def quiet(event: dict[str, Any]) -> bool:
        return event["message"] != "noise"

    def closed(event: dict[str, Any]) -> dict[str, Any]:
        if event["message"] == "bad":
            raise ValueError
        return event

    def last(event: dict[str, Any]) -> dict[str, Any] | None:
        return None if event["message"] == "late" else event

    engine = make_engine(
        Keeping(), filters=[quiet], redactors=[closed], processors=[last], fail="drop", diagnostics=QUIET
    )
    logger = logger_of(engine)
    logger.info("noise")
    logger.warning("late")
    logger.error("bad")
    logger.critical("good")
    engine.drain()

    assert points(engine, the.EVENTS_TOTAL) == {
        ("INFO", "filtered"): 1, ("WARNING", "filtered"): 1, ("ERROR", "dropped"): 1, ("CRITICAL", "delivered"): 1,
    }  # fmt: skip
    assert points(engine, the.LOSSES) == {
        ("filtered", "quiet"): 1, ("filtered", "last"): 1, ("dropped", "redaction_failed"): 1,
    }  # fmt: skip
    agree(engine)


def test_a_record_redactor_that_fails_counts_by_level(make_engine: MakeEngine) -> None:
    """Also where no event is ever made a dict."""

    class Closed:
        name = "closed"

        def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
            return event

        def redact_records(self, records: Any) -> Any:
            if any(record[3] == "bad" for record in records):
                raise ValueError
            return records

    engine = make_engine(Keeping(), redactors=[Closed()], fail="drop", diagnostics=QUIET)
    logger = logger_of(engine)
    logger.info("good")
    logger.error("bad")
    engine.drain()

    assert points(engine, the.EVENTS_TOTAL) == {("INFO", "delivered"): 1, ("ERROR", "dropped"): 1}
    agree(engine)


def test_what_no_route_takes_counts_by_level(make_engine: MakeEngine) -> None:
    """As filtered, and so does at one sink what another gets."""
    routing = RoutingOptions((Route("errors", levels="ERROR"), Route("warnings", levels="WARNING")))
    engine = make_engine(Keeping("errors"), Keeping("warnings"), routing=routing)
    logger = logger_of(engine)
    for method in (logger.info, logger.warning, logger.error):
        method("event")
    engine.drain()

    assert points(engine, the.EVENTS_TOTAL) == {
        ("INFO", "filtered"): 1, ("WARNING", "delivered"): 1, ("ERROR", "delivered"): 1,
    }  # fmt: skip
    assert points(engine, the.SINK_EVENTS)["errors", "filtered"] == 2
    agree(engine)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_stage_that_raises_what_no_one_may_catch_writes_off_its_slice_by_level(make_engine: MakeEngine) -> None:
    """Failed, with the reason, at the engine and at each sink; with the next event all goes on."""
    armed = True

    def quits(event: dict[str, Any]) -> bool:
        if armed:
            raise SystemExit
        return True

    engine = make_engine(Keeping(), filters=[quits], diagnostics=QUIET)
    logger = logger_of(engine)
    logger.error("event")
    engine._thread.join(20)
    armed = False
    logger.info("event")
    engine.drain()

    assert points(engine, the.EVENTS_TOTAL) == {("ERROR", "failed"): 1, ("INFO", "delivered"): 1}
    assert points(engine, the.LOSSES) == {("failed", "interrupted"): 1}
    agree(engine)


def test_what_a_full_queue_drops_counts_by_level(make_engine: MakeEngine) -> None:
    """And depth, bytes, capacity and the high watermark are those of the queue."""
    sink = Latched()
    engine = make_engine(sink, queue=QueueOptions(capacity=10, reserve=2), diagnostics=QUIET)
    logger = logger_of(engine)
    logger.info("held")
    assert sink.entered.wait(20)
    for _ in range(15):
        logger.info("event")
    for _ in range(5):
        logger.error("event")

    assert points(engine, the.EVENTS_TOTAL) == {("INFO", "dropped"): 5, ("ERROR", "dropped"): 3}
    assert points(engine, the.LOSSES) == {("dropped", "queue_full"): 8}
    assert value(engine, the.IN_FLIGHT) == 13
    queue = [value(engine, metric) for metric in (the.QUEUE_DEPTH, the.QUEUE_CAPACITY, the.QUEUE_BYTES, the.QUEUE_HIGH)]
    assert queue == [12, 10, 12 * 1024, 12]
    agree(engine)
    sink.release()
    engine.drain()
    assert value(engine, the.QUEUE_DEPTH) == 0
    assert value(engine, the.QUEUE_HIGH) == 12
    agree(engine)


def test_what_a_drain_gives_up_counts_by_level(make_engine: MakeEngine) -> None:
    """What waits in the queue, what waits in line for it, and what a sink holds."""
    sink = Latched()
    engine = make_engine(
        sink, queue=QueueOptions(capacity=2, reserve=0, policy="wait", wait_seconds=None), diagnostics=QUIET
    )
    logger = logger_of(engine)
    logger.info("held")
    assert sink.entered.wait(20)
    logger.warning("event")
    logger.error("event")

    patient = AsyncLoggerFacade(engine.origin("test"), lambda: engine)

    async def in_line() -> None:
        # Nobody awaits them: they stay in line, and the loop may end.
        waits = [patient.critical("event"), patient.critical("event")]
        del waits

    asyncio.run(in_line())
    assert engine.queue.waiting()
    engine.drain(0.001)
    agree(engine)
    sink.release()
    engine.drain()

    seen = points(engine, the.EVENTS_TOTAL)
    assert seen["WARNING", "dropped"] == seen["ERROR", "dropped"] == 1
    assert seen["CRITICAL", "dropped"] == 2
    agree(engine)


def test_what_comes_after_the_last_drain_counts_by_level(make_engine: MakeEngine) -> None:
    """The process ends; its last scrape may come even later."""
    engine = make_engine(Keeping(), diagnostics=QUIET)
    logger_of(engine).info("event")
    engine.finish()
    logger_of(engine).error("event")

    assert points(engine, the.EVENTS_TOTAL) == {("INFO", "delivered"): 1, ("ERROR", "dropped"): 1}
    assert points(engine, the.LOSSES) == {("dropped", "after_shutdown"): 1}
    agree(engine)


def test_what_a_sink_logs_about_every_event_counts_by_level(make_engine: MakeEngine) -> None:
    """It was taken from the queue, and counts as dropped after all."""

    class Chatty(Keeping):
        def write(self, batch: Batch) -> None:
            super().write(batch)
            for _ in range(10):
                logger_of(engine).warning("about it")

    engine = make_engine(Chatty(), diagnostics=QUIET)
    logger_of(engine).info("event")
    engine.drain()
    dropped = points(engine, the.LOSSES)["dropped", "recursion"]

    assert dropped > 0
    assert points(engine, the.EVENTS_TOTAL)["WARNING", "dropped"] == dropped
    agree(engine)


class Handed(Keeping):
    """Tells that the worker has handed over what was logged."""

    def __init__(self) -> None:
        super().__init__(blocks=False)
        self._changed = threading.Condition()

    def write(self, batch: Batch) -> None:
        with self._changed:
            super().write(batch)
            self._changed.notify()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, 20)


def test_a_full_buffer_counts_for_its_sink_and_by_level_for_the_engine(make_engine: MakeEngine) -> None:
    """The other sink has them all; what one of them lost is lost for the engine."""
    hung, other = HangingSink(), Handed()
    engine = make_engine(hung, other, queue=QueueOptions(capacity=20, reserve=0), diagnostics=QUIET)
    logger = logger_of(engine)
    logger.info("held")
    assert hung.entered.wait(20)
    other.wait_for(1)
    for batch in range(4):
        for _ in range(10):
            logger.info("event")
        # The hung sink is behind: only the worker is waited for.
        other.wait_for(10 * batch + 11)
    hung.release()
    engine.drain()

    lost = points(engine, the.LOSSES)["dropped", "sink_buffer_full"]
    assert lost == 20
    assert points(engine, the.EVENTS_TOTAL) == {("INFO", "delivered"): 21, ("INFO", "dropped"): 20}
    assert points(engine, the.SINK_EVENTS) == {
        ("hanging", "delivered"): 21, ("hanging", "dropped"): 20, ("keeping", "delivered"): 41,
    }  # fmt: skip
    agree(engine)


def test_a_partial_failure_counts_the_levels_of_the_named_events(make_engine: MakeEngine) -> None:
    """And those of the others as delivered."""

    class Picky(Keeping):
        def write(self, batch: Batch) -> None:
            bad = [index for index, event in enumerate(batch.events) if event["level"] == "ERROR"]
            raise SinkError("picky", failed_indexes=bad)

    engine = make_engine(Picky(), diagnostics=QUIET)
    logger = logger_of(engine)
    for _ in range(5):
        logger.info("event")
        logger.error("event")
        engine.flush(10)
    engine.drain()

    assert points(engine, the.EVENTS_TOTAL) == {("INFO", "delivered"): 5, ("ERROR", "failed"): 5}
    agree(engine)


def test_reasons_are_bounded(make_engine: MakeEngine) -> None:
    """A sink may raise what it likes: after 50 different reasons all new ones count as one, and none is lost."""
    sink = Raising(ValueError())
    engine = make_engine(sink, diagnostics=QUIET)
    for number in range(MOST_REASONS + 10):
        sink.error = type(f"Error{number}", (Exception,), {})()
        logger_of(engine).info("event")
        engine.flush(10)
        if number % 7 == 0:
            agree_on_failures(engine, number + 1)
    seen = points(engine, the.LOSSES)

    assert len(seen) == MOST_REASONS + 1
    assert seen["failed", OTHER] == 10
    assert points(engine, the.LOSSES) == seen


def agree_on_failures(engine: Engine, count: int) -> None:
    assert sum(points(engine, the.LOSSES).values()) == count


def test_the_lag_is_how_long_the_oldest_event_has_waited(make_engine: MakeEngine) -> None:
    """And never less than nothing, whatever the wall clock does."""
    clock = FakeClock(time.time_ns())
    sink = Latched()
    engine = make_engine(sink, clock=clock)
    logger_of(engine).info("held")
    assert sink.entered.wait(20)
    assert value(engine, the.WORKER_LAG) == 0
    logger_of(engine).info("waits")
    clock.advance(60)
    assert 50 < value(engine, the.WORKER_LAG) <= 60
    clock.step(-3_600)

    assert value(engine, the.WORKER_LAG) == 0


class AsyncSlow(RecordingSink):
    """An asynchronous sink that takes time by a fake clock."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__("slow")
        self._clock = clock
        self._seconds = seconds

    async def write(self, batch: Batch) -> None:  # type: ignore[override]
        self._clock.advance(self._seconds)
        super().write(batch)


class Blocking(SlowSink):
    blocks = True


class Begun(SlowSink):
    """A plain write that returns something to be awaited."""

    def write(self, batch: Batch) -> Any:
        return self._later(batch)

    async def _later(self, batch: Batch) -> None:
        super().write(batch)


@pytest.mark.parametrize("kind", [SlowSink, Blocking, Begun, AsyncSlow])
def test_each_batch_is_timed_and_measured_once(make_engine: MakeEngine, kind: Any) -> None:
    """Whoever writes: the worker, a thread, a task, or a loop for what a plain write began."""
    clock = FakeClock()
    told: list[tuple[str, float, int]] = []
    sink = kind(clock, 0.2)
    beside = [RecordingSink()] if kind is Blocking else []
    engine = make_engine(sink, *beside, clock=clock, on_delivery=lambda *it: told.append(it))
    for count in (3, 1):
        for _ in range(count):
            logger_of(engine).info("event")
        engine.flush(10)
    engine.drain()
    mine = [(round(seconds, 6), events) for name, seconds, events in told if name == "slow"]

    assert {seconds for seconds, _ in mine} == {0.2}
    assert [events for _, events in mine] == [len(batch) for batch in sink.batches]
    _check(points(engine, the.DELIVERY)["slow",], [seconds for seconds, _ in mine], the.SECONDS)
    _check(points(engine, the.BATCH_SIZE)["slow",], [events for _, events in mine], the.EVENTS)


def _check(counts: Counts, measured: list[float], bounds: tuple[float, ...]) -> None:
    assert counts.sum == pytest.approx(sum(measured))
    assert sum(counts.buckets) == len(measured)
    for place, bound in enumerate(bounds):
        assert sum(counts.buckets[: place + 1]) == sum(it <= bound for it in measured)


def test_a_batch_that_fails_is_timed_too_and_a_listener_that_raises_changes_nothing(make_engine: MakeEngine) -> None:
    """What a dead receiver costs is what there is to see."""

    def refuses(*_: object) -> None:
        raise RuntimeError

    engine = make_engine(Raising(ValueError()), Awaited(), on_delivery=refuses, diagnostics=QUIET)
    logger_of(engine).info("event")
    engine.drain()

    assert sum(points(engine, the.DELIVERY)["raising",].buckets) == 1
    assert points(engine, the.SINK_EVENTS) == {("raising", "failed"): 1, ("awaited", "delivered"): 1}
    agree(engine)


def test_retries_and_the_circuit_are_those_of_the_sinks_wrappers(make_engine: MakeEngine) -> None:
    """The time of a batch is that of all its tries; a sink without wrappers has neither."""
    down = SinkError("down", retryable=True)
    receiver = Receiver(down, down, None)
    breaker = Breaker(Honest(receiver), BreakerOptions(failures=2, reset_seconds=0.001))
    engine = make_engine(Retry(breaker, RetryOptions(0.001, 0.002, 10), share=lambda: 1.0), Keeping())
    assert points(engine, the.CIRCUIT) == {("receiver", "closed"): 1}
    logger_of(engine).info("event")
    engine.drain()

    assert points(engine, the.RETRIES)["receiver",] >= 2
    assert sum(points(engine, the.DELIVERY)["receiver",].buckets) == 1
    assert points(engine, the.CIRCUIT) == {("receiver", "closed"): 1}
    assert {labels for its in (the.RETRIES, the.CIRCUIT) for labels in points(engine, its)} == {
        ("receiver",), ("receiver", "closed"),
    }  # fmt: skip


def test_an_open_circuit_shows_and_is_pressure(make_engine: MakeEngine) -> None:
    """One state at a time is 1. Pressure is only told of sinks that it is watched for."""
    clock = FakeClock()
    receiver = Receiver(answer=lambda _: SinkError("down", retryable=True))
    breaker = Breaker(Honest(receiver), BreakerOptions(failures=1))
    engine = make_engine(breaker, Keeping(), adaptive=AdaptiveOptions(), clock=clock, diagnostics=QUIET)
    for _ in range(2):
        logger_of(engine).info("event")
        engine.flush(10)
        clock.advance(1)
    logger_of(engine).info("event")
    engine.flush(10)

    assert points(engine, the.CIRCUIT) == {("receiver", "open"): 1}
    assert points(engine, the.PRESSURE) == {("receiver",): 1}
    engine.drain()
    agree(engine)


def spooled(directory: Path, receiver: Receiver, clock: FakeClock | None = None, **options: Any) -> Spooling:
    form = JsonFormat(LevelTable(), {})
    retry = Retry(Honest(receiver), RetryOptions(0.001, 0.002), endless=True)
    store = SpoolStore(SpoolOptions(directory, **options), receiver.name)
    return Spooling(retry, store, form, form, clock=clock or FakeClock())


def test_what_waits_on_disk_is_not_delivered_yet(make_engine: MakeEngine, tmp_path: Path) -> None:
    """It shows with its bytes, counts as in flight, and as delivered once the receiver has taken it."""
    refused, up, taken = threading.Event(), threading.Event(), threading.Event()

    def answer(_: Batch) -> Exception | None:
        if not up.is_set():
            refused.set()
            return SinkError("down", retryable=True)
        taken.set()
        return None

    receiver = Receiver(answer=answer)
    engine = make_engine(spooled(tmp_path, receiver), diagnostics=QUIET)
    for _ in range(5):
        logger_of(engine).info("event")
    logger_of(engine).error("event")
    engine.flush(10)
    assert refused.wait(20)

    assert points(engine, the.SINK_SPOOLED) == {("receiver",): 6}
    assert points(engine, the.SPOOL_BYTES)["receiver",] > 100
    assert points(engine, the.EVENTS_TOTAL) == {}
    assert value(engine, the.IN_FLIGHT) == 6
    assert points(engine, the.DELIVERY) == {("receiver",): Counts((0,) * 15, 0.0, {})}, "the disk is not the receiver"
    agree(engine)
    up.set()
    assert taken.wait(20)
    engine.drain()

    assert points(engine, the.EVENTS_TOTAL) == {("INFO", "delivered"): 5, ("ERROR", "delivered"): 1}
    assert points(engine, the.SINK_SPOOLED) == {}
    sizes = points(engine, the.BATCH_SIZE)["receiver",]
    assert sizes.sum == 6
    assert points(engine, the.RETRIES)["receiver",] > 0
    agree(engine)


def test_what_is_lost_after_it_was_on_disk_counts_under_other(make_engine: MakeEngine, tmp_path: Path) -> None:
    """A spool tells how many and why; of which level they were nobody knows any more."""
    receiver = Receiver(answer=lambda _: SinkError("refused", failed_indexes=[0]))
    engine = make_engine(spooled(tmp_path, receiver), diagnostics=QUIET)
    for _ in range(4):
        logger_of(engine).info("event")
    engine.drain()
    seen = points(engine, the.EVENTS_TOTAL)

    assert seen[OTHER, "failed"] == len(receiver.writes)
    assert sum(seen.values()) == 4
    assert sum(points(engine, the.LOSSES).values()) == len(receiver.writes)
    agree(engine)


def test_counters_only_grow_while_everything_goes_wrong(make_engine: MakeEngine, tmp_path: Path) -> None:
    """A receiver that is down now and then, refuses some events and loses others to the quota, read all the time."""
    asked = 0

    def answer(batch: Batch) -> Exception | None:
        nonlocal asked
        asked += 1
        if asked % 3 == 0:
            return SinkError("down", retryable=True)
        refused = [index for index, event in enumerate(batch.events) if event["number"] % 17 == 0]
        return SinkError("refused", failed_indexes=refused) if refused else None

    sinks = [
        spooled(tmp_path / "a", Receiver(answer=answer, name="a"), max_bytes=100_000, segment_bytes=20_000),
        spooled(tmp_path / "b", Receiver(name="b")),
    ]
    engine = make_engine(*sinks, Keeping(), batch=BatchOptions(max_events=20), diagnostics=QUIET)
    logger = logger_of(engine)
    before: dict[Any, float] = {}
    for number in range(3_000):
        (logger.warning if number % 3 else logger.info)("event", number=number)
        if number % 50 == 0:
            before = _grown(engine, before)
        if number % 500 == 0:
            engine.flush(10)
    engine.drain(10)
    _grown(engine, before)

    agree(engine)


def _grown(engine: Engine, before: dict[Any, float]) -> dict[Any, float]:
    """Return all counters, each at least what it was."""
    now = {
        (metric.name, *point.labels): point.value
        for metric, its in engine.metrics()
        if metric.kind == "counter"
        for point in its
    }
    assert {key: (count, now.get(key)) for key, count in before.items() if now.get(key, 0) < count} == {}
    return now


def test_the_time_of_a_spools_batch_is_the_receivers(make_engine: MakeEngine, tmp_path: Path) -> None:
    """Not that of the disk."""
    clock = FakeClock()

    def slow(_: Batch) -> None:
        clock.advance(2.0)

    receiver = Receiver(answer=slow)
    engine = make_engine(spooled(tmp_path, receiver, clock), batch=BatchOptions(max_events=2))
    for _ in range(4):
        logger_of(engine).info("event")
    engine.drain()
    _check(points(engine, the.DELIVERY)["receiver",], [2.0] * len(receiver.writes), the.SECONDS)


def test_what_redaction_has_changed_counts_from_the_engines_start(make_engine: MakeEngine) -> None:
    """Once for a redactor that runs twice; what it was asked before is not this engine's."""
    redactor = Redactor(RedactionOptions())
    redactor({"password": "hunter2"})
    engine = make_engine(
        Keeping(), redactors=[redactor, lambda event: event], processors=[lambda event: event, redactor]
    )
    assert value(engine, the.MASKED) == 0
    logger_of(engine).info("event", password="hunter2", api_key="k-1", harmless="yes")
    engine.drain()

    assert value(engine, the.MASKED) == 2


def test_with_a_journal_what_is_masked_at_the_call_counts(make_engine: MakeEngine, tmp_path: Path) -> None:
    """The worker's redactor finds only what was added since."""
    at_call = Redactor(RedactionOptions())
    journal = JournalParts(JournalOptions(tmp_path), "app", JsonFormat(LevelTable(), {}), [at_call])
    engine = make_engine(
        Keeping(),
        redactors=[Redactor(RedactionOptions())],
        enrichers=[lambda _: {"token": "t-1"}],
        journal=journal,
        diagnostics=QUIET,
    )
    logger_of(engine).info("event", password="hunter2")
    engine.drain()

    assert value(engine, the.MASKED) == 2
    agree(engine)


def test_a_redactor_that_tells_nonsense_is_not_asked_again(make_engine: MakeEngine) -> None:
    """A user's part may have an attribute of that name, or none, or one that raises."""

    class Odd:
        masked = "many"

        def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
            return event

    class Broken(Odd):
        @property
        def masked(self) -> int:  # type: ignore[override]
            raise RuntimeError

    engine = make_engine(Keeping(), redactors=[Odd(), Broken()])

    assert value(engine, the.MASKED) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_at_zero(make_engine: MakeEngine) -> None:
    """What the parent has counted is the parent's to tell; also what its wrappers and redactors count."""
    receiver = Receiver(SinkError("down", retryable=True))
    engine = make_engine(Retry(Honest(receiver), RetryOptions(0.001)), redactors=[Redactor(RedactionOptions())])
    logger_of(engine).info("event", password="hunter2")
    engine.drain()
    assert value(engine, the.MASKED) == points(engine, the.RETRIES)["receiver",] == 1
    child = os.fork()
    if child == 0:
        engine.after_fork()
        counted = [its for metric, its in engine.metrics() if metric.kind == "counter"]
        timed = [its for metric, its in engine.metrics() if metric.kind == "histogram"]
        clean = all(point.value == 0 for its in counted for point in its)
        clean = clean and all(sum(point.value.buckets) == 0 for its in timed for point in its)
        os._exit(0 if clean else 1)

    assert os.waitpid(child, 0)[1] == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["debug", "info", "warning", "error", "critical"]),
        st.sampled_from(["good", "noise", "bad", "refused"]),
    ),
    max_size=60,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.integers(1, 70), st.sampled_from([Keeping, Awaited]))
def test_levels_reasons_and_figures_agree_whatever_happens(
    make_engine: MakeEngine, steps: list[tuple[str, str]], capacity: int, other: type[Keeping]
) -> None:
    """A filter, a redactor that fails, a sink that refuses some, a queue that is too small; and each level's sum."""

    def keep(event: dict[str, Any]) -> bool:
        return event["message"] != "noise"

    def redact(event: dict[str, Any]) -> dict[str, Any]:
        if event["message"] == "bad":
            raise ValueError
        return event

    class Picky(Keeping):
        def write(self, batch: Batch) -> None:
            bad = [index for index, event in enumerate(batch.events) if event["message"] == "refused"]
            if bad:
                raise SinkError("picky", failed_indexes=bad)

    engine = make_engine(
        Picky("picky"),
        other(),
        level=10,
        filters=[keep],
        redactors=[redact],
        fail="drop",
        queue=QueueOptions(capacity=capacity, reserve=3),
        batch=BatchOptions(max_events=7),
        diagnostics=QUIET,
    )
    logger = logger_of(engine)
    for method, message in steps:
        getattr(logger, method)(message)
    engine.flush(10)
    engine.drain()
    agree(engine)
    by_level: Counter[str] = Counter()
    for (level, _), count in points(engine, the.EVENTS_TOTAL).items():
        by_level[level] += count

    assert by_level == Counter(method.upper() for method, _ in steps)
