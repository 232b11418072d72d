"""The live file: rotation, being moved, and what the system refuses; lines are conserved throughout."""

import asyncio
import errno
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.errors import SinkError
from fapilog.sinks.file import FileSink, live, opening
from fapilog.sinks.file.locks import try_lock
from fapilog.testing import FakeClock
from tests.sinks.support import batch_of, numbered, opened, read_all, read_file, rotated, run_program

SECOND = 1_000_000_000


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_file_never_grows_over_its_limit(path):
    """A batch that is larger than what is left fills the file and goes on in the next, line by line whole."""
    with opened(FileSink(path, max_bytes=100)) as sink:
        sink.write(batch_of(numbered(0, 3, width=30)))
        sink.write(batch_of(numbered(3, 11, width=30)))

    assert [len(read_file(it)) for it in [*rotated(path), path]] == [93, 93, 93, 93, 62]
    assert read_all(path) == numbered(0, 14, width=30)
    assert sink.figures["rotations"] == 4


def test_a_line_longer_than_the_limit_has_a_file_of_its_own(path):
    """Nothing is cut or refused for its length."""
    lines = [b"a", b"x" * 500, b"b", b"y" * 500]
    with opened(FileSink(path, max_bytes=100)) as sink:
        sink.write(batch_of(lines))

    assert [read_file(it) for it in [*rotated(path), path]] == [line + b"\n" for line in lines]


def test_a_batch_is_one_write(path, monkeypatch):
    """Processes that share the file rely on it: one call for all lines of a batch."""
    calls = []
    with opened(FileSink(path)) as sink:
        real = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: (calls.append(len(data)), real(fd, data))[1])
        for index in range(3):
            sink.write(batch_of(numbered(index * 100, 100)))

    assert calls == [2100, 2100, 2100]


def test_batches_that_come_fast_are_not_looked_at(path, clock, monkeypatch):
    """The check for a moved file costs once every 20 ms, not once a batch."""
    looks = []
    real = live.LiveFile._look
    monkeypatch.setattr(live.LiveFile, "_look", lambda self: (looks.append(1), real(self))[1])
    with opened(FileSink(path, clock=clock)) as sink:
        for _ in range(50):
            sink.write(batch_of([b"x"]))
        assert len(looks) == 1
        clock.advance(live.LOOK_SECONDS)
        sink.write(batch_of([b"x"]))

    assert len(looks) == 2


def test_an_interval_turns_at_its_multiples(path, clock):
    """``"1h"`` is every full hour, at the first write after it; an empty file is not rotated."""
    with opened(FileSink(path, interval="1h", clock=clock)) as sink:
        clock.advance(3600 * 5)
        sink.write(batch_of([b"05:00"]))
        clock.advance(3599)
        sink.write(batch_of([b"05:59:59"]))
        assert rotated(path) == []
        clock.advance(1)
        sink.write(batch_of([b"06:00"]))
        clock.advance(3600 * 3)
        sink.write(batch_of([b"09:00"]))

    first, second = rotated(path)
    assert first.name == "app.log.20260101T060000Z-000001"
    assert read_file(first) == b"05:00\n05:59:59\n"
    assert second.name == "app.log.20260101T090000Z-000001"
    assert path.read_bytes() == b"09:00\n"


def test_a_file_of_an_earlier_period_is_rotated_after_a_restart(path, clock):
    """The file's own time says to which period its lines belong."""
    path.write_bytes(b"yesterday\n")
    os.utime(path, ns=(0, clock.time_ns() - SECOND))
    with opened(FileSink(path, interval="1d", clock=clock)) as sink:
        sink.write(batch_of([b"today"]))

    assert [read_file(it) for it in rotated(path)] == [b"yesterday\n"]
    assert path.read_bytes() == b"today\n"


@pytest.mark.parametrize("jump", [-3600, -86_400 * 3650, 86_400 * 3650])
def test_a_jump_of_the_wall_clock_neither_spins_nor_overwrites(path, clock, jump):
    """At most one file a jump, and one more when the clock comes back; names stay in order, lines stay."""
    with opened(FileSink(path, interval="1min", clock=clock)) as sink:
        for number, step in enumerate([0, jump, 0, -jump, 0, 0]):
            clock.step(step)
            for part in range(5):
                clock.advance(1)
                sink.write(batch_of([f"{number}:{part}".encode()]))

    assert 1 <= len(rotated(path)) <= 3
    assert read_all(path) == [f"{number}:{part}".encode() for number in range(6) for part in range(5)]


