"""The sink against a real server: rows as they are stored, tables as they are found, names and values of any kind."""

import asyncio
import json
import math
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fapilog.errors import SinkError
from fapilog.testing.fakes import FakeClock
from tests.services.postgres import BINARIES, PASSWORD
from tests.sinks.postgres.support import batch_of, event, events
from tests.sinks.support import start_program

pytestmark = [pytest.mark.requires_service("PostgreSQL", module="asyncpg", files=BINARIES), pytest.mark.asyncio]

COLUMNS = (
    '"time" timestamptz, level text, logger text, message text, request_id text, trace_id text, span_id text, '
    "event_id text, data jsonb"
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(-1e15, 1e15)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


async def refused(place, *words, retryable=False, **options):
    """Open a sink that must refuse with these words."""
    sink = place.sink(**options)
    with pytest.raises(SinkError) as caught:
        await sink.open()
    error = str(caught.value)
    assert all(word in error for word in words), error
    assert caught.value.retryable is retryable
    assert PASSWORD not in error + str(sink.health())
    assert sink.health()["status"] == "failing"
    assert not sink.health()["connected"]
    await sink.close()
    return error


async def test_events_are_rows(place):
    """Each event is one row, in the order of the batches, with the rest of it as JSON."""
    async with place.opened() as sink:
        await sink.write(events(0, 3, request_id="r", trace_id="t", span_id="s"))
        await sink.write(batch_of([event(3, exception={"type": "E"})]))
        assert sink.health() == {
            "status": "ok", "connected": True, "server": f"postgresql://127.0.0.1:{place.server.port}/postgres",
            "table": place.table, "last_error": "",
        }  # fmt: skip
        assert sink.figures["events"] == 4
    rows = await place.rows()
    assert [row["message"] for row in rows] == [f"order {number}" for number in range(4)]
    assert rows[0]["time"].isoformat() == "2026-01-01T00:00:00+00:00"
    assert [rows[0][key] for key in ("request_id", "trace_id", "span_id", "event_id")] == ["r", "t", "s", "id-0"]
    assert json.loads(rows[3]["data"]) == {"sequence": 3, "exception": {"type": "E"}}
    assert rows[3]["request_id"] is None
    assert sink.health()["status"] == "closed"


async def test_the_server_keeps_the_order_of_received(place):
    """What the tests of other parts ask the server for are events."""
    async with place.opened() as sink:
        await sink.write(events(0, 2))
    received = await asyncio.to_thread(place.server.received, place.table)
    assert [(it["sequence"], it["event_id"]) for it in received] == [(0, "id-0"), (1, "id-1")]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.dictionaries(st.text(min_size=1), TREES, max_size=5))
async def test_fields_come_back_from_jsonb(place, fields):
    """What was logged is read back from jsonb, numbers of any size included, but for NUL."""
    given_ = {f"f{key}": value for key, value in fields.items()}
    async with place.opened() as sink:
        await place.run("DELETE FROM {table}")
        await sink.write(batch_of([{**event(0), **given_}]))
    data = json.loads((await place.rows())[0]["data"])
    assert data.pop("sequence") == 0
    if "\\u0000" not in json.dumps(given_):
        assert data == given_
    assert len(data) == len(given_)


@pytest.mark.parametrize("value", [1.7976931348623157e308, 5e-324, 2**64 - 1, -(2**63), 2**70, 0.1, 1e17, math.nan])
async def test_numbers_of_any_size_are_stored(place, value):
    """jsonb keeps decimal digits: the same number is read back; what JSON has no number for is text."""
    async with place.opened() as sink:
        await sink.write(batch_of([event(0, x=value)]))
    stored = json.loads((await place.rows())[0]["data"])["x"]
    assert type(value)(stored) == value or str(value) == "nan"


@pytest.mark.parametrize(
    "name",
    ['"; DROP TABLE x; --', "'; --", 'a"b', "日" * 21, "x" * 63, "select", "ÄÖ ü", "%s $1 {}", "back\\slash\t", '""'],
    ids=ascii,
)
@pytest.mark.parametrize("options", [{}, {"partition": "day", "dedupe": True}], ids=str)
async def test_a_name_is_quoted_whatever_it_holds(place, name, options):
    """A table, its indexes and its partitions have the name that was given, and nothing else happens."""
    quoted = '"audit"."' + name.replace('"', '""') + '"'
    async with place.opened(FakeClock(), table=quoted, **options) as sink:
        await sink.write(events(0, 2))
        await sink.write(events(1, 2))
    rows = await place.rows("SELECT count(*) AS n FROM " + quoted.replace("{", "{{").replace("}", "}}"))
    assert rows[0]["n"] == (3 if options else 4)
    relations = "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'audit'::regnamespace"
    names = {row["name"] for row in await place.rows(relations + " AND relkind IN ('r', 'p')")}
    assert name in names
    assert len(names) == (3 if options else 1)


