"""FileSink: options, places that cannot be used, its life cycle, and several processes on one path."""

import asyncio
import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fapilog.errors import ConfigError, SinkError
from fapilog.sinks.file import FileSink
from fapilog.testing.contracts import SINK_CHECKS, SinkTarget
from tests.sinks.support import batch_of, names, numbered, opened, read_all, rotated, run_program, start_program


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "app.log"


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("options", [{}, {"max_bytes": 2000}, {"max_bytes": 2000, "compress": True}], ids=str)
@pytest.mark.asyncio
async def test_contract(check, options, path):
    """A file is a sink, whatever its rotation."""
    await check(SinkTarget(lambda: FileSink(path, **options), lambda: [line + b"\n" for line in read_all(path)]))


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_bytes": "10 furlongs"}, r"max_bytes.*'10 furlongs'.*size"),
        ({"max_bytes": 0}, "max_bytes.*0.*size"),
        ({"max_bytes": -5}, "max_bytes.*-5"),
        ({"max_bytes": True}, "max_bytes.*True"),
        ({"interval": "soon"}, "interval.*'soon'.*duration"),
        ({"interval": 0}, "interval.*0.*duration"),
        ({"max_files": 0}, "max_files.*0.*above zero"),
        ({"max_files": 1.5}, "max_files.*1.5"),
        ({"max_files": "3"}, "max_files.*'3'"),
        ({"max_files": True}, "max_files.*True"),
        ({"max_total_bytes": "-1 MB"}, "max_total_bytes.*-1 MB"),
        ({"max_total_bytes": "5 MB"}, r"max_total_bytes.*5000000.*at least max_bytes, 10000000"),
    ],
)
def test_a_wrong_option_is_refused(path, options, said):
    """The error names the option, what was given, and what is allowed."""
    with pytest.raises(ConfigError, match=said):
        FileSink(path, **options)


@pytest.mark.parametrize("given", ["", "a\0b", b"app.log", None, 7, "logs/"])
def test_what_is_no_path_is_refused(given):
    """Also what the system would take for a path of another kind."""
    with pytest.raises(ConfigError, match=r"FileSink\(path\).*the path of a file"):
        FileSink(given)


def test_a_relative_path_is_fixed_when_the_sink_is_made(tmp_path, monkeypatch):
    """A daemon that changes its directory later does not move the log."""
    monkeypatch.chdir(tmp_path)
    sink = FileSink("logs/app.log")
    monkeypatch.chdir("/")
    with opened(sink):
        sink.write(batch_of([b"one"]))

    assert (tmp_path / "logs" / "app.log").read_bytes() == b"one\n"


# --- places ----------------------------------------------------------------------------------------------------------


def test_directories_are_made(tmp_path):
    """With mode 0750, the file with 0640, both less the umask; the file is made by ``open``."""
    path = tmp_path / "a" / "b" / "app.log"
    sink = FileSink(path)
    assert not path.exists()
    with opened(sink):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640 & ~_umask()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750 & ~_umask()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_a_directory_is_refused(tmp_path):
    """The path is the file, not where to put it."""
    with pytest.raises(ConfigError, match="this is a directory"):
        FileSink(tmp_path)


def test_a_socket_is_refused(tmp_path, monkeypatch):
    """It cannot be opened as a file at all."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(ConfigError, match="a directory or a socket"):
            FileSink(tmp_path / "s")


def test_a_path_below_a_file_is_refused(tmp_path):
    """The directory cannot be made, whoever asks."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="whose directory can be made"):
        FileSink(tmp_path / "file" / "logs" / "app.log")


def test_a_circle_of_links_is_refused(tmp_path):
    """It leads nowhere."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ConfigError, match="whose directory can be made"):
        FileSink(tmp_path / "a")


AS_NOBODY = """
    import os, sys
    from fapilog.errors import ConfigError
    from fapilog.sinks.file import FileSink

    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    for path, options in (("closed/app.log", {}), ("closed/sub/app.log", {}), ("open/readonly.log", {}),
                          ("closed/writable.log", {}), ("closed/writable.log", {"max_bytes": None}),
                          ("open/app.log", {})):
        try:
            FileSink(os.path.join(sys.argv[1], path), **options)
            print(path, "taken")
        except ConfigError as error:
            print(path, "refused:", str(error).partition("allowed: ")[2].replace(sys.argv[1], ""))
