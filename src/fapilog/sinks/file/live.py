"""The live file: one append for each batch, noticing that the file was moved, rotating it.

    append ── room known and looked at lately ──► one write
       └──── otherwise ─► look: is the path still our file? ─ no ─► open it anew
                             └─► full, or a new period? ─► rotate: lock, rename, open anew, remove the oldest

Several processes may do this on one path. Each appends whole lines with one call (``O_APPEND``), so lines do not
mix. Only the holder of the lock on ``.<name>.lock`` renames; the others go on writing to the renamed file until
they look again, at most 20 ms or an eighth of ``max_bytes`` later, so nothing is lost; and as each holds a shared lock
on what it writes to, nobody compresses or removes it under its feet.
"""

import errno
import os
import stat
import sys
import threading
from bisect import bisect_right
from collections import Counter
from contextlib import suppress
from pathlib import Path

from fapilog.clock import Clock
from fapilog.errors import SinkError
from fapilog.protocols import Batch
from fapilog.sinks.descriptor import ends_of, refusal, write_all
from fapilog.sinks.file.archive import Packer, Rules, clean, prune
from fapilog.sinks.file.locks import try_lock
from fapilog.sinks.file.names import list_rotated, next_path
from fapilog.sinks.file.opening import BINARY, FILE_MODE, identity, look_alike, open_locked, release

LOOK_SECONDS = 0.02
_SHARE = 8  # of max_bytes: how much may be written between two looks, because others may write, too
_NEVER = 1 << 63


