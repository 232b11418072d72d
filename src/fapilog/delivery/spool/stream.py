"""One process's directory of a spool: its segments, and how far it is acknowledged.

    acknowledged ≤ given to the reader's caller ≤ read ≤ end

The cursor is two slots in the lock's file, written in turns: a kill leaves one of them whole, and no room is needed
to move it.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from fapilog.delivery.spool.segment import Segment, frames_from
from fapilog.durable.directories import BAD, PRIVATE_FILE, Claimed, close_all, give_up, remove_directory
from fapilog.durable.frames import FRAME_BYTES, HEADER_BYTES, SLOT_BYTES, Slot, seed_of

LEAST_WINDOW = 1 << 16
_UNREADABLE = frozenset({errno.ENOENT, errno.EIO, errno.ELOOP, errno.EISDIR, errno.ENOTDIR})

sync_data = getattr(os, "fdatasync", os.fsync)


class Stream:
    """A locked directory with what is to be read from it.

    Args:
        path: Where it is.
        claimed: Its descriptors.
        slot: The cursor: ``a`` a position, ``b`` the number of the record there.
        segments: Its files in order.
        recovered: Whether a dead process has written it.

    Attributes:
        active: The segment that is written to, which is not deleted.
        syncs: Whether the cursor is forced to the disk before a file is deleted: after a power failure it would else
            take what was delivered for missing.
        damaged: How many records could not be read.
        failures: How often the cursor could not be written, or a file not be deleted.
        size: The bytes of its files.
        records: How many records its files hold, acknowledged ones included.
    """

    def __init__(self, path: Path, claimed: Claimed, slot: Slot, segments: list[Segment], *, recovered: bool) -> None:
        """Begin at the cursor."""
        self.path = path
        self.claimed = claimed
        self.recovered = recovered
        self.seed = seed_of(slot.stream)
        self.segments = segments
        self.active: Segment | None = None
        self.syncs = False
        self.damaged = 0
        self.failures = 0
        self.size = sum(segment.size for segment in segments)
        self.records = sum(segment.count for segment in segments)
        self._slot = slot
        self._position, self._number = slot.a, slot.b
        self._given = slot.a
        self._durable = True

    @property
    def name(self) -> bytes:
        """The random name that is part of every checksum."""
        return self._slot.stream

    @property
    def outstanding(self) -> bool:
        """Whether records were given out that are not acknowledged."""
        return self._given > self._slot.a

    @property
    def pending(self) -> int:
        """How many records are not acknowledged."""
        return self.records - (max(0, self._slot.b - self.segments[0].first) if self.segments else 0)

    @property
    def pending_bytes(self) -> int:
        """How many bytes of files are not acknowledged."""
        return self.size - (max(0, self._slot.a - self.segments[0].base) if self.segments else 0)

    @property
    def finished(self) -> bool:
        """Whether all was read, and what was given out is acknowledged."""
        return not self.outstanding and (not self.segments or self._position >= self.segments[-1].end)

    def read(self, most: int, limit: int) -> list[bytes]:
        """Return the next records, none if there are no more by now.

        Args:
            most: How many at most.
            limit: How many bytes at most, but for the first record.

        Raises:
            OSError: If it may go better later: too many open files, no permission.
        """
        for segment in self.segments:
            if segment.end <= self._position:
                self._pass(segment)
                continue
            if segment.base > self._position:
                # What was between is removed, and counted, or below the beginning of a stream without a cursor.
                self._position, self._number = segment.base, max(self._number, segment.first)
            records = self._read_segment(segment, most, limit)
            if records:
                self._given = self._position
                return records
            self._pass(segment)
        return []

    def token(self) -> tuple[int, int]:
        """Return what to acknowledge for all that was read."""
        return self._position, self._number

    def acknowledge(self, position: int, number: int) -> None:
        """Move the cursor, and delete what is below it."""
        if position <= self._slot.a:
            return
        for segment in self.segments:
            if segment.end <= position:
                self._pass(segment)
        if position >= self._given:
            # Damage that was passed over meanwhile is done with, too.
            position, number = self._position, self._number
        self.mark(position, number)
        self.trim()

    def mark(self, position: int, number: int) -> None:
        """Write the cursor into the older slot. If that fails it counts in memory: the records may come once more."""
        self._slot = slot = self._slot._replace(generation=self._slot.generation + 1, a=position, b=number)
        try:
            os.pwrite(self.claimed.lock_fd, slot.pack(), slot.generation % 2 * SLOT_BYTES)
        except OSError:
            self.failures += 1
        self._durable = False

    def trim(self) -> None:
        """Delete the segments that are wholly below the cursor, but for the active one."""
        while self.segments and self.segments[0] is not self.active and self.segments[0].end <= self._slot.a:
            self._pass(self.segments[0])
            self.delete(self.segments[0])

    def delete(self, segment: Segment) -> None:
        """Delete a segment's file, and forget the segment."""
        self.segments.remove(segment)
        self.size -= segment.size
        self.records -= segment.count
        if self.syncs:
            with suppress(OSError):
                self.sync()
        try:
            os.unlink(segment.name, dir_fd=self.claimed.fd)
        except FileNotFoundError:
            pass
        except OSError:
            self.failures += 1

    def remove_oldest(self) -> int:
        """Give the oldest segment up; return how many records nobody will read now.

        What was read of it and is not acknowledged is no loss to its reader; only a kill before that loses it.
        """
        segment = self.segments[0]
        lost = segment.next - min(segment.next, max(segment.first, self._number))
        # First the cursor: after a kill in between the segment is below it, and not missing.
        self._position, self._number = max(self._position, segment.end), max(self._number, segment.next)
        self._given = max(self._given, segment.end)
        self.mark(max(self._slot.a, segment.end), max(self._slot.b, segment.next))
        self.delete(segment)
        return lost

    def sync(self) -> None:
        """Force the cursor to the disk.

        Raises:
            OSError: If that fails.
        """
        if not self._durable:
            self._durable = True
            sync_data(self.claimed.lock_fd)

    def close(self) -> None:
        """Delete the directory if all is acknowledged; give up the lock."""
        if self.finished:
            self.mark(self._position, self._number)
            for segment in list(self.segments):
                self.delete(segment)
            remove_directory(self.path, self.claimed.fd)
        give_up(self.claimed)

    def forget(self) -> None:
        """Let go without giving up the lock."""
        close_all(self.claimed)

    def _pass(self, segment: Segment) -> None:
        """Leave a segment behind: what was not found in it, or between it and the next one, is lost."""
        if self._number < segment.next:
            self.damaged += segment.next - self._number
            self._number = segment.next
        self._position = max(self._position, segment.end)

    def _read_segment(self, segment: Segment, most: int, limit: int) -> list[bytes]:
        records: list[bytes] = []
        total = 0
        each = segment.size // max(1, segment.count) + 1
        window = max(LEAST_WINDOW, min(limit + most * 2 * FRAME_BYTES, each * most * 2))
        try:
            fd = os.open(segment.name, os.O_RDONLY | PRIVATE_FILE, dir_fd=self.claimed.fd)
            try:
                for frame in frames_from(fd, segment, self._position, self.seed, window):
                    total += len(frame.payload)
                    if records and (len(records) >= most or total > limit):
                        break
                    number = segment.first + frame.tag
                    self.damaged += number - self._number
                    self._position, self._number = frame.end, number + 1
                    records.append(frame.payload)
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno not in _UNREADABLE:
                raise
            if not records:
                self._put_away(segment, error)
        return records

    def _put_away(self, segment: Segment, error: OSError) -> None:
        self.failures += 1
        if error.errno != errno.ENOENT:
            with suppress(OSError):
                (self.path / segment.name).rename(self.path.with_name(f"{self.path.name}-{segment.name}{BAD}"))


def header(slot: Slot) -> bytes:
    """Return the beginning of a file that a slot describes."""
    return (slot.pack() * 2).ljust(HEADER_BYTES, b"\0")
