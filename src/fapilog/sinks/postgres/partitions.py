"""Partitions by time: which a batch needs, made when they are missing, dropped when they are old.

A partition holds a day, a week from Monday on, or a month, in UTC; where others are already attached, what they leave
of it. It is made as a table of its own and then attached, which stops neither readers nor writers; ``CREATE TABLE …
PARTITION OF`` would wait for all of them. Source: PostgreSQL documentation, "Table Partitioning", "Explicit Locking".

So that an event with a wild time cannot fill the database with empty tables, none is made for more than 400 periods ago
or 8 periods ahead. An event from out there is taken if somebody else has made a partition for it, and else rejected.
"""

import datetime
import math
import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, NamedTuple

import asyncpg  # type: ignore[import-untyped]  # it has no types

from fapilog.sinks.postgres.identifiers import derived, quoted
from fapilog.sinks.postgres.schema import Table, lock
from fapilog.sinks.postgres.times import microseconds, moment_of

DAY = 86_400_000_000
"""In microseconds, like all times here."""
PERIODS_BACK = 400
PERIODS_AHEAD = 8

_MONDAY = -3 * DAY
_MONTHS = 12
_LONGEST = {"day": DAY, "week": 7 * DAY, "month": 31 * DAY}
_BOUNDS = re.compile(r"FOR VALUES FROM \((.+)\) TO \((.+)\)")
_LOCK_WAIT = "SET LOCAL lock_timeout = '1s'"
_ATTACHED = """
    SELECT n.nspname::text AS schema, c.relname::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.inhparent = $1
"""
_MOST_NAMES = 10


class Span(NamedTuple):
    """A span of time from ``begin`` to before ``end``; either may be infinite."""

    begin: float
    end: float


class Spans:
    """The spans that have a partition, in order; they do not overlap."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        """Take spans in any order."""
        self._spans = sorted(spans)

    def covers(self, time: float) -> bool:
        """Tell whether a time has a partition."""
        at = bisect_right(self._spans, (time, math.inf)) - 1
        return at >= 0 and time < self._spans[at].end

    def room(self, time: float, wanted: Span) -> Span:
        """Return as much of a span around a time as is free; the time itself is."""
        at = bisect_right(self._spans, (time, math.inf))
        begin = max(wanted.begin, self._spans[at - 1].end) if at else wanted.begin
        end = min(wanted.end, self._spans[at].begin) if at < len(self._spans) else wanted.end
        return Span(begin, end)

    def add(self, span: Span) -> None:
        """Add one that overlaps with none."""
        self._spans.insert(bisect_right(self._spans, span), span)


def period(kind: str, time: int) -> Span:
    """Return the day, week or month that a time is in."""
    if kind == "month":
        moment = moment_of(time)
        begin = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        days = ((begin.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - begin).days
        first = microseconds(begin)
        return Span(first, first + days * DAY)
    length = _LONGEST[kind]
    begin_of_first = _MONDAY if kind == "week" else 0
    start = (time - begin_of_first) // length * length + begin_of_first
    return Span(start, start + length)


def needed(kind: str, times: Iterable[int], known: Spans, now: int) -> tuple[list[Span], set[int]]:
    """Return which partitions are to be made so that each time has one, and the times that get none."""
    longest = _LONGEST[kind]
    earliest, latest = now - PERIODS_BACK * longest, now + PERIODS_AHEAD * longest
    spans, refused = [], set()
    last = Span(0, 0)
    for time in times:
        if last.begin <= time < last.end or known.covers(time):
            continue
        if not earliest <= time <= latest:
            refused.add(time)
            continue
        last = known.room(time, period(kind, time))
        known.add(last)
        spans.append(last)
    return spans, refused


def name_of(table: str, begin: float) -> str:
    """Return the name of the partition that begins then: ``table_p20261121``."""
    return derived(table, f"p{moment_of(begin):%Y%m%d}")


def bounds_of(text: str) -> Span | None:
    """Return the bounds as the server tells them in UTC and ISO 8601; None for a default partition."""
    match = _BOUNDS.fullmatch(text)
    return Span(_bound(match[1], -math.inf), _bound(match[2], math.inf)) if match else None


async def attached(connection: Any, table: Table) -> tuple[Spans, bool]:
    """Return which spans have partitions, and whether there is a default partition for all others."""
    bounds = [bounds_of(row["bounds"]) for row in await connection.fetch(_ATTACHED, table.oid)]
    return Spans(span for span in bounds if span is not None), None in bounds


async def make(connection: Any, table: Table, kind: str, times: Iterable[int], now: int) -> tuple[Spans, set[int], int]:
    """Make the partitions that times need, in one transaction, under the table's advisory lock.

    Returns:
        The spans that have one now, the times that have none, and how many were made.
    """
    async with connection.transaction():
        await lock(connection, table.schema, table.name)
        known, has_default = await attached(connection, table)
        if has_default:
            # It has room for everything, and may hold rows that would forbid a new partition.
            return Spans([Span(-math.inf, math.inf)]), set(), 0
        spans, refused = needed(kind, times, known, now)
        for span in spans:
            await _make_one(connection, table, span)
    return known, refused, len(spans)


async def drop(connection: Any, table: Table, before: int) -> tuple[int, int]:
    """Drop the partitions of our names that ended before a time.

    Each waits a second for those who read the table; who reads longer keeps it until the next time.

    Returns:
        How many were dropped, and how many could not be.
    """
    rows = await connection.fetch(_ATTACHED, table.oid)
    dropped = failed = 0
    for row in rows:
        span = bounds_of(row["bounds"])
        if span is None or span.end > before or not _is_ours(row["name"], table.name, span):
            continue
        try:
            async with connection.transaction():
                await connection.execute(_LOCK_WAIT)
                await lock(connection, table.schema, table.name)
                await connection.execute(f"DROP TABLE IF EXISTS {quoted(row['schema'], row['name'])}")
            dropped += 1
        except (
            asyncpg.LockNotAvailableError,
            asyncpg.InsufficientPrivilegeError,
            asyncpg.DependentObjectsStillExistError,
        ):
            failed += 1
    return dropped, failed


async def _make_one(connection: Any, table: Table, span: Span) -> None:
    name = name_of(table.name, span.begin)
    for number in range(2, _MOST_NAMES + 1):
        if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", quoted(table.schema, name)):
            break
        # Somebody has detached it and kept it.
        name = derived(table.name, f"p{moment_of(span.begin):%Y%m%d}_{number % _MOST_NAMES}")
    parent, part = quoted(table.schema, table.name), quoted(table.schema, name)
    await connection.execute(f"CREATE TABLE {part} (LIKE {parent} INCLUDING ALL)")
    begin, end = (moment_of(bound).isoformat() for bound in span)
    await connection.execute(f"ALTER TABLE {parent} ATTACH PARTITION {part} FOR VALUES FROM ('{begin}') TO ('{end}')")


def _is_ours(name: str, table: str, span: Span) -> bool:
    if math.isinf(span.begin):
        return False
    plain = name_of(table, span.begin)
    return name == plain or any(
        name == derived(table, f"p{moment_of(span.begin):%Y%m%d}_{number % _MOST_NAMES}")
        for number in range(2, _MOST_NAMES + 1)
    )


def _bound(text: str, infinite: float) -> float:
    if text in ("MINVALUE", "MAXVALUE"):
        return infinite
    try:
        return microseconds(datetime.datetime.fromisoformat(text.strip("'")))
    except (ValueError, TypeError):
        # Before Christ, after 9999, or infinity: no event is there.
        return infinite
