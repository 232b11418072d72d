"""An engine with a journal: what is kept, what is settled, what is found by the next one, and who is held up."""

import asyncio
import gc
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fapilog import LoggerBuilder
from fapilog.delivery.buffer import BatchOptions
from fapilog.diagnostics import Diagnostics
from fapilog.engine.engine import Engine
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.journaling import Journaling, JournalParts
from fapilog.engine.queue import QueueOptions
from fapilog.engine.stages import UNREDACTED
from fapilog.event import EventDict
from fapilog.levels import LevelTable
from fapilog.logger.aio import AsyncLoggerFacade
from fapilog.redaction.options import RedactionOptions
from fapilog.redaction.redactor import Redactor
from fapilog.serializers.json import JsonFormat
from fapilog.testing import FakeClock
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.journals import SMALL, crash, descriptors, recover, segments
from tests.engine.sinks import Awaited, Keeping, Latched, Raising
from tests.engine.test_engine import assert_identity
from tests.engine.test_notices import quiet

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the journal needs Linux")

CANARY = "hunter2-canary"
Journaled = Callable[..., Engine]


def parts_in(directory: Path, *redactors: Any, **options: Any) -> JournalParts:
    form = JsonFormat(LevelTable(), {})
    return JournalParts(JournalOptions(directory, **(SMALL | options)), "app", form, redactors)


@pytest.fixture
def journaled(make_engine: MakeEngine, tmp_path: Path) -> Iterator[Journaled]:
    """Make engines that keep their events in the same directory; what is left is let go of at the end."""
    made: list[Engine] = []

    def make(*sinks: Any, redactors: Any = (), **parts: Any) -> Engine:
        parts.setdefault("journal", parts_in(tmp_path / "journal", *redactors))
        parts.setdefault("diagnostics", quiet())
        made.append(make_engine(*sinks, redactors=redactors, **parts))
        return made[-1]

    yield make
    for engine in made:
        for output in engine.parts.outputs:
            getattr(output.sink, "release", lambda: None)()
        engine.finish(10)


def journaling_of(engine: Engine) -> Journaling:
    journaling = engine._journaling
    assert journaling is not None
    return journaling


def kill(engine: Engine) -> None:
    """Let go of an engine's journal as the kernel does for a process that dies."""
    crash(journaling_of(engine)._journal)


def kept(tmp_path: Path) -> list[EventDict]:
    """Return what the next start would find, and leave it there."""
    return [json.loads(line) for line in recover(tmp_path / "journal", settle=False)]


def on_disk(tmp_path: Path) -> bytes:
    return b"".join(path.read_bytes() for path in segments(tmp_path / "journal"))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def numbers(sink: Keeping, key: str = "number") -> list[int]:
    return [event[key] for event in sink.events if key in event]


def mask(event: EventDict) -> EventDict:
    """A redactor as users write them."""
    return {key: value.replace(CANARY, "***") if isinstance(value, str) else value for key, value in event.items()}


def test_what_was_drained_is_not_found_again_however_the_process_ends(journaled: Journaled, tmp_path: Path) -> None:
    """The watermark is moved over the last slice before the run ends, also if a sink settles it at the last moment."""
    sink = Latched()
    engine = journaled(sink, Keeping("other"))
    logger_of(engine).info("event")
    assert sink.entered.wait(10)
    account = engine._channels[0].books.account

    def at_the_last_moment() -> None:
        sink.release()
        until(lambda: account.settled == account.offered)

    engine._channels[0].hurry = at_the_last_moment  # type: ignore[method-assign]
    engine.drain(5)
    kill(engine)

    assert len(sink.events) == 1
    assert kept(tmp_path) == []


