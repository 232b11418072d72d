"""RedisSink with a real redis-server: what arrives, what is trimmed, what open finds out, forks."""

import json
import time

import pytest

from fapilog.errors import SinkError
from fapilog.sinks.redis.options import RedisOptions
from fapilog.sinks.redis.sink import RedisSink
from fapilog.testing.fakes import FakeClock
from tests.services.redis import COMMAND, RedisServer
from tests.sinks.http.peers import Authority
from tests.sinks.redis.peers import events_batch, opened
from tests.sinks.support import run_program

pytestmark = pytest.mark.requires_service("redis-server", command=COMMAND)
SECRET = "canary-sesame"


async def _refused(url, **options):
    """Return the error of an open."""
    with pytest.raises(SinkError) as caught:
        async with opened(url, **options):
            pass
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.asyncio
async def test_events_arrive_as_they_were_written_and_in_order(server, key):
    """Every batch is in the stream, in order, the line and the fields a consumer chooses by."""
    async with opened(server.url, key=key) as sink:
        await sink.write(events_batch(2, trace_id="t" * 32, request_id="r\ud800ä"))
        await sink.write(events_batch(3, start=2))

    assert [event["sequence"] for event in server.received(key)] == [0, 1, 2, 3, 4]
    first, *_, last = server.entries(key)
    assert json.loads(first["event"])["message"] == "paid"
    assert {name: value for name, value in first.items() if name != "event"} == {
        "event_id": "id-0",
        "level": "INFO",
        "trace_id": "t" * 32,
        "request_id": "r\\ud800ä",
    }
    assert last.keys() == {"event", "event_id", "level"}
    assert dict(sink.figures) == {"transactions": 2, "events": 5, "refused": 0, "timeouts": 0, "connections": 1}
    assert sink.health()["status"] == "closed"


@pytest.mark.asyncio
async def test_the_stream_is_kept_at_about_its_length(server, key):
    """The oldest entries leave when there are more than `max_length`, and none more than that."""
    async with opened(server.url, key=key, max_length=300) as sink:
        for start in range(0, 1000, 250):
            await sink.write(events_batch(250, start=start))

    kept = [event["sequence"] for event in server.received(key)]
    assert 300 <= len(kept) < 420
    assert kept == list(range(1000 - len(kept), 1000))


@pytest.mark.asyncio
async def test_without_a_length_nothing_leaves(server, key):
    """None never trims."""
    async with opened(server.url, key=key, max_length=None) as sink:
        await sink.write(events_batch(500))
        await sink.write(events_batch(500, start=500))

    assert len(server.received(key)) == 1000


@pytest.mark.asyncio
async def test_entries_leave_by_age(server, key):
    """What is older than `max_age` by this machine's clock leaves, in whole nodes, and what is younger stays."""
    clock = FakeClock(time.time_ns())
    async with opened(server.url, clock, key=key, max_age="1h") as sink:
        await sink.write(events_batch(500))
        clock.advance(3000)
        await sink.write(events_batch(1, start=500))
        assert len(server.received(key)) == 501
        clock.advance(900)
        await sink.write(events_batch(1, start=501))

    assert len(server.received(key)) < 110


@pytest.mark.asyncio
async def test_open_adds_nothing(server, key):
    """Looking whether events can be added leaves no stream behind."""
    async with opened(server.url, key=key) as sink:
        assert server.call("EXISTS", key) == 0
        assert sink.health() == {
            "status": "ok",
            "connected": True,
            "url": server.url,
            "key": key,
            "last_error": "",
        }


@pytest.mark.asyncio
async def test_open_refuses_a_key_that_is_no_stream(server, key):
    """A key of another type is a configuration error, said before the first event."""
    server.call("SET", key, "x")

    error = await _refused(server.url, key=key)

    assert not error.retryable
    assert "not a stream (WRONGTYPE)" in str(error)


@pytest.mark.asyncio
async def test_open_refuses_wrong_credentials(server):
    """A wrong password is said at once, without the password."""
    address = server.url.removeprefix("redis://")

    error = await _refused(f"redis://default-{SECRET}:{SECRET}@{address}")

    assert not error.retryable
    assert "refuses the user name or password" in str(error)


@pytest.mark.asyncio
@pytest.mark.parametrize("missing", ["xadd", "xtrim", "multi"])
async def test_open_refuses_a_user_without_permission(server, key, missing):
    """A user who may not do what a write does is told before the first event; one who may is taken."""
    rules = ("on", f">{SECRET}", "allkeys", "+xadd", "+xtrim", "+multi", "+exec", "+discard")
    server.call("ACL", "SETUSER", "writer", "reset", *rules)
    async with opened(server.url, key=key, username="writer", password=SECRET) as sink:
        await sink.write(events_batch(1))

        server.call("ACL", "SETUSER", "writer", f"-{missing}")
        with pytest.raises(SinkError) as caught:
            await sink.write(events_batch(1))
    error = await _refused(server.url, key=key, username="writer", password=SECRET)

    assert (caught.value.retryable, caught.value.retry_after) == (True, 30)
    assert not error.retryable
    assert "does not permit" in str(error)
    # Without MULTI each command counts for itself, and the batch is there before it is sent again.
    assert len(server.received(key)) == (2 if missing == "multi" else 1)


@pytest.mark.asyncio
async def test_a_closed_port_is_tried_again(tmp_path):
    """A server that is not there yet is not a mistake."""
    error = await _refused(RedisServer(tmp_path).url)

    assert error.retryable
    assert "cannot be reached: Connection refused" in str(error)


