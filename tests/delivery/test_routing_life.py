"""Routing while things go wrong: full buffers, slow and hung sinks, flush, drain, abandon and fork."""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.delivery.buffer import BatchOptions
from fapilog.delivery.routing import Route, RoutingOptions
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.engine.queue import QueueOptions
from fapilog.errors import SinkError
from fapilog.levels import LevelTable
from fapilog.protocols import Batch
from fapilog.serializers.json import JsonFormat
from tests.engine.conftest import MakeEngine, logger_of, make_engine
from tests.engine.sinks import Awaited, Keeping, Latched, Raising
from tests.engine.test_engine import _until, assert_identity

__all__ = ["make_engine"]

THIRDS = RoutingOptions(
    (
        Route("sync", when=lambda event: event["number"] % 3 == 0),
        Route("async", when=lambda event: event["number"] % 3 == 1),
        Route(("sync", "async", "inline"), levels="ERROR"),
    ),
    ("inline",),
)


HUNG = [
    pytest.param(lambda: Latched("hung"), id="sync"),
    pytest.param(lambda: Awaited("hung", latched=True), id="async"),
]


def quiet() -> Diagnostics:
    return Diagnostics(write=lambda _: None)


class Gated(Keeping):
    """Waits at its gate in each write, and may fail behind it."""

    def __init__(self, name: str, *, blocks: bool, fail: bool) -> None:
        super().__init__(name, blocks=blocks)
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.fail = fail

    def take(self, batch: Batch) -> None:
        self.events.extend(batch.events)
        if self.fail:
            raise SinkError("no")

    def write(self, batch: Batch) -> None:
        self.entered.set()
        assert self.gate.wait(30)
        self.take(batch)


class GatedAsync(Gated):
    """The same on the loop."""

    async def write(self, batch: Batch) -> None:  # type: ignore[override]
        self.entered.set()
        while not self.gate.is_set():
            await asyncio.sleep(0.001)
        self.take(batch)


