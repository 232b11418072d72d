"""query: what each condition finds, what comes back, what is refused, and that no text is more than text."""

import datetime
import math
import sqlite3
import threading
from itertools import count
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fapilog.errors import ConfigError, FapilogError
from fapilog.levels import LevelTable
from fapilog.sinks.sqlite import query
from fapilog.sinks.sqlite.options import SqliteOptions
from fapilog.sinks.sqlite.query import match_words
from fapilog.sinks.sqlite.sink import SqliteSink
from fapilog.testing.contracts import make_batch, make_events
from tests.sinks.sqlite.support import rows_of
from tests.sinks.support import opened

BASE = 1_795_251_600  # 2026-11-21T09:00:00Z


def event_at(second: int, message: str, **fields):
    return {
        "timestamp": f"2026-11-21T09:00:{second:02d}.000000Z",
        "level": "INFO",
        "logger": "app",
        "message": message,
        **fields,
    }


EVENTS = [
    event_at(0, "order created", request_id="r-1", trace_id="t-1", n=0),
    event_at(1, "payment refused by the bank", request_id="r-1", trace_id="t-1", level="ERROR", logger="app.pay", n=1),
    event_at(2, "Zażółć gęślą jaźń", request_id="r-2", level="DEBUG", logger="application", n=2),
    event_at(3, "retry", exception={"type": "ConnectionError", "message": "bank unreachable"}, level="WARNING", n=3),
    event_at(4, "user-id 4711 said: NOT OR AND NEAR", level="NOTICE", logger="app.pay.card", n=4),
    event_at(4, "a same moment", level="LEVEL_45", logger="app%", n=5),
]


@pytest.fixture
def path(tmp_path) -> Path:
    levels = LevelTable()
    levels.register("NOTICE", 25)
    path = tmp_path / "events.db"
    with opened(SqliteSink(SqliteOptions(str(path)), levels=levels)) as sink:
        sink.write(make_batch(EVENTS))
    return path


def moment(second: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(BASE + second, datetime.UTC)


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, [5, 4, 3, 2, 1, 0]),
        ({"newest_first": False}, [0, 1, 2, 3, 4, 5]),
        ({"limit": 2}, [5, 4]),
        ({"limit": 2, "newest_first": False}, [0, 1]),
        ({"limit": None}, [5, 4, 3, 2, 1, 0]),
        ({"limit": 10**30}, [5, 4, 3, 2, 1, 0]),
        ({"request_id": "r-1"}, [1, 0]),
        ({"request_id": "r"}, []),
        ({"request_id": "R-1"}, []),
        ({"trace_id": "t-1"}, [1, 0]),
        ({"request_id": "r-2", "trace_id": "t-1"}, []),
        ({"level": "DEBUG"}, [5, 4, 3, 2, 1, 0]),
        ({"level": "info"}, [5, 4, 3, 1, 0]),
        ({"level": "notice"}, [5, 4, 3, 1]),
        ({"level": "warn"}, [5, 3, 1]),
        ({"level": "ERROR"}, [5, 1]),
        ({"level": 41}, [5]),
        ({"level": "LEVEL_45"}, [5]),
        ({"level": "CRITICAL"}, []),
        ({"logger": "app"}, [4, 3, 1, 0]),
        ({"logger": "app.pay"}, [4, 1]),
        ({"logger": "app%"}, [5]),
        ({"logger": "pay"}, []),
        ({"since": moment(3)}, [5, 4, 3]),
        ({"since": "2026-11-21T10:00:03+01:00"}, [5, 4, 3]),
        ({"since": BASE + 3}, [5, 4, 3]),
        ({"since": BASE + 3.000001}, [5, 4]),
        ({"until": moment(1)}, [0]),
        ({"until": "2026-11-21T09:00:01Z"}, [0]),
        ({"since": BASE + 1, "until": BASE + 4}, [3, 2, 1]),
        ({"since": BASE + 4, "until": BASE + 1}, []),
        ({"since": -1e9, "until": 8e12}, [5, 4, 3, 2, 1, 0]),
        ({"text": "refused"}, [1]),
        ({"text": "BANK Refused"}, [1]),
        ({"text": "bank"}, [3, 1]),
        ({"text": "ConnectionError"}, [3]),
        ({"text": "refus"}, []),
        ({"text": "refus*"}, [1]),
        ({"text": "zazołc JAZN"}, [2]),
        ({"text": "gesla jazn"}, [2]),
        ({"text": "user-id"}, [4]),
        ({"text": "id-user"}, []),
        ({"text": "NOT"}, [4]),
        ({"text": "or and near not"}, [4]),
        ({"text": "order - created !"}, [0]),
        ({"text": "message:order"}, []),
        (
            {"text": "bank", "level": "ERROR", "request_id": "r-1", "logger": "app", "since": BASE, "until": BASE + 9},
            [1],
        ),
    ],
    ids=str,
)
def test_a_condition_finds(path, conditions, found):
    """Exactly the events that fulfil it, in the order asked for."""
    assert [event["n"] for event in query(path, **conditions)] == found


