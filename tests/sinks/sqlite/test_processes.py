"""Several processes on one database: writers at once, a kill in the middle, forks, a disk that is full."""

import signal
import subprocess
from pathlib import Path

import pytest

from fapilog.sinks.sqlite import query
from tests.sinks.sqlite.support import integrity, rows_of
from tests.sinks.support import run_program, start_program

PREAMBLE = """
    import asyncio, os, sys, threading
    from fapilog.errors import SinkError
    from fapilog.sinks.sqlite.options import SqliteOptions
    from fapilog.sinks.sqlite.sink import SqliteSink
    from fapilog.testing.contracts import make_batch, make_events

    def batch(tag, start, count, **fields):
        events = make_events(count, start=start, tag=tag, **fields)
        return make_batch([event | {"event_id": f"{tag}-{event['n']}"} for event in events])

    sink = SqliteSink(SqliteOptions(sys.argv[1], busy_timeout="60s"))
"""
WRITER = f"""{PREAMBLE}
    asyncio.run(sink.open())
    for start in range(0, 3000, 100):
        sink.write(batch(sys.argv[2], start, 100))
        sink.write(batch(sys.argv[2], start, 100))
    asyncio.run(sink.close())
    print(sink.figures["duplicates"])
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "events.db"


def test_three_processes_lose_and_double_nothing(path):
    """All make the database at once, and send every batch twice: each event is there once, in each one's order."""
    writers = [
        start_program(WRITER, path, tag, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for tag in ("a", "b", "c")
    ]
    said = [writer.communicate(timeout=60) for writer in writers]

    assert said == [(b"3000\n", b"")] * 3
    events = query(path, limit=None)
    assert len(events) == 9000
    rows = [row["event_id"] for row in rows_of(path)]
    for tag in ("a", "b", "c"):
        assert [name for name in rows if name.startswith(tag)] == [f"{tag}-{number}" for number in range(3000)]
    assert integrity(path) == "ok"


ENDLESS = f"""{PREAMBLE}
    asyncio.run(sink.open())
    start = int(sys.argv[2])
    while True:
        sink.write(batch("k", start, 50, text="x" * 500))
        start += 50
        print(start, flush=True)
"""


def test_a_kill_leaves_whole_batches(path):
    """Killed at any point, again and again: each batch is there whole or not at all, those acknowledged are there."""
    acknowledged = 0
    for lines in (1, 2, 5, 9, 3):
        with start_program(ENDLESS, path, acknowledged, stdout=subprocess.PIPE) as process:
            for _ in range(lines):
                acknowledged = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
        acknowledged = int(rest[-1]) if rest else acknowledged
        rows = [int(row["event_id"].partition("-")[2]) for row in rows_of(path)]

        assert rows == list(range(len(rows)))
        assert len(rows) % 50 == 0
        assert acknowledged <= len(rows) <= acknowledged + 50
        assert integrity(path) == "ok"


FORKS = f"""{PREAMBLE}
    asyncio.run(sink.open())
    stop = threading.Event()
    written = 0

    def run():
        global written
        while not stop.is_set():
            sink.write(batch("parent", written, 50))
            written += 50

    writer = threading.Thread(target=run)
    writer.start()
    for number in range(10):
        pid = os.fork()
        if pid == 0:
            # Whatever happens, the child must not go on with the parent's work.
            status = 1
            try:
                asyncio.run(sink.open())
                for start in range(0, 500, 100):
                    sink.write(batch(f"child{{number}}", start, 100))
                asyncio.run(sink.close())
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    stop.set()
    writer.join()
    asyncio.run(sink.close())
    print(written)
"""


def test_forks_in_the_middle_of_writes(path):
    """While a thread of the parent writes: parent and children lose nothing, and nobody waits for a dead lock."""
    result = run_program(FORKS, path)
    *statuses, written = result.stdout.split()

    assert (statuses, result.stderr) == ([b"0"] * 10, b"")
    found = [event["tag"] for event in query(path, limit=None)]
    assert found.count("parent") == int(written)
    assert all(found.count(f"child{number}") == 500 for number in range(10))
    assert integrity(path) == "ok"


OUTLIVED = f"""{PREAMBLE}
    asyncio.run(sink.open())
    sink.write(batch("parent", 0, 10))
    ready, closed = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        asyncio.run(sink.open())
        sink.write(batch("child", 0, 10))
        os.write(ready[1], b"x")
        os.read(closed[0], 1)
        sink.write(batch("child", 10, 10))
        os._exit(0)
    os.read(ready[0], 1)
    asyncio.run(sink.close())
    os.write(closed[1], b"x")
    os.waitpid(pid, 0)
"""


def test_a_child_that_outlives_its_parents_connection_keeps_its_events(path):
    """The last to close removes the log; with locks that the child only believes to have, that would be its log."""
    result = run_program(OUTLIVED, path)

    assert result.stderr == b""
    assert sorted(row["event_id"] for row in rows_of(path)) == sorted(
        [f"parent-{number}" for number in range(10)] + [f"child-{number}" for number in range(20)]
    )


LIMITED = f"""{PREAMBLE}
    import resource

    asyncio.run(sink.open())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    start, error = 0, None
    while error is None:
        try:
            sink.write(batch("f", start, 50, text="x" * 500))
            start += 50
        except SinkError as refused:
            error = refused
    print(error.retryable, sink.health()["status"], start > 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    sink.write(batch("f", start, 50, text="x" * 500))
    print(sink.health()["status"], start + 50)
    asyncio.run(sink.close())
"""


def test_a_disk_without_room_is_retryable_and_heals(path):
    """A real limit of the system in the middle of a transaction: all or nothing, then on as if nothing had been."""
    result = run_program(LIMITED, path)
    before, after = result.stdout.decode().splitlines()

    assert result.stderr == b""
    assert before == "True failing True"
    assert len(rows_of(path)) == int(after.removeprefix("ok "))
    assert integrity(path) == "ok"
