"""The sink when the server dies, hangs, shuts a connection or is not there, and when it is cancelled or forked."""

import asyncio
import os
from contextlib import suppress

import pytest

from fapilog.errors import SinkError
from fapilog.sinks.postgres.options import PostgresOptions
from fapilog.sinks.postgres.sink import PostgresSink
from fapilog.testing.fakes import FakeClock
from tests.services.postgres import BINARIES, PostgresServer
from tests.sinks.postgres.support import Place, batch_of, event, events

pytestmark = [pytest.mark.requires_service("PostgreSQL", module="asyncpg", files=BINARIES), pytest.mark.asyncio]

END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fapilog'"
WAITING = "SELECT FROM pg_stat_activity WHERE application_name = 'fapilog' AND wait_event_type = 'Lock'"
INSERT = "INSERT INTO {0} VALUES ('2026-01-01T00:00:00.00000{1}Z', '', '', '', '', '', '', 'id-{1}', '{{}}')"
OURS = "SELECT FROM pg_stat_activity WHERE application_name = 'fapilog'"


async def until(place, query, count):
    """Wait until a query has so many rows: what happens in the server's processes."""
    async with asyncio.timeout(20):
        while len(await place.rows(query)) != count:
            await asyncio.sleep(0.02)


async def retryable(work):
    """Await a write that must fail for now."""
    with pytest.raises(SinkError) as caught:
        await work
    assert caught.value.retryable
    assert caught.value.failed_indexes is None
    return str(caught.value)


@pytest.fixture
def own_server(tmp_path):
    """Return a server that the test may kill."""
    with PostgresServer(tmp_path) as running:
        yield running


async def test_a_killed_server_loses_nothing_and_doubles_nothing(own_server):
    """A batch that was being copied when the server was killed is not there, and is once when it is sent again."""
    import asyncpg

    place = Place(own_server, "public")
    async with place.opened() as sink:
        await sink.write(events(0, 100))
        blocker = await asyncpg.connect(own_server.dsn)
        await blocker.execute(f"BEGIN; LOCK TABLE {place.table} IN SHARE MODE")
        write = asyncio.ensure_future(sink.write(events(100, 5000, padding="x" * 1000)))
        await until(place, WAITING, 1)
        await asyncio.to_thread(own_server.kill)
        await retryable(write)
        blocker.terminate()
        assert "connection failed" in await retryable(sink.write(events(100, 5000)))
        assert sink.health()["status"] == "failing"
        await asyncio.to_thread(own_server.start)
        await sink.write(events(100, 5000))
        assert sink.health()["status"] == "ok"
    assert await place.numbers() == list(range(5100))


async def test_a_server_that_is_killed_while_rows_flow_has_whole_batches(own_server):
    """Whenever the server dies, each batch is there whole or not, and those acknowledged are."""
    place = Place(own_server, "public")
    acknowledged = 0
    async with place.opened() as sink:

        async def flow():
            nonlocal acknowledged
            while True:
                await sink.write(events(acknowledged, 500))
                acknowledged += 500

        task = asyncio.ensure_future(flow())
        async with asyncio.timeout(20):
            while acknowledged < 3000:
                await asyncio.sleep(0)
        await asyncio.to_thread(own_server.kill)
        await retryable(task)
        await asyncio.to_thread(own_server.start)
        numbers = await place.numbers()
        assert numbers == list(range(len(numbers)))
        assert len(numbers) in (acknowledged, acknowledged + 500)


async def test_a_server_that_is_not_there_is_tried_again(own_server):
    """Open is retryable while nobody listens, and goes through afterwards."""
    place = Place(own_server, "public")
    await asyncio.to_thread(own_server.kill)
    sink = place.sink()
    assert "connection failed" in await retryable(sink.open())
    await asyncio.to_thread(own_server.start)
    await sink.open()
    await sink.write(events(0, 1))
    await sink.close()
    assert await place.numbers() == [0]


async def test_a_connection_that_the_server_has_ended_is_made_anew(place):
    """Between batches too: at most one write fails, and nothing is there twice."""
    async with place.opened() as sink:
        await sink.write(events(0, 1))
        await place.run(END_OTHERS)
        await until(place, OURS, 0)
        with suppress(SinkError):
            await sink.write(events(1, 1))
        if sink.health()["last_error"]:
            await sink.write(events(1, 1))
        assert sink.figures["connects"] == 2
    assert await place.numbers() == [0, 1]


@pytest.mark.parametrize("options", [{}, {"dedupe": True}, {"dedupe": True, "partition": "day"}], ids=str)
async def test_a_write_may_be_cancelled_anywhere(place, options):
    """The connection is dropped, nothing of the batch is there, and the next write goes through."""
    import asyncpg

    async with place.opened(FakeClock(), **options) as sink:
        blocker = await asyncpg.connect(place.server.dsn)
        await blocker.execute(f"BEGIN; LOCK TABLE {place.table} IN SHARE MODE")
        write = asyncio.ensure_future(sink.write(events(0, 3000)))
        await until(place, WAITING, 1)
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        assert not sink.health()["connected"]
        await place.run(END_OTHERS)
        await blocker.execute("ROLLBACK")
        await blocker.close()
        await sink.write(events(0, 10))
    assert await place.numbers() == list(range(10))


