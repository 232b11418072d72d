"""Reading what dead processes have left, without ever holding more than one segment of it.

    directories, oldest first ─► lock: the owner is dead ─► its segments, in order ─► records above the watermark
                                                                                          │ read
                              directory deleted ◄─ watermark moved, segments deleted ◄────┘ settle

Whatever is damaged is passed over, counted and said. A process that dies while it recovers leaves what it has not
settled to the next one.
"""

import os
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fapilog.diagnostics import Diagnostics
from fapilog.durable.directories import (
    BAD,
    PRIVATE_FILE,
    SEGMENT,
    claim_directory,
    close_all,
    directories,
    listed,
    remove_directory,
)
from fapilog.durable.frames import (
    HEADER_BYTES,
    OWNER_MAGIC,
    SEGMENT_MAGIC,
    SLOT_BYTES,
    Slot,
    is_other_version,
    read_slot,
    scan,
    seed_of,
)
from fapilog.engine.journal.files import read_owner
from fapilog.engine.journal.options import LARGEST_SEGMENT

_READ_AT_ONCE = 1 << 20
_FLAGS = os.O_RDONLY | PRIVATE_FILE


class Recovered(NamedTuple):
    """A record that a dead process has left: its level number and its bytes, as they were appended."""

    level: int
    payload: bytes


class Recovery:
    """What is found in a journal's directory. Used by one thread, the worker; raises nothing.

    Attributes:
        recovered: How many records were read.
        damaged: How many could not be, as far as their beginnings were found.
        quarantined: How many files or directories were renamed to ``*.bad``.
    """

    def __init__(self, root: Path, diagnostics: Diagnostics) -> None:
        """Look for nothing yet."""
        self._root = root
        self._diagnostics = diagnostics
        self._records = self._all()
        self._orphans: list[_Orphan] = []
        self.recovered = 0
        self.damaged = 0
        self.quarantined = 0

    def read(self, most: int) -> list[Recovered]:
        """Return up to ``most`` further records, all of one process, in order; empty only if there are no more."""
        records: list[Recovered] = []
        for record in self._records:
            if record is not None:
                records.append(record)
            if len(records) == most or (record is None and records):
                break
        self.recovered += len(records)
        return records

    def settle(self) -> None:
        """Say that all that was read so far is settled at every sink: it is not found again."""
        for orphan in self._orphans:
            orphan.settle()
        self._orphans = [orphan for orphan in self._orphans if not orphan.finished]

    def close(self) -> None:
        """Leave the rest, and what was read but not settled, to the next recovery."""
        with suppress(ValueError):
            # In a forked child the thread that reads is gone, and it may have been in the middle of it.
            self._records.close()
        for orphan in self._orphans:
            orphan.release()
        self._orphans.clear()

    def _all(self) -> Generator[Recovered | None, None, None]:
        """Yield every record, and None behind each process's."""
        for name in directories(self._root):
            claimed = claim_directory(self._root, name)
            if claimed is None:
                continue
            orphan = _Orphan(self._root / name, *claimed)
            if orphan.is_foreign():
                self._quarantine(f"{name} is of another version of fapilog", self._root / name, name)
                orphan.release()
                continue
            self._orphans.append(orphan)
            before = self.damaged
            for segment in self._segments(orphan, name):
                yield from self._of_segment(orphan, segment)
            orphan.finished = True
            if self.damaged > before:
                self._say(f"{self.damaged - before} damaged records in {name} are lost")
            if orphan.untouched():
                orphan.settle()
                self._orphans.remove(orphan)
            else:
                yield None

    def _segments(self, orphan: "_Orphan", directory: str) -> list["_Segment"]:
        """Return the segments of a process in the order of their positions; put away what is none."""
        found: list[_Segment] = []
        for name, data in orphan.headers():
            slot = read_slot(data, SEGMENT_MAGIC)
            if slot is not None and orphan.stream in (None, slot.stream):
                found.append(_Segment(slot.a, slot.b, name, seed_of(slot.stream)))
            elif slot is not None or data.strip(b"\0") or orphan.holds(name):
                self._quarantine(f"{name} has no header that can be read", orphan.path / name, f"{directory}-{name}")
            else:
                orphan.done.append(name)  # its owner died while it made the file
        return sorted(found)

    def _of_segment(self, orphan: "_Orphan", segment: "_Segment") -> Generator[Recovered, None, None]:
        data = orphan.content(segment.name)
        for frame in scan(data, segment.base, orphan.position, segment.seed):
            if frame is None:
                self.damaged += 1
            elif frame.end > orphan.position:
                orphan.position = frame.end
                yield Recovered(frame.tag, frame.payload)
        orphan.done.append(segment.name)

    def _quarantine(self, text: str, path: Path, name: str) -> None:
        target = self._root / f"{name}{BAD}"
        with suppress(OSError):
            path.rename(target)
            self.quarantined += 1
            self._say(f"{text}; it is kept as {target.name}")

    def _say(self, text: str) -> None:
        self._diagnostics.report("journal", f"{self._root}: {text}")


class _Segment(NamedTuple):
    """A file that can be read."""

    base: int
    span: int
    name: str
    seed: int


class _Orphan:
    """The directory of a dead process, locked by us."""

    def __init__(self, path: Path, fd: int, lock_fd: int) -> None:
        self.path = path
        self._fd = fd
        self._lock_fd = lock_fd
        self._data, self._slot = read_owner(lock_fd)
        self.stream = self._slot.stream if self._slot is not None else None
        self._settled = self.position = self._slot.a if self._slot is not None else 0
        self.done: list[str] = []
        self.finished = False

    def is_foreign(self) -> bool:
        """Tell whether another version of fapilog has made it."""
        return self._slot is None and is_other_version(self._data, OWNER_MAGIC)

    def untouched(self) -> bool:
        """Tell whether nothing was read from it."""
        return self.position == self._settled

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the names and beginnings of its segments."""
        names = [name for name in listed(self._fd) if name.endswith(SEGMENT)]
        return [(name, self._read(name, HEADER_BYTES)) for name in sorted(names)]

    def content(self, name: str) -> bytes:
        """Return the whole segment."""
        return self._read(name, LARGEST_SEGMENT)

    def holds(self, name: str) -> bool:
        """Tell whether there is anything but zeros in a file."""
        return bool(self.content(name).strip(b"\0"))

    def settle(self) -> None:
        """Move the watermark over what was read; delete what is below it."""
        if self.position > self._settled:
            self._settled = self.position
            self._mark()
        with suppress(OSError):
            while self.done:
                os.unlink(self.done[-1], dir_fd=self._fd)
                self.done.pop()
        if self.finished:
            if not any(name.endswith(SEGMENT) for name in listed(self._fd)):
                remove_directory(self.path, self._fd)
            self.release()

    def release(self) -> None:
        """Let others have it, if it is still there."""
        close_all((self._lock_fd, self._fd))

    def _mark(self) -> None:
        if self._slot is None:
            return  # its records are found again, all of them: better twice than not at all
        self._slot = slot = Slot(*self._slot)._replace(generation=self._slot.generation + 1, a=self._settled)
        with suppress(OSError):
            os.pwrite(self._lock_fd, slot.pack(), slot.generation % 2 * SLOT_BYTES)

    def _read(self, name: str, most: int) -> bytes:
        pieces: list[bytes] = []
        with suppress(OSError):
            fd = os.open(name, _FLAGS, dir_fd=self._fd)
            try:
                while most > 0 and (piece := os.read(fd, min(most, _READ_AT_ONCE))):
                    pieces.append(piece)
                    most -= len(piece)
            finally:
                os.close(fd)
        return b"".join(pieces)
