"""What is kept of an engine for whoever looks: the last events, rates, latencies, and changes of pressure."""

import os
from collections import Counter
from typing import Any, NamedTuple

import orjson
import pytest

from fapilog.delivery.routing import Route, RoutingOptions
from fapilog.delivery.slices import Slice
from fapilog.engine.engine import Engine
from fapilog.engine.watching import Watching, WatchParts
from fapilog.levels import ERROR, INFO, LevelTable
from fapilog.serializers.json import JsonFormat
from fapilog.testing import FakeClock
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Keeping


def lines(engine: Engine) -> list[dict[str, Any]]:
    """Return the events that an engine has kept."""
    recent = engine.recent
    assert recent is not None
    return [orjson.loads(line) for chunk in recent.chunks() for line in chunk.data.splitlines()]


def watched(make_engine: MakeEngine, *sinks: Any, **parts: Any) -> Engine:
    """Return an engine that keeps what it has seen."""
    return make_engine(*sinks, watch=WatchParts(JsonFormat(LevelTable(), {}), 100_000), **parts)


def test_without_being_asked_an_engine_keeps_nothing(make_engine: MakeEngine) -> None:
    """It has no ring at all."""
    engine = make_engine(Keeping())

    assert engine.recent is None
    assert engine.watching is None


def test_the_events_are_kept_as_their_lines(make_engine: MakeEngine) -> None:
    """In order, whole, and the same bytes as a JSON sink writes."""
    sink = Keeping()
    engine = watched(make_engine, sink)
    for number in range(200):
        logger_of(engine).info("event", number=number)
    engine.drain()

    assert [event["number"] for event in lines(engine)] == list(range(200))
    assert lines(engine) == sink.events


def test_events_that_are_routed_to_no_json_sink_are_kept_too(make_engine: MakeEngine) -> None:
    """What is looked at is everything, whoever else is given what."""
    routing = RoutingOptions((Route("a", levels=("ERROR",)), Route("b", levels=("INFO", "ERROR"))))
    engine = watched(make_engine, Keeping("a"), Keeping("b"), routing=routing)
    logger_of(engine).info("one")
    logger_of(engine).error("two")
    engine.drain()

    assert [event["message"] for event in lines(engine)] == ["one", "two"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_keeps_nothing_of_its_parent(make_engine: MakeEngine) -> None:
    """The parent's events are the parent's to show."""
    engine = watched(make_engine, Keeping())
    logger_of(engine).info("event")
    engine.drain()
    engine.after_fork()

    assert lines(engine) == []


class Counting:
    """Totals that a test sets."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.depth = 0

    def __call__(self) -> tuple[Any, int]:
        names = ("submitted", "delivered", "filtered", "dropped", "failed")
        return {name: self.counts[name] for name in names}, self.depth


class Watched(NamedTuple):
    """A watch, its clock, and the totals that it reads."""

    watch: Watching
    clock: FakeClock
    totals: Counting

    def comes(self, count: int, level: int = INFO) -> None:
        """Have a slice of events come, and count it."""
        events = [{"message": "event"} for _ in range(count)]
        self.watch.note(Slice(None, events, [level] * count, lambda _: []))
        self.totals.counts.update(submitted=count, delivered=count)


@pytest.fixture
def seen() -> Watched:
    """Return a watch that has seen nothing yet."""
    clock, totals, names = FakeClock(), Counting(), LevelTable()
    parts = WatchParts(JsonFormat(names, {}), 100_000)
    return Watched(Watching(parts, totals, names, clock), clock, totals)


def test_rates_are_those_of_the_window(seen: Watched) -> None:
    """A hundred events a second for ten minutes are a hundred a second in each window."""
    watch, clock = seen.watch, seen.clock
    for _ in range(600):
        seen.comes(100)
        clock.advance(1.0)

    for name, seconds in {"10s": 10, "1m": 60, "5m": 300}.items():
        rate = watch.rates()[name]
        assert rate["seconds"] == seconds
        assert rate["submitted"] == rate["delivered"] == pytest.approx(100)
        assert rate["levels"] == {"INFO": pytest.approx(100)}
        assert rate["dropped"] == 0


def test_rates_do_not_depend_on_when_somebody_asks(seen: Watched) -> None:
    """A window begins between two samples; of what came between them its share counts."""
    watch, clock = seen.watch, seen.clock
    asked = []
    for number in range(80):
        seen.comes(21)
        clock.advance(0.15)
        if number >= 70:
            asked.append(watch.rates()["10s"]["submitted"])

    assert asked == pytest.approx([140] * 10, rel=0.02)


def test_one_event_after_a_long_silence_is_seen(seen: Watched) -> None:
    """The sample is taken before the event counts, and the silence before it counts as nothing."""
    watch, clock = seen.watch, seen.clock
    seen.comes(1000)
    clock.advance(3600)
    seen.comes(1, ERROR)
    clock.advance(2)

    rates = watch.rates()
    assert rates["10s"]["submitted"] == pytest.approx(0.1)
    assert rates["10s"]["levels"] == {"ERROR": pytest.approx(0.1)}
    clock.advance(3600)
    assert watch.rates()["5m"]["submitted"] == 0


def test_a_young_process_has_short_windows(seen: Watched) -> None:
    """Ten events in the first two seconds are five a second, and not one in thirty."""
    watch, clock = seen.watch, seen.clock
    seen.comes(10)
    clock.advance(2)

    assert watch.rates()["5m"]["submitted"] == pytest.approx(5)
    assert watch.rates()["5m"]["seconds"] == pytest.approx(2)


def test_history_is_bounded_and_ends_with_now(seen: Watched) -> None:
    """Five minutes of samples at most, oldest first, the last one taken on the spot."""
    watch, clock = seen.watch, seen.clock
    for _ in range(5000):
        seen.comes(1)
        clock.advance(0.5)
    seen.totals.depth = 7

    samples = watch.history()
    assert 300 <= len(samples) <= 303
    assert [each["time"] for each in samples] == sorted(each["time"] for each in samples)
    assert samples[-1] == {
        "time": samples[-1]["time"],
        "submitted": 5007,
        "delivered": 5000,
        "filtered": 0,
        "dropped": 0,
        "failed": 0,
        "depth": 7,
        "levels": {"INFO": 5000},
    }


def test_totals_agree_with_the_accounts(make_engine: MakeEngine) -> None:
    """What the rates are made of is what a drain says."""
    engine = watched(make_engine, Keeping(), level=10)
    for number in range(500):
        logger_of(engine).log("INFO" if number % 5 else "ERROR", "event")
    result = engine.drain()
    assert engine.watching is not None
    last = engine.watching.history()[-1]

    assert (last["submitted"], last["delivered"]) == (result.submitted, result.delivered) == (500, 500)
    assert last["levels"] == {"INFO": 400, "ERROR": 100}


def test_latencies_are_those_of_the_last_batches(make_engine: MakeEngine) -> None:
    """Quantiles by rank over what is kept; nothing before the first batch."""
    engine = make_engine(Keeping())
    assert engine.snapshot()["sinks"]["keeping"]["latency"] is None
    account = engine.accounts.sinks["keeping"]
    for number in range(1, 101):
        account.latest.append(number / 1000)

    assert engine.snapshot()["sinks"]["keeping"]["latency"] == {"p50_ms": 50.0, "p99_ms": 100.0, "batches": 100}
