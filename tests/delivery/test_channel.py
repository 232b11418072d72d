"""What a sink may do wrong, or in a form of its own, costs nobody else anything."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.delivery.breaker import Breaker, BreakerOptions
from fapilog.delivery.fallback import Fallback, Target
from fapilog.delivery.wrapping import Honest, Plain
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.errors import SinkError
from fapilog.levels import LevelTable
from fapilog.logger.sync import SyncLoggerFacade
from fapilog.protocols import Batch
from fapilog.testing import FakeClock
from tests.engine.sinks import Awaited, Keeping


def engine_of(*sinks: Any, clock: Clock = SYSTEM_CLOCK) -> tuple[Engine, SyncLoggerFacade]:
    outputs = [Output(sink, None) for sink in sinks]
    quiet = Diagnostics(write=lambda _: None)
    engine = Engine(EngineParts(levels=LevelTable(), level=20, outputs=outputs, diagnostics=quiet, clock=clock))
    return engine, SyncLoggerFacade(engine.origin("test"), lambda: engine)


class _Plain(Keeping):
    """``open`` and ``close`` are plain methods, which is easily written."""

    def open(self) -> None:  # type: ignore[override]
        self.opened += 1

    def close(self) -> None:  # type: ignore[override]
        self.closed += 1


class _PlainAndBroken(_Plain):
    def open(self) -> None:  # type: ignore[override]
        raise OSError("no")


class _Answering(Keeping):
    """A plain ``write`` that returns something to await; every other one takes longer than the next."""

    writes = 0

    def write(self, batch: Batch) -> Awaitable[None]:  # type: ignore[override]
        return self._take(list(batch.events))

    async def _take(self, events: list[dict[str, Any]]) -> None:
        self.writes += 1
        for _ in range(20 if self.writes % 2 else 0):
            await asyncio.sleep(0.001)
        self.events.extend(events)


class _Hanging(Awaited):
    """Never comes back from ``close``."""

    def __init__(self) -> None:
        super().__init__("hanging")
        self.given_up = False

    async def close(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up = True


class _Exiting(Awaited):
    """Raises SystemExit where it is told."""

    def __init__(self, where: str) -> None:
        super().__init__("exiting")
        self.where = where

    async def open(self) -> None:
        self._exit("open")

    async def write(self, batch: Batch) -> None:  # type: ignore[override]
        self._exit("write")
        await super().write(batch)

    async def close(self) -> None:
        self._exit("close")

    def _exit(self, here: str) -> None:
        if self.where == here:
            self.where = ""
            raise SystemExit(here)


@pytest.mark.parametrize("neighbours", [0, 1])
def test_open_and_close_may_be_plain_methods(neighbours: int) -> None:
    """As the only sink and beside another."""
    sink = _Plain("plain")
    engine, logger = engine_of(sink, *(Keeping(f"n{number}") for number in range(neighbours)))
    logger.info("event")
    assert engine.drain(5).delivered == 1
    assert (len(sink.events), sink.opened, sink.closed) == (1, 1, 1)


def test_a_plain_open_that_raises_fails_its_own_events() -> None:
    """The engine's thread lives on and every event is settled."""
    engine, logger = engine_of(_PlainAndBroken())
    logger.info("event")
    result = engine.drain(5)
    assert (result.failed, result.in_flight, result.timed_out) == (1, 0, False)


class _Absent(Keeping):
    """Cannot be opened until it is there."""

    there = False

    async def open(self) -> None:
        if not self.there:
            raise OSError("not yet")
        await super().open()


def _bare(sink: Any) -> Any:
    return sink


def _behind_a_breaker(sink: Any) -> Any:
    return Plain(Breaker(Honest(sink, waits=False), BreakerOptions(50)))