@pytest.mark.asyncio
async def test_a_replica_is_tried_again_over_a_new_connection(tmp_path, key):
    """A server that became a replica takes nothing; when it is a master again the batch goes through."""
    with RedisServer(tmp_path) as server:
        async with opened(server.url, key=key) as sink:
            server.call("REPLICAOF", "127.0.0.1", "1")
            with pytest.raises(SinkError, match="READONLY") as caught:
                await sink.write(events_batch(2))
            assert (await _refused(server.url)).retryable
            server.call("REPLICAOF", "NO", "ONE")
            await sink.write(events_batch(2))

        assert caught.value.retryable
        assert sink.figures["connections"] == 2
        assert len(server.received(key)) == 2


@pytest.mark.asyncio
async def test_a_full_server_is_tried_again(tmp_path, key):
    """Where the server's memory is used up the whole batch waits, and is taken when there is room."""
    with RedisServer(tmp_path) as server:
        async with opened(server.url, key=key) as sink:
            server.call("CONFIG", "SET", "maxmemory", "1")
            with pytest.raises(SinkError, match="OOM") as caught:
                await sink.write(events_batch(5))
            server.call("CONFIG", "SET", "maxmemory", "0")
            await sink.write(events_batch(5))

        assert caught.value.retryable
        assert [event["sequence"] for event in server.received(key)] == [0, 1, 2, 3, 4]


@pytest.mark.asyncio
async def test_events_wait_while_the_key_is_taken(server, key):
    """Somebody puts something else under the key: no event is to blame, and none of it is told in the error."""
    async with opened(server.url, key=key) as sink:
        server.call("SET", key, "x")
        with pytest.raises(SinkError, match="WRONGTYPE") as caught:
            await sink.write(events_batch(3, message=SECRET))
        assert sink.health()["status"] == "failing"
        server.call("DEL", key)
        await sink.write(events_batch(3))
        assert sink.health()["status"] == "ok"

    assert (caught.value.retryable, caught.value.retry_after, caught.value.failed_indexes) == (True, 30, None)
    assert SECRET not in str(caught.value)


@pytest.mark.asyncio
async def test_what_was_acknowledged_survives_a_kill(tmp_path, key):
    """While the server is gone batches are refused for later; after a restart the stream goes on where it was."""
    server = RedisServer(tmp_path)
    with server:
        async with opened(server.url, key=key) as sink:
            await sink.write(events_batch(100))
            server.kill()
            with pytest.raises(SinkError) as caught:
                await sink.write(events_batch(100, start=100))
            server.start()
            await sink.write(events_batch(100, start=100))

        assert caught.value.retryable
        assert [event["sequence"] for event in server.received(key)] == list(range(200))


@pytest.mark.asyncio
async def test_tls_is_verified(tmp_path, key):
    """With its authority known a server is sent to; another one's certificate is a configuration error."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    pem = authority.issue("redis")
    port = RedisServer(tmp_path).port
    files = ("--tls-cert-file", str(pem), "--tls-key-file", str(pem), "--tls-auth-clients", "no")
    with RedisServer(tmp_path, "--tls-port", str(port), *files) as plain:
        url = f"rediss://127.0.0.1:{port}"
        async with opened(url, key=key, ca_file=str(authority.file)) as sink:
            await sink.write(events_batch(1))
        error = await _refused(url, ca_file=str(other.file))
        gone = await _refused(url, ca_file=str(tmp_path / "gone.pem"))

        assert len(plain.received(key)) == 1
    assert not error.retryable
    assert "certificate that is not trusted" in str(error)
    assert "No such file" in str(gone)


@pytest.mark.asyncio
async def test_a_unix_socket_is_an_address(tmp_path, key):
    """A server on the same machine is reached without a port, in the database that was named."""
    path = tmp_path / "s"
    with RedisServer(tmp_path, "--unixsocket", str(path)) as server:
        async with opened(f"unix://{path}?db=0", key=key) as sink:
            await sink.write(events_batch(1))

        assert len(server.received(key)) == 1


@pytest.mark.asyncio
async def test_a_database_that_is_not_there_is_said(server):
    """Redis has sixteen databases by default."""
    error = await _refused(server.url.removesuffix("0") + "99")

    assert not error.retryable


@pytest.mark.asyncio
async def test_a_sink_that_is_not_open_is_quiet(server):
    """Close may come without an open and twice; a write before the open is tried again."""
    sink = RedisSink(RedisOptions(server.url))
    await sink.close()
    with pytest.raises(SinkError) as caught:
        await sink.write(events_batch(1))
    assert caught.value.retryable
    assert sink.health()["status"] == "closed"
    await sink.open()
    await sink.open()
    await sink.close()
    await sink.close()


def test_a_forked_child_has_a_connection_of_its_own(server, key):
    """Parent and child write through the same sink object after a fork, and neither disturbs the other."""
    done = run_program(
        """
        import asyncio, os, sys
        from tests.sinks.redis.peers import events_batch, opened

        async def child(sink):
            await sink.open()
            await sink.write(events_batch(1, start=10))
            await sink.close()

        async def main(url, key):
            async with opened(url, key=key) as sink:
                await sink.write(events_batch(1))
                pid = os.fork()
                if pid == 0:
                    asyncio._set_running_loop(None)
                    loop = asyncio.new_event_loop()
                    loop.run_until_complete(child(sink))
                    loop.close()
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
                await sink.write(events_batch(1, start=1))
                assert sink.figures["connections"] == 1, sink.figures

        asyncio.run(main(*sys.argv[1:]))
        """,
        server.url,
        key,
    )

    assert done.returncode == 0, done.stderr.decode()
    assert [event["sequence"] for event in server.received(key)] == [0, 10, 1]
