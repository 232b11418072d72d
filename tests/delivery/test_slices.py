"""One slice, several formats: each line is made once, and dicts are what the sink's lines hold."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fapilog.delivery.slices import Slice, join
from fapilog.event import EventDict, Origin, to_event
from fapilog.levels import LevelTable
from fapilog.serializers.events import EventsFormat
from fapilog.serializers.json import JsonFormat, dump_event
from fapilog.serializers.logfmt import LogfmtFormat

LEVELS = LevelTable()


def reshape(event: EventDict) -> EventDict:
    return {"message": event["message"], "rest": {key: event[key] for key in event if key != "message"}}


def records(count: int) -> list[tuple[Any, ...]]:
    origin = Origin("app", None)  # type: ignore[arg-type]
    ids = [{"trace_id": f"{trace:032x}", "span_id": f"{trace:016x}"} for trace in range(1, count + 1)]
    return [(at * 1_000, 20, origin, "m", {"n": at}, {}, {}, ids[at // 2], None, None) for at in range(count)]


def to_events(its_records: Any) -> list[EventDict]:
    return [to_event(record, LEVELS, {}) for record in its_records]


def slice_of(count: int, *, raw: bool) -> Slice:
    kept = records(count)
    return Slice(kept if raw else None, None if raw else to_events(kept), [20] * count, to_events)


@given(st.integers(0, 9), st.booleans(), st.data())
def test_events_are_what_the_lines_of_the_format_hold(count: int, raw: bool, data: st.DataObject) -> None:
    """Reshaped for JSON and for a sink of events, flat for all others; whole slices and parts of them joined."""
    piece, flat = slice_of(count, raw=raw), to_events(records(count))
    some = sorted(data.draw(st.sets(st.integers(0, count - 1)))) if count else []
    for indexes in (range(count), some):
        chosen = [flat[index] for index in indexes]
        shaped = [reshape(event) for event in chosen]
        fresh = join([(slice_of(count, raw=raw), indexes)], None)
        ids = [(it.get("trace_id"), it.get("span_id")) for it in fresh.identities()]
        assert ids == [(it.get("trace_id"), it.get("span_id")) for it in chosen]
        as_json = join([(piece, indexes)], JsonFormat(LEVELS, {}, reshape))
        assert as_json.events == shaped
        assert as_json.lines == b"".join(dump_event(event) for event in shaped)
        assert join([(piece, indexes)], LogfmtFormat(LEVELS, {})).events == chosen
        assert join([(piece, indexes)], None).events == chosen
        in_memory = join([(piece, indexes)], EventsFormat(reshape))
        assert (in_memory.events, in_memory.lines, len(in_memory)) == (shaped, b"", len(chosen))


@given(st.integers(1, 9), st.booleans(), st.data())
def test_only_a_formats_share_has_lines(count: int, raw: bool, data: st.DataObject) -> None:
    """What no sink of the format is given costs no serialisation and no bytes; the places stay."""
    share = sorted(data.draw(st.sets(st.integers(0, count - 1))))
    piece, whole = slice_of(count, raw=raw), slice_of(count, raw=raw)
    piece.shares = {"json": share}
    form = JsonFormat(LEVELS, {})
    batch, full = piece.batch(form), whole.batch(form)
    assert [batch.line(index) for index in range(count)] == [
        full.line(index) if index in share else b"" for index in range(count)
    ]
    assert batch.size_bytes == sum(len(full.line(index)) for index in share)
