"""Rows: nothing of an event is lost, whatever it holds, and PostgreSQL can store it."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.sinks.postgres.rows import COLUMNS, LONGEST_ID, RowMaker
from fapilog.testing.fakes import EPOCH_NS, FakeClock
from tests.sinks.postgres.support import event

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
UNESCAPES = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def row_of(given, clock=None):
    """Read a row back as COPY does."""
    rows, times = RowMaker(clock or FakeClock()).of([given])
    assert rows[0].endswith(b"\n")
    cells = rows[0][:-1].decode().split("\t")
    return dict(zip(COLUMNS, map(_unescaped, cells), strict=True)), times[0]


def _unescaped(cell):
    if cell == "\\N":
        return None
    letters = iter(cell)
    return "".join(UNESCAPES[next(letters)] if letter == "\\" else letter for letter in letters)


def test_an_event_is_in_columns_and_the_rest_in_data():
    """What has a column is there and nowhere else; everything else is in data."""
    row, time = row_of(event(5, request_id="r", trace_id="t", span_id="s", exception={"type": "E"}))
    data = json.loads(row.pop("data"))
    assert data == {"sequence": 5, "exception": {"type": "E"}}
    assert row == {
        "time": "2026-01-01T00:00:00.000005Z", "level": "INFO", "logger": "shop", "message": "order 5",
        "request_id": "r", "trace_id": "t", "span_id": "s", "event_id": "id-5",
    }  # fmt: skip
    assert time == EPOCH_NS // 1000 + 5


@pytest.mark.parametrize(
    ("stamp", "microseconds"),
    [
        ("2026-01-01T00:00:01.000001Z", 1_000_001),
        ("2026-01-01T05:30:01+05:30", 1_000_000),
        ("2026-01-01T00:00:01", 1_000_000),
    ],
)
def test_a_readable_time_is_kept(stamp, microseconds):
    """Any form that says a moment is that moment."""
    assert row_of(event(0, timestamp=stamp))[1] == EPOCH_NS // 1000 + microseconds


@pytest.mark.parametrize(
    "stamp", ["", "2026-13-01T00:00:00.000000Z", "2026-01-01T24:61:00.000000Z", None, 7, [1], "0001-01-01T00:00+05:00"]
)
def test_an_unreadable_time_is_the_clocks(stamp):
    """The row has the clock's time and what was there instead is in data."""
    row, time = row_of(event(0, timestamp=stamp), FakeClock())
    assert time == EPOCH_NS // 1000
    assert row["time"] == "2026-01-01T00:00:00+00:00"
    assert json.loads(row["data"])["timestamp"] == stamp


def test_what_a_column_cannot_hold_is_in_data():
    """A value that is no text, or an id that is too long for an index, is in data as it was."""
    long = "é" * (LONGEST_ID + 1)
    row, _ = row_of(event(0, request_id=long, trace_id=7, message=["a"], span_id=None, event_id=long))
    data = json.loads(row["data"])
    assert (row["request_id"], data["request_id"]) == (long[:-1], long)
    assert (row["trace_id"], data["trace_id"]) == ("7", 7)
    assert (row["message"], data["message"]) == ("['a']", ["a"])
    assert (row["span_id"], data["span_id"]) == (None, None)
    assert (row["event_id"], data["event_id"]) == (None, long)


def test_an_escaped_id_fits_the_index():
    """An id of NUL characters is cut after they are made visible, and not in the middle of an escape."""
    row, _ = row_of(event(0, request_id="\0" * LONGEST_ID, trace_id="\\" * LONGEST_ID))
    assert len(row["request_id"]) == LONGEST_ID
    assert row["trace_id"] == "\\" * LONGEST_ID


def test_nul_and_surrogates_are_visible_and_counted():
    """They become escapes, and a key that then is like its neighbour gets another name."""
    maker = RowMaker(FakeClock())
    rows, _ = maker.of([event(0, message="a\0\ud800", x={"k\0": 1, "k\\u0000": 2, "k\\u0000_": 3, "\udfff": ["\0"]})])
    assert maker.take_replaced() == 4
    assert b"a\\\\u0000\\\\ud800" in rows[0]
    data = json.loads(_unescaped(rows[0][:-1].decode().split("\t")[-1]))
    assert sorted(data["x"].values(), key=str) == [1, 2, 3, ["\\u0000"]]
    assert data["x"]["k\\u0000"] == 2
    assert data["x"]["k\\u0000_"] == 3


def test_what_only_looks_like_an_escape_is_kept():
    """Text that somebody wrote with a backslash is stored as it is and counted as nothing."""
    maker = RowMaker(FakeClock())
    row, _ = row_of(event(0, message="\\u0000", x="\\u0000\\ud800"))
    maker.of([event(0, message="\\u0000", x="\\u0000\\ud800")])
    assert row["message"] == "\\u0000"
    assert json.loads(row["data"])["x"] == "\\u0000\\ud800"
    assert maker.take_replaced() == 0


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)


def count(tree):
    """Return how many leaves a tree has."""
    if isinstance(tree, dict):
        return sum(map(count, tree.values()))
    return sum(map(count, tree)) if isinstance(tree, list) else 1


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(ANY_TEXT, TREES, max_size=5), ANY_TEXT, ANY_TEXT)
def test_any_event_is_one_row(fields, message, request_id):
    """Whatever an event holds, its row has nine cells, no NUL, valid UTF-8, and as many values as there were."""
    row, _ = row_of({**event(0), **{f"f{key}": value for key, value in fields.items()}, "request_id": request_id,
                     "message": message})  # fmt: skip
    data = json.loads(row["data"])
    assert "\0" not in "".join(filter(None, row.values()))
    assert count(data) == count(fields) + 1
    assert len(data) == len(fields) + 1
    if message.isascii() and "\0" not in message:
        assert row["message"] == message
    for key, value in fields.items():
        if key.isascii() and "\0" not in key and isinstance(value, float) and math.isfinite(value):
            assert data[f"f{key}"] == value
