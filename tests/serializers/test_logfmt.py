"""logfmt: one physical line an event, quoting that a parser reads back."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.coerce import to_plain
from fapilog.serializers.logfmt import LogfmtFormat, quoted
from fapilog.serializers.text import UNSAFE
from tests.odd_values import fields, keys, texts, values
from tests.serializers.records import NAMES, RESOURCE, encode, encode_events, raised, record, records

PAIR = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)')


def _format() -> LogfmtFormat:
    return LogfmtFormat(NAMES, RESOURCE)


def parse(line: str) -> list[tuple[str, str]]:
    """Read a line as a logfmt parser does; fail if a part of it is no pair."""
    assert line.endswith("\n")
    line = line[:-1]
    pairs, at = [], 0
    while at < len(line):
        match = PAIR.match(line, at)
        assert match, f"not a pair: {line[at:]!r}"
        value = match[2]
        pairs.append((match[1], json.loads(value) if value.startswith('"') else value))
        at = match.end()
    return pairs


def test_an_event_is_one_line_of_pairs_in_the_order_of_the_wire() -> None:
    """Reserved keys first, then the fields, then the resource."""
    [line] = encode(_format(), record(fields={"order": 7, "paid": True, "total": 1.5, "note": None, "by": "Ada L."}))

    assert line == (
        'timestamp=2026-01-02T03:04:05.123456Z level=INFO logger=shop.orders message="Order placed" order=7 paid=true '
        'total=1.5 note=null by="Ada L." service=shop env=dev version=1.2 host=h pid=7\n'
    )


def test_objects_and_arrays_are_flattened_by_dots() -> None:
    """A member's key is the path to it; empty containers stand for themselves."""
    [line] = encode(_format(), record(fields={"user": {"id": 7, "tags": ["a", "b"]}, "none": {}, "empty": []}))

    assert " user.id=7 user.tags.0=a user.tags.1=b none={} empty=[] " in line


@pytest.mark.parametrize(
    ("key", "name"),
    [("a b", "a_b"), ("a=b", "a_b"), ('a"b', "a_b"), ("", "_"), ("a\nb", "a_b"), ("ключ", "ключ"), ("a\u202eb", "a_b")],
)
def test_a_key_that_would_break_the_line_is_made_one_word(key, name) -> None:
    """Keys have no quotes in logfmt."""
    [line] = encode(_format(), record(fields={key: 1}))

    assert (name, "1") in parse(line)


def test_no_pair_hides_another() -> None:
    """Two keys that look the same once flattened or cleaned are both there."""
    pairs = parse(encode(_format(), record(fields={"a": {"b": 1}, "a.b": 2, "c d": 3, "c=d": 4}))[0])

    assert {("a.b", "1"), ("a.b_", "2"), ("c_d", "3"), ("c_d_", "4")} <= set(pairs)


@given(texts | st.text())
def test_a_text_is_read_back_exactly(text) -> None:
    """Bare or quoted, with whatever in it; nothing unsafe is passed on as it is."""
    shown = quoted(text)

    assert (json.loads(shown) if shown.startswith('"') else shown) == text
    assert not UNSAFE.search(shown)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text() | st.integers() | st.booleans()))
def test_simple_fields_are_read_back(simple) -> None:
    """Texts exactly, numbers and bools as JSON writes them."""
    event: dict[str, Any] = {f"f_{key}": value for key, value in simple.items()}

    pairs = dict(parse(encode_events(_format(), event)[0]))
    assert pairs == {
        key: value if isinstance(value, str) else json.dumps(to_plain(value)) for key, value in event.items()
    }


@given(st.lists(records(), max_size=3))
@settings(max_examples=150, deadline=None)
def test_each_event_is_one_physical_line(some) -> None:
    """X5, H6: whatever is in it, an event is one line that parses, and costs no neighbour its own."""
    lines = encode(_format(), *some)

    for line in lines:
        assert len(line.splitlines()) == 1
        assert not UNSAFE.search(line[:-1])
        pairs = parse(line)
        assert [name for name, _ in pairs[:4]] == ["timestamp", "level", "logger", "message"]
        assert len({name for name, _ in pairs}) == len(pairs)


@given(st.dictionaries(keys, values, max_size=4) | fields)
@settings(max_examples=150, deadline=None)
def test_whatever_a_stage_has_made_of_an_event_is_a_line(event) -> None:
    """A stage may return any dict; its neighbours are there all the same."""
    first, _, last = encode_events(_format(), {"message": "before"}, event, {"message": "after"})

    assert first == "message=before\n"
    assert last == "message=after\n"


def test_an_exception_is_its_type_message_and_stack_trace() -> None:
    """The frames are not told twice; without a stack trace they are."""
    [line] = encode(_format(), record(error=raised(ValueError("no such card"))))
    pairs = dict(parse(line))

    assert pairs["exception.type"] == "ValueError"
    assert pairs["exception.message"] == "no such card"
    assert pairs["exception.stacktrace"].startswith("Traceback (most recent call last):\n")
    assert not any(".frames." in name for name in pairs)

    [line] = encode_events(_format(), {"exception": {"type": "E", "frames": [{"line": 1}]}})
    assert line == "exception.type=E exception.frames.0.line=1\n"


def test_an_event_that_cannot_be_read_is_told_and_costs_no_neighbour() -> None:
    """Even a dict that raises when it is walked leaves a line."""

    class Broken(dict[str, Any]):
        def items(self) -> Any:
            raise OSError

    lines = encode_events(_format(), {"a": 1}, Broken(), {"b": 2})

    assert lines[0] == "a=1\n"
    assert lines[1] == 'level=ERROR logger=fapilog message="<event cannot be shown: OSError>"\n'
    assert lines[2] == "b=2\n"
