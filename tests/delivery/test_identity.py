"""Every event that may be sent twice has an id, the same both times."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fapilog.delivery.batches import batch_of
from fapilog.delivery.identity import EventIds, Numbered, event_with_id, line_with_id
from fapilog.delivery.slices import Slice
from fapilog.levels import LevelTable
from fapilog.processors.schema import schema_named
from fapilog.serializers.json import JsonFormat

_EVENTS: list[dict[str, Any]] = [
    {"timestamp": "2026-11-21T09:00:00.000000Z", "level": "INFO", "logger": "a", "message": "m", "order": 7},
    {"timestamp": "2026-11-21T09:00:01.000000Z", "level": "INFO", "logger": "a", "message": "n", "event_id": "mine"},
]


def slice_of(events: list[dict[str, Any]], ids: EventIds) -> Slice:
    piece = Slice(None, events, [20] * len(events), lambda _: [])
    piece.ids = ids.take(len(events))
    return piece


def test_ids_are_unique_and_count_up() -> None:
    """A stream's name and a number; another run has another name."""
    ids = EventIds()
    first, second = ids.take(3), ids.take(2)

    assert [first.at(0), first.at(2), second.at(0)] == [f"{first.stream}-0", f"{first.stream}-2", f"{first.stream}-3"]
    assert EventIds().take(1).stream != first.stream


def test_lines_and_dicts_have_the_same_id() -> None:
    """And what is given to a sink that asks for none has none."""
    form = JsonFormat(LevelTable(), {})
    piece = slice_of(_EVENTS, EventIds())
    with_ids, without = piece.batch(Numbered(form)), piece.batch(form)

    lines = [json.loads(line) for line in with_ids.lines.splitlines()]
    assert lines == with_ids.events == with_ids.flat
    assert [line["event_id"] for line in lines] == [piece.ids.at(0), piece.ids.at(1)]  # type: ignore[union-attr]
    assert b"mine" in without.lines
    assert b"event_id_" not in without.lines
    assert _EVENTS[1]["event_id"] == "mine"


def test_a_field_of_that_name_is_kept_under_another_one() -> None:
    """Nothing the user logged is lost, and nothing forges an id."""
    piece = slice_of([{**_EVENTS[1], "event_id_": "too"}], EventIds())
    event = json.loads(piece.batch(Numbered(JsonFormat(LevelTable(), {}))).line(0))

    assert (event["event_id__"], event["event_id_"]) == ("mine", "too")
    assert event["event_id"].endswith("-0")


def test_a_sink_of_dicts_gets_ids_too() -> None:
    """There are no lines then."""
    batch = slice_of(_EVENTS, EventIds()).batch(Numbered(None))

    assert batch.lines == b""
    assert all("event_id" in event for event in batch.events)


def test_another_schema_has_the_id_on_top() -> None:
    """Whatever the schema does with fields."""
    form = JsonFormat(LevelTable(), {}, schema_named("ecs"))
    batch = slice_of(_EVENTS, EventIds()).batch(Numbered(form))

    assert [json.loads(line) for line in batch.lines.splitlines()] == batch.events
    assert batch.flat[0]["message"] == "m"
    assert batch.events[0]["event_id"] == batch.flat[0]["event_id"]


@given(
    st.dictionaries(st.text(max_size=12), st.integers() | st.text(max_size=20) | st.floats(allow_nan=False), max_size=6)
)
def test_an_id_never_breaks_a_line(fields: dict[str, Any]) -> None:
    """For every event: valid JSON, the id, and all its own fields."""
    form = JsonFormat(LevelTable(), {})
    fields = {"message": "m", **fields}
    line = form.encode_events([fields])[0]
    event = json.loads(line_with_id(line, "s-1"))

    assert event.pop("event_id") == "s-1"
    assert event == {("event_id_" if key == "event_id" else key): value for key, value in json.loads(line).items()}


def test_a_batch_that_comes_back_is_the_same() -> None:
    """From flat dicts with ids the same lines and dicts are made, in every schema."""
    for schema in (None, "grouped", "ecs", "otel", "gcp", "datadog"):
        form = JsonFormat(LevelTable(), {}, None if schema is None else schema_named(schema))  # type: ignore[arg-type]
        first = slice_of(_EVENTS if schema is None else _EVENTS[:1], EventIds()).batch(Numbered(form))
        again = batch_of(first.flat, Numbered(form))

        assert again.lines == first.lines
        assert again.events == first.events
        assert again.flat == first.flat


def test_a_line_that_is_no_json_stays_as_it_is() -> None:
    """Pretty and logfmt lines have no place for it; an empty line is another sink's."""
    assert line_with_id(b"level=info\n", "s-1") == b"level=info\n"
    assert line_with_id(b"", "s-1") == b""
    assert event_with_id({"a": 1}, "s-1") == {"a": 1, "event_id": "s-1"}
