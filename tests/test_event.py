"""The flat event: order of keys, precedence, reserved names, trace ids, times."""

import copy
import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.coerce import to_plain_fields
from fapilog.event import (
    ERROR_KEYS,
    IDENTITY_KEYS,
    RESERVED,
    RESOURCE_KEYS,
    Extra,
    Origin,
    Record,
    identities,
    identity_of,
    timestamp,
    to_event,
    to_events,
)
from fapilog.levels import LevelTable

RESOURCE = {"service": "shop", "env": "dev", "version": "1", "host": "h", "pid": 7}
SPAN = SimpleNamespace(trace_id=0xABC, span_id=0xDEF, trace_flags=3)
OWNED = (*RESERVED, *ERROR_KEYS)
names = st.sampled_from([*OWNED, *RESOURCE_KEYS, "level_", "level__", "message_", "trace_id_", "a", "b", "__class__"])
parts = st.dictionaries(names, st.integers() | st.lists(st.integers(), max_size=2), max_size=6)


class Captured:
    """Stands for an exception taken apart at the call."""

    def render(self) -> dict[str, Any]:
        return {"type": "ValueError", "message": "no", "frames": []}


def record(**given_parts: Any) -> Record:
    """Return a record with these parts and otherwise nothing in it."""
    whole = {
        "time_ns": 1_767_323_045_123_456_789,
        "levelno": 20,
        "origin": Origin("shop", None),  # type: ignore[arg-type] - nothing is submitted
        "message": "Order placed",
        "fields": {},
        "bound": {},
        "local": {},
        "shared": {},
        "span": None,
        "extra": None,
    }
    return Record(**{**whole, **given_parts})


def event(**given_parts: Any) -> dict[str, Any]:
    return to_event(record(**given_parts), LevelTable(), RESOURCE)


def test_keys_come_in_the_order_of_the_wire() -> None:
    """Design 5: reserved, identity, context, bound, call, exception, stack, resource."""
    flat = event(
        fields={"call": 1},
        bound={"bound": 1},
        local={"local": 1, "request_id": "r"},
        shared={"shared": 1},
        span=SPAN,
        extra=Extra(Captured(), "stack"),
    )

    assert list(flat) == [*RESERVED, "shared", "local", "bound", "call", "exception", "stack", *RESOURCE_KEYS]
    assert flat["timestamp"] == "2026-01-02T03:04:05.123456Z"
    assert flat["level"] == "INFO"
    assert flat["exception"]["type"] == "ValueError"
    assert flat["stack"] == "stack"


def test_the_nearer_value_wins() -> None:
    """Call over bound logger over task over request over resource."""
    layers = [("shared", 1), ("local", 2), ("bound", 3), ("fields", 4)]

    for count in range(1, 5):
        given_parts = {layer: {"key": value, "service": value} for layer, value in layers[:count]}
        flat = event(**given_parts)
        assert flat["key"] == count
        assert flat["service"] == count
    assert event()["service"] == "shop"


@pytest.mark.parametrize("layer", ["fields", "bound", "local", "shared"])
@pytest.mark.parametrize("key", OWNED)
def test_a_reserved_name_is_kept_beside_and_forges_nothing(key, layer) -> None:
    """X13, P38: ``level=…`` of a call is ``level_``; only the context may set the identity."""
    flat = event(**{layer: {key: "forged"}})

    if layer in {"local", "shared"} and key in IDENTITY_KEYS:
        assert flat[key] == "forged"
        assert f"{key}_" not in flat
    else:
        assert flat[f"{key}_"] == "forged"
        assert flat.get(key) == event().get(key)


def test_a_reserved_name_does_not_push_out_its_neighbour() -> None:
    """``level`` and ``level_`` in one call are both kept."""
    flat = event(fields={"level": 1, "level_": 2, "level__": 3})

    assert (flat["level_"], flat["level__"], flat["level___"]) == (2, 3, 1)


@given(parts, parts, parts, parts, st.booleans(), st.booleans())
def test_no_field_of_a_call_is_lost_and_none_is_forged(fields, bound, local, shared, traced, failed) -> None:
    """X13: whatever the names in whichever layer."""
    before = copy.deepcopy((fields, bound, local, shared))
    extra = Extra(Captured(), None) if failed else None
    flat = event(fields=fields, bound=bound, local=local, shared=shared, span=SPAN if traced else None, extra=extra)

    assert list(flat)[:4] == ["timestamp", "level", "logger", "message"]
    assert (flat["level"], flat["logger"], flat["message"]) == ("INFO", "shop", "Order placed")
    assert ("exception" in flat) == failed
    assert "stack" not in flat
    if traced:
        assert (flat["trace_id"], flat["span_id"], flat["trace_flags"]) == (f"{0xABC:032x}", f"{0xDEF:016x}", "03")
    for key, value in fields.items():
        stored = key
        if key in OWNED:
            stored += "_"
            while any(stored in part for part in (fields, bound, local, shared)):
                stored += "_"
        assert flat[stored] == value
    for key in bound.keys() | local.keys() | shared.keys():
        assert any(name.rstrip("_") == key.rstrip("_") for name in flat), "a key of the context has vanished"
    assert set(RESOURCE_KEYS) <= set(flat)
    assert (fields, bound, local, shared) == before