def test_what_a_dead_engine_kept_is_delivered_by_the_next(journaled: Journaled, tmp_path: Path) -> None:
    """In order, with its own time, level and fields, marked, told, and counted so that the books agree."""
    stuck, sink = Latched(), Keeping()
    engine = journaled(stuck)
    logger = logger_of(engine, "app.db").bind(tenant="a")
    for number in range(300):
        logger.log("WARNING" if number % 2 else "INFO", "event", number=number, replayed="field")
    assert stuck.entered.wait(10)
    kill(engine)
    before = kept(tmp_path)
    other = journaled(sink)
    logger_of(other).info("new")
    assert other.drain(10).delivered == 302
    replayed = [event for event in sink.events if event.get("replayed")]

    assert [event["number"] for event in replayed] == list(range(300))
    assert [event | {"replayed": True, "replayed_": "field"} for event in before] == replayed
    assert {event["logger"] for event in replayed} == {"app.db"}
    assert [event["level"] for event in replayed[:2]] == ["INFO", "WARNING"]
    assert [(e["message"], e.get("count")) for e in sink.events if not e.get("replayed")] == [
        ("new", None),
        ("events recovered", 300),
    ]
    assert_identity(other)
    assert other.snapshot()["journal"]["replayed"] == 300
    assert kept(tmp_path) == []


@pytest.mark.parametrize("fail", ["mask_all", "drop"])
def test_a_redactor_that_raises_at_the_call_fails_closed(journaled: Journaled, tmp_path: Path, fail: str) -> None:
    """Nothing of the event is kept or delivered but its time, level and logger, or nothing; it is counted once."""

    def fails(event: EventDict) -> EventDict:
        if "bad" in event:
            raise ValueError(CANARY)
        return event

    said: list[str] = []
    sink = Latched()
    engine = journaled(sink, redactors=[fails], fail=fail, diagnostics=Diagnostics(write=said.append))
    logger = logger_of(engine)
    for number in range(3):
        logger.info(CANARY, bad=CANARY, number=number)
    logger.info("good", number=3)
    found = on_disk(tmp_path)
    sink.release()
    result = engine.drain(5)

    assert CANARY.encode() not in found
    assert CANARY not in str((sink.events, said))
    if fail == "drop":
        assert (result.submitted, result.delivered, engine.figures()["dropped"]) == (4, 1, {"redaction_failed": 3})
    else:
        assert [event["message"] for event in sink.events] == [UNREDACTED] * 3 + ["good"]
        assert (result.submitted, result.delivered, result.dropped) == (4, 4, 0)
    assert_identity(engine)


@pytest.mark.parametrize("own", [True, False], ids=["callable", "built-in"])
def test_no_secret_reaches_the_journal_by_any_part_of_an_event(journaled: Journaled, tmp_path: Path, own: bool) -> None:
    """Message, fields, bound and context fields, exceptions, stacks and the name of the logger."""
    redactor = Redactor(RedactionOptions(patterns=(CANARY,)))
    sink = Latched()

    def deep(event: EventDict) -> EventDict:
        clean: EventDict = json.loads(json.dumps(event).replace(CANARY, "***"))
        return clean

    engine = journaled(sink, redactors=[deep] if own else [redactor])
    logger = logger_of(engine, f"app.{CANARY}" if own else "app").bind(token=CANARY, deep=[{"a": CANARY}])
    try:
        raise ValueError(CANARY)
    except ValueError:
        logger.exception(f"message {CANARY}", password=CANARY, text=f"x {CANARY} y", stack_info=True)
    found = on_disk(tmp_path)
    sink.release()
    engine.drain(5)

    assert b"ValueError" in found
    assert CANARY.encode() not in found
    assert CANARY not in str(sink.events)
    assert sink.events[0]["exception"]["type"] == "ValueError"
    assert "text" in sink.events[0]
    assert "stack" in sink.events[0]


def test_a_redactor_of_the_users_sees_what_enrichers_add(journaled: Journaled, tmp_path: Path) -> None:
    """It runs at the call for the journal, and again with the worker; also over the fields of the process."""
    sink = Keeping()
    engine = journaled(sink, redactors=[mask], enrichers=[lambda _: {"added": CANARY}], resource={"env": CANARY})
    logger_of(engine).info("event")
    engine.drain(5)

    assert (sink.events[0]["added"], sink.events[0]["env"]) == ("***", "***")