def test_a_clock_that_trembles_at_the_boundary_does_not_spin(path, clock):
    """Small steps back and forth across a full minute make no more than a file each."""
    with opened(FileSink(path, interval="1min", clock=clock)) as sink:
        for index in range(10):
            clock.advance(0.5)
            clock.step(-1 if index % 2 else 1)
            sink.write(batch_of([b"%d" % index]))

    assert len(rotated(path)) <= 1
    assert read_all(path) == [b"%d" % index for index in range(10)]


@pytest.mark.parametrize("how", ["move", "remove", "replace", "move_directory"])
def test_a_file_that_something_else_moves_is_opened_anew(tmp_path, clock, how):
    """As logrotate does it; lines up to the next look go to the moved file, no line is lost but with a removed one."""
    path = tmp_path / "logs" / "app.log"
    aside = tmp_path / "aside"
    with opened(FileSink(path, clock=clock)) as sink:
        sink.write(batch_of([b"one"]))
        if how == "remove":
            path.unlink()
        elif how == "move_directory":
            path.parent.rename(aside)
        else:
            path.rename(aside)
        if how == "replace":
            path.touch()
        clock.advance(live.LOOK_SECONDS)
        sink.write(batch_of([b"two"]))

    assert path.read_bytes() == b"two\n"
    if how != "remove":
        assert (aside if how != "move_directory" else aside / "app.log").read_bytes() == b"one\n"
    assert sink.figures == {"reopened": 1}


def test_a_moved_file_is_written_on_if_no_new_one_can_be_made(tmp_path, clock):
    """A directory in the file's place: the lines go to the file that was moved."""
    path = tmp_path / "app.log"
    with opened(FileSink(path, clock=clock)) as sink:
        sink.write(batch_of([b"one"]))
        path.rename(tmp_path / "aside")
        path.mkdir()
        clock.advance(live.LOOK_SECONDS)
        sink.write(batch_of([b"two"]))
        path.rmdir()
        clock.advance(live.LOOK_SECONDS)
        sink.write(batch_of([b"three"]))

    assert (tmp_path / "aside").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_a_removed_file_that_cannot_be_made_again_is_an_error(tmp_path, clock):
    """Nobody could ever read the lines; when the obstacle is gone the sink goes on by itself."""
    path = tmp_path / "logs" / "app.log"
    with opened(FileSink(path, clock=clock)) as sink:
        sink.write(batch_of([b"one"]))
        path.unlink()
        path.parent.rmdir()
        path.parent.touch()
        clock.advance(live.LOOK_SECONDS)
        for _ in range(2):
            with pytest.raises(SinkError, match=r"app\.log: ") as caught:
                sink.write(batch_of([b"two"]))
            assert caught.value.retryable
        path.parent.unlink()
        sink.write(batch_of([b"three"]))

    assert path.read_bytes() == b"three\n"


def test_a_truncated_file_is_appended_to(path, clock):
    """logrotate's copytruncate: no hole of zeros, and the size is learned anew."""
    with opened(FileSink(path, max_bytes=100, clock=clock)) as sink:
        sink.write(batch_of([b"x" * 80]))
        os.truncate(path, 0)
        sink.write(batch_of([b"y" * 80]))

    assert path.read_bytes() == b"y" * 80 + b"\n"
    assert rotated(path) == []


def test_a_rotation_that_somebody_else_does_is_not_waited_for(path, clock):
    """While another process holds the lock, this one writes on, then finds out by itself."""
    with opened(FileSink(path, max_bytes=100, clock=clock)) as sink:
        sink.write(batch_of(numbered(0, 4)))
        gate = os.open(path.with_name(".app.log.lock"), os.O_RDWR | os.O_CREAT)
        assert try_lock(gate, exclusive=True)
        sink.write(batch_of(numbered(4, 5)))
        assert rotated(path) == []
        os.close(gate)
        clock.advance(live.LOOK_SECONDS)
        sink.write(batch_of(numbered(9, 1)))

    assert [len(read_file(it)) for it in rotated(path)] == [189]
    assert read_all(path) == numbered(0, 10)


def test_a_rotation_between_the_look_and_the_lock_is_not_repeated(path, monkeypatch):
    """Another process was quicker: its new file is taken over and not rotated again."""
    real = live.LiveFile._enter

    def late(self):
        path.rename(path.with_name("app.log.20200101T000000Z-000001"))
        path.write_bytes(b"theirs\n")
        return real(self)

    with opened(FileSink(path, max_bytes=100)) as sink:
        sink.write(batch_of(numbered(0, 4)))
        monkeypatch.setattr(live.LiveFile, "_enter", late)
        sink.write(batch_of(numbered(4, 1)))

    assert path.read_bytes() == b"theirs\n" + numbered(4, 1)[0] + b"\n"
    assert len(rotated(path)) == 1
    assert sink.figures == {"reopened": 1}