@given(parts, parts, parts)
def test_what_a_stage_writes_into_an_event_stays_in_it(bound, local, shared) -> None:
    """Bound fields are shared by many events: each event gets containers of its own."""
    given_parts = {"bound": bound, "local": local, "shared": shared}
    before = copy.deepcopy(given_parts)
    flat = event(**given_parts)

    for value in flat.values():
        if isinstance(value, list):
            value.append("by a stage")
    flat.clear()

    assert given_parts == before


def test_the_active_span_wins_over_the_context() -> None:
    """P10: ids are those of the span at the call; without one those of ``traceparent``."""
    context = {"request_id": "r", "trace_id": "t", "span_id": "s", "trace_flags": "00"}

    assert identity_of(context, None) == context
    assert identity_of(context, SPAN) == {
        "request_id": "r",
        "trace_id": "0" * 29 + "abc",
        "span_id": "0" * 13 + "def",
        "trace_flags": "03",
    }


@pytest.mark.parametrize(("trace_id", "span_id"), [(0, 0), (0, 1), (1, 0)])
def test_a_span_without_ids_is_none(trace_id, span_id) -> None:
    """OpenTelemetry's invalid span has ids of zero, which W3C forbids on the wire."""
    span = SimpleNamespace(trace_id=trace_id, span_id=span_id, trace_flags=1)

    assert identity_of({}, span) == {}
    assert identity_of({"trace_id": "t"}, span) == {"trace_id": "t"}


@pytest.mark.parametrize(("flags", "text"), [(0, "00"), (1, "01"), (3, "03"), (255, "ff"), (0x103, "03")])
def test_trace_flags_are_two_hexadecimal_digits(flags, text) -> None:
    """P9: a bit field of one byte, not a boolean."""
    assert identity_of({}, SimpleNamespace(trace_id=1, span_id=1, trace_flags=flags))["trace_flags"] == text


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000000Z"),
        (999, "1970-01-01T00:00:00.000000Z"),
        (1_000, "1970-01-01T00:00:00.000001Z"),
        (999_999_999, "1970-01-01T00:00:00.999999Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (-1_000_000_000, "1969-12-31T23:59:59.000000Z"),
        (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000000Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775Z"),
        (-(2**63), "1677-09-21T00:12:43.145224Z"),
        (253_402_300_799_999_999_999, "9999-12-31T23:59:59.999999Z"),
        (10**30, "9999-12-31T23:59:59.000000Z"),
        (-(10**30), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_any_time_is_a_timestamp(time_ns, text) -> None:
    """X17: before 1970, after 2262, at the edges of the calendar."""
    assert timestamp(time_ns) == text


@given(st.integers(-(2**63), 2**63), st.integers(-(2**63), 2**63))
def test_timestamps_sort_like_the_times(one, other) -> None:
    """X17: as text, and a parser reads the same microsecond back."""
    assert (timestamp(one) <= timestamp(other)) or one > other
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert datetime.datetime.fromisoformat(timestamp(one)) == epoch + datetime.timedelta(microseconds=one // 1000)


def test_an_unnamed_level_has_its_number_for_a_name() -> None:
    """A level of the standard library that nobody registered."""
    assert event(levelno=25)["level"] == "LEVEL_25"


def test_values_of_a_call_are_those_that_were_captured() -> None:
    """The event holds the captured copy; the caller's list may go on growing."""
    items = [1]
    fields = to_plain_fields({"items": items})
    items.append(2)

    assert event(fields=fields)["items"] == [1]


def test_the_ids_of_neighbours_are_each_their_own() -> None:
    """Whichever of the parts that ids come from they have in common."""
    local: dict[str, Any] = {}
    records = [
        record(local=local, shared={"request_id": "r1"}, span=None),
        record(local=local, shared={"request_id": "r2"}, span=None),
        record(local=local, shared={"request_id": "r2"}, span=SPAN),
    ]

    assert [it.get("request_id") for it in identities(records)] == ["r1", "r2", "r2"]
    assert ["trace_id" in it for it in identities(records)] == [False, False, True]


@given(st.lists(st.tuples(parts, parts, parts, parts, st.booleans(), st.booleans()), max_size=6), st.booleans())
def test_records_together_give_the_same_events(drawn, shared_by_all) -> None:
    """``to_events`` is a shortcut: the same keys in the same order, and no container that two events share."""
    records = []
    for number, (fields, *own_parts, failed) in enumerate(drawn):
        bound, local, shared, traced = drawn[0][1:5] if shared_by_all else own_parts
        extra = Extra(exception=Captured()) if failed else None
        given_parts = {"fields": fields, "bound": bound, "local": local, "shared": shared, "extra": extra}
        records.append(record(**given_parts, span=SPAN if traced else None, time_ns=number * 700_000_000))

    together = to_events(records, LevelTable(), RESOURCE)

    assert [list(it.items()) for it in together] == [
        list(to_event(it, LevelTable(), RESOURCE).items()) for it in records
    ]
    assert identities(records) == [{key: it[key] for key in IDENTITY_KEYS if key in it} for it in together]
    if shared_by_all:
        common = (
            {id(value) for part in records[0][5:8] for value in part.values() if isinstance(value, list)}
            if records
            else set()
        )
        assert not any(id(value) in common for it in together for value in it.values())