"""


def test_places_that_may_not_be_written_to_are_refused(tmp_path):
    """As a user without rights: at construction, in words, and not for a file that needs no other beside it."""
    base = tmp_path / "place"
    (base / "closed").mkdir(parents=True)
    (base / "open").mkdir()
    (base / "open" / "readonly.log").touch(0o444)
    (base / "closed" / "writable.log").touch()
    (base / "closed" / "writable.log").chmod(0o666)
    (base / "open").chmod(0o777)
    (base / "closed").chmod(0o555)
    for parent in base.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o755)
    result = run_program(AS_NOBODY, base)
    (base / "closed").chmod(0o755)

    assert result.stderr == b""
    assert result.stdout.decode().splitlines() == [
        "closed/app.log refused: a path in a directory that this process may write to; /closed is not.",
        "closed/sub/app.log refused: a path whose directory can be made (Permission denied).",
        "open/readonly.log refused: a file that this process may write to.",
        "closed/writable.log refused: a path in a directory that this process may write to; /closed is not.",
        "closed/writable.log taken",
        "open/app.log taken",
    ]


def test_a_file_that_is_rotated_while_it_is_checked_is_taken(path, monkeypatch):
    """Several processes start on one path while others write: the file may be gone for a moment."""
    path.touch()
    real = os.access

    def late(asked, mode, **options):
        if asked == path and path.exists():
            path.rename(path.with_name("aside"))
        return real(asked, mode)

    monkeypatch.setattr(os, "access", late)

    assert FileSink(path).path == path


def test_a_symbolic_link_is_followed(tmp_path):
    """Rotated files stand beside the real one, and the link stays."""
    real, link = tmp_path / "data" / "real.log", tmp_path / "app.log"
    real.parent.mkdir()
    real.touch()
    link.symlink_to(real)
    with opened(FileSink(link, max_bytes=50)) as sink:
        sink.write(batch_of(numbered(0, 6)))

    assert link.is_symlink()
    assert len(rotated(real)) == 2
    assert read_all(real) == numbered(0, 6)


def test_a_fifo_without_a_reader_does_not_hang(path):
    """It cannot be opened until somebody reads; then it is, by itself, and it is never rotated."""
    os.mkfifo(path)
    sink = FileSink(path, max_bytes=10)
    with pytest.raises(SinkError, match=r"app\.log") as caught:
        asyncio.run(sink.open())
    assert caught.value.retryable
    with pytest.raises(SinkError):
        sink.write(batch_of([b"one"]))
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink.write(batch_of([b"two", b"three"]))

    assert os.read(reader, 100) == b"two\nthree\n"
    os.close(reader)
    asyncio.run(sink.close())
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_slow_reader_of_a_fifo_gets_whole_lines(path):
    """More than the pipe holds is waited for."""
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    received = bytearray()

    def read():
        while chunk := os.read(reader, 999):
            received.extend(chunk)

    thread = threading.Thread(target=read)
    with opened(FileSink(path)) as sink:
        thread.start()
        sink.write(batch_of(numbered(0, 10_000)))
    thread.join()
    os.close(reader)

    assert bytes(received).splitlines() == numbered(0, 10_000)


def test_a_full_device_is_an_error_that_can_be_retried():
    """No rotation, no hang."""
    with opened(FileSink("/dev/full", max_bytes=10)) as sink:
        for _ in range(2):
            with pytest.raises(SinkError, match="/dev/full: No space left") as caught:
                sink.write(batch_of([b"one", b"two"]))
            assert caught.value.retryable
            assert caught.value.failed_indexes is None


# --- life cycle ------------------------------------------------------------------------------------------------------


def test_a_sink_that_is_not_open_says_so(path):
    """Before ``open`` and after ``close``."""
    sink = FileSink(path)
    with pytest.raises(SinkError, match="not open"):
        sink.write(batch_of([b"one"]))
    with opened(sink):
        pass
    with pytest.raises(SinkError, match="not open"):
        sink.write(batch_of([b"one"]))


def test_nothing_is_left_open(path):
    """Close, and open without a close, give back every descriptor; a program that is started inherits none."""
    before = names(Path("/proc/self/fd"))
    sink = FileSink(path, max_bytes=50, compress=True)
    for _ in range(3):
        asyncio.run(sink.open())
        sink.write(batch_of(numbered(0, 10)))
    fd = sink._live._fd
    assert not os.get_inheritable(fd)
    asyncio.run(sink.close())

    assert names(Path("/proc/self/fd")) == before


def test_close_does_not_wait_for_a_write_that_hangs(path):
    """A reader of a FIFO that stopped reading holds its thread, not the engine; the next ``open`` starts afresh."""
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    before = names(Path("/proc/self/fd"))
    sink = FileSink(path)
    asyncio.run(sink.open())
    thread = threading.Thread(target=sink.write, args=(batch_of([b"x" * 1_000_000]),), daemon=True)
    thread.start()
    left = 1_000_001 - len(os.read(reader, 1))
    asyncio.run(sink.close())
    assert thread.is_alive()

    while left:
        left -= len(os.read(reader, left))
    thread.join(10)
    assert names(Path("/proc/self/fd")) == before
    os.close(reader)


def test_a_forked_child_opens_its_own(path):
    """Without a ``close``: the child's opening, rotating and ending disturb neither the parent nor its lock."""
    with opened(FileSink(path, max_bytes=200)) as sink:
        sink.write(batch_of(numbered(0, 5)))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(sink.open())
                for index in range(0, 40, 4):
                    sink.write(batch_of(numbered(index, 4, "c")))
                asyncio.run(sink.close())
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        held = [it for it in [*rotated(path), path] if _is_locked(it)]
        assert len(held) == 1
        sink.write(batch_of(numbered(5, 5)))
        sink.write(batch_of(numbered(10, 30)))

    lines = read_all(path)
    assert [line for line in lines if line.startswith(b"a")] == numbered(0, 40)
    assert [line for line in lines if line.startswith(b"c")] == numbered(0, 40, "c")


