"""SqliteSink: its contract, what is in the file, duplicates, faults, and a file that goes away."""

import asyncio
import errno
import os
import sqlite3
import stat
import threading
from pathlib import Path

import orjson
import pytest

from fapilog import LoggerBuilder, context_scope
from fapilog.errors import ConfigError, SinkError
from fapilog.levels import LevelTable
from fapilog.sinks.sqlite import query
from fapilog.sinks.sqlite import sink as sink_module
from fapilog.sinks.sqlite.options import SqliteOptions
from fapilog.sinks.sqlite.sink import SqliteSink
from fapilog.testing.contracts import SINK_CHECKS, SinkTarget, make_batch, make_events
from tests.sinks.sqlite.support import integrity, lines_of, rows_of
from tests.sinks.support import opened


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "events.db"


def sink_at(path, **options) -> SqliteSink:
    return SqliteSink(SqliteOptions(str(path), **options))


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("options", [{}, {"full_text": False}, {"synchronous": "full", "max_bytes": "50 MB"}], ids=str)
@pytest.mark.asyncio
async def test_contract(check, options, path):
    """A database is a sink, whatever its options."""
    await check(SinkTarget(lambda: sink_at(path, **options), lambda: lines_of(path)))


# --- what is in the file ---------------------------------------------------------------------------------------------


def test_an_event_is_found_in_columns_and_whole(path):
    """Columns for finding, microseconds for the time, the event as JSON in ``data``."""
    event = {
        "timestamp": "2026-11-21T09:00:00.123456Z",
        "level": "ERROR",
        "logger": "app.pay",
        "message": "not paid",
        "request_id": "r-1",
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "order": {"id": 7},
        "exception": {"type": "ConnectionError", "message": "refused", "frames": []},
        "event_id": "e-1",
    }
    with opened(sink_at(path)) as sink:
        sink.write(make_batch([event]))

    (row,) = rows_of(path)
    assert orjson.loads(row.pop("data")) == event
    assert row == {
        "id": 1,
        "time": 1_795_251_600_123_456,
        "level": "ERROR",
        "level_number": 40,
        "logger": "app.pay",
        "message": "not paid",
        "request_id": "r-1",
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "event_id": "e-1",
        "exception": "ConnectionError: refused",
    }


@pytest.mark.parametrize(
    ("change", "column", "stored"),
    [
        ({"message": 7}, "message", "7"),
        ({"message": "a\udc80b"}, "message", "a\\udc80b"),
        ({"message": "a\0b"}, "message", "a\0b"),
        ({"logger": ["x"]}, "logger", "['x']"),
        ({"request_id": 12}, "request_id", "12"),
        ({"exception": "cut"}, "exception", "cut"),
        ({"exception": {"type": "E"}}, "exception", "E: "),
        ({"level": "CHATTER"}, "level_number", 20),
        ({"level": "LEVEL_35"}, "level_number", 35),
        ({"timestamp": "2026-11-21T10:00:00+01:00"}, "time", 1_795_251_600_000_000),
        ({"timestamp": "2026-11-21T09:00:00"}, "time", 1_795_251_600_000_000),
        ({"timestamp": "1969-12-31T23:59:59.999999Z"}, "time", -1),
        ({"timestamp": "0001-01-01T00:00:00.000000Z"}, "time", -62_135_596_800_000_000),
        ({"timestamp": "9999-12-31T23:59:59.999999Z"}, "time", 253_402_300_799_999_999),
    ],
    ids=str,
)
def test_what_a_stage_has_made_odd_is_stored_all_the_same(path, change, column, stored):
    """A column takes its text, and the whole event is in ``data`` as every JSON sink writes it."""
    event = make_events(1)[0] | change
    with opened(sink_at(path)) as sink:
        sink.write(make_batch([event]))

    assert rows_of(path)[0][column] == stored
    assert lines_of(path) == [make_batch([event]).line(0)]


@pytest.mark.parametrize("timestamp", ["yesterday", None, 5, "2026-99-99T00:00:00.000000Z", ["x"]])
def test_an_event_without_a_readable_time_has_that_of_writing(path, timestamp):
    """It is kept, and where a reader looks for what came last."""
    sink = sink_at(path)
    with opened(sink):
        sink.write(make_batch([make_events(1)[0] | {"timestamp": timestamp}]))

    assert query(path, since=1_700_000_000)[0]["timestamp"] == timestamp


