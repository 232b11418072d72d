"""The spool of one sink in one process."""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.delivery.spool.adoption import adopt
from fapilog.delivery.spool.appender import Appender
from fapilog.delivery.spool.options import SpoolOptions
from fapilog.delivery.spool.segment import SPOOL_OWNER
from fapilog.delivery.spool.stream import Stream, header
from fapilog.diagnostics import describe
from fapilog.durable.directories import close_all, directories, make_directory, make_root, remove_directory, safe_name
from fapilog.durable.frames import HEADER_BYTES, VERSION, Slot, frame_size

_LONGEST_NAME = 80
_IS_POSIX = os.open in os.supports_dir_fd

_WAITING = ("pending_events", "pending_bytes", "segments")


class SpoolFullError(OSError):
    """The quota is used up, and what is there may not be dropped, or a batch is larger than the quota."""


@dataclass(frozen=True)
class Appended:
    """What an append has cost.

    Attributes:
        removed: How many records of this process were dropped for it, the oldest.
        recovered_removed: How many of earlier processes.
    """

    removed: int
    recovered_removed: int


@dataclass(frozen=True)
class Token:
    """Up to where a chunk goes, for :meth:`SpoolStore.acknowledge`."""

    stream: Stream
    position: int
    number: int


@dataclass(frozen=True)
class Chunk:
    """Records that were read, in order.

    Attributes:
        records: As they were appended, one at least.
        recovered: Whether an earlier process, or an earlier opening, has appended them.
        token: For :meth:`SpoolStore.acknowledge`.
    """

    records: list[bytes]
    recovered: bool
    token: Token


