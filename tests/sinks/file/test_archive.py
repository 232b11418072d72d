"""Compression and retention: nothing is lost by a crash, by a full disk, or while somebody still writes."""

import gzip
import os
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest

from fapilog.sinks.file import FileSink, archive
from fapilog.sinks.file.archive import Packer, Rules, clean, pack, prune
from fapilog.sinks.file.locks import try_lock
from tests.sinks.support import batch_of, names, numbered, opened, read_all, rotated, start_program

KEEP_ALL = Rules(None, None, None, None, compress=True)


def _old(live: Path, number: int, content: bytes = b"old\n") -> Path:
    path = live.with_name(f"{live.name}.20260101T000000Z-{number:06d}")
    path.write_bytes(content)
    return path


@pytest.fixture
def live(tmp_path) -> Path:
    return tmp_path / "app.log"


def test_a_packed_file_holds_the_same_and_looks_the_same(live):
    """The content is what was there, mode and time are kept, the original is gone."""
    content = os.urandom(700_000) + b"\n"
    path = _old(live, 1, content)
    path.chmod(0o600)
    os.utime(path, (1_700_000_000, 1_700_000_000))

    assert pack(path, threading.Event())

    packed = path.with_name(path.name + ".gz")
    assert gzip.decompress(packed.read_bytes()) == content
    assert packed.stat().st_mode & 0o777 == 0o600
    assert packed.stat().st_mtime == 1_700_000_000
    assert names(live.parent) == [packed.name]


def test_a_file_that_is_written_to_is_left_alone(live):
    """A process that has not noticed the rotation holds a shared lock; its lines are not packed away."""
    path = _old(live, 1)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    assert try_lock(fd, exclusive=False)

    assert not pack(path, threading.Event())
    prune(live, Rules(10, None, None, 10, compress=False), Counter())
    assert path.read_bytes() == b"old\n"

    os.close(fd)
    assert pack(path, threading.Event())


def test_a_stop_leaves_the_original(live):
    """Closing the sink does not wait for a large file; the unfinished copy is gone."""
    path = _old(live, 1)
    stop = threading.Event()
    stop.set()

    assert not pack(path, stop)
    assert names(live.parent) == [path.name]


def test_a_failure_leaves_the_original(live, monkeypatch):
    """A full disk costs the copy, not the log, and is counted."""
    path = _old(live, 1)

    def fail(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    figures = Counter()
    packer = Packer(KEEP_ALL, figures)
    packer.start(live)
    packer.stop(5)

    assert names(live.parent) == [path.name]
    assert figures == {"compress_failed": 1}


def test_no_thread_can_be_had(live, monkeypatch):
    """At the end of the interpreter no thread starts: the file stays as it is, and that is counted."""
    _old(live, 1)

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    figures = Counter()
    Packer(KEEP_ALL, figures).start(live)

    assert figures == {"compress_failed": 1}


def test_work_asked_for_while_the_thread_works_is_done(live, monkeypatch):
    """A rotation during a compression is not forgotten."""
    first = _old(live, 1)
    entered, go_on = threading.Event(), threading.Event()
    real = archive.pack

    def slow(path, stop):
        entered.set()
        assert go_on.wait(10)
        return real(path, stop)

    monkeypatch.setattr(archive, "pack", slow)
    packer = Packer(KEEP_ALL, Counter())
    packer.start(live)
    assert entered.wait(10)
    second = _old(live, 2)
    packer.start(live)
    go_on.set()
    packer.stop(10)

    assert names(live.parent) == [f"{first.name}.gz", f"{second.name}.gz"]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        (Rules(None, None, 2, None, compress=False), [4, 5]),
        (Rules(10, None, None, 30, compress=False), [4, 5]),
        (Rules(10, None, None, 29, compress=False), [5]),
        (Rules(10, None, None, 10, compress=False), []),
        (Rules(None, None, None, 29, compress=False), [4, 5]),
        (Rules(10, None, 1, 1000, compress=False), [5]),
        (Rules(10, None, None, None, compress=False), [1, 2, 3, 4, 5]),
    ],
)
def test_the_oldest_leave_first(live, rules, kept):
    """By number and by total size, the live file's limit counted in; foreign files stay."""
    paths = {number: _old(live, number, b"ten bytes\n") for number in range(1, 6)}
    foreign = live.with_name("app.log.1")
    foreign.touch()
    figures = Counter()

    prune(live, rules, figures)

    assert rotated(live) == sorted([foreign, *(paths[number] for number in kept)])
    assert figures["removed_files"] == 5 - len(kept)
    assert figures["removed_bytes"] == 10 * (5 - len(kept))


