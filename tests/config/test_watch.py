"""What the console can show of an engine is what its options ask for: redacted, flat, bounded."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from fapilog import _runtime
from fapilog.edge_options import StdlibOptions
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


def test_code_that_names_one_option_of_the_route_leaves_the_others_to_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As every other method: what is not said is as the layers below have it."""
    monkeypatch.setenv("FAPILOG_DEBUG_ROUTE__PATH", "/ops/log")
    monkeypatch.setenv("FAPILOG_DEBUG_ROUTE__KEEP", "1 MB")
    monkeypatch.setenv("FAPILOG_DEBUG_ROUTE__TRACE_URL", "https://traces.example/{trace_id}")
    monkeypatch.setenv("FAPILOG_DEBUG_ROUTE__TOKEN", "of-the-environment")
    route = FastAPIBuilder().with_debug_route(max_tails=2).with_debug_route(spans=5).options().debug_route

    assert route is not None
    assert (route.path, route.keep, route.max_tails, route.spans) == ("/ops/log", "1 MB", 2, 5)
    assert (route.token, route.trace_url) == ("of-the-environment", "https://traces.example/{trace_id}")


def test_code_that_names_one_option_of_the_capture_leaves_the_others_to_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also the level, of which None says something: what is not said is as the layers below have it."""
    monkeypatch.setenv("FAPILOG_STDLIB__LEVEL", "DEBUG")
    monkeypatch.setenv("FAPILOG_STDLIB__LOGGERS", '["library"]')
    monkeypatch.setenv("FAPILOG_SERVERS", "false")
    options = FastAPIBuilder().capture_stdlib(source=True).options()
    assert options.stdlib == StdlibOptions("DEBUG", ("library",), source=True)
    assert not options.servers

    options = FastAPIBuilder().capture_stdlib(level=None, loggers=("root",), servers=True).options()
    assert options.stdlib == StdlibOptions(None, ("root",))
    assert options.servers
