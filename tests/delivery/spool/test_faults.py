"""The spool when its process is killed, its disk is full or failing, or others use its directory. R3, D1 to D8, D14."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from fapilog.delivery.spool import appender, stream
from tests.delivery.spool.spools import crash, descriptors, lines, recover, segments, spool_in, take

CALLS = ("open", "write", "pwrite", "unlink", "ftruncate", "rmdir", "mkdir", "close")
COUNT = 60


def in_child(work) -> tuple[int, list[tuple[str, int]]]:
    """Run ``work(witness)`` in a forked child; return how it ended and what it witnessed."""
    reader, writer = os.pipe()
    write = os.write
    pid = os.fork()
    if pid == 0:
        try:
            work(lambda kind, number: write(writer, b"%s %d\n" % (kind.encode(), number)))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as lines_seen:
        seen = [(kind, int(number)) for kind, _, number in (line.partition(" ") for line in lines_seen)]
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen


def kill_at(call: int, when: str) -> None:
    """Let this process be killed before, after or in the middle of one of its system calls that change files."""
    count = 0

    def wrapped(real):
        def function(*args, **kwargs):
            nonlocal count
            count += 1
            if count != call:
                return real(*args, **kwargs)
            end(real, *args, **kwargs)
            return None

        return function

    def end(real, *args, **kwargs):
        if when == "torn" and real in writers:
            real(args[0], bytes(args[1])[: len(args[1]) // 2], *args[2:])
        elif when == "after":
            with suppress(OSError):
                real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    writers = (os.write, os.pwrite)
    for name in CALLS:
        setattr(os, name, wrapped(getattr(os, name)))


def work_through(place: Path, witness) -> None:
    """Append, read, acknowledge; rotate, delete, close."""
    store = spool_in(place, segment_bytes=4096, sync="never")
    for number in range(0, COUNT, 5):
        store.append(lines(5, number, 300))
        witness("appended", number + 5)
        if number % 10:
            chunk = store.read(7, 100_000)
            witness("given", len(chunk.records))
            store.acknowledge(chunk.token)
            witness("acknowledged", len(chunk.records))
    store.close()


@pytest.mark.parametrize("when", ["before", "after", "torn"])
def test_a_kill_at_any_step_loses_and_repeats_nothing(tmp_path, when):
    """Every append that returned is found or was acknowledged; one chunk at most comes again."""
    whole = lines(COUNT, 0, 300)
    call = 0
    while True:
        call += 1
        place = tmp_path / str(call)

        def work(witness, call=call, place=place):
            kill_at(call, when)
            work_through(place, witness)

        code, seen = in_child(work)
        appended = max((number for kind, number in seen if kind == "appended"), default=0)
        acknowledged = sum(number for kind, number in seen if kind == "acknowledged")
        given = sum(number for kind, number in seen if kind == "given")
        found, _ = recover(place)
        begin = COUNT if not found else whole.index(found[0])
        assert found == whole[begin : begin + len(found)]
        assert begin in (acknowledged, given) or not found, (call, seen)
        assert (begin + len(found) if found else given) >= appended, (call, seen)
        assert not place.exists() or os.listdir(place) == [], call
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert call > 60


def test_a_kill_during_recovery_leaves_the_rest_to_the_next(tmp_path):
    """R3: a second and a third crash, at every step, and nothing is lost."""
    whole = lines(COUNT, 0, 300)
    for call in range(1, 60):
        place = tmp_path / str(call)
        store = spool_in(place, segment_bytes=4096, sync="never")
        for number in range(0, COUNT, 5):
            store.append(whole[number : number + 5])
        crash(store)

        def work(witness, call=call, place=place):
            kill_at(call, "before")
            again = spool_in(place, sync="never")
            while chunk := again.read(7, 100_000):
                again.acknowledge(chunk.token)
                witness("acknowledged", len(chunk.records))
            again.close()

        _, seen = in_child(work)
        _, more = in_child(work)
        acknowledged = sum(number for _, number in seen + more)
        found, damaged = recover(place)
        assert damaged == 0
        assert found == whole[COUNT - len(found) :]
        assert 0 <= COUNT - len(found) - acknowledged <= 14


class Failing:
    """A system call that fails some times, after having done a part."""

    def __init__(self, code: int, part: float, times: int = 1, skip: int = 0) -> None:
        self.code, self.part, self.times, self.skip = code, part, times, skip
        self.real = os.write

    def __call__(self, fd: int, data: memoryview) -> int:
        self.skip -= 1
        if self.skip >= 0 or self.times <= 0:
            return self.real(fd, data)
        if self.part:
            part, self.part = self.part, 0
            return self.real(fd, data[: int(len(data) * part)])
        self.times -= 1
        raise OSError(self.code, os.strerror(self.code))


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_write_that_fails_leaves_no_half_of_a_batch(tmp_path, monkeypatch, code, part):
    """D1 to D4: whatever part of it was written; it is taken as soon as there is room, and stands there once."""
    store = spool_in(tmp_path)
    store.append(lines(10))
    monkeypatch.setattr(os, "write", Failing(code, part))
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what counts
        store.append(lines(10, 10))
    assert caught.value.errno == code
    monkeypatch.undo()
    assert store.figures["pending_events"] == 10
    store.append(lines(10, 10))
    crash(store)

    assert recover(tmp_path) == (lines(20), 0)


def test_a_file_that_cannot_be_trusted_is_not_written_to(tmp_path, monkeypatch):
    """D4: after an error of the device, or where cutting back fails, too, another segment is begun."""
    store = spool_in(tmp_path)
    store.append(lines(10))
    monkeypatch.setattr(os, "write", Failing(errno.EIO, 0.5))

    def refused(*args):
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(os, "ftruncate", refused)
    with pytest.raises(OSError, match="Input/output"):
        store.append(lines(10, 10))
    monkeypatch.undo()
    store.append(lines(10, 20))

    assert len(segments(tmp_path)) == 2
    crash(store)
    assert recover(tmp_path) == (lines(10) + lines(10, 20), 0)


def test_data_that_cannot_be_forced_to_the_disk_ends_a_segment(tmp_path, monkeypatch):
    """D4: the next sync would say that all is well. It is counted; with "always" the batch is not taken."""

    def refused(fd):
        raise OSError(errno.EIO, "no")

    store = spool_in(tmp_path / "interval")
    store.append(lines(10))
    monkeypatch.setattr(appender, "sync_data", refused)
    store.sync()
    assert store.figures["failures"] == 0
    store.append(lines(10, 10))
    assert store.figures["failures"] == 1
    assert len(segments(tmp_path / "interval")) == 2
    assert take(store) == lines(20)
    crash(store)

    always = spool_in(tmp_path / "always", sync="always")
    with pytest.raises(OSError, match="no"):
        always.append(lines(10))
    monkeypatch.undo()
    always.append(lines(10))
    assert take(always) == lines(10)
    always.close()


def test_a_cursor_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch):
    """It is counted, and the records come once more after a crash."""
    store = spool_in(tmp_path)
    store.append(lines(10))

    def refused(*args):
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(os, "pwrite", refused)
    assert take(store) == lines(10)
    assert store.figures["failures"] == 1
    monkeypatch.undo()
    crash(store)

    assert recover(tmp_path) == (lines(10), 0)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES])
def test_what_cannot_be_read_now_is_read_later(tmp_path, monkeypatch, code):
    """Too many open files are no damage."""
    said: list[str] = []
    store = spool_in(tmp_path, said)
    store.append(lines(10))

    def refused(*args, **kwargs):
        raise OSError(code, "not now")

    monkeypatch.setattr(os, "open", refused)
    assert store.read(10, 1000) is None
    monkeypatch.undo()

    assert "not now" in said[0]
    assert take(store) == lines(10)
    store.close()


def test_what_the_device_cannot_read_is_counted_and_kept(tmp_path, monkeypatch):
    """The rest is delivered; the file is put away for a person to look at."""
    store = spool_in(tmp_path, segment_bytes=4096)
    for line in lines(100):
        store.append([line])
    first, *_ = segments(tmp_path)
    bad, real = os.stat(first).st_ino, os.pread

    def pread(fd, size, at):
        if os.fstat(fd).st_ino == bad:
            raise OSError(errno.EIO, "no")
        return real(fd, size, at)

    monkeypatch.setattr(os, "pread", pread)
    found = take(store)

    assert found == lines(len(found), 100 - len(found))
    assert store.figures["damaged_events"] == 100 - len(found) > 10
    assert len(list(tmp_path.glob("sink/*.bad"))) == 1
    store.close()


LIMITED = """
import resource, sys
from fapilog.delivery.spool.options import SpoolOptions
from fapilog.delivery.spool.store import SpoolStore
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
store = SpoolStore(SpoolOptions(sys.argv[1]), "sink")
store.open()
failed = 0
for number in range(300):
    record = b"%06d" % number + b"x" * 300
    try:
        store.append([record])
    except OSError:
        failed += 1
        store.append([record])