@pytest.mark.parametrize("wrapped", [_bare, _behind_a_breaker])
def test_a_sink_that_could_not_be_opened_gets_what_comes_when_it_can(wrapped: Callable[[Any], Any]) -> None:
    """With wrappers, too; it is tried again after a second."""
    sink, clock = _Absent(), FakeClock()
    engine, log = engine_of(wrapped(sink), clock=clock)
    log.info("early")
    assert engine.flush(30)
    sink.there = True
    log.info("too soon")
    assert engine.flush(30)
    clock.advance(1)
    log.info("late")
    result = engine.drain(30)

    assert [event["message"] for event in sink.events] == ["late"]
    assert (result.delivered, result.failed) == (1, 2)


@pytest.mark.parametrize("there", [True, False])
def test_without_a_thread_the_worker_opens_a_sink_with_its_wrappers(
    there: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the end of an interpreter 3.12.0 or 3.12.1 gives no thread any more; what cannot be opened falls back."""
    sink, other, neighbour = _Absent(), Keeping("other"), Keeping("neighbour")
    sink.there = there
    within = Breaker(Honest(sink, waits=False), BreakerOptions(50))
    engine, log = engine_of(Plain(Fallback(within, Target(other, None), here=True, takes_rejected=True)), neighbour)
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if thread.name != "fapilog-engine":
            raise RuntimeError("can't create new thread at interpreter shutdown")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    log.info("last words")
    result = engine.drain(30)

    assert (result.delivered, result.failed) == (1, 0)
    assert [len(each.events) for each in (sink, other, neighbour)] == ([1, 0, 1] if there else [0, 1, 1])


@pytest.mark.parametrize("neighbours", [0, 1])
def test_a_plain_write_that_returns_an_awaitable_keeps_the_order(neighbours: int) -> None:
    """The next write begins when the one before has ended."""
    sink = _Answering("answering")
    engine, logger = engine_of(sink, *(Keeping(f"n{number}") for number in range(neighbours)))
    for number in range(1000):
        logger.info("event", number=number)
    assert engine.drain(10).delivered == 1000
    assert [event["number"] for event in sink.events] == list(range(1000))


def test_a_close_that_hangs_holds_up_no_other_and_no_next_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """The neighbours are closed beside it, it is given up, and the engine starts again."""
    monkeypatch.setattr("fapilog.delivery.plugin.CLOSE_PATIENCE_SECONDS", 0.05)
    hanging, plain, awaited = _Hanging(), Keeping("plain"), Awaited("awaited")
    engine, logger = engine_of(hanging, plain, awaited)
    logger.info("one")
    first = engine.drain(5)
    assert (first.timed_out, plain.closed, awaited.closed, hanging.given_up) == (False, 1, 1, True)
    logger.info("two")
    assert engine.drain(5).delivered == 2


@pytest.mark.parametrize("where", ["open", "write", "close"])
def test_what_no_one_may_catch_ends_no_loop(where: str) -> None:
    """SystemExit in an asynchronous sink is that sink's failure; drains end and its neighbour has everything."""
    good = Keeping("good")
    engine, logger = engine_of(_Exiting(where), good)
    logger.info("one")
    engine.flush(5)
    first = engine.drain(5)
    logger.info("two")
    second = engine.drain(5)
    assert [event["message"] for event in good.events] == ["one", "two"]
    assert (first.timed_out, second.timed_out, second.in_flight) == (False, False, 0)
    assert good.closed == 2


@pytest.mark.parametrize("indexes", [[-1], [99], [0, 3], ["a"]])
def test_an_index_that_is_not_in_the_batch_fails_all_of_it(indexes: list[Any]) -> None:
    """An error that cannot be understood must not count as delivery."""
    sink = Keeping()

    def refuse(batch: Batch) -> None:
        raise SinkError("partly", failed_indexes=indexes)

    sink.write = refuse  # type: ignore[method-assign]
    engine, logger = engine_of(sink)
    for _ in range(3):
        logger.info("event")
    result = engine.drain(5)
    assert (result.delivered, result.failed) == (0, 3)
