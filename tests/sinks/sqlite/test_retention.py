"""What has to go: the oldest first, by age and by size; how large the files become; counted."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.event import timestamp
from fapilog.sinks.sqlite import query
from fapilog.sinks.sqlite.options import SqliteOptions
from fapilog.sinks.sqlite.sink import SqliteSink
from fapilog.testing.contracts import make_batch, make_events
from fapilog.testing.fakes import EPOCH_NS, FakeClock
from tests.sinks.sqlite.support import integrity, rows_of
from tests.sinks.support import opened

HOUR = 3600.0
MEGABYTE = 1_000_000


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "events.db"


def sink_at(path, clock=None, **options) -> SqliteSink:
    return SqliteSink(SqliteOptions(str(path), **options), clock or FakeClock())


def at(clock, count, start=0, **fields):
    """Return a batch of the clock's time."""
    return make_batch(
        [event | {"timestamp": timestamp(clock.time_ns())} for event in make_events(count, start=start, **fields)]
    )


def files_of(path) -> int:
    """Return the bytes of the database and of the files beside it."""
    return sum(file.stat().st_size for file in path.parent.iterdir() if file.name.startswith(path.name))


def numbers(path) -> list[int]:
    return [event["n"] for event in query(path, limit=None, newest_first=False)]


def test_events_leave_when_they_are_too_old(path):
    """At the next write, not a microsecond before; counted; not found by text any more."""
    clock = FakeClock()
    sink = sink_at(path, clock, max_age="1h")
    with opened(sink):
        sink.write(at(clock, 3))
        clock.advance(HOUR)
        sink.write(at(clock, 1, start=3))
        assert numbers(path) == [0, 1, 2, 3]
        clock.advance(1e-6)
        sink.write(at(clock, 1, start=4))

    assert numbers(path) == [3, 4]
    assert sink.figures["removed_events"] == 3
    assert len(query(path, text="event")) == 2
    assert integrity(path) == "ok"


def test_age_goes_by_the_time_of_the_event(path):
    """Events that waited in a spool for two days are as old as they say."""
    clock = FakeClock()
    late = make_events(2)
    sink = sink_at(path, clock, max_age="1d")
    with opened(sink):
        clock.advance(48 * HOUR)
        sink.write(at(clock, 1, start=5))
        sink.write(make_batch(late))

    assert numbers(path) == [5]


def test_many_old_events_leave_over_several_writes(path):
    """A write removes for about 20 ms and leaves the rest for the next ones: it never takes long."""

    class Passing(FakeClock):
        def monotonic(self) -> float:
            self.advance(0.015)
            return super().monotonic()

    with opened(sink_at(path)) as sink:
        sink.write(make_batch(make_events(1000)))
    clock = Passing(EPOCH_NS + 10**15)
    sink = sink_at(path, clock, max_age="1h")
    left = []
    with opened(sink):
        for _ in range(4):
            sink.write(make_batch([]))
            left.append(len(rows_of(path)))

    assert left == [600, 200, 0, 0]
    assert sink.figures["removed_events"] == 1000


def test_the_files_stay_under_max_bytes(path):
    """Many times as much as fits: all files together stay under the limit, and only the oldest events go."""
    sink = sink_at(path, max_bytes="3 MB")
    peak = 0
    with opened(sink):
        for start in range(0, 20_000, 200):
            sink.write(make_batch(make_events(200, start=start, text="x" * 600)))
            peak = max(peak, files_of(path))

    kept = numbers(path)
    assert kept == list(range(20_000 - len(kept), 20_000))
    assert sink.figures["removed_events"] == 20_000 - len(kept)
    assert peak <= 3 * MEGABYTE
    assert files_of(path) > MEGABYTE
    assert integrity(path) == "ok"


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 5000)), min_size=1, max_size=40))
def test_whatever_the_sizes_only_the_oldest_go(tmp_path_factory, batches):
    """A law: what is left is the newest, and all files are at most max_bytes and five times the largest batch."""
    path = tmp_path_factory.mktemp("law") / "events.db"
    sink = sink_at(path, max_bytes="1 MB")
    start = largest = 0
    with opened(sink):
        for count, width in batches:
            batch = make_batch(make_events(count, start=start, text="y" * width))
            sink.write(batch)
            start += count
            largest = max(largest, batch.size_bytes)
            assert files_of(path) <= MEGABYTE + 5 * largest

    kept = numbers(path)
    assert kept == list(range(start - len(kept), start))
    assert sink.figures["removed_events"] == start - len(kept)


def test_a_limit_that_was_lowered_is_reached_and_the_space_given_back(path):
    """From 20 MB to 2 MB over the next writes, 256 KiB of the file at a time."""
    with opened(sink_at(path)) as sink:
        for start in range(0, 20_000, 1000):
            sink.write(make_batch(make_events(1000, start=start, text="x" * 600)))
    assert path.stat().st_size > 15 * MEGABYTE
    sink = sink_at(path, max_bytes="2 MB")
    sizes = []
    with opened(sink):
        for start in range(20_000, 20_100):
            sink.write(make_batch(make_events(1, start=start)))
            sizes.append(path.stat().st_size)
    kept = numbers(path)

    assert sizes == sorted(sizes, reverse=True)
    assert files_of(path) <= 2 * MEGABYTE
    assert kept == list(range(20_100 - len(kept), 20_100))
    assert integrity(path) == "ok"


def test_space_of_aged_events_is_used_again_or_given_back(path):
    """After everything is gone the file is small again."""
    clock = FakeClock()
    sink = sink_at(path, clock, max_age="1h")
    with opened(sink):
        for start in range(0, 20_000, 1000):
            sink.write(at(clock, 1000, start=start, text="x" * 600))
        clock.advance(2 * HOUR)
        for _ in range(100):
            sink.write(make_batch([]))

    assert rows_of(path) == []
    assert path.stat().st_size < 2 * MEGABYTE


def test_a_reader_in_the_middle_holds_nothing_up(path):
    """Its view stays as it was; the log grows meanwhile, and is copied when it has finished."""
    sink = sink_at(path, max_bytes="1 MB")
    with opened(sink):
        sink.write(make_batch(make_events(100)))
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM events").fetchone()
        for start in range(100, 2100, 100):
            sink.write(make_batch(make_events(100, start=start, text="x" * 1000)))
        assert reader.execute("SELECT count(*) FROM events").fetchone() == before
        assert files_of(path) > MEGABYTE
        reader.execute("COMMIT")
        reader.close()
        for start in range(2100, 2400, 100):
            sink.write(make_batch(make_events(100, start=start, text="x" * 1000)))
        assert files_of(path) <= MEGABYTE + 600_000


def test_health_tells_the_size(path):
    """What the file takes, so that an operator sees it near its limit."""
    sink = sink_at(path, max_bytes="1 MB")
    asyncio.run(sink.open())
    sink.write(make_batch(make_events(10)))
    told = sink.health()
    asyncio.run(sink.close())

    assert told == {"status": "ok", "bytes": path.stat().st_size}
