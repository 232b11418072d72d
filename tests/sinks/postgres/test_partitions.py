"""Partitions: which are needed, made and dropped, under a clock of the test's own."""

import asyncio
import datetime
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.errors import SinkError
from fapilog.sinks.postgres import partitions
from fapilog.sinks.postgres.partitions import DAY, Span, Spans
from fapilog.testing.fakes import EPOCH_NS, FakeClock
from tests.services.postgres import BINARIES
from tests.sinks.postgres.support import batch_of, event, events

service = pytest.mark.requires_service("PostgreSQL", module="asyncpg", files=BINARIES)
NOW = EPOCH_NS // 1000
DAY_SECONDS = 86_400
TIMES = st.integers(-(10**16), 2 * 10**17)


def day(text, number=0):
    """Return an event of a day."""
    return event(number, timestamp=f"{text}T12:00:00.000000Z")


def moment(time):
    """Return a time in words."""
    begin = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (begin + datetime.timedelta(microseconds=time)).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("kind", "begin", "end"),
    [
        ("day", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
        ("week", "2025-12-29T00:00:00", "2026-01-05T00:00:00"),
        ("month", "2026-01-01T00:00:00", "2026-02-01T00:00:00"),
    ],
)
def test_a_period_begins_at_midnight(kind, begin, end):
    """A day at midnight, a week on Monday, a month on the first, in UTC."""
    assert tuple(map(moment, partitions.period(kind, NOW))) == (begin, end)


@given(st.sampled_from(["day", "week", "month"]), TIMES)
def test_periods_adjoin(kind, time):
    """Each time is in its period, and the end of one is the beginning of the next."""
    begin, end = partitions.period(kind, time)
    assert begin <= time < end
    assert partitions.period(kind, begin) == (begin, end)
    assert partitions.period(kind, end).begin == end


@given(
    st.sampled_from(["day", "week", "month"]),
    st.lists(st.tuples(st.integers(-90, 90), st.integers(1, 50)), max_size=5),
    st.lists(st.integers(-60 * DAY, 7 * DAY), max_size=20),
)
def test_partitions_fill_the_gaps(kind, existing, offsets):
    """Whatever is attached already, new partitions overlap with nothing and each time has one."""
    known, at = [], -math.inf
    for begin, days in sorted(existing):
        span = Span(max(at, NOW + begin * DAY // 2), NOW + (begin + days) * DAY // 2)
        if span.begin < span.end:
            known.append(span)
            at = span.end
    times = [NOW + offset for offset in offsets]
    spans = Spans(known)
    new, refused = partitions.needed(kind, times, spans, NOW)
    assert not refused
    assert all(map(spans.covers, times))
    ordered = sorted([*known, *new])
    assert all(first.end <= second.begin for first, second in itertools.pairwise(ordered))


@service
@pytest.mark.asyncio
async def test_partitions_are_made_ahead_and_when_needed(place):
    """Today's and tomorrow's are there at once, those of late events when they come."""
    clock = FakeClock()
    async with place.opened(clock, partition="day") as sink:
        assert await place.partitions() == ["20260101", "20260102"]
        await sink.write(batch_of([day("2025-12-24"), day("2026-01-01", 1), day("2025-12-24", 2)]))
        clock.advance(DAY_SECONDS)
        await sink.write(batch_of([day("2026-01-02", 3)]))
        assert sink.figures["partitions_made"] == 4
    assert await place.partitions() == ["20251224", "20260101", "20260102", "20260103"]
    assert sorted(await place.numbers()) == [0, 1, 2, 3]


@service
@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "names"), [("week", ["20251229", "20260105"]), ("month", ["20260101", "20260201"])])
async def test_a_period_may_be_longer(place, kind, names):
    """Weeks and months are named by their first day."""
    async with place.opened(FakeClock(), partition=kind) as sink:
        await sink.write(events(0, 1))
    assert await place.partitions() == names


