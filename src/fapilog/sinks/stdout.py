"""Standard output: a terminal, a pipe to a collector, a redirected file, or whatever stands in for it."""

import io
import os
import stat
import sys
from bisect import bisect_right
from contextlib import suppress
from errno import EBADF, EPIPE
from typing import Literal, TextIO

from fapilog.errors import ConfigError, SinkError
from fapilog.protocols import Batch
from fapilog.sinks.descriptor import ends_of, refusal, write_all

if sys.platform != "win32":
    import fcntl

FORMATS = ("auto", "json", "pretty", "logfmt")
_GONE = frozenset((EPIPE, EBADF))


class StdoutSink:
    """Writes to ``sys.stdout``, as it is at each write, so that redirections and captures are followed.

    A batch goes to the descriptor below the stream in one call, past the stream's own buffer: what ``print``
    has left in that buffer appears when the stream is flushed. A stream without a descriptor of its own
    (``StringIO``, a notebook) gets text. On Windows every stream does, because its console takes text.

    A pipe or socket takes what is large in pieces, so processes that share one (a server's workers) take turns by
    a record lock for the length of a write. Two engines of one process are not kept apart on a full pipe.

    Lost: what is written after the reader has gone or the stream was closed, which raises. On a full disk the
    line that was torn is completed by the next write that succeeds. A reader that has stopped reading blocks the
    writing thread, never the application; the engine gives it up at the end of a drain.

    Args:
        format: ``"json"``, ``"pretty"``, ``"logfmt"``, or ``"auto"``, the default: pretty if standard output is a
            terminal now, JSON otherwise. Colours are the pretty format's choice (``NO_COLOR``, ``FORCE_COLOR``).
        name: The sink's name in figures and diagnostics.

    Attributes:
        format: What was chosen; never ``"auto"``.

    Raises:
        ConfigError: If the format is not known.
    """

    def __init__(
        self,
        format: Literal["auto", "json", "pretty", "logfmt"] = "auto",  # noqa: A002 - fixed by the design
        name: str = "stdout",
    ) -> None:
        """Choose the format."""
        if format not in FORMATS:
            raise ConfigError.unknown("StdoutSink(format)", format, FORMATS)
        self.name = name
        self.format: str = format if format != "auto" else ("pretty" if _is_terminal() else "json")
        self._torn = b""

    async def open(self) -> None:
        """Start afresh; the stream is looked up at each write."""
        self._torn = b""

    def write(self, batch: Batch) -> None:
        """Write a batch of whole lines.

        Raises:
            SinkError: If standard output is closed or its reader is gone (not retryable), or the system refuses
                (retryable).
        """
        stream = sys.stdout
        if stream is None:
            raise SinkError("standard output: there is none")
        fd = _descriptor(stream)
        if fd is None:
            _write_text(stream, batch.lines)
        elif _is_stream(fd):
            with suppress(OSError):  # a system without record locks on pipes or sockets
                fcntl.lockf(fd, fcntl.LOCK_EX)
            try:
                self._write(fd, batch)
            finally:
                with suppress(OSError):
                    fcntl.lockf(fd, fcntl.LOCK_UN)
        else:
            self._write(fd, batch)

    async def close(self) -> None:
        """Leave standard output open: it is the process's, not ours."""

    def _write(self, fd: int, batch: Batch) -> None:
        if self._torn:
            done, error = write_all(fd, self._torn)
            self._torn = self._torn[done:]
            if error is not None:
                raise _refused(error, 0, [])
        done, error = write_all(fd, batch.lines)
        if error is None:
            return
        ends = ends_of(batch)
        taken = bisect_right(ends, done)
        if done > (ends[taken - 1] if taken else 0):
            # The descriptor is shared, so nothing can be cut off; the line's rest goes first next time.
            self._torn = batch.lines[done : ends[taken]] if error.errno not in _GONE else b""
            taken += bool(self._torn)
        raise _refused(error, taken, ends)


def _refused(error: OSError, taken: int, ends: list[int]) -> SinkError:
    where = "standard output"
    if error.errno == EPIPE:
        where += " has no reader any more"
    return refusal(where, error, retryable=error.errno not in _GONE, taken=taken, ends=ends)


def _is_terminal() -> bool:
    try:
        return sys.stdout is not None and sys.stdout.isatty()
    except ValueError:  # closed
        return False


def _descriptor(stream: TextIO) -> int | None:
    """Return the descriptor that the stream itself writes to; a notebook's stream names another one."""
    if not isinstance(stream, io.TextIOWrapper) or sys.platform == "win32":
        return None
    try:
        return stream.fileno()
    except io.UnsupportedOperation:
        return None
    except ValueError as error:
        raise SinkError(f"standard output: {error}") from error


def _is_stream(fd: int) -> bool:
    """Tell whether it is a pipe or a socket, which take what is large in pieces."""
    if sys.platform == "win32":
        return False
    try:
        mode = os.fstat(fd).st_mode
    except OSError as error:
        raise _refused(error, 0, []) from error
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _write_text(stream: TextIO, lines: bytes) -> None:
    text = lines.decode("utf-8", "replace")
    encoding = getattr(stream, "encoding", None)
    if isinstance(encoding, str):
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        stream.write(text)
        stream.flush()
    except ValueError as error:
        raise SinkError(f"standard output: {error}") from error
    except OSError as error:
        raise _refused(error, 0, []) from error
