"""The wire format: every shortcut gives the bytes of the definition, and nothing that is logged breaks a line."""

import json
import math
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.coerce import json_safe, to_plain_fields
from fapilog.event import RESERVED, Extra, Origin, to_event
from fapilog.levels import LevelTable
from fapilog.serializers.json import JsonFormat, all_finite, dump_event
from tests.odd_values import Raising

LEVELS = LevelTable()
RESOURCE = {"service": "shop", "host": "h", "pid": 7}
SPAN = SimpleNamespace(trace_id=0xABC, span_id=0xDEF, trace_flags=3)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62, max_value=2**300)
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
)
keys = st.sampled_from([*RESERVED, "exception", "service", "host", "a", "b", "c"]) | st.text(max_size=4)
mappings = st.dictionaries(keys, scalars | st.lists(scalars, max_size=3), max_size=5)


def record(fields: dict[str, Any], *, bound: Any = None, local: Any = None, shared: Any = None, **more: Any) -> Any:
    origin = more.get("origin") or Origin("app", SimpleNamespace())  # type: ignore[arg-type]
    message = more.get("message", "m")
    time_ns = more.get("time_ns", 1_700_000_000_123_456_789)
    return (
        *(time_ns, 20, origin, message, to_plain_fields(fields), to_plain_fields(bound or {})),
        *(to_plain_fields(local or {}), to_plain_fields(shared or {}), more.get("span"), more.get("extra")),
    )


@given(mappings, mappings, mappings, mappings, st.text(st.characters(codec=None, exclude_categories=())), st.booleans())
@settings(max_examples=400, deadline=None)
def test_fragments_give_the_bytes_of_the_whole_event(
    fields: Any, bound: Any, local: Any, shared: Any, message: str, span: bool
) -> None:
    """Putting a line together from rendered parts is never distinguishable from serialising the flat dict."""
    one = record(fields, bound=bound, local=local, shared=shared, message=message, span=SPAN if span else None)
    form = JsonFormat(LEVELS, RESOURCE)
    (line,) = form.encode_records([one])
    assert line == dump_event(to_event(one, LEVELS, RESOURCE))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert list(json.loads(line, parse_constant=pytest.fail))[:4] == ["timestamp", "level", "logger", "message"]


@given(st.lists(st.tuples(mappings, st.booleans(), st.integers(0, 2)), max_size=12))
@settings(max_examples=150, deadline=None)
def test_neighbours_do_not_mix(events: Any) -> None:
    """What is kept rendered from one event never shows in another."""
    contexts = [to_plain_fields(part) for part in ({"request_id": "r1", "u": 1}, {"request_id": "r2"}, {})]
    origins = [Origin(name, SimpleNamespace()) for name in ("x", "y", "z")]  # type: ignore[arg-type]
    records = []
    for fields, traced, number in events:
        one = list(record(fields, span=SPAN if traced else None, origin=origins[number]))
        one[6] = contexts[number]
        records.append(tuple(one))
    lines = JsonFormat(LEVELS, RESOURCE).encode_records(records)
    assert lines == [dump_event(to_event(one, LEVELS, RESOURCE)) for one in records]


def test_a_line_reads_as_the_schema_says() -> None:
    """The order of the keys on the wire is fixed."""
    one = record({"order": 7}, bound={"cart": 1}, shared={"request_id": "r", "user": "u"}, span=SPAN)
    (line,) = JsonFormat(LEVELS, RESOURCE).encode_records([one])
    assert line == (
        b'{"timestamp":"2023-11-14T22:13:20.123456Z","level":"INFO","logger":"app","message":"m","request_id":"r",'
        b'"trace_id":"00000000000000000000000000000abc","span_id":"0000000000000def","trace_flags":"03","user":"u",'
        b'"cart":1,"order":7,"service":"shop","host":"h","pid":7}\n'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, b'"NaN"'),
        (-math.inf, b'"-Infinity"'),
        (2**64, b'"18446744073709551616"'),
        (2**64 - 1, b"18446744073709551615"),
        (-(2**63) - 1, b'"-9223372036854775809"'),
        (10**5000, b'"<integer of 16610 bits>"'),
        ("a\ud800b", b'"a\\\\ud800b"'),
        (b"\xff", b'"\\\\xff"'),
        ({3, 1}, b"[1,3]"),
        ({1: "a", "1": "b"}, b'{"1":"a","1_":"b"}'),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_values_that_json_lacks_have_a_rendering(value: Any, text: bytes) -> None:
    """In a call's fields, nested, and in what a stage put into an event."""
    (line,) = JsonFormat(LEVELS, {}).encode_records([record({"v": value})])
    assert b'"v":' + text in line
    (nested,) = JsonFormat(LEVELS, {}).encode_records([record({"n": [{"v": value}]})])
    assert b'"v":' + text in nested
    assert b'"v":' + text in dump_event({"v": value})


def test_an_exception_and_a_stack_stand_before_the_resource() -> None:
    """The rare parts have their place too."""

    class Captured:
        def render(self) -> dict[str, Any]:
            return {"type": "E"}

    (line,) = JsonFormat(LEVELS, RESOURCE).encode_records([record({"a": 1}, extra=Extra(Captured(), "stack", 0))])
    assert list(orjson.loads(line))[-5:] == ["exception", "stack", "service", "host", "pid"]


def test_a_reset_reads_the_resource_again() -> None:
    """In a forked child the process id is another."""
    resource = {"pid": 1}
    form = JsonFormat(LEVELS, resource)
    form.encode_records([record({})])
    resource["pid"] = 2
    form.reset()
    assert b'"pid":2' in form.encode_records([record({})])[0]


@given(st.recursive(scalars, lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=2), s, max_size=3)))
def test_json_safe_gives_what_orjson_takes(value: Any) -> None:
    """Whatever plain value it is given."""
    safe = json_safe(value)
    assert all_finite(safe)
    orjson.dumps(safe)


def test_an_object_that_raises_when_asked_for_its_class_costs_no_line() -> None:
    """Also beside a null, which makes the event be looked at for what JSON has no numbers for."""
    line = dump_event({"message": "m", "nothing": None, "odd": [Raising(ValueError("no"))]})

    assert json.loads(line) == {"message": "m", "nothing": None, "odd": ["<unprintable Raising: ValueError>"]}


def test_a_wide_event_that_needs_a_second_look_keeps_all_its_fields() -> None:
    """The bounds of a value are not bounds of the event; keys that are rendered alike stay apart."""
    fields = {f"k{number}": number for number in range(1_500)} | {"\ud800": "\ud800", "\\ud800": 2}
    event = json.loads(dump_event(fields))
    assert len(event) == 1_502
    assert (event["\\ud800"], event["\\ud800_"]) == ("\\ud800", 2)
