"""However an engine ends, what filters held back is told by then, once; and no filter keeps it from ending."""

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from fapilog.diagnostics import Diagnostics
from fapilog.event import EventDict
from fapilog.protocols import Summary
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Awaited, Keeping
from tests.engine.test_engine import assert_identity
from tests.engine.test_notices import Holding, quiet

PROGRAM = """
import sys
from fapilog import LoggerBuilder
from fapilog.protocols import Summary

class Holding:
    name = "holding"
    count = 0

    def __call__(self, event):
        self.count += event["message"] == "no"
        return event["message"] != "no"

    def due(self, final):
        if not (final and self.count):
            return []
        count, self.count = self.count, 0
        return [Summary("WARNING", "held back", {"count": count, "password": "hunter2"})]

logger = LoggerBuilder().with_filter(Holding()).add_stdout("json").build()
for message in ("no", "yes", "no"):
    logger.info(message)
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [("", 0), ("sys.exit(3)", 3), ("raise SystemError('end')", 1), ("logger.drain()", 0), ("logger.flush()", 0)],
)
def test_a_process_tells_before_it_ends(end: str, status: int, tmp_path: Path) -> None:
    """Whichever way it ends, once, and redacted like every other event."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + end + "\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)], capture_output=True, text=True, timeout=30, check=False
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == status
    assert [event["message"] for event in events] == ["yes", "held back"]
    assert (events[1]["logger"], events[1]["level"], events[1]["count"]) == ("fapilog", "WARNING", 2)
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("sinks", [[Keeping("a")], [Awaited("a"), Keeping("b")]])
def test_every_drain_tells_what_was_held_back_since_the_last(make_engine: MakeEngine, sinks: list[Any]) -> None:
    """A drain is not death: the second one has its own sum, and an asynchronous one tells as much."""
    for sink in sinks:
        sink.events.clear()
    engine = make_engine(*sinks, filters=[Holding()], diagnostics=quiet())
    logger = logger_of(engine)
    for round_number in range(1, 4):
        for _ in range(round_number):
            logger.info("no")
        result = asyncio.run(engine.drain_async(5)) if round_number == 2 else engine.drain(5)
        assert (result.timed_out, result.delivered, result.in_flight) == (False, round_number, 0)
    for sink in sinks:
        assert [event["count"] for event in sink.events] == [1, 2, 3]
    assert_identity(engine)


def test_a_flush_is_no_end(make_engine: MakeEngine) -> None:
    """It tells nothing early, and takes nothing from the sum of the end."""
    sink = Keeping()
    engine = make_engine(sink, filters=[Holding()], diagnostics=quiet())
    logger = logger_of(engine)
    for _ in range(3):
        logger.info("no")
        assert engine.flush(30)
    assert sink.events == []
    engine.drain(5)
    assert [event["count"] for event in sink.events] == [3]


def test_nothing_is_asked_of_filters_while_nothing_was_ever_logged(make_engine: MakeEngine) -> None:
    """An engine that was not used is not started by its end."""
    asked: list[bool] = []

    class Asked(Holding):
        def due(self, final: bool) -> list[Summary]:
            asked.append(final)
            return super().due(final)

    sink = Keeping()
    engine = make_engine(sink, filters=[Asked()], diagnostics=quiet())
    assert engine.drain(5).submitted == 0
    assert engine.finish(5).submitted == 0
    assert (asked, sink.opened) == ([], 0)


@pytest.mark.parametrize("end", ["drain", "finish"])
def test_a_filter_that_always_has_something_to_say_keeps_no_engine_from_ending(
    make_engine: MakeEngine, end: str
) -> None:
    """Neither is the end held up, nor does what it says start the engine again."""

    class Endless(Holding):
        def due(self, final: bool) -> list[Summary]:
            return [Summary("INFO", "again", {"final": final})]

    sink = Keeping()
    engine = make_engine(sink, filters=[Endless()], diagnostics=quiet())
    before = threading.active_count()
    logger_of(engine).info("event")
    assert engine.flush(30)
    result = getattr(engine, end)(10)
    assert (result.timed_out, result.in_flight) == (False, 0)
    assert threading.active_count() == before
    assert sink.events[-1]["final"] is True
    assert result.delivered == len(sink.events)
    assert engine.figures()["submitted"] == result.submitted
    assert (sink.opened, sink.closed) == (1, 1)


@pytest.mark.parametrize("final", [True, False])
def test_a_filter_whose_summary_fails_costs_nobody_anything(make_engine: MakeEngine, final: bool) -> None:
    """Its neighbours' summaries are told, the events are there, and what it said is not quoted."""
    said: list[str] = []

    class Broken(Holding):
        name = "broken"

        def __call__(self, event: EventDict) -> bool:
            return True

        def due(self, its_final: bool) -> list[Summary]:
            if its_final is final:
                raise LookupError("hunter2")
            return []

    sink = Keeping()
    engine = make_engine(sink, filters=[Broken(), Holding()], diagnostics=Diagnostics(write=said.append))
    logger = logger_of(engine)
    for message in ("yes", "no", "yes"):
        logger.info(message)
    assert engine.flush(30)
    result = engine.drain(5)
    assert (result.timed_out, result.delivered, result.filtered, result.in_flight) == (False, 3, 1, 0)
    assert [event["message"] for event in sink.events] == ["yes", "yes", "held back"]
    assert [line for line in said if "filter broken: LookupError at test_last_words.py:" in line]
    assert "hunter2" not in str((said, engine.snapshot()))


def test_a_hung_sink_does_not_keep_the_others_from_the_last_words(make_engine: MakeEngine) -> None:
    """The drain gives up the one that hangs; the summary is at the other, and in the books of both."""
    hung, fine = Awaited("hung", latched=True), Keeping("fine")
    engine = make_engine(hung, fine, filters=[Holding()], diagnostics=quiet())
    logger = logger_of(engine)
    for message in ("no", "yes"):
        logger.info(message)
    result = engine.drain(0.3)
    assert result.timed_out
    assert [event["message"] for event in fine.events] == ["yes", "held back"]
    assert result.sinks["fine"]["delivered"] == 2
    hung.release()
    assert_identity(engine)


def test_a_summary_may_be_filtered_like_any_other_event(make_engine: MakeEngine) -> None:
    """The level that it carries is the one that a filter sees."""
    seen: list[tuple[str, str]] = []

    def looking(event: EventDict) -> bool:
        seen.append((event["logger"], event["level"]))
        return bool(event["logger"] != "fapilog")

    sink = Keeping()
    engine = make_engine(sink, filters=[Holding("error"), looking], diagnostics=quiet())
    logger_of(engine).info("no")
    result = engine.drain(5)
    assert (result.submitted, result.delivered, result.filtered, result.in_flight) == (2, 0, 2, 0)
    assert seen == [("fapilog", "ERROR")]
    assert engine.figures()["filtered"] == {"holding": 1, "looking": 1}