async def test_indexes_serve_what_people_ask(place):
    """The latest events, the latest errors, one request and one trace are found by an index."""
    import asyncpg

    async with place.opened() as sink:
        await sink.write(events(0, 3))
    await place.run("ANALYZE {table}")
    connection = await asyncpg.connect(place.server.dsn)
    try:
        # Of so few rows all are read, unless that is forbidden.
        await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        for condition, index in [
            ("true ORDER BY time DESC LIMIT 100", "time_idx"),
            ("level = 'ERROR' ORDER BY time DESC LIMIT 100", "few_idx"),
            ("level IN ('ERROR', 'CRITICAL') ORDER BY time", "few_idx"),
            ("request_id = 'r' ORDER BY time", "request_id_idx"),
            ("trace_id = 't' ORDER BY time", "trace_id_idx"),
        ]:
            plan = await connection.fetch(f"EXPLAIN SELECT * FROM {place.table} WHERE {condition}")
            assert f'_{index}"' in str(plan[:2]), plan
            assert "Sort" not in str(plan)
    finally:
        await connection.close()


async def test_an_existing_table_is_used(place):
    """A table with more columns, another order and no index is used as it is."""
    await place.run("CREATE TABLE {table} (id bigserial, note text, data json, " + COLUMNS.rpartition(",")[0] + ")")
    async with place.opened(create=False) as sink:
        await sink.write(events(0, 2))
    rows = await place.rows()
    assert [(row["id"], row["note"]) for row in rows] == [(1, None), (2, None)]
    assert await place.rows("SELECT FROM pg_index WHERE indrelid = '{table}'::regclass") == []


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ('"time" timestamptz, message text', {}, ["lacks the columns level, logger, request_id"]),
        (COLUMNS.replace("jsonb", "text"), {}, ["column data is text", "jsonb"]),
        (COLUMNS.replace("timestamptz", "timestamp"), {}, ["column time is timestamp without time zone"]),
        (COLUMNS + ", tenant text NOT NULL", {}, ["unlike tenant"]),
        (COLUMNS, {"partition": "day"}, ["not partitioned by RANGE (time)"]),
        (COLUMNS, {"dedupe": True}, ["CREATE UNIQUE INDEX ON", "(event_id, time)"]),
    ],
    ids=str,
)
async def test_a_wrong_table_is_refused(place, columns, options, words):
    """The error says what the table lacks, and it is not tried again soon."""
    await place.run("CREATE TABLE {table} (" + columns + ")")
    await refused(place, *words, **options)


async def test_a_view_is_refused(place):
    """COPY puts nothing into a view."""
    await place.run("CREATE VIEW {table} AS SELECT 1 AS x")
    await refused(place, "no table")


async def test_a_missing_table_is_refused_without_create(place):
    """With create=False nothing is made."""
    await refused(place, "not there", "create=False", create=False)
    assert await place.rows("SELECT FROM pg_class WHERE relnamespace = 'audit'::regnamespace") == []


async def test_a_missing_schema_is_refused(place):
    """Tables are made, schemas are not."""
    await refused(place, "no such schema", table="nowhere.logs")


async def test_credentials_are_refused_without_being_told(place):
    """A wrong password, user, database or permission is a wrong configuration; the error shows no secret."""
    await place.run(
        "DROP ROLE IF EXISTS eve", f"CREATE ROLE eve LOGIN PASSWORD '{PASSWORD}'", "GRANT USAGE ON SCHEMA audit TO eve"
    )
    dsn_of = place.server.dsn_of
    try:
        wrong = await refused(place, "password is refused", dsn=dsn_of("eve", PASSWORD + "x"))
        assert "eve" not in wrong
        await refused(place, "password is refused", dsn=dsn_of("mallory", PASSWORD))
        await refused(place, "no such database", dsn=dsn_of(database="nowhere"))
        await refused(place, "permission", dsn=dsn_of("eve", PASSWORD))
        await place.run("CREATE TABLE {table} (" + COLUMNS + ")")
        await refused(place, "permission INSERT", dsn=dsn_of("eve", PASSWORD))
        await place.run("GRANT INSERT ON {table} TO eve")
        async with place.opened(dsn=dsn_of("eve", PASSWORD)) as sink:
            await sink.write(events(0, 2))
            await place.run("REVOKE INSERT ON {table} FROM eve")
            with pytest.raises(SinkError, match="permission") as caught:
                await sink.write(events(2, 1))
            assert (caught.value.retryable, caught.value.retry_after) == (True, 30)
            await place.run("GRANT INSERT ON {table} TO eve")
            await sink.write(events(2, 1))
        assert await place.numbers() == [0, 1, 2]
    finally:
        await place.run("DROP OWNED BY eve", "DROP ROLE eve")