@service
@pytest.mark.asyncio
async def test_old_partitions_are_dropped(place):
    """What is older than keep goes with its partition; others' partitions and younger ones stay."""
    clock = FakeClock()
    async with place.opened(clock, partition="day", keep="2d") as sink:
        await place.run(
            "CREATE TABLE audit.archive PARTITION OF {table} "
            "FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2021-01-01 00:00+00')"
        )
        await sink.write(
            batch_of([day("2020-06-01"), day("2025-12-29", 1), day("2025-12-31", 2), day("2026-01-01", 3)])
        )
        assert sorted(await place.numbers()) == [0, 1, 2, 3]
        clock.advance(3600)
        await sink.write(batch_of([day("2026-01-01", 4)]))
        assert sorted(await place.numbers()) == [0, 2, 3, 4]
        clock.advance(3 * DAY_SECONDS)
        await sink.write(batch_of([day("2026-01-04", 5)]))
        assert sorted(await place.numbers()) == [0, 5]
        assert sink.figures["partitions_dropped"] == 3
        assert sink.figures["retention_failed"] == 0


@service
@pytest.mark.asyncio
async def test_a_reader_keeps_a_partition_until_the_next_time(place):
    """Retention waits a second for a long query, then goes on, and the batch is taken."""
    import asyncpg

    clock = FakeClock()
    async with place.opened(clock, partition="day", keep="1d") as sink:
        await sink.write(batch_of([day("2025-12-25")]))
        reader = await asyncpg.connect(place.server.dsn)
        try:
            async with reader.transaction():
                await reader.execute(f"SELECT * FROM {place.table}")
                clock.advance(3600)
                await sink.write(batch_of([day("2026-01-01", 1)]))
                assert sink.figures["retention_failed"] == 1
        finally:
            await reader.close()
        clock.advance(3600)
        await sink.write(batch_of([day("2026-01-01", 2)]))
        assert sink.figures["partitions_dropped"] == 1
    assert await place.numbers() == [1, 2]


@service
@pytest.mark.asyncio
async def test_a_wild_time_is_rejected_alone(place):
    """Events from long ago or far ahead are named and never taken; the others are."""
    async with place.opened(FakeClock(), partition="day") as sink:
        with pytest.raises(SinkError, match="2 events") as caught:
            await sink.write(batch_of([day("1999-01-01"), day("2026-01-01", 1), day("2099-01-01", 2)]))
        assert not caught.value.retryable
        assert caught.value.failed_indexes == {0, 2}
        assert set(caught.value.rejected) == {0, 2}
        assert sink.health()["connected"]
    assert await place.numbers() == [1]


@service
@pytest.mark.asyncio
async def test_a_default_partition_takes_everything(place):
    """Where somebody has made one, no others are made."""
    async with place.opened(FakeClock(), partition="day"):
        await place.run("CREATE TABLE audit.rest PARTITION OF {table} DEFAULT")
    async with place.opened(FakeClock(), partition="day") as sink:
        await sink.write(batch_of([day("1999-01-01"), day("2026-01-01", 1)]))
        assert sink.figures["partitions_made"] == 0
    assert sorted(await place.numbers()) == [0, 1]


@service
@pytest.mark.asyncio
async def test_the_period_may_be_changed(place):
    """Days are made where the months end."""
    async with place.opened(FakeClock(), partition="month"):
        pass
    async with place.opened(FakeClock(), partition="day") as sink:
        await sink.write(batch_of([day("2026-01-07"), day("2025-12-31", 1)]))
    assert await place.partitions() == ["20251231", "20260101", "20260201"]


@service
@pytest.mark.asyncio
async def test_a_partition_that_is_gone_is_made_again(place):
    """The batch is not taken, and is when it is sent again; a detached one keeps its name and its rows."""
    async with place.opened(FakeClock(), partition="day") as sink:
        await sink.write(batch_of([day("2026-01-01")]))
        await place.run('ALTER TABLE {table} DETACH PARTITION audit."the ""table""_p20260101"')
        with pytest.raises(SinkError, match="gone") as caught:
            await sink.write(batch_of([day("2026-01-01", 1)]))
        assert caught.value.retryable
        await sink.write(batch_of([day("2026-01-01", 1)]))
    assert await place.partitions() == ["20260101_2", "20260102"]
    assert await place.numbers() == [1]


@service
@pytest.mark.asyncio
async def test_making_a_partition_waits_for_no_reader(place):
    """A long query on the table holds up neither a new partition nor the batch."""
    import asyncpg

    async with place.opened(FakeClock(), partition="day") as sink:
        reader = await asyncpg.connect(place.server.dsn)
        try:
            async with reader.transaction():
                await reader.execute(f"SELECT * FROM {place.table}")
                async with asyncio.timeout(5):
                    await sink.write(batch_of([day("2025-12-25")]))
        finally:
            await reader.close()
    assert await place.numbers() == [0]