def test_levels_of_the_application_have_their_number(path):
    """So that a minimum level means the same in the database as in the program."""
    levels = LevelTable()
    levels.register("NOTICE", 25)
    with opened(SqliteSink(SqliteOptions(str(path)), levels=levels)) as sink:
        sink.write(make_batch([event | {"level": "NOTICE"} for event in make_events(1)]))

    assert [row["level_number"] for row in rows_of(path)] == [25]


def test_an_event_that_is_sent_again_is_there_once(path):
    """In the same batch, in the next one, and after the file was closed; the others of the batch are added."""
    events = [event | {"event_id": f"s-{event['n']}"} for event in make_events(4)]
    sink = sink_at(path)
    with opened(sink):
        sink.write(make_batch([*events[:2], events[1]]))
        sink.write(make_batch(events[:3]))
    with opened(sink):
        sink.write(make_batch(events))

    assert [event["n"] for event in query(path, newest_first=False)] == [0, 1, 2, 3]
    assert sink.figures["duplicates"] == 1 + 2 + 3
    assert len(query(path, text="event")) == 4


def test_events_without_an_id_are_all_kept(path):
    """Nobody says that they are the same, however equal they look."""
    with opened(sink_at(path)) as sink:
        sink.write(make_batch(make_events(1)))
        sink.write(make_batch(make_events(1)))

    assert len(query(path)) == 2


def test_an_empty_batch_is_nothing(path):
    """It makes no row and no error."""
    with opened(sink_at(path)) as sink:
        sink.write(make_batch([]))

    assert query(path) == []


# --- files and their rights ------------------------------------------------------------------------------------------


def test_files_are_not_for_others(tmp_path):
    """The directory has mode 0750, the three files 0640, less the umask."""
    path = tmp_path / "a" / "b" / "events.db"
    before = os.umask(0o022)
    try:
        with opened(sink_at(path)) as sink:
            sink.write(make_batch(make_events(1)))
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)

    assert modes == {"events.db": 0o640, "events.db-wal": 0o640, "events.db-shm": 0o640}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_nothing_is_made_before_open(path):
    """Making a sink touches no disk."""
    sink_at(path)

    assert not path.exists()


def test_a_closed_database_is_one_file(path):
    """The write-ahead log has been copied into it."""
    with opened(sink_at(path)) as sink:
        sink.write(make_batch(make_events(10)))

    assert [file.name for file in path.parent.iterdir()] == ["events.db"]