class SpoolStore:
    """Keeps records until they are acknowledged. Its methods block; one thread at a time calls them.

    Args:
        options: Where, and how much.
        sink_name: Whose records; sinks of other names have other directories.
        clock: Tells when to sync.
        say: Is told what could not be read, and what is put away.

    Attributes:
        root: The directory of this sink.
    """

    def __init__(
        self,
        options: SpoolOptions,
        sink_name: str,
        clock: Clock = SYSTEM_CLOCK,
        say: Callable[[str], object] = str,
    ) -> None:
        """Touch no file yet."""
        self.root = Path(options.directory) / _directory_name(sink_name)
        self._options = options
        self._drops = options.full == "drop_oldest"
        self._clock = clock
        self._say = say
        self._most = options.total_size
        self._damaged = self._failures = self._removed = self._recovered = 0
        self._figures: dict[str, int] = {}
        self._begin()

    def _begin(self) -> None:
        self._streams: list[Stream] = []
        self._appender: Appender | None = None
        self._own: Stream | None = None
        self._dropped = [0, 0]
        self._count()

    @property
    def append_bytes(self) -> int:
        """How many bytes of records are best appended at once: at most a segment, so that the quota can be kept."""
        return self._options.segment_size

    @property
    def figures(self) -> Mapping[str, int]:
        """What there is and was; for any thread.

        ``pending_events``, ``pending_bytes``, ``segments``: what waits. ``recovered_events``: found at opening.
        ``damaged_events``: could not be read. ``removed_events``: dropped for the quota. ``failures``: a cursor that
        could not be written, a file that could not be deleted, or data that could not be forced to the disk.
        """
        return self._figures

    def open(self) -> None:
        """Make a directory of its own, and take over those of dead processes.

        Raises:
            OSError: If that cannot be done.
        """
        if self._own is not None:
            return
        if not _IS_POSIX:
            raise OSError(errno.ENOTSUP, "the spool needs a POSIX system")
        try:
            for name in directories(self.root):
                self._take_over(name)
            self._own = self._new_stream()
        except OSError:
            for stream in self._streams:
                stream.close()
            self._begin()
            raise
        self._streams.append(self._own)
        self._appender = Appender(self._own, self._options, self._clock)
        self._count()

    def append(self, records: Sequence[bytes]) -> Appended:
        """Keep a batch, all of it or nothing; once this returns it survives the process.

        Args:
            records: Of at least one byte each.

        Raises:
            SpoolFullError: If the quota does not allow it.
            OSError: If the disk does not; later it may.
            ValueError: If a record is empty.
        """
        appender = self._appender
        if appender is None:
            raise OSError("the spool is closed")
        if not all(records):
            raise ValueError("a record is empty")
        if records:
            size = sum(frame_size(len(record)) for record in records) + HEADER_BYTES
            try:
                self._make_room(size, appender)
                self._write(records, appender)
            finally:
                self._count()
        removed, recovered = self._dropped
        self._dropped = [0, 0]
        return Appended(removed, recovered)

    def read(self, max_records: int, max_bytes: int) -> Chunk | None:
        """Return the next records that were not read yet, None if there are none.

        Args:
            max_records: How many at most, at least one.
            max_bytes: How large they may be together; a single record may be larger.
        """
        for stream in list(self._streams):
            try:
                records = stream.read(max(1, max_records), max_bytes)
            except OSError as error:
                self._say(f"cannot be read now: {describe(error)}")
                break
            if records:
                self._count()
                return Chunk(records, stream.recovered, Token(stream, *stream.token()))
            self._finish(stream)
        self._count()
        return None

    def acknowledge(self, token: Token) -> None:
        """Say that everything up to the end of a chunk is delivered: it is not read again, by anyone."""
        stream = token.stream
        if stream not in self._streams:
            return
        for earlier in self._streams[: self._streams.index(stream)]:
            earlier.acknowledge(*earlier.token())
            self._finish(earlier)
        stream.acknowledge(token.position, token.number)
        if self._options.sync == "always":
            self.sync()
        self._finish(stream)
        self._count()

    def tend(self) -> None:
        """Force what was appended to the disk if the policy is an interval and that is over."""
        if self._appender is not None:
            self._appender.sync_if_due()

    def sync(self) -> None:
        """Force all that was appended and acknowledged to the disk; failures are counted."""
        if self._appender is not None:
            self._appender.sync()

    def close(self) -> None:
        """Sync, and give up the lock. What is pending stays for the next opening; without any, no file stays."""
        if self._appender is not None:
            self._appender.sync()
            self._appender.seal()
        for stream in self._streams:
            self._keep_counts(stream)
            stream.close()
        with suppress(OSError):
            # Only if nobody else has a directory in it.
            self.root.rmdir()
        # What stays behind is still there to be told of.
        left = {name: self._figures[name] for name in _WAITING if name in self._figures}
        self._begin()
        self._figures = {**self._figures, **left}

    def abandon_after_fork(self) -> None:
        """Let go of the parent's files without unlocking them; for the child of a fork. It is closed then."""
        if self._appender is not None:
            self._appender.forget()
        for stream in self._streams:
            stream.forget()
        self._begin()

    def _new_stream(self) -> Stream:
        for root in (self.root.parent, self.root):
            make_root(root, "the spool's")
        name, claimed = make_directory(self.root)
        slot = Slot(SPOOL_OWNER, VERSION, 1, os.urandom(16), 0, 0, self._clock.time_ns())
        try:
            # The room of both slots is taken now: later they are rewritten in place.
            os.pwrite(claimed.lock_fd, header(slot), 0)
        except OSError:
            remove_directory(self.root / name, claimed.fd)
            close_all(claimed)
            raise
        stream = Stream(self.root / name, claimed, slot, [], recovered=False)
        stream.syncs = self._options.sync != "never"
        return stream

    def _take_over(self, name: str) -> None:
        try:
            stream = adopt(self.root, name, self._say)
        except OSError as error:
            self._say(f"{name} is left to the next start: {describe(error)}")
            return
        if stream is None:
            return
        stream.syncs = self._options.sync != "never"
        self._recovered += stream.pending
        if stream.damaged:
            self._say(f"{stream.path.name}: at least {stream.damaged} records are missing or damaged")
        self._streams.append(stream)

    def _write(self, records: Sequence[bytes], appender: Appender) -> None:
        try:
            appender.append(records)
        except FileNotFoundError:
            # Somebody has deleted the directory.
            own = self._new_stream()
            self._own = own
            self._streams.append(own)
            appender = self._appender = Appender(own, self._options, self._clock)
            appender.append(records)
        appender.sync_if_due()

    def _make_room(self, size: int, appender: Appender) -> None:
        if size > self._most:
            raise SpoolFullError(f"a batch of {size} bytes is larger than the spool's quota of {self._most}")
        while sum(stream.size for stream in self._streams) + size > self._most:
            if self._own is not None and not self._own.pending and self._own.segments:
                appender.seal()
                if not self._own.segments:
                    continue
            stream = next((stream for stream in self._streams if stream.segments), None)
            if not self._drops or stream is None:
                raise SpoolFullError(f"the spool's quota of {self._most} bytes is used up")
            segment = stream.segments[0]
            if segment is stream.active:
                appender.seal()
            removed = stream.remove_oldest()
            self._removed += removed
            self._dropped[stream.recovered] += removed

    def _finish(self, stream: Stream) -> None:
        """Let go of another process's directory once all in it is acknowledged, or cannot be read."""
        if stream is self._own or not stream.finished:
            return
        self._streams.remove(stream)
        self._keep_counts(stream)
        stream.close()

    def _keep_counts(self, stream: Stream) -> None:
        self._damaged += stream.damaged
        self._failures += stream.failures
        stream.damaged = stream.failures = 0

    def _count(self) -> None:
        streams, appender = self._streams, self._appender
        self._figures = {
            "pending_events": sum(stream.pending for stream in streams),
            "pending_bytes": sum(stream.pending_bytes for stream in streams),
            "segments": sum(len(stream.segments) for stream in streams),
            "recovered_events": self._recovered,
            "damaged_events": self._damaged + sum(stream.damaged for stream in streams),
            "removed_events": self._removed,
            "failures": self._failures
            + sum(stream.failures for stream in streams)
            + (appender.sync_failures if appender is not None else 0),
        }


def _directory_name(sink_name: str) -> str:
    safe = safe_name(sink_name)[:_LONGEST_NAME]
    # Of two names that become the same one, each keeps a directory of its own.
    return safe if safe and safe == sink_name else f"{safe}-{crc32(sink_name.encode('utf-8', 'backslashreplace')):08x}"
