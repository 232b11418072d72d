"""Writing to the stream of this process."""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress

from fapilog.clock import Clock
from fapilog.delivery.spool.adoption import segment_name
from fapilog.delivery.spool.options import SpoolOptions
from fapilog.delivery.spool.segment import SPOOL_SEGMENT, Segment
from fapilog.delivery.spool.stream import Stream, header, sync_data
from fapilog.durable.directories import NEW_FILE
from fapilog.durable.frames import HEADER_BYTES, VERSION, Slot, frame, frame_size

_NEVER = "never"
_ALWAYS = "always"


class Appender:
    """Appends batches to the newest segment, and begins another one when it is full or not to be trusted any more.

    Attributes:
        sync_failures: How often data could not be forced to the disk.
    """

    def __init__(self, stream: Stream, options: SpoolOptions, clock: Clock) -> None:
        """Begin with no segment."""
        self._stream = stream
        self._most = options.segment_size
        self._policy = options.sync
        self._every = options.sync_every
        self._clock = clock
        self._synced_at = clock.monotonic()
        self._dirty = False
        self._fd = -1
        self._position = self._number = 0
        self.sync_failures = 0

    def append(self, records: Sequence[bytes]) -> None:
        """Write a batch, all of it or nothing.

        Raises:
            OSError: If it cannot be written; the file is as it was before.
        """
        size = sum(frame_size(len(record)) for record in records)
        if self._stream.active is not None and self._fd >= 0 and os.fstat(self._fd).st_nlink == 0:
            # Somebody has deleted the file: what is written to it, nobody finds again.
            self.seal()
        if (
            self._stream.active is not None
            and self._stream.active.count
            and self._stream.active.size + size > self._most
        ):
            self.seal()
        segment = self._stream.active or self._begin()
        data = self._framed(records, segment)
        try:
            self._write(data)
            if self._policy == _ALWAYS:
                sync_data(self._fd)
        except OSError as error:
            self._undo(segment, error)
            raise
        segment.size += size
        segment.count += len(records)
        self._stream.size += size
        self._stream.records += len(records)
        self._position += size
        self._number += len(records)
        self._dirty = self._policy != _ALWAYS

    def sync_if_due(self) -> None:
        """Force what was written to the disk, if the policy is an interval and that is over."""
        if self._policy == "interval" and self._clock.monotonic() - self._synced_at >= self._every:
            self.sync()

    def sync(self) -> None:
        """Force what was written to the disk; a segment with which that fails is not written to any more."""
        self._synced_at = self._clock.monotonic()
        try:
            self._stream.sync()
        except OSError:
            self.sync_failures += 1
        if not self._dirty or self._stream.active is None:
            return
        self._dirty = False
        try:
            sync_data(self._fd)
        except OSError:
            # The kernel may have dropped what it could not write, and would tell the next call that all is well.
            self.sync_failures += 1
            self.seal()

    def seal(self) -> None:
        """Let the active segment be; the next append begins another one."""
        segment, self._stream.active = self._stream.active, None
        if segment is None:
            return
        if self._policy != _NEVER and self._dirty:
            self._dirty = False
            try:
                sync_data(self._fd)
            except OSError:
                self.sync_failures += 1
        with suppress(OSError):
            os.close(self._fd)
        self._fd = -1
        if not segment.count:
            self._stream.delete(segment)
        self._stream.trim()

    def forget(self) -> None:
        """Let go of the file; for the child of a fork."""
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
        self._fd = -1
        self._stream.active = None

    def _begin(self) -> Segment:
        name = segment_name(self._number)
        directory = self._stream.claimed.fd
        with suppress(FileNotFoundError):
            # One of this number has no record: it could not be deleted.
            os.unlink(name, dir_fd=directory)
        fd = os.open(name, NEW_FILE | os.O_APPEND, 0o600, dir_fd=directory)
        try:
            slot = Slot(
                SPOOL_SEGMENT, VERSION, 1, self._stream.name, self._position, self._number, self._clock.time_ns()
            )
            self._fd = fd
            self._write(header(slot))
            if self._policy != _NEVER:
                os.fsync(directory)
        except OSError:
            self._fd = -1
            with suppress(OSError):
                os.unlink(name, dir_fd=directory)
            os.close(fd)
            raise
        self._stream.active = segment = Segment(name, self._position, self._number, HEADER_BYTES, 0)
        self._stream.segments.append(segment)
        self._stream.size += HEADER_BYTES
        return segment

    def _framed(self, records: Sequence[bytes], segment: Segment) -> bytes:
        position, tag, seed = self._position, self._number - segment.first, self._stream.seed
        frames: list[bytes] = []
        for record in records:
            frames.append(frame(record, tag, position, seed))
            position += len(frames[-1])
            tag += 1
        return b"".join(frames)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            if written <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            view = view[written:]

    def _undo(self, segment: Segment, error: OSError) -> None:
        """Cut off what was written in part. If that fails, or the file is at its end, it is not written to any more."""
        trusted = error.errno in (errno.ENOSPC, errno.EDQUOT)
        try:
            os.ftruncate(self._fd, segment.size)
        except OSError:
            trusted = False
        if not trusted or not segment.count:
            self.seal()