def test_a_rotation_between_the_open_and_the_lock_is_noticed(path, monkeypatch):
    """The file that was opened is not the live one any more when it is locked: it is opened again."""
    real = opening.try_lock
    aside = path.with_name("aside")

    def late(fd, *, exclusive):
        if not aside.exists():
            path.rename(aside)
        return real(fd, exclusive=exclusive)

    monkeypatch.setattr(opening, "try_lock", late)
    with opened(FileSink(path)) as sink:
        sink.write(batch_of([b"one"]))

    assert (aside.read_bytes(), path.read_bytes()) == (b"", b"one\n")
    assert sink.figures["reopened"] == 0


def test_a_rotation_that_fails_loses_nothing(path, clock, monkeypatch):
    """The file grows over its limit, which is counted, and rotates when it can."""

    def refuse(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    with opened(FileSink(path, max_bytes=100, clock=clock)) as sink:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", refuse)
            sink.write(batch_of(numbered(0, 20)))
            assert rotated(path) == []
        clock.advance(live.LOOK_SECONDS)
        sink.write(batch_of(numbered(20, 1)))

    assert sink.figures["rotation_failed"] >= 1
    assert sink.figures["rotations"] == 1
    assert read_all(path) == numbered(0, 21)


def test_a_new_file_looks_like_the_one_before(path):
    """Whoever has closed the log to others, or given it to a group, does so once."""
    with opened(FileSink(path, max_bytes=50)) as sink:
        sink.write(batch_of(numbered(0, 2)))
        path.chmod(0o600)
        if os.getuid() == 0:
            os.chown(path, 1234, 4321)
        before = path.stat()
        sink.write(batch_of(numbered(2, 2)))
    after = path.stat()

    assert len(rotated(path)) == 1
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_line_torn_by_a_crash_spoils_no_other(path):
    """A process that was killed in its write left a part of a line; the next run's first line stands alone."""
    path.write_bytes(b'{"whole":1}\n{"to')
    with opened(FileSink(path)) as sink:
        sink.write(batch_of([b"next"]))

    assert path.read_bytes() == b'{"whole":1}\n{"to\nnext\n'


def test_a_line_that_another_process_is_writing_is_not_cut(path):
    """Only whoever has the file alone may end a torn line."""
    path.write_bytes(b'{"to')
    fd = os.open(path, os.O_RDWR)
    assert try_lock(fd, exclusive=False)
    with opened(FileSink(path)):
        assert path.read_bytes() == b'{"to'
    os.close(fd)


def test_a_file_that_somebody_keeps_locked_is_written_to(path):
    """``flock app.log …`` in somebody's shell does not stop the log."""
    path.touch()
    fd = os.open(path, os.O_RDWR)
    assert try_lock(fd, exclusive=True)
    with opened(FileSink(path)) as sink:
        sink.write(batch_of([b"one"]))
    os.close(fd)

    assert path.read_bytes() == b"one\n"


LIMITED = """
    import asyncio, json, resource, sys
    from fapilog.errors import SinkError
    from fapilog.sinks.file import FileSink
    from tests.sinks.support import batch_of, numbered

    sink = FileSink(sys.argv[1])
    asyncio.run(sink.open())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    sink.write(batch_of(numbered(0, 10)))
    try:
        sink.write(batch_of([*numbered(10, 2), b"x" * 200, *numbered(12, 1)]))
    except SinkError as error:
        print(error.retryable, sorted(error.failed_indexes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    sink.write(batch_of(numbered(12, 5)))
    asyncio.run(sink.close())
    print(sink.figures["rotations"], sink.figures["torn_lines"])
"""


def test_a_limit_of_the_system_rotates(path):
    """At the largest size a file may have (EFBIG) the torn line is cut off and written to the next file."""
    result = run_program(LIMITED, path)

    assert result.stderr == b""
    assert result.stdout == b"False [2, 3]\n3 0\n"
    assert read_all(path) == numbered(0, 17)
    assert all(read_file(it).count(b"\n") == 4 for it in rotated(path)[:2])


def _is_mounted(directory: Path) -> bool:
    return (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(directory)], capture_output=True, check=False
        ).returncode
        == 0
    )


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 64 KiB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    if not _is_mounted(directory):
        pytest.skip("a small disk can only be mounted as root, with CAP_SYS_ADMIN")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


