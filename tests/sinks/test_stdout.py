"""StdoutSink against real pipes, terminals, captures and closed streams."""

import io
import json
import os
import pty
import subprocess
import sys
import time

import pytest

from fapilog.errors import ConfigError, SinkError
from fapilog.sinks.stdout import StdoutSink
from fapilog.testing.contracts import SINK_CHECKS, SinkTarget
from tests.sinks.support import batch_of, numbered, opened, run_program, start_program

WRITER = """
    import asyncio, os, sys
    from fapilog.sinks.stdout import StdoutSink
    from tests.sinks.support import batch_of, numbered

    tag, batches, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sink = StdoutSink("json")
    asyncio.run(sink.open())
    for index in range(batches):
        sink.write(batch_of(numbered(index * 50, 50, tag, width)))
"""


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.asyncio
async def test_contract(check, capfd):
    """Standard output is a sink."""
    arrived = bytearray()

    def read() -> list[bytes]:
        arrived.extend(capfd.readouterr().out.encode())
        return [line + b"\n" for line in arrived.split(b"\n")[:-1]]

    await check(SinkTarget(lambda: StdoutSink("json"), read))


def test_redirections_are_followed(capfd):
    """The stream is looked up at each write: a capture that begins later sees the lines."""
    with opened(StdoutSink("json")) as sink:
        sink.write(batch_of([b"one"]))
        assert capfd.readouterr().out == "one\n"
        with capfd.disabled():
            pass
        sink.write(batch_of([b"two"]))
        assert capfd.readouterr().out == "two\n"


def test_capsys_sees_the_lines(capsys):
    """A stream without a descriptor gets text."""
    with opened(StdoutSink("json")) as sink:
        sink.write(batch_of(["zażółć".encode()]))

    assert capsys.readouterr().out == "zażółć\n"


def test_a_notebook_is_written_to_although_it_names_a_descriptor(monkeypatch):
    """A notebook's stream has a ``fileno`` that is the server's console, not the notebook."""

    class Notebook(io.StringIO):
        def fileno(self):
            return 1

    stream = Notebook()
    monkeypatch.setattr(sys, "stdout", stream)
    with opened(StdoutSink("json")) as sink:
        sink.write(batch_of([b"one"]))

    assert stream.getvalue() == "one\n"


def test_a_stream_that_cannot_encode_gets_escapes(monkeypatch):
    """An ASCII stream does not make a line fail."""
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with opened(StdoutSink("json")) as sink:
        sink.write(batch_of(["zażółć".encode()]))

    assert buffer.getvalue() == b"za\\u017c\\xf3\\u0142\\u0107\n"


@pytest.mark.parametrize("text", [True, False])
def test_a_closed_stream_is_a_clear_error(monkeypatch, tmp_path, text):
    """Whoever closed standard output is told so, and that trying again is no use."""
    stream = io.StringIO() if text else (tmp_path / "out").open("w")
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    sink = StdoutSink()

    assert sink.format == "json"
    with opened(sink), pytest.raises(SinkError, match=r"standard output.*closed") as caught:
        sink.write(batch_of([b"one"]))
    assert not caught.value.retryable


def test_no_stream_is_a_clear_error(monkeypatch):
    """A process without a console has no ``sys.stdout`` at all."""
    monkeypatch.setattr(sys, "stdout", None)
    sink = StdoutSink()

    assert sink.format == "json"
    with opened(sink), pytest.raises(SinkError, match="there is none"):
        sink.write(batch_of([b"one"]))


def test_a_descriptor_that_somebody_closed_is_a_clear_error(monkeypatch, tmp_path):
    """A daemon closes descriptors below Python's streams."""
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        spare = os.dup(stream.fileno())
        os.close(stream.fileno())
        with opened(StdoutSink()) as sink, pytest.raises(SinkError, match="standard output: Bad file") as caught:
            sink.write(batch_of([b"one"]))
        os.dup2(spare, stream.fileno())
        os.close(spare)

    assert not caught.value.retryable


def test_a_terminal_gets_pretty_and_a_pipe_json():
    """``auto`` is decided once, when the sink is made, and can be read."""
    program = "from fapilog.sinks.stdout import StdoutSink; import sys; sys.stderr.write(StdoutSink().format)"
    ours, theirs = pty.openpty()
    on_terminal = start_program(program, stdout=theirs, stderr=subprocess.PIPE)
    assert on_terminal.communicate(timeout=60)[1] == b"pretty"
    os.close(ours)
    os.close(theirs)

    assert run_program(program).stderr == b"json"