def test_events_come_back_as_they_were_logged(path):
    """Key for key, in order; nothing of the columns is added."""
    assert query(path, newest_first=False) == EVENTS
    assert [list(event) for event in query(path, newest_first=False)] == [list(event) for event in EVENTS]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"request_id": 7}, r"query\(request_id\)"),
        ({"request_id": ""}, r"query\(request_id\)"),
        ({"trace_id": b"x"}, r"query\(trace_id\)"),
        ({"logger": ""}, r"query\(logger\)"),
        ({"level": "ERORR"}, r"query\(level\).*'ERORR'.*Did you mean 'ERROR'"),
        ({"level": 5000}, r"query\(level\).*5000"),
        ({"level": "x\udc80"}, r"query\(level\)"),
        ({"level": True}, r"query\(level\).*True"),
        ({"level": 1.5}, r"query\(level\).*1.5"),
        ({"since": "yesterday"}, r"query\(since\).*'yesterday'.*RFC 3339"),
        ({"since": "2026-11-21T09:00:00"}, r"query\(since\).*time zone"),
        ({"since": datetime.datetime(2026, 11, 21)}, r"query\(since\).*time zone"),  # noqa: DTZ001 - the case
        ({"until": math.nan}, r"query\(until\).*nan"),
        ({"until": math.inf}, r"query\(until\).*inf"),
        pytest.param({"until": 10**400}, r"query\(until\)", id="huge"),
        ({"until": 1e13}, r"query\(until\)"),
        ({"until": True}, r"query\(until\).*True"),
        ({"until": [1]}, r"query\(until\)"),
        ({"text": ""}, r"query\(text\)"),
        ({"text": "!? *"}, r"query\(text\).*at least one word"),
        ({"text": 5}, r"query\(text\)"),
        ({"limit": 0}, r"query\(limit\).*0.*at least 1"),
        ({"limit": "5"}, r"query\(limit\).*'5'"),
        ({"limit": True}, r"query\(limit\).*True"),
        ({"newest_first": "yes"}, r"query\(newest_first\).*'yes'"),
    ],
    ids=str,
)
def test_a_condition_that_cannot_be_used_is_refused(path, conditions, said):
    """The error names it, what was given, and what is allowed."""
    with pytest.raises(ConfigError, match=said):
        query(path, **conditions)


HOSTILE = [
    "'",
    '"',
    "' OR 1=1 --",
    "'; DROP TABLE events; --",
    "%",
    "_",
    "\\",
    "a\0b",
    "\udc80",
    "?",
    ":level",
    "x" * 70_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("condition", ["request_id", "trace_id", "logger"])
def test_no_text_is_a_piece_of_sql(tmp_path, condition, text):
    """Only the event with that very text is found, and nothing happens to the others."""
    path = tmp_path / "events.db"
    events = [event | {condition: text} for event in make_events(1)] + make_events(3, start=1, request_id="r")
    with opened(SqliteSink(SqliteOptions(str(path)))) as sink:
        sink.write(make_batch(events))

    assert [event["n"] for event in query(path, **{condition: text})] == [0]
    assert len(query(path)) == 4


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("searched") / "events.db"
    with opened(SqliteSink(SqliteOptions(str(path)))) as sink:
        sink.write(make_batch(make_events(3)))
    return path


@settings(max_examples=300, deadline=None)
@example('"')
@example('event" OR "1')
@example("NEAR(event 1)")
@example("{message}:event")
@example("^event* + - : ( ) { }")
@example("a\0*")
@example("\ud800x")
@example("e*vent**")
@given(st.text(alphabet=st.one_of(st.sampled_from("\"*()^+-:{}\0' aeANDORT"), st.characters()), min_size=1))
def test_no_text_is_an_expression(searched, text):
    """Whatever is asked for is searched as words, or refused for having none; SQLite never finds a mistake in it."""
    try:
        match_words(text)
    except ConfigError:
        return
    assert len(query(searched, text=text)) <= 3


@pytest.mark.parametrize("words", [200, 2000])
def test_a_long_text_is_searched(searched, words):
    """Whatever somebody pastes."""
    assert query(searched, text="event " * words) != []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def test_what_json_knows_comes_back_the_same(tmp_path):
    """Types and values: an integer stays one, a float has all its digits, texts all their characters."""
    path = tmp_path / "events.db"
    runs = count()
    texts = st.text(st.characters(exclude_categories=["Cs"]))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.dictionaries(_NAMES, json_values, max_size=5), texts), max_size=5))
    def check(parts) -> None:
        run = f"run {next(runs)}"
        events = [
            fields | event_at(0, message, n=number, request_id=run) for number, (fields, message) in enumerate(parts)
        ]
        sink.write(make_batch(events))
        found = query(path, request_id=run, newest_first=False)
        assert found == events
        assert [orjson.dumps(event) for event in found] == [orjson.dumps(event) for event in events]

    with opened(SqliteSink(SqliteOptions(str(path)))) as sink:
        check()