def _is_locked(path: Path) -> bool:
    result = subprocess.run(["flock", "-n", "-x", str(path), "true"], check=False)
    return result.returncode != 0


# --- several processes -----------------------------------------------------------------------------------------------

WRITER = """
    import asyncio, sys
    from fapilog.sinks.file import FileSink
    from tests.sinks.support import batch_of, numbered

    path, tag, options = sys.argv[1], sys.argv[2], eval(sys.argv[3])
    sink = FileSink(path, **options)
    asyncio.run(sink.open())
    sys.stdin.readline()
    start, step = 0, 1
    while start < 20_000:
        count = min(step, 20_000 - start)
        sink.write(batch_of(numbered(start, count, tag)))
        start, step = start + count, step % 37 + 1
    asyncio.run(sink.close())
    print(dict(sink.figures))
"""


@pytest.mark.parametrize(
    "options",
    [
        {"max_bytes": 4000},
        {"max_bytes": 8000, "compress": True},
        {"max_bytes": None, "interval": 0.05, "compress": True},
    ],
    ids=str,
)
def test_several_processes_share_a_file(path, options):
    """Three processes, 20 000 lines each, hundreds of rotations: each line once, each process's in order."""
    tags = ("a", "b", "c")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    writers = [start_program(WRITER, path, tag, repr(options), **pipes) for tag in tags]
    for writer in writers:
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    said = [writer.communicate(timeout=90)[0].decode() for writer in writers]

    assert [writer.returncode for writer in writers] == [0, 0, 0], said
    lines = read_all(path)
    assert len(lines) == 60_000, said
    for tag in tags:
        assert [line for line in lines if line.startswith(tag.encode())] == numbered(0, 20_000, tag)
    assert not list(path.parent.glob("*.tmp"))


def test_a_kill_loses_no_line_that_was_written(path):
    """SIGKILL while it writes and rotates: whatever ``write`` has returned for is in a file."""
    program = """
        import asyncio, os, sys
        from fapilog.sinks.file import FileSink
        from tests.sinks.support import batch_of, numbered

        sink = FileSink(sys.argv[1], max_bytes=3000, compress=True)
        asyncio.run(sink.open())
        number = 0
        while True:
            sink.write(batch_of(numbered(number, 10)))
            number += 10
            os.write(1, b"w")
    """
    with start_program(program, path, stdout=subprocess.PIPE) as process:
        seen = len(process.stdout.read(300))
        process.send_signal(signal.SIGKILL)
        seen += len(process.stdout.read())

    with opened(FileSink(path, compress=True)):
        pass
    lines = read_all(path)
    assert lines[: seen * 10] == numbered(0, seen * 10)
    assert lines == numbered(0, len(lines))


def test_an_engine_writes_rotates_and_drains(path):
    """From the log call to the files and back: each event once, in order, as JSON."""
    program = """
        import sys
        import fapilog

        logger = fapilog.LoggerBuilder().add_file(sys.argv[1], max_bytes="20 KB", compress=True).build()
        for number in range(2000):
            logger.info("event", number=number)
        result = logger.drain()
        print(result.delivered, result.dropped, result.failed)
    """
    result = run_program(program, path)

    assert (result.stdout, result.stderr) == (b"2000 0 0\n", b"")
    assert [json.loads(line)["number"] for line in read_all(path)] == list(range(2000))
    assert len(rotated(path)) > 5
    assert path.stat().st_size <= 20_000


@pytest.mark.skipif(sys.platform == "win32", reason="the error numbers are those of POSIX")
def test_an_engine_survives_a_full_disk_and_goes_on():
    """The identity holds while the disk refuses everything, and the application never notices."""
    program = """
        import fapilog

        logger = fapilog.LoggerBuilder().with_diagnostics(enabled=False).add_file("/dev/full").build()
        for number in range(100):
            logger.info("event", number=number)
        result = logger.drain()
        print(result.submitted, result.delivered, result.failed, result.in_flight)
    """
    result = run_program(program)

    assert (result.stdout, result.stderr) == (b"100 0 100 0\n", b""), os.strerror(errno.ENOSPC)
