"""What ``/debug/logging`` shows of an engine."""

import json
from collections import Counter
from typing import Any

import pytest

from fapilog.diagnostics import Diagnostics
from fapilog.errors import SinkError
from fapilog.sinks.file import FileSink
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Keeping, Raising


def test_a_sinks_own_figures_are_shown(make_engine: MakeEngine, tmp_path: Any) -> None:
    """Rotations and what failed at them, beside what became of its events."""
    engine = make_engine(FileSink(tmp_path / "app.log", max_bytes=200), Keeping())
    logger = logger_of(engine)
    for number in range(20):
        logger.info("event", number=number)
        engine.flush(5)
    engine.drain()
    sinks = engine.snapshot()["sinks"]
    assert sinks["file"]["own"]["rotations"] > 0
    assert (sinks["file"]["delivered"], sinks["keeping"]["own"]) == (20, {})
    json.dumps(engine.snapshot())


class _Refusing:
    @property
    def figures(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "figures", [7, "text", {"s": "hunter2", 1: 2, "ok": 3, "on": True}, Counter(ok=3), _Refusing()]
)
def test_only_numbers_are_shown_of_what_a_sink_offers(make_engine: MakeEngine, figures: Any) -> None:
    """A text could be a secret; what raises shows nothing."""
    sink: Any = Keeping()
    if isinstance(figures, _Refusing):
        sink = type("Refusing", (Keeping, _Refusing), {})()
    else:
        sink.figures = figures
    assert make_engine(sink).snapshot()["sinks"]["keeping"]["own"] in ({}, {"ok": 3})


def test_what_a_sink_raises_is_shown_without_secrets(make_engine: MakeEngine) -> None:
    """Scrubbed before it is cut, in the last error, the figures, the diagnostics and on standard error."""
    said: list[str] = []
    secret = "hunter2" * 5
    diagnostics = Diagnostics(write=said.append, scrub=lambda text: text.replace(secret, "***"))
    engine = make_engine(Raising(SinkError("x" * 480 + secret)), diagnostics=diagnostics)
    logger_of(engine).info("event")
    result = engine.drain()
    assert "***" in result.sinks["raising"]["last_error"]
    assert "hunter" not in str((said, engine.snapshot(), result))
