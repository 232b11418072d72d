"""What the tests of the sink share."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.protocols import Batch
from fapilog.sinks.postgres.options import PostgresOptions
from fapilog.sinks.postgres.sink import PostgresSink
from tests.services.postgres import PostgresServer

TABLE = '"the ""table"""'
"""Of each test, in a schema of its own, as SQL and as the option."""


def event(number: int, **fields: Any) -> dict[str, Any]:
    """Return a flat event."""
    return {
        "timestamp": f"2026-01-01T00:00:00.{number:06}Z",
        "level": "INFO",
        "logger": "shop",
        "message": f"order {number}",
        "event_id": f"id-{number}",
        "sequence": number,
        **fields,
    }


def batch_of(events: Sequence[dict[str, Any]]) -> Batch:
    """Return a batch of flat events without lines, as a sink without a format is given."""
    return Batch([], lambda: list(events), len(events))


def events(start: int, count: int, **fields: Any) -> Batch:
    """Return a batch of events with these numbers."""
    return batch_of([event(number, **fields) for number in range(start, start + count)])


class Place:
    """A schema of a test's own.

    Attributes:
        table: The table in it, as SQL and as the option.
    """

    def __init__(self, server: PostgresServer, schema: str) -> None:
        self.server = server
        self.schema = schema
        self.table = f'"{schema}".{TABLE}'

    def sink(self, clock: Clock = SYSTEM_CLOCK, **options: Any) -> PostgresSink:
        return PostgresSink(PostgresOptions(**{"dsn": self.server.dsn, "table": self.table} | options), clock)

    @asynccontextmanager
    async def opened(self, clock: Clock = SYSTEM_CLOCK, **options: Any) -> AsyncIterator[PostgresSink]:
        sink = self.sink(clock, **options)
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    async def rows(self, query: str = "SELECT * FROM {table} ORDER BY tableoid, ctid") -> list[dict[str, Any]]:
        import asyncpg

        connection = await asyncpg.connect(self.server.dsn)
        try:
            return [dict(row) for row in await connection.fetch(query.format(table=self.table, schema=self.schema))]
        finally:
            await connection.close()

    async def numbers(self) -> list[int]:
        return [json.loads(row["data"])["sequence"] for row in await self.rows()]

    async def partitions(self) -> list[str]:
        query = "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = '{table}'::regclass"
        return sorted(
            row["name"].rpartition('"" ')[2].rpartition("_p")[2].rstrip('"') for row in await self.rows(query)
        )

    async def run(self, *statements: str) -> None:
        for statement in statements:
            await self.rows(statement)