def test_packed_files_count_once_and_leave_whole(live):
    """After a crash both forms of one file may be there; they are one file to the rules."""
    for number in (1, 2):
        path = _old(live, number)
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(b"old\n"))

    prune(live, Rules(None, None, 1, None, compress=False), Counter())

    assert len(names(live.parent)) == 2
    assert all("-000002" in name for name in names(live.parent))


def test_leftovers_of_a_crash_are_finished_or_cleaned(live):
    """A half-written copy whose original is there is made again; one without is removed."""
    path = _old(live, 1)
    path.with_name(path.name + ".gz.tmp").write_bytes(b"half")
    orphan = _old(live, 2)
    orphan.rename(orphan.with_name(orphan.name + ".gz.tmp"))
    done = _old(live, 3)
    done.with_name(done.name + ".gz").write_bytes(gzip.compress(b"old\n"))

    with opened(FileSink(live, compress=True)) as sink:
        pass

    assert names(live.parent) == ["app.log", f"{path.name}.gz", f"{done.name}.gz"]
    assert read_all(live) == [b"old", b"old"]
    assert sink.figures["compressed"] == 2


def test_clean_leaves_a_compression_under_way(live):
    """Another process may be compressing while this one opens."""
    path = _old(live, 1)
    half = path.with_name(path.name + ".gz.tmp")
    half.write_bytes(b"half")

    clean(live)

    assert half.exists()


KILLED = """
    import asyncio, os, signal, sys
    from fapilog.sinks.file import FileSink
    from tests.sinks.support import batch_of, numbered

    countdown = int(sys.argv[2])

    def dying(function):
        def wrapper(*args, **kwargs):
            global countdown
            result = function(*args, **kwargs)
            countdown -= 1
            if not countdown:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return wrapper

    from pathlib import Path
    Path.rename, Path.replace, Path.unlink = dying(Path.rename), dying(Path.replace), dying(Path.unlink)
    os.open, os.fsync, os.utime = dying(os.open), dying(os.fsync), dying(os.utime)
    sink = FileSink(sys.argv[1], max_bytes=500, compress=True)
    asyncio.run(sink.open())
    for index in range(20):
        sink.write(batch_of(numbered(index * 10, 10)))
        os.write(1, b"w")
    asyncio.run(sink.close())
"""


@pytest.mark.parametrize("step", [*range(1, 12), 15, 20, 30])
def test_a_kill_at_any_step_loses_no_line_that_was_written(live, step):
    """Killed after the n-th open, rename, sync, replace or unlink; the next run goes on and everything is there."""
    with start_program(KILLED, live, step, stdout=subprocess.PIPE) as process:
        written = len(process.stdout.read()) * 10
    assert process.returncode == -signal.SIGKILL

    with opened(FileSink(live, max_bytes=500, compress=True)) as sink:
        sink.write(batch_of([b"after"]))

    lines = read_all(live)
    assert lines.pop() == b"after"
    assert lines == numbered(0, len(lines))
    assert written <= len(lines) <= written + 10
    assert not list(live.parent.glob("*.tmp"))
    assert all(path.suffix == ".gz" for path in rotated(live))
