"""The file sink: its options, checked when it is made, and its life cycle."""

import os
import stat
from collections import Counter
from pathlib import Path

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import ConfigError, SinkError
from fapilog.protocols import Batch
from fapilog.sinks.file.archive import Rules
from fapilog.sinks.file.live import LiveFile
from fapilog.sinks.file.opening import DIRECTORY_MODE
from fapilog.units import parse_duration, parse_size

_WHERE = "FileSink(path)"
_NANOSECONDS = 1_000_000_000
_PACKING_SECONDS = 0.4
_CLOSE_SECONDS = 0.1
_ASKED = 3


class FileSink:
    """Appends to a file, and rotates it by size and by the clock.

    ``path`` is always the live file. Rotated ones stand beside it as ``<name>.<UTC time>-<counter>``, with ``.gz``
    when compressed; sorted by name is sorted by age. Several processes may write to one path: no line is lost,
    doubled or mixed with another (local file systems; without ``flock``, as on some network file systems and on
    Windows, one process only). If something else moves or removes the file, it is opened anew within 20 ms.

    Lines are with the system when ``write`` returns: they survive the end of the process, however it ends, and
    not a loss of power, as nothing is synced. What the system refuses (disk full, I/O error) raises, and the next
    write tries again; a line of which only a part was taken is cut off. What retention removes is gone.

    One thread at a time may write. A forked child calls ``open`` and has the file for itself. New files
    have mode 0640, new directories 0750, less the umask; a new live file takes over the mode and, where allowed, the
    owner of the one before.

    Args:
        path: The live file; its directory is made if need be. A symbolic link is followed, and rotated files
            stand beside what it leads to. A FIFO or device is written to and never rotated.
        max_bytes: Rotate before the file grows over this; default ``"10 MB"``, None never. Only a line that
            is longer makes a longer file; with n processes it may be over by up to n eighths and a batch.
        interval: Rotate at the first write after each multiple of this duration since 1970 in UTC, so that
            ``"1h"`` means every full hour and ``"1d"`` midnight; default None, never.
        max_files: How many rotated files are kept; default None, all.
        max_total_bytes: How much all files together may take, the live one counted as ``max_bytes``; default None, all.
        compress: Compress rotated files with gzip in a thread of its own; default False. What is not done
            within half a second of ``close`` is done after the next ``open``.
        name: The sink's name in figures and diagnostics.
        clock: Where the time for rotation is read.

    Attributes:
        path: The live file, absolute.
        figures: How often: ``rotations``, ``rotation_failed``, ``reopened``, ``removed_files``, ``removed_bytes``,
            ``compressed``, ``compress_failed``, ``torn_lines``.

    Raises:
        ConfigError: If an option cannot be used, the path is a directory or a socket, or the directory is not
            writable or cannot be made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | str | None = "10 MB",
        interval: float | str | None = None,
        max_files: int | None = None,
        max_total_bytes: int | str | None = None,
        compress: bool = False,
        name: str = "file",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Check the options and the place; the file itself is made by ``open``."""
        self._rules = Rules(
            max_bytes=_size(max_bytes, "max_bytes"),
            interval_ns=None if interval is None else _nanoseconds(interval),
            max_files=_count(max_files),
            max_total_bytes=_size(max_total_bytes, "max_total_bytes"),
            compress=compress,
        )
        _check_total(self._rules)
        self.name = name
        self.path = _absolute(path)
        self.figures: Counter[str] = Counter()
        self._clock = clock
        self._live: LiveFile | None = None
        _check_place(self.path, rotates=self._rules.max_bytes is not None or self._rules.interval_ns is not None)

    async def open(self) -> None:
        """Open the file and go on with what an earlier run has left uncompressed.

        Raises:
            SinkError: If it cannot be opened, retryable; a later ``write`` tries again by itself.
        """
        await self.close()
        self._live = LiveFile(self.path, self._rules, self._clock, self.figures)
        self._live.open()

    def write(self, batch: Batch) -> None:
        """Append the batch's lines, in one call unless the file has to be rotated in between.

        Raises:
            SinkError: If the sink is not open, or the system refused all lines or those it names (retryable, but
                for a line that is longer than the system lets a file be).
        """
        live = self._live
        if live is None:
            raise SinkError(f"{self.path}: the sink is not open")
        if batch.size_bytes:
            with live.lock:
                try:
                    live.append(batch)
                finally:
                    if self._live is not live:  # closed while this hung
                        live.close(0.0)

    async def close(self) -> None:
        """Close the file; one whose write hangs is left to the thread that hangs."""
        live, self._live = self._live, None
        if live is None:
            return
        if live.inherited:
            live.forsake()
        elif live.lock.acquire(timeout=_CLOSE_SECONDS):
            live.close(_PACKING_SECONDS)
            live.lock.release()


def _size(value: int | str | None, option: str) -> int | None:
    return None if value is None else parse_size(value, f"FileSink({option})")


def _nanoseconds(interval: float | str) -> int:
    return max(1, round(parse_duration(interval, "FileSink(interval)") * _NANOSECONDS))


def _count(max_files: int | None) -> int | None:
    if max_files is not None and (not isinstance(max_files, int) or isinstance(max_files, bool) or max_files < 1):
        raise ConfigError.wrong("FileSink(max_files)", max_files, "a whole number above zero, or None for all")
    return max_files


def _check_total(rules: Rules) -> None:
    if rules.max_total_bytes is not None and rules.max_total_bytes < (rules.max_bytes or 0):
        allowed = f"at least max_bytes, {rules.max_bytes}, because the live file counts, too"
        raise ConfigError.wrong("FileSink(max_total_bytes)", rules.max_total_bytes, allowed)


def _absolute(path: str | os.PathLike[str]) -> Path:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(text, str) or not text or "\0" in text or text.endswith(("/", os.sep)):
        raise ConfigError.wrong(_WHERE, path, "the path of a file, as text")
    return Path(text).absolute()


def _check_place(path: Path, *, rotates: bool) -> None:
    """Make the directory, and see that the file, and others beside it, can be written."""
    try:
        mode = _mode(path)
        directory = path.parent if mode and not stat.S_ISREG(mode) else path.resolve().parent
        directory.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        allowed = f"a path whose directory can be made ({error.strerror or error})"
        raise ConfigError.wrong(_WHERE, str(path), allowed) from error
    if stat.S_ISDIR(mode) or stat.S_ISSOCK(mode):
        raise ConfigError.wrong(_WHERE, str(path), "the path of a file; this is a directory or a socket")
    # Asked again, because another process may be rotating the file between two of these calls.
    if mode and all(_mode(path) and not _may(path, os.W_OK) for _ in range(_ASKED)):
        raise ConfigError.wrong(_WHERE, str(path), "a file that this process may write to")
    needs_directory = not mode or (rotates and stat.S_ISREG(mode))
    if needs_directory and not _may(directory, os.W_OK | os.X_OK):
        allowed = f"a path in a directory that this process may write to; {directory} is not"
        raise ConfigError.wrong(_WHERE, str(path), allowed)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