def test_a_redactor_is_used_by_one_thread_at_a_time(journaled: Journaled) -> None:
    """It may have state: callers and the worker wait for one another."""
    inside: list[int] = []
    most: list[int] = []

    def counting(event: EventDict) -> EventDict:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0)
        inside.pop()
        return event

    sink = Keeping()
    engine = journaled(sink, redactors=[counting], queue=QueueOptions(policy="wait", wait_seconds=None))
    logger = logger_of(engine)
    threads = [threading.Thread(target=lambda: [logger.info("event") for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.drain(20).delivered == 800
    assert (len(most), max(most)) == (1600, 1)


def test_a_redactor_that_logs_about_every_event_comes_to_an_end(journaled: Journaled) -> None:
    """What it logs is redacted, too; some calls deep it is left out, and counted."""
    sink = Keeping()
    loggers: list[Any] = []

    def chatty(event: EventDict) -> EventDict:
        loggers[0].info("redacting")
        return event

    engine = journaled(sink, redactors=[chatty])
    loggers.append(logger_of(engine))
    for _ in range(10):
        loggers[0].info("event")
    engine.drain(5)

    assert [event["message"] for event in sink.events].count("event") == 10
    assert len(sink.events) < 300
    assert engine.figures()["dropped"]["recursion"] >= 10
    assert_identity(engine)


@pytest.mark.parametrize("redactor", ["none", "callable", "failing"])
def test_echoes_are_known_whatever_redaction_leaves_of_them(
    journaled: Journaled, tmp_path: Path, redactor: str
) -> None:
    """A sink that logs about every event does not feed itself; what is left out is not kept either."""

    def fails(_: EventDict) -> EventDict:
        raise ValueError

    loggers: list[Any] = []

    class Chatty(Keeping):
        def write(self, batch: Any) -> None:
            super().write(batch)
            for _ in range(len(batch)):
                loggers[0].info("written")
                loggers[0].info("written")

    sink = Chatty()
    engine = journaled(sink, redactors={"none": [], "callable": [mask], "failing": [fails]}[redactor])
    loggers.append(logger_of(engine))
    for _ in range(20):
        loggers[0].info("event")
    engine.drain(10)
    kill(engine)

    assert engine.figures()["dropped"].get("recursion", 0) > 0
    assert 20 < len(sink.events) < 200
    assert kept(tmp_path) == []
    assert_identity(engine)


@pytest.mark.parametrize("policy", ["drop", "wait"])
def test_what_finds_no_room_in_the_queue_does_not_fill_the_journal(
    journaled: Journaled, tmp_path: Path, policy: Any
) -> None:
    """Its place is let go of at once: the watermark moves without anybody waiting for what will never come."""
    sink = Latched()
    options = QueueOptions(capacity=10, reserve=0, policy=policy, wait_seconds=0 if policy == "drop" else 0.0001)
    engine = journaled(sink, queue=options)
    logger = logger_of(engine)
    logger.info("first")
    assert sink.entered.wait(10)
    for _ in range(500):
        logger.info("event", text="x" * 200)
    sink.release()
    result = engine.drain(10)
    figures = engine.snapshot()["journal"]

    assert result.dropped >= 450
    assert (figures["waiting_bytes"], figures["refused"]) == (0, {})
    assert kept(tmp_path) == []
    assert_identity(engine)


def test_a_late_record_is_waited_for_as_long_as_it_is_on_its_way(journaled: Journaled, tmp_path: Path) -> None:
    """Two threads reach the queue in the other order, and the worker hangs for longer than the journal's patience."""
    clock = FakeClock()
    engine = journaled(Keeping(), clock=clock)
    journaling, queue = journaling_of(engine), engine.queue
    record: tuple[Any, ...] = (0, 20, engine.origin("app"), "event", {}, {}, {}, {}, None, None)
    (first, _), (second, _) = journaling.keep(record), journaling.keep(record)
    assert first is not None
    assert second is not None
    queue.items.append(first)
    journaling.claim([second]).settle()
    for _ in range(5):
        clock.advance(30)
        journaling.tend(queue)
    # The end of the process gives nothing up either.
    journaling.close()

    assert [event["message"] for event in kept(tmp_path)] == ["event", "event"]


def test_what_never_comes_is_given_up_when_all_that_waited_has_come(journaled: Journaled) -> None:
    """A log call that was interrupted between journal and queue does not hold the journal for ever."""
    clock = FakeClock()
    engine = journaled(Keeping(), clock=clock)
    journaling, queue = journaling_of(engine), engine.queue
    record: tuple[Any, ...] = (0, 20, engine.origin("app"), "event", {}, {}, {}, {}, None, None)
    _, (second, _) = journaling.keep(record), journaling.keep(record)
    assert second is not None
    journaling.claim([second]).settle()
    journaling.tend(queue)
    assert journaling.figures()["waiting_bytes"] > 0
    for _ in range(3):
        clock.advance(11)
        journaling.tend(queue)
    assert journaling.figures()["waiting_bytes"] == 0


def test_a_drain_that_runs_out_of_time_leaves_everything_to_the_next_run(journaled: Journaled) -> None:
    """Counted as lost, kept, and found by whoever starts next, be it this engine."""
    sink = Latched()
    engine = journaled(sink)
    logger = logger_of(engine)
    for number in range(200):
        logger.info("event", number=number)
    assert sink.entered.wait(10)
    assert engine.drain(0.05).timed_out
    sink.release()
    engine.drain(10)
    logger.info("after", number=200)
    result = engine.drain(10)

    assert set(numbers(sink)) == set(range(201))
    assert (result.timed_out, result.in_flight) == (False, 0)
    figures = engine.snapshot()["journal"]
    assert (figures["open"], figures["refused"], figures["waiting_bytes"]) == (True, {}, 0)
    assert_identity(engine)


@pytest.mark.parametrize("beside", [True, False], ids=["thread", "inline"])
def test_a_sink_that_hangs_during_a_replay_keeps_nobody_from_ending(
    journaled: Journaled, tmp_path: Path, beside: bool
) -> None:
    """The drain ends in its time, the run when the sink comes back, and the next start has what was left."""
    stuck = Latched()
    engine = journaled(stuck)
    for number in range(300):
        logger_of(engine).info("event", number=number)
    kill(engine)
    sink, other = Latched("other"), Keeping("beside")
    second = journaled(sink, *([other] if beside else []))
    logger_of(second).info("new")
    assert sink.entered.wait(10)
    assert second.drain(0.05).timed_out
    sink.release()
    assert not second.drain(10).timed_out
    third_sink = Keeping()
    third = journaled(third_sink)
    logger_of(third).info("new")
    assert third.drain(10).in_flight == 0

    assert set(numbers(sink)) | set(numbers(third_sink)) == set(range(300))
    assert numbers(third_sink) == sorted(numbers(third_sink))
    assert kept(tmp_path) == []
    for each in (second, third):
        assert_identity(each)


def test_a_replay_does_not_wait_for_the_age_of_batches(journaled: Journaled) -> None:
    """An asynchronous sink that makes large batches is hurried while it has what is replayed."""
    stuck = Latched()
    engine = journaled(stuck)
    for number in range(1000):
        logger_of(engine).info("event", number=number)
    kill(engine)
    sink = Awaited()
    second = journaled(sink, batch=BatchOptions(max_events=5000, max_age_seconds=60))
    logger_of(second).info("new")
    until(lambda: len(numbers(sink)) == 1000)

    assert numbers(sink) == list(range(1000))
    assert second.drain(10).in_flight == 0


def test_a_drain_right_after_the_start_takes_the_replay_along(journaled: Journaled, tmp_path: Path) -> None:
    """A short-lived process delivers what others have left."""
    stuck = Latched()
    engine = journaled(stuck)
    for number in range(1000):
        logger_of(engine).info("event", number=number)
    kill(engine)
    sink = Keeping()
    second = journaled(sink, Keeping("other"))
    logger_of(second).info("new")
    result = second.drain(10)

    assert (result.delivered, result.timed_out) == (1002, False)
    assert numbers(sink) == list(range(1000))
    assert second.drain(10).delivered == 1002
    assert_identity(second)


def test_two_engines_of_a_process_share_a_directory(journaled: Journaled, tmp_path: Path) -> None:
    """Neither takes what the other is still writing; of a dead third one each event goes to one of them."""
    stuck = Latched()
    dead = journaled(stuck)
    for number in range(500):
        logger_of(dead).info("event", number=number)
    kill(dead)
    sinks = [Keeping("a"), Keeping("b")]
    engines = [journaled(sink) for sink in sinks]
    for engine in engines:
        logger_of(engine).info("own")
    for engine in engines:
        engine.drain(10)
    assert sorted(numbers(sinks[0]) + numbers(sinks[1])) == list(range(500))
    assert [sum(event["message"] == "own" for event in sink.events) for sink in sinks] == [1, 1]
    assert kept(tmp_path) == []


def test_a_journal_that_cannot_be_had_is_said_once_and_counted(journaled: Journaled, tmp_path: Path) -> None:
    """Events go on without it, and the figures tell how many."""
    (tmp_path / "file").write_text("")
    said: list[str] = []
    sink = Keeping()
    engine = journaled(
        sink, journal=parts_in(tmp_path / "file" / "journal"), diagnostics=Diagnostics(write=said.append)
    )
    for _ in range(100):
        logger_of(engine).info("event")
    assert engine.drain(5).delivered == 100
    figures = engine.snapshot()["journal"]

    assert (figures["open"], figures["refused"], figures["bytes"]) == (False, {"closed": 100}, 0)
    assert [line for line in said if "journal" in line] == said
    assert len(said) == 1


def test_an_engine_that_is_dropped_gives_back_what_its_journal_held(tmp_path: Path) -> None:
    """Descriptors, mapped memory and the directory: nobody tells an engine that was replaced that it was the last."""
    engines: list[Any] = []
    gc.collect()
    before = descriptors()
    for _ in range(5):
        sink = Keeping()
        logger = LoggerBuilder().with_journal(tmp_path / "journal").add_sink(sink).build()
        logger.info("event")
        logger.drain()
        engines.append(sink)
    del logger
    from_builders = [len(sink.events) for sink in engines]
    _forget_default()
    gc.collect()

    assert from_builders == [1] * 5
    assert descriptors() <= before
    assert os.listdir(tmp_path / "journal") == []


def _forget_default() -> None:
    from fapilog import _runtime

    _runtime._state.configured = None
    _runtime._lead_here(None)


def test_what_is_replayed_has_the_schema_of_the_others(tmp_path: Path) -> None:
    """The journal's lines are fapilog/1; the sinks' are what was asked for."""

    class Lines(Latched):
        format: Any = "json"
        lines: list[bytes]

        def write(self, batch: Any) -> None:
            self.entered.set()
            self.latch.wait(30)
            self.lines = [*getattr(self, "lines", []), *(batch.line(index) for index in range(len(batch)))]

    stuck, sink = Lines(), Lines()
    builder = LoggerBuilder().with_journal(tmp_path / "journal").with_schema("ecs")
    logger = builder.add_sink(stuck).build()
    logger.info("event", number=1)
    kill(logger._engine())
    sink.release()
    other = LoggerBuilder().with_journal(tmp_path / "journal").with_schema("ecs").add_sink(sink).build()
    other.info("event", number=2)
    other.drain()
    stuck.release()
    logger.drain()
    events = [json.loads(line) for line in sink.lines]

    assert [("@timestamp" in event, "timestamp" in event) for event in events] == [(True, False)] * 3
    assert sum("replayed" in json.dumps(event) for event in events) == 1


def test_asynchronous_callers_are_kept_like_others(journaled: Journaled, tmp_path: Path) -> None:
    """Awaited or not, and also when they wait in line."""
    sink = Latched()
    engine = journaled(sink, queue=QueueOptions(capacity=10, reserve=0, policy="wait", wait_seconds=None))
    logger = AsyncLoggerFacade(engine.origin("test"), lambda: engine)

    async def work() -> None:
        async def one(thread: int) -> None:
            for number in range(50):
                await logger.info("event", thread=thread, number=number)

        tasks = [asyncio.create_task(one(thread)) for thread in range(4)]
        while not sink.entered.is_set():
            await asyncio.sleep(0.001)
        sink.release()
        await asyncio.gather(*tasks)

    asyncio.run(work())
    assert engine.drain(10).delivered == 200
    for thread in range(4):
        assert [event["number"] for event in sink.events if event["thread"] == thread] == list(range(50))
    kill(engine)
    assert kept(tmp_path) == []


def test_a_failed_delivery_is_counted_and_forgotten(journaled: Journaled, tmp_path: Path) -> None:
    """A sink that raises has had the event: it is not offered again at each start, for ever."""
    sink = Keeping()
    engine = journaled(sink, Raising(ValueError("no")))
    for number in range(100):
        logger_of(engine).info("event", number=number)
    result = engine.drain(5)
    kill(engine)

    assert (result.failed, numbers(sink)) == (100, list(range(100)))
    assert kept(tmp_path) == []


def test_a_fork_in_the_middle_of_a_replay_is_survived(
    journaled: Journaled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child lets go of what its parent's worker was just reading."""
    stuck = Latched()
    engine = journaled(stuck)
    logger_of(engine).info("event")
    kill(engine)
    child = journaling_of(journaled(Keeping()))
    replay = child.recover()

    def as_in_a_child(*_: Any) -> None:
        child.after_fork()
        raise EOFError

    monkeypatch.setattr("fapilog.engine.journal.recovery.scan", as_in_a_child)
    with pytest.raises(EOFError):
        replay.read()


def test_figures_tell_what_could_not_be_read(journaled: Journaled, tmp_path: Path) -> None:
    """Damaged records are counted, and the event that tells of the recovery says so."""
    stuck, sink = Latched(), Keeping()
    engine = journaled(stuck)
    for number in range(10):
        logger_of(engine).info("event", number=number)
    kill(engine)
    path = segments(tmp_path / "journal")[0]
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"number":4', b'"number":5', 1))
    second = journaled(sink)
    logger_of(second).info("new")
    second.drain(5)

    assert numbers(sink) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert (sink.events[-1]["message"], sink.events[-1]["count"], sink.events[-1]["damaged"]) == (
        "events recovered",
        9,
        1,
    )
    figures = second.snapshot()["journal"]
    assert (figures["replayed"], figures["damaged"]) == (9, 1)


def test_a_run_that_was_given_up_ends_when_its_sink_comes_back(journaled: Journaled) -> None:
    """Also if what was abandoned had been replayed: nobody says any more that it is settled."""
    stuck, sink = Latched(), Awaited(latched=True)
    engine = journaled(stuck)
    for number in range(200):
        logger_of(engine).info("event", number=number)
    kill(engine)
    second = journaled(sink, batch=BatchOptions(max_events=1))
    logger_of(second).info("new")
    until(lambda: second.queue.replayed > 0)
    assert second.drain(0.05).timed_out
    sink.release()
    assert not second.drain(10).timed_out
    thread = second._thread
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    assert_identity(second)
    third_sink = Keeping()
    third = journaled(third_sink)
    logger_of(third).info("new")
    third.drain(10)
    assert set(numbers(sink)) | set(numbers(third_sink)) == set(range(200))


def test_a_drain_that_waits_for_a_replay_tells_of_it(journaled: Journaled) -> None:
    """The event that says how many were recovered belongs to the run that delivers them."""
    stuck, sink = Latched(), Latched()
    engine = journaled(stuck)
    for number in range(10):
        logger_of(engine).info("event", number=number)
    kill(engine)
    second = journaled(sink, Keeping("other"))
    logger_of(second).info("new")
    assert sink.entered.wait(10)
    results: list[Any] = []
    drain = threading.Thread(target=lambda: results.append(second.drain(20)))
    drain.start()
    worker = second._worker
    assert worker is not None
    until(lambda: worker.stop_asked and time.monotonic() - worker._passed_at > 0.1)
    sink.release()
    drain.join(20)

    assert (results[0].delivered, results[0].in_flight) == (12, 0)
    assert sink.events[-1]["message"] == "events recovered"
    assert not second.queue.items
