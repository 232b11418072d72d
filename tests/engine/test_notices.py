"""What filters held back is told by events of the logger ``fapilog``: when it is due, and at the end in any case."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from fapilog.diagnostics import Diagnostics
from fapilog.event import EventDict
from fapilog.protocols import Batch, Summary
from fapilog.testing.fakes import FakeClock
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Awaited, Keeping
from tests.engine.test_engine import _until


def quiet() -> Diagnostics:
    return Diagnostics(write=lambda _: None)


class Holding:
    """Holds back what has the message ``no``, and sums it up: on ``ready``, or at the end."""

    name = "holding"

    def __init__(self, level: str = "INFO") -> None:
        self.level = level
        self.count = 0
        self.ready = False

    def __call__(self, event: EventDict) -> bool:
        self.count += event["message"] == "no"
        return bool(event["message"] != "no")

    def due(self, final: bool) -> list[Summary]:
        if not self.count or not (final or self.ready):
            return []
        count, self.count = self.count, 0
        return [Summary(self.level, "held back", {"count": count, "level": "a field of that name"})]


@pytest.mark.parametrize("sinks", [[Keeping("a")], [Keeping("a"), Awaited("b")]])
def test_the_last_summary_is_delivered_by_the_drain_that_asks_for_it(make_engine: MakeEngine, sinks: list[Any]) -> None:
    """An event like any other: submitted, delivered, by the level's name; and nothing is told twice."""
    for sink in sinks:
        sink.events.clear()
    engine = make_engine(*sinks, filters=[Holding("warning")], diagnostics=quiet())
    logger = logger_of(engine)
    for message in ("no", "yes", "no"):
        logger.info(message)
    result = engine.drain()
    assert (result.submitted, result.delivered, result.filtered, result.in_flight) == (4, 2, 2, 0)
    for sink in sinks:
        told = sink.events[-1]
        assert (told["logger"], told["level"], told["message"], told["count"]) == ("fapilog", "WARNING", "held back", 2)
        assert told["level_"] == "a field of that name"
    assert engine.drain().submitted == 4
    logger.info("yes")
    assert engine.drain().submitted == 5


def test_what_is_due_is_told_between_slices(make_engine: MakeEngine) -> None:
    """Without another event, and without a drain."""
    sink, holding = Keeping(), Holding()
    engine = make_engine(sink, filters=[holding], diagnostics=quiet(), clock=FakeClock())
    logger_of(engine).info("no")
    assert engine.flush(30)
    holding.ready = True
    _until(lambda: [event["message"] for event in sink.events] == ["held back"])


def test_the_end_of_the_interpreter_is_an_end_too(make_engine: MakeEngine) -> None:
    """What was held back by then is not lost."""
    sink = Keeping()
    engine = make_engine(sink, filters=[Holding()], diagnostics=quiet())
    logger_of(engine).info("no")
    assert engine.finish(5).delivered == 1
    assert sink.events[0]["count"] == 1


def test_a_summary_goes_through_all_stages_and_the_filters_themselves(make_engine: MakeEngine) -> None:
    """Redaction included; a filter that holds its own summary back is not asked for ever."""
    sink = Keeping()

    class Recursive(Holding):
        def __call__(self, event: EventDict) -> bool:
            self.count += 1
            return False

    engine = make_engine(sink, filters=[Recursive()], diagnostics=quiet())
    logger_of(engine).info("event")
    result = engine.drain(5)
    assert (result.timed_out, result.delivered, result.in_flight) == (False, 0, 0)
    redacting = make_engine(
        sink, filters=[Holding()], redactors=[lambda event: event | {"count": "***"}], diagnostics=quiet()
    )
    logger_of(redacting).info("no")
    redacting.drain()
    assert sink.events[0]["count"] == "***"


def test_what_is_held_back_while_a_drain_ends_is_told_too(make_engine: MakeEngine) -> None:
    """A sink that logs about the first summary makes a second one."""
    sink, holding = Keeping(), Holding()
    engine = make_engine(sink, filters=[holding], diagnostics=quiet())
    logger, write = logger_of(engine), sink.write

    def chatty(batch: Batch) -> None:
        write(batch)
        if any(event.get("count") == 2 for event in batch.events):
            logger.info("no")

    sink.write = chatty  # type: ignore[method-assign]
    for _ in range(2):
        logger.info("no")
    engine.drain(5)
    assert [event["count"] for event in sink.events] == [2, 1]


def test_a_sink_that_logs_about_every_summary_does_not_hold_up_the_end(make_engine: MakeEngine) -> None:
    """What is left then is told by the next run."""
    sink = Keeping()
    engine = make_engine(sink, filters=[Holding()], diagnostics=quiet())
    logger, write = logger_of(engine), sink.write

    def endless(batch: Batch) -> None:
        write(batch)
        logger.info("no")

    sink.write = endless  # type: ignore[method-assign]
    logger.info("no")
    result = engine.drain(10)
    sink.write = write  # type: ignore[method-assign]
    assert not result.timed_out
    assert result.in_flight == 0
    assert 1 <= len(sink.events) <= 4


@pytest.mark.parametrize(
    "answer",
    [None, 7, [None], [{"level": "INFO"}], [("INFO", "no fields")], [Summary("INFO", "m", None)], "text"],  # type: ignore[arg-type]
)
@pytest.mark.parametrize("final", [True, False])
def test_a_filter_that_answers_nonsense_harms_nobody(make_engine: MakeEngine, answer: Any, final: bool) -> None:
    """The thread goes on, its summaries are left out, and it is reported."""

    class Odd(Holding):
        def due(self, its_final: bool) -> Any:
            return answer if its_final is final else []

    sink = Keeping()
    engine = make_engine(sink, filters=[Odd()], diagnostics=quiet())
    logger = logger_of(engine)
    logger.info("one")
    engine.flush(5)
    logger.info("two")
    assert engine.drain(5).delivered == 2
    assert (sink.opened, sink.closed) == (1, 1)
    assert "filter holding" in engine.diagnostics.counts()


def test_odd_values_in_a_summary_are_made_plain(make_engine: MakeEngine) -> None:
    """An unknown level is WARNING, a message is text, and fields are what a log call's would be."""

    class Odd(Holding):
        def due(self, final: bool) -> Any:
            return [Summary("LOUD", 7, {"what": {1, 2}})] if final else []  # type: ignore[arg-type]

    sink = Keeping()
    engine = make_engine(sink, filters=[Odd()], diagnostics=quiet())
    logger_of(engine).info("one")
    engine.drain(5)
    told = sink.events[1]
    assert (told["level"], told["message"], sorted(told["what"])) == ("WARNING", "7", [1, 2])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_tell_what_its_parent_will(make_engine: MakeEngine) -> None:
    """What was held back before the fork were the parent's events."""
    sink = Keeping()
    engine = make_engine(sink, filters=[Holding()], diagnostics=quiet())
    logger = logger_of(engine)
    logger.info("no")
    assert engine.flush(30)

    def child() -> str:
        engine.after_fork()
        logger.info("no")
        logger.info("child")
        engine.drain(5)
        return str([(event["message"], event.get("count")) for event in sink.events])

    assert _in_child(child) == str([("child", None), ("held back", 1)])
    engine.drain()
    assert [event["count"] for event in sink.events] == [1]


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