@given(
    st.integers(1, 40),
    st.integers(0, 5),
    st.sets(st.sampled_from(["sync", "async", "inline"])),
    st.sets(st.sampled_from(["sync", "async"])),
    st.lists(st.lists(st.sampled_from(["INFO", "ERROR"]), max_size=40), min_size=1, max_size=5),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_full_buffers_drop_only_what_is_their_own(
    capacity: int, reserve: int, failing: set[str], gated: set[str], rounds: list[list[str]], serialised: bool
) -> None:
    """Each event is at a sink once, in order, or in its books under one reason; errors are the last to go."""
    sinks = [
        Gated("sync", blocks=True, fail="sync" in failing),
        GatedAsync("async", blocks=True, fail="async" in failing),
        Gated("inline", blocks=False, fail="inline" in failing),
    ]
    for sink in sinks:
        if sink.name not in gated:
            sink.gate.set()
    table = LevelTable()
    form = JsonFormat(table, {}) if serialised else None
    parts = EngineParts(
        levels=table, level=20, outputs=[Output(sink, form) for sink in sinks], routing=THIRDS, diagnostics=quiet(),
        queue=QueueOptions(capacity=capacity, reserve=reserve), batch=BatchOptions(max_events=3, max_age_seconds=0.001),
    )  # fmt: skip
    engine = Engine(parts)
    logger = logger_of(engine)
    levels: list[str] = []
    for its_levels in rounds:
        for level in its_levels:
            logger.log(level, "event", number=len(levels))
            levels.append(level)
            assert_identity(engine)
        # So that more than one slice waits in the buffers.
        _until(lambda: not engine.queue.items)
    # What the queue has taken is at the buffers before the gates open.
    engine.flush(0.02)
    assert_identity(engine)
    for sink in sinks:
        sink.gate.set()
    assert engine.drain(30).in_flight == 0
    figures = assert_identity(engine)
    for sink in sinks:
        row, numbers = figures["sinks"][sink.name], [event["number"] for event in sink.events]
        mine = [number for number, level in enumerate(levels) if sink.name in _targets(number, level)]
        assert numbers == sorted(set(numbers))
        assert set(numbers) <= set(mine)
        assert set(row["dropped"]) <= {"queue_full", "sink_buffer_full"}
        assert set(row["filtered"]) <= {"routing"}
        taken = row["failed"].get("SinkError", 0) if sink.name in failing else row["delivered"]
        assert taken == len(numbers)
        if "queue_full" not in row["dropped"]:
            assert row["dropped"].get("sink_buffer_full", 0) == len(mine) - len(numbers)


def _targets(number: int, level: str) -> set[str]:
    found = {"sync"} if number % 3 == 0 else {"async"} if number % 3 == 1 else set()
    return {"sync", "async", "inline"} if level == "ERROR" else found or {"inline"}


@pytest.mark.parametrize("make_hung", HUNG)
def test_a_flush_waits_only_for_sinks_that_have_something(make_engine: MakeEngine, make_hung: Any) -> None:
    """What is routed past the hung sink is settled at once; what is its own is not, until it comes back."""
    hung, fine = make_hung(), Keeping("fine")
    routing = RoutingOptions((Route("hung", logger="slow"),), ("fine",))
    engine = make_engine(hung, fine, routing=routing, diagnostics=quiet())
    fast, slow = logger_of(engine, "fast"), logger_of(engine, "slow.db")
    fast.info("one")
    assert engine.flush(30)
    slow.info("two")
    assert not engine.flush(0.05)
    fast.info("three")
    assert not asyncio.run(engine.flush_async(0.05))
    assert [event["message"] for event in fine.events] == ["one", "three"]
    hung.release()
    assert engine.flush(30)
    assert [event["message"] for event in hung.events] == ["two"]
    assert_identity(engine)


@pytest.mark.parametrize("make_hung", HUNG)
def test_a_drain_that_gives_up_abandons_only_the_hung_sinks_events(make_engine: MakeEngine, make_hung: Any) -> None:
    """For the engine an event is lost only if one of the sinks it was routed to lost it."""
    hung, fine = make_hung(), Keeping("fine")
    routing = RoutingOptions((Route("hung", levels="ERROR"), Route(("hung", "fine"), levels="CRITICAL")), ("fine",))
    engine = make_engine(
        hung, fine, routing=routing, diagnostics=quiet(), batch=BatchOptions(max_events=1, max_age_seconds=0.001)
    )
    logger = logger_of(engine)
    logger.error("in hand")
    assert not engine.flush(0.05)
    for level in ("info", "error", "critical", "info"):
        getattr(logger, level)(level)
    result = engine.drain(0.2)
    assert (result.timed_out, result.delivered, result.dropped, result.in_flight) == (True, 2, 2, 1)
    assert result.sinks["fine"]["delivered"] == 3
    assert result.sinks["fine"]["dropped"] == {}
    assert result.sinks["hung"]["dropped"] == {"shutdown_timeout": 2}
    assert result.sinks["hung"]["filtered"] == {"routing": 2}
    assert_identity(engine)
    hung.release()
    engine.drain(5)
    assert engine.figures()["in_flight"] == 0


def test_a_sink_that_fails_costs_only_the_events_that_are_routed_to_it(make_engine: MakeEngine) -> None:
    """An event that only others got is delivered."""
    bad, good = Raising(SinkError("no"), "bad"), Keeping("good")
    routing = RoutingOptions((Route("bad", levels="ERROR"), Route("good")))
    engine = make_engine(bad, good, routing=routing, diagnostics=quiet())
    logger = logger_of(engine)
    for level in ("info", "error", "info"):
        getattr(logger, level)("event")
    result = engine.drain(5)
    assert (result.delivered, result.failed) == (2, 1)
    assert len(good.events) == 3
    assert assert_identity(engine)["sinks"]["bad"]["filtered"] == {"routing": 2}


def test_an_event_of_a_sink_is_counted_by_each_of_its_outcomes(make_engine: MakeEngine) -> None:
    """No route, a route elsewhere, a filter and a failed redaction do not count twice anywhere."""

    def redact(event: dict[str, Any]) -> dict[str, Any]:
        if event["message"] == "unredactable":
            raise ValueError(event["message"])
        return event

    a, b = Keeping("a"), Keeping("b")
    engine = make_engine(
        a, b, redactors=[redact], fail="drop", diagnostics=quiet(),
        filters=[lambda event: event["message"] != "filtered"],
        routing=RoutingOptions((Route("a", levels="ERROR"), Route("b", levels="WARNING"))),
    )  # fmt: skip
    logger = logger_of(engine)
    for message in ("filtered", "unredactable", "event"):
        for level in ("info", "warning", "error"):
            getattr(logger, level)(message)
    result = engine.drain(5)
    assert (result.submitted, result.delivered, result.filtered, result.dropped) == (9, 2, 4, 3)
    figures = assert_identity(engine)
    assert figures["filtered"] == {"<lambda>": 3, "no_route": 1}
    for row in figures["sinks"].values():
        assert row["filtered"] == {"<lambda>": 3, "no_route": 1, "routing": 1}
        assert row["dropped"] == {"redaction_failed": 3}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_forked_child_routes_as_its_parent_does(make_engine: MakeEngine) -> None:
    """With books of its own, and none of the parent's events."""
    a, b = Keeping("a"), Keeping("b")
    engine = make_engine(a, b, routing=RoutingOptions((Route("a", levels="ERROR"),), ("b",)), diagnostics=quiet())
    logger = logger_of(engine)
    logger.info("parent")
    assert engine.flush(30)

    def child() -> str:
        engine.after_fork()
        a.events.clear()
        b.events.clear()
        logger.error("child")
        logger.info("child")
        result = engine.drain(5)
        assert_identity(engine)
        return str((result.submitted, result.delivered, [len(sink.events) for sink in (a, b)]))

    assert _in_child(child) == "(2, 2, [1, 1])"
    assert engine.drain(5).delivered == 1


def _in_child(function: Callable[[], str]) -> str:
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writable, function().encode())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


def test_summaries_are_routed_by_their_logger_and_level(make_engine: MakeEngine) -> None:
    """Without a fallback they need a route of their own, as the page says."""

    class Holding:
        name = "holding"
        count = 0

        def __call__(self, event: dict[str, Any]) -> bool:
            self.count += event["message"] == "no"
            return bool(event["message"] != "no")

        def due(self, final: bool) -> list[Any]:
            count, self.count = self.count if final else 0, 0 if final else self.count
            return [("WARNING", "held back", {"count": count})] if count else []

    app, own = Keeping("app"), Keeping("own")
    engine = make_engine(
        app, own, filters=[Holding()], diagnostics=quiet(),
        routing=RoutingOptions((Route("app", logger="test"), Route("own", logger="fapilog"))),
    )  # fmt: skip
    for message in ("no", "yes", "no"):
        logger_of(engine).info(message)
    assert engine.drain(5).delivered == 2
    assert [event["message"] for event in app.events] == ["yes"]
    assert [event["count"] for event in own.events] == [2]
    assert_identity(engine)
