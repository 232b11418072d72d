"""A floor under the levels: who wants more gets it, and nobody else notices."""

import threading
from collections.abc import Awaitable
from typing import Any

import pytest

from fapilog.context import OUTSIDE, Scope, current
from fapilog.event import Intake
from fapilog.levels import DEBUG, ERROR, INFO
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Keeping


class Taking:
    """Takes what is below the levels, from one of its own on, and hands it in or notes it."""

    def __init__(self, level: int, *, hands_in: bool) -> None:
        self.level = level
        self.hands_in = hands_in
        self.records: list[tuple[Any, ...]] = []

    def take(
        self,
        record: tuple[Any, ...],
        size_bytes: int,
        queue: Intake,
        may_await: bool,
    ) -> Awaitable[None] | None:
        assert size_bytes > 0
        self.records.append(record)
        return queue.admit(record, may_await=may_await) if self.hands_in else None


@pytest.fixture
def within() -> Any:
    """Return what makes a taker the current one until the end of the test."""
    tokens: list[Any] = []

    def enter(taking: Taking) -> Taking:
        tokens.append(current.set(Scope({}, OUTSIDE, None, taking)))
        return taking

    yield enter
    for token in reversed(tokens):
        current.reset(token)


def test_without_a_floor_nobody_is_asked(make_engine: MakeEngine, within: Any) -> None:
    """What is off for everybody costs one comparison."""
    sink, taking = Keeping(), within(Taking(DEBUG, hands_in=True))
    engine = make_engine(sink)
    logger_of(engine).debug("quiet")
    engine.drain()

    assert (taking.records, sink.events) == ([], [])


@pytest.mark.parametrize("hands_in", [True, False])
def test_with_a_floor_the_taker_decides(make_engine: MakeEngine, within: Any, *, hands_in: bool) -> None:
    """It gets what is between floor and level, and only that; the rest goes out as always."""
    sink, taking = Keeping(), within(Taking(DEBUG, hands_in=hands_in))
    engine = make_engine(sink)
    close = engine.open_floor(DEBUG)
    logger = logger_of(engine)
    logger.debug("quiet %s", "one", more=[1])
    logger.info("loud")
    logger.log(5, "too low")
    close()
    logger.debug("after")
    engine.drain()

    assert [record[3] for record in taking.records] == ["quiet one"]
    assert [event["message"] for event in sink.events] == (["quiet one", "loud"] if hands_in else ["loud"])


def test_others_hear_nothing(make_engine: MakeEngine) -> None:
    """An open floor alone lets nothing through, and says so to who asks."""
    sink = Keeping()
    engine = make_engine(sink)
    engine.open_floor(DEBUG)
    logger = logger_of(engine)
    logger.debug("quiet")
    logger.debug("quiet", exc_info=ValueError("x"), more={})

    assert not logger.is_enabled_for("DEBUG")
    engine.drain()
    assert sink.events == []


def test_is_enabled_for_tells_what_this_scope_would_get(make_engine: MakeEngine, within: Any) -> None:
    """Who guards an expensive call by it is right in both cases."""
    engine = make_engine(Keeping())
    logger = logger_of(engine)
    within(Taking(DEBUG, hands_in=True))
    assert not logger.is_enabled_for("DEBUG")
    close = engine.open_floor(DEBUG)

    assert logger.is_enabled_for("DEBUG")
    assert not logger.is_enabled_for(5)
    close()
    assert not logger.is_enabled_for("DEBUG")


def test_floors_are_counted(make_engine: MakeEngine, within: Any) -> None:
    """The lowest that anybody holds is in force; closing twice is the same as once."""
    sink = Keeping()
    engine = make_engine(sink)
    within(Taking(1, hands_in=True))
    low, high, again = engine.open_floor(5), engine.open_floor(DEBUG), engine.open_floor(DEBUG)
    logger = logger_of(engine)
    logger.log(5, "one")
    low()
    low()
    logger.log(5, "nobody")
    logger.debug("two")
    high()
    logger.debug("three")
    again()
    logger.debug("nobody")
    engine.drain()

    assert [event["message"] for event in sink.events] == ["one", "two", "three"]


def test_levels_may_change_under_an_open_floor(make_engine: MakeEngine, within: Any) -> None:
    """The threshold moves, the floor stays; loggers obtained before and after see both."""
    engine = make_engine(Keeping())
    taking = within(Taking(DEBUG, hands_in=False))
    before = logger_of(engine, "app.db")
    close = engine.open_floor(DEBUG)
    engine.set_level("ERROR", "app")
    before.info("kept back")
    logger_of(engine, "app.new").warning("kept back")
    engine.set_level(None, "app")
    before.info("out")
    close()

    assert [record[3] for record in taking.records] == ["kept back", "kept back"]
    assert (engine.origin("app.db").level, engine.origin("app.db").threshold) == (INFO, INFO)


def test_a_floor_above_the_levels_changes_nothing(make_engine: MakeEngine) -> None:
    """It lowers, it never raises."""
    sink = Keeping()
    engine = make_engine(sink)
    engine.open_floor(ERROR)
    logger_of(engine).info("out")
    engine.drain()

    assert len(sink.events) == 1


def test_many_threads_open_and_close(make_engine: MakeEngine) -> None:
    """However they interleave, nothing of it is left."""
    engine = make_engine(Keeping())
    origin = engine.origin("app")
    ready = threading.Barrier(8)

    def work() -> None:
        ready.wait(10)
        for _ in range(200):
            engine.open_floor(DEBUG)()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (origin.level, origin.threshold) == (INFO, INFO)