print(failed, len(store.read(300, 1 << 30).records))
"""


def test_a_limit_on_file_sizes_makes_smaller_segments(tmp_path):
    """D3: the batch that met the limit is refused once, and goes to a new file the next time."""
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    failed, first = map(int, result.stdout.split())
    found, damaged = recover(tmp_path)

    assert 3 < failed < 20
    assert first > 40
    assert (len(found), damaged) == (300, 0)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root, for a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_waited_for(small_disk):
    """D1: appends fail whole, reading and acknowledging go on, which makes room; every record is there once."""
    store = spool_in(small_disk, segment_bytes=20_000, sync="always")
    written, found, failed = [], [], 0
    for number in range(0, 3000, 10):
        batch = lines(10, number, 200)
        try:
            store.append(batch)
        except OSError as error:
            failed += error.errno == errno.ENOSPC
            for _ in range(20):
                chunk = store.read(10, 100_000)
                found += chunk.records
                store.acknowledge(chunk.token)
            store.append(batch)
        written += batch
    found += take(store)
    store.close()

    assert failed > 3
    assert store.figures["damaged_events"] == 0
    assert found == written
    assert os.listdir(small_disk) == []


def test_two_processes_share_a_directory(tmp_path):
    """D8: each has its own place in it; neither takes what the living other one has."""
    before = descriptors()
    first, second = spool_in(tmp_path), spool_in(tmp_path)
    first.append([b"first"])
    second.append([b"second"])

    assert take(first) == [b"first"]
    assert take(second) == [b"second"]
    first.close()
    second.close()
    assert os.listdir(tmp_path) == []
    assert descriptors() == before


def test_what_a_dead_process_left_goes_to_one_of_many(tmp_path):
    """Of several that start at the same time; each record to one of them."""
    for number in range(20):
        store = spool_in(tmp_path, sync="never")
        store.append(lines(10, number * 10))
        crash(store)
    start, go = os.pipe()
    ends = []
    for _ in range(4):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(go)
                os.read(start, 1)
                store = spool_in(tmp_path, sync="never")
                os.write(writer, b"\n".join(take(store)) + b"\n")
                store.close()
                os._exit(0)
            finally:
                os._exit(1)
        os.close(writer)
        ends.append((pid, reader))
    os.close(start)
    os.close(go)
    found = []
    for pid, reader in ends:
        with os.fdopen(reader, "rb") as file:
            found += [line for line in file.read().split(b"\n") if line]
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    assert sorted(found) == sorted(lines(200))
    assert os.listdir(tmp_path) == []


def test_starting_reads_headers_and_the_end_only(tmp_path, monkeypatch):
    """However much waits: one header for each segment, and the last one."""
    store = spool_in(tmp_path, segment_bytes=4096, sync="never")
    for line in lines(1000):
        store.append([line])
    count = len(segments(tmp_path))
    crash(store)
    read = 0
    real = os.pread

    def pread(fd, size, at):
        nonlocal read
        data = real(fd, size, at)
        read += len(data)
        return data

    monkeypatch.setattr(os, "pread", pread)
    store.open()
    assert store.figures["pending_events"] == 1000
    assert read <= (count + 1) * 128 + 4096
    store.close()


def test_a_chunk_is_read_without_the_backlog(tmp_path, monkeypatch):
    """What is held at once has the size of a chunk, not of a segment."""
    store = spool_in(tmp_path, sync="never")
    store.append(lines(20_000, 0, 200))
    sizes = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: sizes.append(size) or real(fd, size, at))
    store.read(100, 1_000_000)

    assert sum(sizes) <= 2 * stream.LEAST_WINDOW
    store.close()