@pytest.mark.parametrize("name", ["a b?c#d%20.db", "zażółć.db", "file:x.db", "-journal.db", "it's;.db"])
def test_a_name_is_only_a_name(tmp_path, name):
    """No sign of it means anything to SQLite."""
    with opened(sink_at(tmp_path / name)) as sink:
        sink.write(make_batch(make_events(2)))

    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert len(query(tmp_path / name)) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a database, but long enough to be taken for one by its length alone" * 20, "is no SQLite database"),
        (b"SQLite format 3\0" + b"\xff" * 4080, "(no SQLite database|damaged)"),
    ],
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path, content, said):
    """At ``open``, in words, not to be tried again soon; not a byte of it changes."""
    path.write_bytes(content)
    with pytest.raises(SinkError, match=f"events.db: .*{said}") as caught:
        asyncio.run(sink_at(path).open())

    assert not caught.value.retryable
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused_and_left_alone(path):
    """Tables of an application are not for us to write beside."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE users (name)")
    connection.close()
    with pytest.raises(SinkError, match=r"a database of something else; fapilog needs a file of its own") as caught:
        asyncio.run(sink_at(path).open())

    assert not caught.value.retryable


def test_a_newer_version_is_refused(path):
    """A file of a later fapilog is not touched by this one."""
    with opened(sink_at(path)):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()

    with pytest.raises(SinkError, match=r"of version 9, made by a newer fapilog; this one knows up to 1") as caught:
        asyncio.run(sink_at(path).open())
    assert not caught.value.retryable


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    """What stands in the way is said."""
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"cannot be made: .*(exists|Not a directory)") as caught:
        asyncio.run(sink_at(tmp_path / "file" / "events.db").open())

    assert not caught.value.retryable


def test_a_directory_in_its_place_is_refused(path):
    """It cannot be opened."""
    path.mkdir()
    with pytest.raises(SinkError, match="the file cannot be opened") as caught:
        asyncio.run(sink_at(path).open())

    assert not caught.value.retryable


def test_without_fts5_full_text_is_a_wrong_option(path, monkeypatch):
    """It is said when the sink is made, and without it everything else works."""
    monkeypatch.setattr(sink_module, "has_full_text", lambda: False)
    with pytest.raises(ConfigError, match=r"add_sqlite\(full_text\).*without FTS5"):
        sink_at(path)
    with opened(sink_at(path, full_text=False)) as sink:
        sink.write(make_batch(make_events(1)))

    assert len(query(path)) == 1


# --- the index of words ----------------------------------------------------------------------------------------------


def test_an_index_of_words_that_is_wanted_later_is_built(path):
    """What was there before is found, too; a writer that had no index fills it from then on."""
    with opened(sink_at(path, full_text=False)) as old:
        old.write(make_batch(make_events(3)))
        with opened(sink_at(path)) as new:
            new.write(make_batch(make_events(3, start=3)))
            old.write(make_batch(make_events(3, start=6)))

    assert [event["n"] for event in query(path, text="event", newest_first=False)] == list(range(9))
    assert integrity(path) == "ok"


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_write_to_a_closed_sink_is_an_error(path):
    """Before ``open`` and after ``close``."""
    sink = sink_at(path)
    with pytest.raises(SinkError, match="not open"):
        sink.write(make_batch(make_events(1)))
    with opened(sink):
        pass
    with pytest.raises(SinkError, match="not open"):
        sink.write(make_batch(make_events(1)))
    assert sink.health()["status"] == "closed"


def test_a_database_that_is_held_is_busy_and_nothing_is_taken(path):
    """Retryable after ``busy_timeout``, and the same batch goes in when the other has let go."""
    batch = make_batch(make_events(5))
    sink = sink_at(path, busy_timeout="10ms")
    with opened(sink):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SinkError, match="another process is writing for longer than busy_timeout") as caught:
            sink.write(batch)
        assert sink.health()["status"] == "failing"
        other.execute("ROLLBACK")
        other.close()
        sink.write(batch)
        assert sink.health()["status"] == "ok"

    assert caught.value.retryable
    assert caught.value.failed_indexes is None
    assert len(query(path)) == 5


def test_a_full_database_is_retryable_and_takes_all_or_nothing(path):
    """As when the disk is full: the batch is rolled back, and goes in when there is room again."""
    batch = make_batch(make_events(200, text="x" * 2000))
    sink = sink_at(path)
    with opened(sink):
        sink.write(make_batch(make_events(1, start=1000)))
        sink._connection.execute("PRAGMA max_page_count = 40")
        with pytest.raises(SinkError, match="the disk is full") as caught:
            sink.write(batch)
        assert caught.value.retryable
        assert len(query(path, limit=None)) == 1
        sink.write(batch)  # the connection is a new one, without that limit

    assert len(query(path, limit=None)) == 201
    assert integrity(path) == "ok"


def test_a_file_that_is_removed_is_made_anew(path):
    """Writing into a file that nobody can find any more would be losing events."""
    sink = sink_at(path)
    with opened(sink):
        sink.write(make_batch(make_events(2)))
        for file in path.parent.iterdir():
            file.unlink()
        sink.write(make_batch(make_events(3, start=2)))

    assert sorted(event["n"] for event in query(path)) == [2, 3, 4]
    assert sink.figures["reopened"] == 1


def test_a_file_that_is_moved_has_all_it_had(path):
    """Also what was in the log only; and another process that still has it open spoils nothing of the new file."""
    moved = path.with_name("old.db")
    sink, other = sink_at(path), sink_at(path)
    with opened(other):
        other.write(make_batch(make_events(2)))
        with opened(sink):
            sink.write(make_batch(make_events(2, start=2)))
            path.rename(moved)
            sink.write(make_batch(make_events(3, start=4)))
            other.write(make_batch(make_events(3, start=7)))
            sink.write(make_batch(make_events(3, start=10)))

    assert [event["n"] for event in query(moved, newest_first=False)] == [0, 1, 2, 3]
    assert [event["n"] for event in query(path, newest_first=False)] == list(range(4, 13))
    assert [integrity(file) for file in (path, moved)] == ["ok", "ok"]
    assert (sink.figures["reopened"], other.figures["reopened"]) == (1, 1)


def test_a_database_that_is_damaged_meanwhile_lets_events_wait(path):
    """Somebody has to repair it: retryable, half a minute later; afterwards the same batch goes in."""
    batch = make_batch(make_events(3))
    sink = sink_at(path)
    with opened(sink):
        sink.write(make_batch(make_events(1, start=9)))
    with opened(sink):
        path.unlink()
        path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8176)
        with pytest.raises(SinkError, match=r"damaged|no SQLite database") as caught:
            sink.write(batch)
        assert (caught.value.retryable, caught.value.retry_after) == (True, 30)
        path.unlink()
        sink.write(batch)

    assert len(query(path)) == 3


def test_a_table_that_is_gone_lets_events_wait(path):
    """Somebody's hand, which no event is to blame for."""
    sink = sink_at(path)
    with opened(sink):
        connection = sqlite3.connect(path)
        connection.executescript("DROP TABLE events_text; DROP TABLE events")
        connection.close()
        with pytest.raises(SinkError, match="no such table") as caught:
            sink.write(make_batch(make_events(1)))

    assert (caught.value.retryable, caught.value.retry_after) == (True, 30)