def test_a_full_disk_tears_no_line_and_heals(small_disk):
    """Lines that fitted are kept, the error names the others, and the sink goes on when there is room."""
    path = small_disk / "app.log"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(40_000))
    lines = numbered(0, 500, width=99)
    with opened(FileSink(path)) as sink:
        with pytest.raises(SinkError, match="No space left") as caught:
            sink.write(batch_of(lines))
        failed = caught.value.failed_indexes
        assert caught.value.retryable
        assert failed
        assert read_all(path) == lines[: min(failed)]
        with pytest.raises(SinkError, match="No space left"):
            sink.write(batch_of([b"y" * 5000]))
        ballast.unlink()
        sink.write(batch_of([lines[index] for index in sorted(failed)]))

    assert read_all(path) == lines
    assert sink.figures["torn_lines"] == 0


def test_a_full_disk_for_whichever_write_comes(path, monkeypatch):
    """A short write and then no space, at every byte: whole lines stay, the torn one is cut off, the rest is named."""
    lines = numbered(0, 4, width=9)
    real = os.write
    for room in range(40):
        path.unlink(missing_ok=True)
        left = [room]

        def short(fd, data, left=left):
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            count = real(fd, bytes(data)[: left[0]])
            left[0] -= count
            return count

        with opened(FileSink(path)) as sink:
            with monkeypatch.context() as patch:
                patch.setattr(os, "write", short)
                with pytest.raises(SinkError) as caught:
                    sink.write(batch_of(lines))
            kept = room // 10
            assert path.read_bytes().splitlines() == lines[:kept]
            assert caught.value.failed_indexes == (frozenset(range(kept, 4)) if kept else None)
            sink.write(batch_of(lines[kept:]))
        assert read_all(path) == lines


@pytest.mark.parametrize("code", [errno.EIO, errno.EBADF, errno.ESTALE])
def test_an_error_of_the_disk_can_be_retried(path, monkeypatch, code):
    """The file is opened anew for the next write: the old descriptor is not trusted."""

    def fail(fd, data):
        raise OSError(code, os.strerror(code))

    with opened(FileSink(path)) as sink:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", fail)
            with pytest.raises(SinkError) as caught:
                sink.write(batch_of([b"one"]))
        assert caught.value.retryable
        sink.write(batch_of([b"one"]))

    assert path.read_bytes() == b"one\n"


def test_what_another_process_has_appended_after_a_torn_line_is_not_cut_off(path, monkeypatch):
    """Better a torn line, counted, than somebody else's line lost."""
    real = os.write
    calls = []

    def torn(fd, data):
        calls.append(fd)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(fd, bytes(data)[:3])
        with path.open("ab", buffering=0) as other:
            real(other.fileno(), b"|other\n")
        return 3

    with opened(FileSink(path)) as sink:
        monkeypatch.setattr(os, "write", torn)
        with pytest.raises(SinkError):
            sink.write(batch_of([b"one line"]))
        monkeypatch.undo()

    assert path.read_bytes() == b"one|other\n"
    assert sink.figures["torn_lines"] == 1


STEPS = st.one_of(
    st.tuples(st.just("write"), st.lists(st.integers(0, 70), min_size=1, max_size=12)),
    st.tuples(st.just("advance"), st.sampled_from([0.001, 0.03, 30.0, 90.0])),
    st.tuples(st.just("step"), st.sampled_from([-7200.0, -1.0, 1.0, 7200.0])),
    st.tuples(st.just("reopen"), st.none()),
    st.tuples(st.just("other"), st.lists(st.integers(0, 70), min_size=1, max_size=3)),
)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(STEPS, max_size=30),
    max_bytes=st.sampled_from([None, 1, 60, 200, 1000]),
    interval=st.sampled_from([None, 60]),
    compress=st.booleans(),
)
def test_lines_are_conserved_in_order(steps, max_bytes, interval, compress):
    """Whatever the sizes, the clock, restarts and a second writer: each line once, each writer's in order."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "app.log"
        clock = FakeClock()
        sinks = {
            tag: FileSink(path, max_bytes=max_bytes, interval=interval, compress=compress, clock=clock)
            for tag in ("write", "other")
        }
        written: dict[str, list[bytes]] = {"write": [], "other": []}
        with opened(sinks["write"]) as sink, opened(sinks["other"]):
            for step, value in steps:
                if step in sinks:
                    lines = [f"{step}{len(written[step]) + n}:".encode() + b"x" * w for n, w in enumerate(value)]
                    written[step] += lines
                    sinks[step].write(batch_of(lines))
                elif step == "reopen":
                    asyncio.run(sink.close())
                    asyncio.run(sink.open())
                else:
                    getattr(clock, step)(value)
        lines = read_all(path)
        for tag, expected in written.items():
            assert [line for line in lines if line.startswith(tag.encode())] == expected
        assert len(lines) == sum(map(len, written.values()))
