"""What the console can show of an engine is what its options ask for: redacted, flat, bounded."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from fapilog import _runtime
from fapilog.fastapi import FastAPIBuilder
from tests.engine.conftest import logger_of


def kept_by(builder: Any) -> list[dict[str, Any]]:
    """Return what is kept of two events, one with a secret in it."""
    engine = _runtime.build_engine(builder.options())
    logger_of(engine).info("hello", password="hunter2", note="token=hunter2")
    logger_of(engine).error("bad")
    engine.drain()
    assert engine.recent is not None
    assert [orjson.loads(line)["message"] for _, line in engine.recent.errors()] == ["bad"]
    return [orjson.loads(line) for chunk in engine.recent.chunks() for line in chunk.data.splitlines()]


@pytest.mark.parametrize("schema", [None, "ecs", "grouped"])
def test_what_is_kept_is_redacted_and_flat(schema: Any, tmp_path: Path) -> None:
    """Whatever schema the sinks write, and never a secret."""
    builder = FastAPIBuilder().with_debug_route(token="t").add_file(tmp_path / "app.log")
    events = kept_by(builder if schema is None else builder.with_schema(schema))

    assert [event["message"] for event in events] == ["hello", "bad"]
    assert events[0]["logger"] == "test"
    assert events[0]["password"] != "hunter2"
    assert "hunter2" not in str(events)


def test_without_a_debug_route_nothing_is_kept(tmp_path: Path) -> None:
    """It would be memory for nobody."""
    engine = _runtime.build_engine(FastAPIBuilder().add_file(tmp_path / "app.log").options())

    assert engine.recent is None