def test_an_unknown_format_is_refused():
    """The error names what is allowed and the nearest spelling."""
    with pytest.raises(ConfigError, match=r"'prety'.*auto, json, logfmt, pretty.*Did you mean 'pretty'"):
        StdoutSink("prety")  # type: ignore[arg-type]


def test_a_reader_that_is_gone_is_a_clear_error(monkeypatch):
    """``| head`` ends the output, not the application."""
    source, target = os.pipe()
    os.close(source)
    with os.fdopen(target, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with opened(StdoutSink("json")) as sink, pytest.raises(SinkError, match="no reader any more") as caught:
            sink.write(batch_of([b"one"]))

    assert not caught.value.retryable
    assert caught.value.failed_indexes is None


def test_head_ends_a_program_without_a_traceback():
    """The real thing: the reader leaves in the middle of a large write."""
    program = """
        import asyncio
        from fapilog.errors import SinkError
        from fapilog.sinks.stdout import StdoutSink
        from tests.sinks.support import batch_of, numbered

        sink = StdoutSink("json")
        asyncio.run(sink.open())
        try:
            while True:
                sink.write(batch_of(numbered(0, 1000)))
        except SinkError as error:
            raise SystemExit(7)
    """
    with start_program(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert process.returncode == 7
    assert errors == b""


@pytest.mark.parametrize("blocking", [True, False])
def test_a_slow_reader_gets_whole_lines(blocking):
    """A full pipe is waited for, also if somebody made it non-blocking; no line is torn or lost."""
    source, target = os.pipe()
    os.set_blocking(target, blocking)
    process = start_program(WRITER, "a", 100, 300, stdout=target)
    os.close(target)
    received = bytearray()
    while chunk := os.read(source, 997):
        received += chunk
    os.close(source)

    assert process.wait(60) == 0
    assert bytes(received).splitlines() == numbered(0, 5000, "a", 300)


def test_processes_that_share_a_pipe_take_turns():
    """Two workers of a server, lines longer than a pipe takes at once, a reader that lags: whole lines only."""
    source, target = os.pipe()
    workers = [start_program(WRITER, tag, 20, 6000, stdout=target) for tag in ("a", "b")]
    os.close(target)
    received = bytearray()
    while chunk := os.read(source, 50_000):
        received += chunk
    os.close(source)
    lines = bytes(received).splitlines()

    assert [worker.wait(60) for worker in workers] == [0, 0]
    for tag in ("a", "b"):
        assert [line for line in lines if line.startswith(tag.encode())] == numbered(0, 1000, tag, 6000)
    assert len(lines) == 2000


def test_a_line_that_the_disk_tore_is_completed(tmp_path):
    """Standard output redirected to a disk that fills up: no torn line, none twice, and the error names the rest."""
    program = """
        import asyncio, json, resource, sys
        from fapilog.errors import SinkError
        from fapilog.sinks.stdout import StdoutSink
        from tests.sinks.support import batch_of, numbered

        lines = numbered(0, 10)
        sink = StdoutSink("json")
        asyncio.run(sink.open())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            sink.write(batch_of(lines))
        except SinkError as error:
            failed = sorted(error.failed_indexes)
            json.dump([error.retryable, failed], sys.stderr)
        try:
            sink.write(batch_of(lines))
        except SinkError as error:
            assert error.failed_indexes is None
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sink.write(batch_of([lines[index] for index in failed]))
    """
    out = tmp_path / "out"
    with out.open("wb") as file, start_program(program, stdout=file, stderr=subprocess.PIPE) as process:
        errors = process.stderr.read()

    assert process.returncode == 0, errors
    assert json.loads(errors) == [True, [5, 6, 7, 8, 9]]
    assert out.read_bytes().splitlines() == numbered(0, 10)


def test_a_hung_reader_does_not_hang_the_exit():
    """The engine gives up a pipe that nobody reads within its shutdown timeout."""
    program = """
        import fapilog
        logger = fapilog.LoggerBuilder().with_shutdown_timeout(0.5).add_stdout("json").build()
        for number in range(3000):
            logger.info("x" * 100, number=number)
    """
    source, target = os.pipe()
    began = time.monotonic()
    process = start_program(program, stdout=target, stderr=subprocess.DEVNULL)
    os.close(target)
    code = process.wait(60)
    os.close(source)

    assert code == 0
    assert time.monotonic() - began < 20