async def test_another_encoding_is_refused(place):
    """A database that cannot hold every text says so before an event is lost."""
    await place.run("CREATE DATABASE narrow ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        await refused(place, "LATIN1", "UTF8", dsn=place.server.dsn_of(database="narrow"), table="logs")
    finally:
        await place.run("DROP DATABASE narrow")


async def test_a_read_only_server_is_waited_for(place):
    """A standby may be promoted."""
    dsn = place.server.dsn + "?default_transaction_read_only=on"
    await refused(place, "only reads", retryable=True, dsn=dsn)


async def test_a_table_that_is_dropped_is_made_again(place):
    """The batch is not taken, and is when it is sent again."""
    async with place.opened() as sink:
        await sink.write(events(0, 1))
        await place.run("DROP TABLE {table}")
        with pytest.raises(SinkError, match="gone") as caught:
            await sink.write(events(1, 1))
        assert caught.value.retryable
        await sink.write(events(1, 1))
        assert sink.figures["connects"] == 1 + 1
    assert await place.numbers() == [1]


async def test_a_batch_is_taken_whole_or_not_at_all(place):
    """One row that a constraint refuses keeps the others out; the error is for the whole batch, which is split then."""
    async with place.opened() as sink:
        await place.run("ALTER TABLE {table} ADD CONSTRAINT even CHECK ((data->>'sequence')::int <> 7)")
        with pytest.raises(SinkError, match="constraint even") as caught:
            await sink.write(events(0, 10))
        assert not caught.value.retryable
        assert caught.value.failed_indexes is None
        assert "order 7" not in str(caught.value)
        await sink.write(events(0, 7))
        assert sink.figures["connects"] == 1
    assert await place.numbers() == list(range(7))


@pytest.mark.parametrize("partition", [None, "month"])
async def test_dedupe_leaves_out_what_is_there(place, partition):
    """A batch that is sent again adds nothing, also where half of it is new or an event has no id."""
    async with place.opened(FakeClock(), dedupe=True, partition=partition) as sink:
        await sink.write(events(0, 4))
        await sink.write(events(2, 4))
        await sink.write(batch_of([event(9, event_id=None), event(9, event_id=None), event(8), event(8)]))
        assert (sink.figures["events"], sink.figures["duplicates"]) == (12, 3)
    assert await place.numbers() == [0, 1, 2, 3, 4, 5, 9, 9, 8]


async def test_an_empty_batch_is_taken(place):
    """Nothing is sent."""
    async with place.opened() as sink:
        await sink.write(batch_of([]))
    assert await place.rows() == []


async def test_a_closed_sink_says_so(place):
    """Nothing is written before open and after close, and it can be opened again."""
    sink = place.sink()
    for _ in range(2):
        with pytest.raises(SinkError, match="not open") as caught:
            await sink.write(events(0, 1))
        assert caught.value.retryable
        await sink.open()
        await sink.write(events(0, 1))
        await sink.close()
    await sink.close()
    assert await place.numbers() == [0, 0]


async def test_many_writers_of_one_sink_take_turns(place):
    """Writes at the same time are put one after the other on the one connection."""
    async with place.opened() as sink:
        await asyncio.gather(*(sink.write(events(10 * number, 10)) for number in range(10)))
        assert sink.figures["connects"] == 1
    assert await place.numbers() == list(range(100))


@pytest.mark.parametrize("options", [{}, {"partition": "day", "dedupe": True}], ids=str)
async def test_sinks_may_open_at_once(place, options):
    """However many make the table at the same moment, none fails."""
    sinks = [place.sink(**options) for _ in range(8)]
    try:
        await asyncio.gather(*(sink.open() for sink in sinks))
        await asyncio.gather(*(sink.write(events(10 * number, 10)) for number, sink in enumerate(sinks)))
    finally:
        for sink in sinks:
            await sink.close()
    assert sorted(await place.numbers()) == list(range(80))


@pytest.mark.parametrize("options", [{}, {"partition": "day", "dedupe": True}], ids=str)
async def test_processes_may_open_at_once(place, options):
    """Workers that start together make the table once, and all their events arrive."""
    program = """
        import asyncio, sys
        from tests.sinks.postgres.support import Place, events
        from tests.services.postgres import PostgresServer

        class Server:
            dsn = sys.argv[1]

        async def main():
            place = Place(Server(), "audit")
            sys.stdin.readline()
            async with place.opened(**eval(sys.argv[3])) as sink:
                await sink.write(events(int(sys.argv[2]), 100))

        asyncio.run(main())
    """
    streams = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    workers = [start_program(program, place.server.dsn, 100 * number, options, **streams) for number in range(4)]
    for worker in workers:
        worker.stdin.write(b"go\n")
        worker.stdin.flush()
    for worker in workers:
        _, err = await asyncio.to_thread(worker.communicate, timeout=60)
        assert worker.returncode == 0, err.decode()
    assert sorted(await place.numbers()) == list(range(400))