async def test_a_cancelled_write_at_each_step_leaves_whole_batches(place):
    """Cancelled after any number of turns of the loop, a batch is there whole or not at all."""
    async with place.opened(FakeClock(), dedupe=True) as sink:
        for turns in range(0, 40, 2):
            write = asyncio.ensure_future(sink.write(events(10 * turns, 10)))
            for _ in range(turns):
                await asyncio.sleep(0)
            write.cancel()
            await asyncio.wait({write})
        await sink.write(events(9000, 10))
    numbers = await place.numbers()
    assert len(numbers) % 10 == 0
    assert numbers[-10:] == list(range(9000, 9010))
    assert all(numbers[at : at + 10] == list(range(numbers[at], numbers[at] + 10)) for at in range(0, len(numbers), 10))


async def test_a_lock_is_not_waited_for_longer_than_the_timeout(place):
    """The server gives up, too: what was sent is not there when the lock is gone."""
    import asyncpg

    async with place.opened(timeout=0.5) as sink:
        blocker = await asyncpg.connect(place.server.dsn)
        await blocker.execute(f"BEGIN; LOCK TABLE {place.table} IN SHARE MODE")
        assert "timeout" in await retryable(sink.write(events(0, 10)))
        await until(place, WAITING, 0)
        await blocker.execute("ROLLBACK")
        await blocker.close()
        await sink.write(events(10, 1))
    assert await place.numbers() == [10]


@pytest.mark.parametrize("answer", [b"", b"N"], ids=["nothing", "no TLS and nothing"])
async def test_a_server_that_hangs_is_left(answer):
    """Open ends at the timeout, and so does whatever listens there."""
    gone = asyncio.Event()

    async def hang(reader, writer):
        writer.write(answer)
        while await reader.read(1000):
            pass
        gone.set()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        sink = PostgresSink(PostgresOptions(f"postgresql://bob:hunter2@127.0.0.1:{port}/x", timeout=0.2))
        said = await retryable(sink.open())
        assert "no answer within the timeout" in said
        assert "hunter2" not in said
        await gone.wait()
        await sink.close()


async def test_too_many_connections_are_waited_for(place):
    """A full server is not a wrong configuration."""
    import asyncpg

    await place.run("CREATE ROLE full LOGIN CONNECTION LIMIT 1 PASSWORD 'x'")
    dsn = place.server.dsn_of("full", "x")
    other = await asyncpg.connect(dsn)
    try:
        assert "too many connections" in await retryable(place.sink(dsn=dsn).open())
    finally:
        await other.close()
        await place.run("DROP ROLE full")


async def test_close_needs_no_server(own_server):
    """Closing a sink whose server is gone ends at once."""
    sink = Place(own_server, "public").sink()
    await sink.open()
    own_server.kill()
    async with asyncio.timeout(5):
        await sink.close()
    assert sink.health()["status"] == "closed"


async def test_a_deadlock_is_tried_again(place):
    """The server ends one of two transactions that wait for each other."""
    import asyncpg

    async with place.opened(dedupe=True) as sink:
        await sink.write(events(0, 1))
        other = await asyncpg.connect(place.server.dsn)
        await other.execute("BEGIN; SET LOCAL deadlock_timeout = '10s'")
        await other.execute(INSERT.format(place.table, 2))
        write = asyncio.ensure_future(sink.write(batch_of([event(1), event(2)])))
        await until(place, WAITING, 1)
        rest = asyncio.ensure_future(other.execute(
            INSERT.format(place.table, 1)
        ))  # fmt: skip
        assert "40P01" in await retryable(write)
        await rest
        await other.execute("ROLLBACK")
        await other.close()
        await sink.write(batch_of([event(1), event(2)]))
    assert await place.numbers() == [0, 1, 2]


async def test_a_forked_child_has_a_connection_of_its_own(place):
    """The child opens and writes; the parent's connection goes on."""
    async with place.opened() as sink:
        await sink.write(events(0, 1))
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                asyncio._set_running_loop(None)

                async def child():
                    await sink.open()
                    await sink.write(events(1, 1))
                    await sink.close()

                asyncio.new_event_loop().run_until_complete(child())
                status = 0
            finally:
                os._exit(status)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        assert status == 0
        await sink.write(events(2, 1))
        assert sink.figures["connects"] == 1
    assert await place.numbers() == [0, 1, 2]


async def test_a_server_without_tls_is_refused_where_it_is_asked_for(place, tmp_path):
    """With sslmode or a file of certificates nothing goes in clear; a missing file is a wrong configuration."""
    assert "no TLS" in await retryable(place.sink(dsn=place.server.dsn + "?sslmode=require").open())
    with pytest.raises(SinkError) as caught:
        await place.sink(ca_file=str(tmp_path / "none.pem")).open()
    assert not caught.value.retryable
    assert "ca_file" in str(caught.value)
