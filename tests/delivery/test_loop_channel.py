"""An asynchronous sink's channel: how many batches are in flight, what is shed, when it is opened."""

import asyncio
import threading
from typing import Any

import pytest

from fapilog.delivery.buffer import BatchOptions
from fapilog.delivery.fallback import Fallback, Target
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.engine.pressure import AdaptiveOptions
from fapilog.errors import SinkError
from fapilog.levels import LevelTable
from fapilog.logger.sync import SyncLoggerFacade
from fapilog.protocols import Batch
from fapilog.serializers.json import JsonFormat
from fapilog.testing.fakes import RecordingSink
from tests.delivery.receivers import Receiver

SECONDS = 20


class Gated(Receiver):
    """Holds every write until it is let through; notes how many were held at once."""

    def __init__(self) -> None:
        super().__init__()
        self.held = self.most = 0
        self.enough = threading.Event()
        self.through = threading.Event()
        self.wanted = 1

    async def write(self, batch: Batch) -> None:
        self.held += 1
        self.most = max(self.most, self.held)
        if self.held >= self.wanted:
            self.enough.set()
        while not self.through.is_set():
            await asyncio.sleep(0.001)
        self.held -= 1
        await super().write(batch)


def engine_of(sink: Any, **parts: Any) -> tuple[Engine, SyncLoggerFacade]:
    levels = LevelTable()
    outputs = [Output(sink, JsonFormat(levels, {}))]
    quiet = Diagnostics(write=lambda _: None)
    engine = Engine(EngineParts(levels=levels, level=10, outputs=outputs, diagnostics=quiet, **parts))
    return engine, SyncLoggerFacade(engine.origin("test"), lambda: engine)


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_batches_are_in_flight_than_allowed(most: int) -> None:
    """With one, the default, order is kept; with more the sink is busier."""
    sink = Gated()
    sink.wanted = most
    engine, logger = engine_of(sink, batch=BatchOptions(max_events=10, max_in_flight=most))
    for number in range(100):
        logger.info("m", number=number)

    assert sink.enough.wait(SECONDS)
    sink.through.set()
    result = engine.drain(SECONDS)

    assert sink.most == most
    assert sorted(sink.numbers) == list(range(100))
    assert most > 1 or sink.numbers == list(range(100))
    assert result.delivered == 100


def test_the_identity_holds_while_batches_are_in_flight() -> None:
    """A sink that hangs with three batches keeps them in flight; nothing is counted twice."""
    sink = Gated()
    sink.wanted = 3
    engine, logger = engine_of(sink, batch=BatchOptions(max_events=10, max_in_flight=3))
    for number in range(60):
        logger.info("m", number=number)
    assert sink.enough.wait(SECONDS)

    result = engine.drain(0.2)

    assert result.timed_out
    assert result.submitted == result.delivered + result.dropped + result.failed + result.in_flight
    sink.through.set()
    last = engine.drain(SECONDS)
    assert last.in_flight == 0
    assert last.delivered + last.dropped == 60


def test_a_sink_whose_configuration_is_wrong_is_not_asked_every_second() -> None:
    """It is said at once; the events wait meanwhile, and a drain ends."""
    sink = Receiver()
    asked = threading.Event()
    opened: list[int] = []

    async def wrong() -> None:
        opened.append(1)
        asked.set()
        raise SinkError("the password is wrong")

    sink.open = wrong  # type: ignore[method-assign]
    engine, logger = engine_of(sink)
    logger.info("m", number=1)
    assert asked.wait(SECONDS)

    result = engine.drain(1.5)

    assert len(opened) == 1
    assert result.dropped == 1
    assert engine.snapshot()["sinks"]["receiver"]["last_error"].endswith("the password is wrong")


def test_low_levels_are_shed_when_something_had_to_be_lost() -> None:
    """Of a sink that hangs, under critical pressure: DEBUG goes first, counted as ``shed``; nothing else is."""
    sink = Gated()
    engine, logger = engine_of(sink, adaptive=AdaptiveOptions(max_in_flight=1, max_batch=1))
    channel = engine._channels[0]
    channel.shed_level = 10  # type: ignore[attr-defined]
    channel.fill = lambda: 1.0  # type: ignore[attr-defined]
    engine._pressures["receiver"].level = 3
    for number in range(10):
        (logger.debug if number % 2 else logger.info)("m", number=number)
    sink.through.set()
    result = engine.drain(SECONDS)

    assert sink.numbers == [0, 2, 4, 6, 8]
    assert result.sinks["receiver"]["dropped"] == {"shed": 5}
    assert engine.snapshot()["sinks"]["receiver"]["pressure"]["level"] == "critical"


def test_what_a_hung_sink_has_no_time_for_falls_back_at_the_deadline() -> None:
    """A drain that times out gives the buffer to the fallback; only the batch that hangs stays in flight."""
    sink, other = Gated(), RecordingSink("other")
    wrapped = Fallback(sink, Target(other, None), here=False, takes_rejected=True)
    engine, logger = engine_of(wrapped, batch=BatchOptions(max_events=10))
    for number in range(60):
        logger.info("m", number=number)
    assert sink.enough.wait(SECONDS)

    result = engine.drain(0.2)

    assert result.timed_out
    assert result.sinks["receiver"]["dropped"] == {}
    assert [event["number"] for event in other.events] == list(range(10, 60))
    sink.through.set()
    last = engine.drain(SECONDS)
    assert last.delivered == 60
