"""A schema reaches JSON lines and the sinks that ask for it, and nobody else, by whichever way events take."""

import asyncio
import json
from typing import Any

import pytest

from fapilog import LoggerBuilder
from fapilog.event import EventDict
from fapilog.processors.schema import SCHEMAS
from fapilog.protocols import Batch
from fapilog.sinks.memory import MemorySink

STAGES: dict[str, Any] = {
    "records": lambda builder: builder,
    "dicts": lambda builder: builder.with_processor(lambda event: event),
    "routed": lambda builder: builder.with_routing({"to": ["shaped", "json", "pretty", "logfmt", "flat"]}),
}


class Reading:
    """Keeps lines and dicts of what it is given in a format."""

    def __init__(self, name: str, form: str | None) -> None:
        self.name = name
        self.format = form
        self.lines = b""
        self.events: list[EventDict] = []

    async def open(self) -> None:
        """Nothing to get."""

    def write(self, batch: Batch) -> None:
        self.lines += batch.lines
        self.events += batch.events

    async def close(self) -> None:
        """Nothing to let go."""


class ReadingAsync(Reading):
    """The same on the engine's loop, where batches are put together of parts."""

    async def write(self, batch: Batch) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().write(batch)


def _log(schema: str | None, way: str, *sinks: Any) -> None:
    builder = LoggerBuilder().with_name("shop").with_service("orders")
    for sink in sinks:
        builder = builder.add_sink(sink)
    logger = STAGES[way](builder).with_schema(schema).build()
    for number in range(20):
        logger.info("paid", order=number, at={"shop": 7})
    try:
        raise ValueError("declined")
    except ValueError:
        logger.exception("failed", order=20)
    assert logger.drain().delivered == 21


def _sinks() -> tuple[MemorySink, Reading, Reading, Reading, Reading]:
    return (
        MemorySink(name="shaped"), Reading("json", "json"), Reading("pretty", "pretty"), Reading("logfmt", "logfmt"),
        ReadingAsync("flat", None),
    )  # fmt: skip


@pytest.mark.parametrize("way", STAGES)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_json_and_memory_have_the_schema_and_all_others_the_flat_event(schema: str, way: str) -> None:
    """A console stays readable, and what builds its own wire format starts from ``fapilog/1``."""
    memory, as_json, pretty, logfmt, flat = _sinks()
    _log(schema, way, memory, as_json, pretty, logfmt, flat)
    reshape = SCHEMAS[schema]
    assert [event["order"] for event in flat.events] == list(range(21))
    assert flat.lines == b""
    assert pretty.events == logfmt.events == flat.events
    assert memory.events == as_json.events == [reshape(event) for event in flat.events]
    assert [json.loads(line) for line in as_json.lines.splitlines()] == memory.events
    assert pretty.lines.count(b" paid ") == 20
    assert logfmt.lines.startswith(b"timestamp=")


@pytest.mark.parametrize("way", STAGES)
def test_without_a_schema_all_dicts_are_the_same(way: str) -> None:
    """Flat, as the lines are."""
    memory, as_json, pretty, logfmt, flat = _sinks()
    _log(None, way, memory, as_json, pretty, logfmt, flat)
    assert memory.events == as_json.events == pretty.events == logfmt.events == flat.events
    assert [json.loads(line) for line in as_json.lines.splitlines()] == memory.events
    assert list(memory.events[0])[:4] == ["timestamp", "level", "logger", "message"]


def test_a_schema_changes_no_dict_that_others_are_given() -> None:
    """Sinks of two formats share a slice; the flat events are the same before and after."""
    before, after = Reading("before", None), Reading("after", None)
    memory = MemorySink()
    logger = LoggerBuilder().with_schema("grouped").add_sink(before).add_sink(memory).add_sink(after).build()
    logger.info("paid", order={"id": 7})
    logger.drain()
    assert before.events == after.events
    assert before.events[0]["order"] == {"id": 7}
    assert memory.events[0]["fields"] == {"order": {"id": 7}}