class LiveFile:
    """The descriptor of the live file and what is known about it. Used by one thread at a time, under ``lock``."""

    def __init__(self, path: Path, rules: Rules, clock: Clock, figures: Counter[str]) -> None:
        """Make one that is not open."""
        self.lock = threading.Lock()
        self._path = path
        self._real = path
        self._rules = rules
        self._clock = clock
        self._figures = figures
        self._packer = Packer(rules, figures)
        self._pid = os.getpid()
        self._fd = -1
        self._identity = (0, 0)
        self._regular = False
        self._must_rotate = False
        self._size = 0
        self._room = 0
        self._look_at = 0.0
        self._turn_ns = _NEVER

    def open(self) -> None:
        """Open the file, its directory made if need be, and take up what an earlier run has left.

        Raises:
            SinkError: If it cannot be opened; a later ``append`` tries again.
        """
        self._open()
        if self._regular:
            with suppress(OSError):  # a directory that may be written to but not listed
                clean(self._real)
                prune(self._real, self._rules, self._figures)
            self._packer.start(self._real)

    def append(self, batch: Batch) -> None:
        """Append the lines of a batch.

        Raises:
            SinkError: If not all lines could be written; names those that were not. The next call tries anew.
        """
        size = batch.size_bytes
        clock = self._clock
        if size <= self._room and clock.monotonic() < self._look_at and clock.time_ns() < self._turn_ns:
            self._room -= size
            self._size += size
            done, error = write_all(self._fd, batch.lines)
            if error is None:
                return
            self._append_from(batch, self._after(error, batch, 0, done))
        else:
            self._append_from(batch, 0)

    def close(self, patience_seconds: float) -> None:
        """Give compression some seconds and let go of the file."""
        self._packer.stop(patience_seconds)
        self._let_go()

    def forsake(self) -> None:
        """Close a forked child's copy of the descriptor; the parent's lock, which is the same, stays."""
        with suppress(OSError):
            if self._fd >= 0 and identity(os.fstat(self._fd)) == self._identity:
                os.close(self._fd)
        self._fd = -1

    @property
    def inherited(self) -> bool:
        """Whether this is a forked child's copy."""
        return self._pid != os.getpid()

    def _append_from(self, batch: Batch, start: int) -> None:
        """Append what of the batch lies after the offset ``start``, in as few writes as the limits allow."""
        while start < batch.size_bytes:
            try:
                end = self._fit(batch, start)
            except SinkError as error:
                raise _only_rest(error, batch, start) from error
            done, failed = write_all(self._fd, memoryview(batch.lines)[start:end])
            start = end if failed is None else self._after(failed, batch, start, done)

    def _fit(self, batch: Batch, start: int) -> int:
        """Make sure that the file is the right one and has room; return up to where to write now."""
        self._look()
        limit = self._rules.max_bytes if self._regular else None
        turned = self._clock.time_ns() >= self._turn_ns
        end = batch.size_bytes
        if limit is not None and self._size + end - start > limit:
            end = self._fill_up(batch, start, limit)
        if self._size and (end == start or turned or self._must_rotate):
            self._rotate()
            end = batch.size_bytes if limit is None else self._fill_up(batch, start, limit)
        if turned:
            self._turn_ns = self._turn_after(self._clock.time_ns())
        waits = end == start and self._size > 0  # for a rotation that was not possible now
        if end == start:
            end = batch.size_bytes if waits else _end_of_line(batch, start)
        self._size += end - start
        share = _NEVER if limit is None else limit // _SHARE
        self._room = share if limit is None or waits else max(0, min(limit - self._size, share))
        return end

    def _fill_up(self, batch: Batch, start: int, limit: int) -> int:
        """Return the end of the last line that the file has room for, ``start`` if there is none."""
        ends = ends_of(batch)
        last = bisect_right(ends, start + limit - self._size)
        return max(start, ends[last - 1] if last else 0)

    def _look(self) -> None:
        """Open the file anew if the path is another file by now, and learn how large it is."""
        self._look_at = self._clock.monotonic() + LOOK_SECONDS
        if self._fd < 0:
            self._open()
        elif self._regular:
            try:
                state: os.stat_result | None = self._path.stat()
            except OSError:
                state = None
            if state is not None and identity(state) == self._identity:
                self._size = state.st_size
            else:
                self._figures["reopened"] += 1
                self._follow()
        if self._rules.interval_ns is not None:  # the wall clock was set back: no rotation for that
            self._turn_ns = min(self._turn_ns, self._turn_after(self._clock.time_ns()))

    def _follow(self) -> None:
        """Open what the path is now. If that fails, go on with a file that was only moved: its lines are kept."""
        old = self._fd
        try:
            self._open()
        except SinkError:
            if old < 0 or os.fstat(old).st_nlink == 0:
                self._let_go()
                raise
            return
        release(old)
        self._packer.start(self._real)

    def _rotate(self) -> None:
        """Rename the file and open a new one, unless somebody else is at it. If it fails, the file just grows.

        Raises:
            SinkError: If the file can grow no more.
        """
        before, must, self._must_rotate = self._identity, self._must_rotate, False
        gate = -1
        try:
            gate = self._enter()
            if try_lock(gate, exclusive=True):
                self._rotate_alone()
        except OSError:
            self._figures["rotation_failed"] += 1
        finally:
            release(gate)
        if must and self._identity == before:
            self._let_go()
            raise SinkError(f"{self._path}: {os.strerror(errno.EFBIG)}, and it cannot be rotated now", retryable=True)

    def _rotate_alone(self) -> None:
        if not self._is_live():
            self._figures["reopened"] += 1
            self._follow()
            return
        before = self._real.stat()
        target = next_path(self._real, list_rotated(self._real), self._clock.time_ns())
        if sys.platform == "win32":  # where an open file cannot be renamed
            self._let_go()
        self._real.rename(target)
        self._figures["rotations"] += 1
        self._follow()
        look_alike(self._fd, before)
        prune(self._real, self._rules, self._figures)

    def _enter(self) -> int:
        return os.open(self._real.with_name(f".{self._real.name}.lock"), os.O_RDWR | os.O_CREAT | BINARY, FILE_MODE)

    def _open(self) -> None:
        try:
            fd, state = open_locked(self._path)
        except OSError as error:
            raise SinkError(f"{self._path}: {error.strerror or error}", retryable=True) from error
        self._fd, self._identity = fd, identity(state)
        self._regular = stat.S_ISREG(state.st_mode)
        self._size = state.st_size
        self._room = 0
        if self._regular:
            self._real = self._path.resolve()
            self._turn_ns = self._turn_after(state.st_mtime_ns if state.st_size else self._clock.time_ns())
        self._look_at = self._clock.monotonic() + LOOK_SECONDS

    def _is_live(self) -> bool:
        try:
            return identity(self._real.stat()) == self._identity
        except OSError:
            return False

    def _turn_after(self, time_ns: int) -> int:
        """Return when the period ends that a time lies in; periods are multiples of the interval since the epoch."""
        interval = self._rules.interval_ns
        return _NEVER if interval is None else (time_ns // interval + 1) * interval

    def _after(self, error: OSError, batch: Batch, start: int, written: int) -> int:
        """Cut a torn line off the file and return the offset to go on from, or raise if that is no use."""
        ends = ends_of(batch)
        taken = bisect_right(ends, start + written)
        whole = max(start, ends[taken - 1] if taken else 0)
        at_limit = error.errno == errno.EFBIG and self._regular
        may_help = at_limit and (whole > start or os.fstat(self._fd).st_size > written)
        if self._regular and start + written > whole:
            self._cut_off(start + written - whole)
        if may_help:
            self._must_rotate = True
            self._room = 0
            return whole
        self._let_go(is_ours=error.errno != errno.EBADF)
        raise refusal(str(self._path), error, retryable=not at_limit, taken=taken, ends=ends) from error

    def _cut_off(self, torn: int) -> None:
        """Take back the last bytes, unless somebody else has appended after them."""
        try:
            size = os.fstat(self._fd).st_size
            if size == os.lseek(self._fd, 0, os.SEEK_CUR):
                os.ftruncate(self._fd, size - torn)
                return
        except OSError:
            pass
        self._figures["torn_lines"] += 1

    def _let_go(self, *, is_ours: bool = True) -> None:
        fd, self._fd = self._fd, -1
        self._room = 0
        if is_ours:
            release(fd)


def _only_rest(error: SinkError, batch: Batch, start: int) -> SinkError:
    """Return the error of a batch whose lines up to an offset were taken before it came."""
    taken = bisect_right(ends_of(batch), start)
    failed = range(taken, len(batch)) if taken else None
    return SinkError(str(error), retryable=error.retryable, failed_indexes=failed)


def _end_of_line(batch: Batch, start: int) -> int:
    ends = ends_of(batch)
    return ends[bisect_right(ends, start)]