def test_a_value_that_sqlite_does_not_take_is_to_blame(path, monkeypatch):
    """Not retryable and without names, so that delivery finds out which event it is."""
    sink = sink_at(path)
    with opened(sink):
        monkeypatch.setattr(sink._rows, "of", lambda event: (object(),) * 11)
        with pytest.raises(SinkError) as caught:
            sink.write(make_batch(make_events(1)))

    assert (caught.value.retryable, caught.value.failed_indexes) == (False, None)


def test_retention_that_fails_does_not_fail_the_batch(path, monkeypatch):
    """The events are in the database; sending them again would help nobody."""
    sink = sink_at(path, max_age="1d")
    with opened(sink):

        def refuse() -> None:
            raise sqlite3.OperationalError("no")

        monkeypatch.setattr(sink._retention, "keep", refuse)
        sink.write(make_batch(make_events(1)))
        assert sink.figures["retention_failed"] == 1
        assert sink.health()["status"] == "failing"
        sink.write(make_batch([]))

    assert sink.health()["status"] == "closed"


def test_close_does_not_wait_for_a_write_that_hangs(path, monkeypatch):
    """It returns within a second, and the write closes the connection when it comes back."""
    entered, latch = threading.Event(), threading.Event()
    original = sink_module.insert

    def hang(connection, rows):
        entered.set()
        latch.wait()
        return original(connection, rows)

    monkeypatch.setattr(sink_module, "insert", hang)
    monkeypatch.setattr(sink_module, "_CLOSE_SECONDS", 0.01)
    sink = sink_at(path)
    asyncio.run(sink.open())
    writer = threading.Thread(target=sink.write, args=(make_batch(make_events(1)),))
    writer.start()
    entered.wait()
    asyncio.run(sink.close())
    assert writer.is_alive()
    latch.set()
    writer.join()

    assert sink._connection is None
    assert [file.name for file in path.parent.iterdir()] == ["events.db"]


def test_errors_of_the_system_name_the_file(path, monkeypatch):
    """A disk without room for even an empty file."""

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SinkError, match=r"events.db: cannot be made: No space left on device"):
        asyncio.run(sink_at(path).open())


@pytest.mark.parametrize("alone", [True, False], ids=["the only sink", "with a thread of its own"])
def test_through_an_engine(path, alone):
    """Events of a real logger are found as flat events with their ids, whichever schema lines have."""
    builder = LoggerBuilder().add_sink(sink_at(path)).with_schema("ecs")
    logger = (builder if alone else builder.add_memory()).build()
    for number in range(1000):
        with context_scope(request_id=f"r-{number // 10}"):
            logger.info("order created", order=number)
    try:
        raise ConnectionError("refused by the bank")
    except ConnectionError:
        logger.exception("payment failed")
    result = logger.drain(10)

    assert (result.delivered, result.failed, result.dropped) == (1001, 0, 0)
    assert [event["order"] for event in query(path, request_id="r-7")] == list(range(79, 69, -1))
    (failed,) = query(path, text="refused", level="ERROR")
    assert (failed["message"], failed["exception"]["type"]) == ("payment failed", "ConnectionError")
    assert len({event["event_id"] for event in query(path, limit=None)}) == 1001
