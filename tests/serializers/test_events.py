"""The format without lines, and JSON lines of another schema."""

import json
from typing import Any

import pytest

from fapilog.coerce import to_plain_fields
from fapilog.event import Origin, to_event
from fapilog.levels import LevelTable
from fapilog.processors.schema import SCHEMAS
from fapilog.serializers.events import EventsFormat
from fapilog.serializers.json import JsonFormat, dump_event

LEVELS = LevelTable()
RESOURCE = {"service": "shop", "pid": 7}


def record(number: int, **fields: Any) -> tuple[Any, ...]:
    origin = Origin("app", None)  # type: ignore[arg-type]
    return (number, 40, origin, "m", to_plain_fields(fields), {"b": 1}, {"request_id": "r"}, {}, None, None)


def test_there_is_a_line_for_each_event_and_nothing_in_it() -> None:
    """No time is spent on bytes that nobody reads."""
    form = EventsFormat()
    assert form.encode_records([record(1), record(2)]) == [b"", b""]
    assert form.encode_events([{}]) == [b""]
    assert form.reshape is None
    form.reset()


@pytest.mark.parametrize("name", SCHEMAS)
def test_lines_of_a_schema_are_the_reshaped_event(name: str) -> None:
    """The same for records and for dicts, whatever the fields hold."""
    schema = SCHEMAS[name]
    records = [record(1), record(2, order=7, level="odd"), record(3, ratio=float("nan"), big=1 << 80, text="\ud800")]
    form = JsonFormat(LEVELS, RESOURCE, schema)
    expected = [dump_event(schema(to_event(one, LEVELS, RESOURCE))) for one in records]
    assert form.encode_records(records) == expected
    assert form.encode_events([to_event(one, LEVELS, RESOURCE) for one in records]) == expected
    assert all(json.loads(line) for line in expected)