# --- places ----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_said_and_not_made(tmp_path):
    """Reading makes nothing."""
    with pytest.raises(FapilogError, match=r"none.db: there is no such file"):
        query(tmp_path / "none.db")

    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_of_fapilog_is_said(tmp_path):
    """Of another application, of a newer version, damaged, or no database at all."""
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE users (name)")
    connection.close()
    (tmp_path / "text.db").write_bytes(b"something else " * 1000)
    with pytest.raises(FapilogError, match=r"other.db: cannot be read: it is a database of something else"):
        query(other)
    with pytest.raises(FapilogError, match=r"text.db: cannot be read: file is not a database"):
        query(tmp_path / "text.db")


def test_text_needs_the_index_of_words(tmp_path):
    """Without it every event would have to be read, which nobody expects of a search."""
    path = tmp_path / "events.db"
    with opened(SqliteSink(SqliteOptions(str(path), full_text=False))) as sink:
        sink.write(make_batch(make_events(1)))

    assert len(query(path)) == 1
    with pytest.raises(FapilogError, match="has no index of words"):
        query(path, text="event")


def test_reading_changes_nothing(path):
    """The database is opened for reading only."""
    before = rows_of(path), path.read_bytes()
    for conditions in ({}, {"text": "bank"}, {"level": "ERROR"}):
        query(path, **conditions)

    assert (rows_of(path), path.read_bytes()) == before


def test_a_text_is_a_path_too(path, monkeypatch):
    """Also a relative one."""
    monkeypatch.chdir(path.parent)

    assert len(query("events.db")) == 6


def test_reading_while_others_write(tmp_path):
    """Every answer is whole batches from the first on, and never one shorter than before."""
    path = tmp_path / "events.db"
    sink = SqliteSink(SqliteOptions(str(path)))
    seen = []
    with opened(sink):
        sink.write(make_batch(make_events(20)))

        def write() -> None:
            for start in range(20, 2000, 20):
                sink.write(make_batch(make_events(20, start=start)))

        writer = threading.Thread(target=write)
        writer.start()
        while writer.is_alive():
            seen.append([event["n"] for event in query(path, limit=None, newest_first=False)])
        writer.join()

    assert all(numbers == list(range(len(numbers))) and len(numbers) % 20 == 0 for numbers in seen)
    assert [len(numbers) for numbers in seen] == sorted(len(numbers) for numbers in seen)


# --- speed: the indexes that the conditions use ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "index"),
    [
        ("time >= 1 AND time < 5 ORDER BY time DESC, id DESC LIMIT 5", "events_time"),
        ("ORDER BY time DESC, id DESC LIMIT 5", "events_time"),
        ("request_id = 'x' ORDER BY time DESC, id DESC LIMIT 5", "events_request_id"),
        ("request_id = 'x' AND time > 5 ORDER BY time DESC, id DESC LIMIT 5", "events_request_id"),
        ("trace_id = 'x' ORDER BY time DESC, id DESC LIMIT 5", "events_trace_id"),
        ("level_number >= 40 AND level_number >= 30 ORDER BY time DESC, id DESC LIMIT 5", "events_few"),
    ],
)
def test_a_condition_uses_its_index(path, conditions, index):
    """No search reads all events, and none has to sort what it found."""
    where = conditions if conditions.startswith("ORDER") else f"WHERE {conditions}"
    connection = sqlite3.connect(path)
    plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN SELECT data FROM events {where}"))
    connection.close()

    assert index in plan
    assert "TEMP B-TREE" not in plan
