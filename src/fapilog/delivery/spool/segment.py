"""One file of a spool, and how records are read from it a piece at a time."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from fapilog.durable.frames import HEADER_BYTES, Frame, scan

SPOOL_SEGMENT = 0xF5FA_5B5E
SPOOL_OWNER = 0xF5FA_5B0E
_READ_AT_ONCE = 1 << 20


@dataclass(slots=True)
class Segment:
    """A file of records.

    Attributes:
        name: In its directory.
        base: The position in the stream of its first byte behind the header.
        first: The number of its first record; records of a stream are numbered from 0.
        size: How many bytes of the file count; what is behind them was never acknowledged to a caller.
        count: How many records were appended to it; for one whose end is not known, as many as were found.
    """

    name: str
    base: int
    first: int
    size: int
    count: int

    @property
    def end(self) -> int:
        """The position behind its last byte."""
        return self.base + self.size - HEADER_BYTES

    @property
    def next(self) -> int:
        """The number behind its last record."""
        return self.first + self.count


def frames_from(fd: int, segment: Segment, position: int, seed: int, window: int) -> Iterator[Frame]:
    """Yield the true frames of an open segment from a position on.

    A window of the file is held at a time; behind damage the rest of the file, to find the next true frame.

    Args:
        fd: The file, open for reading.
        segment: What is known of it.
        position: Where to begin; the beginning of a frame.
        seed: The stream's.
        window: How many bytes to read at once.

    Raises:
        OSError: If the file cannot be read.
    """
    whole = False
    while position < segment.end:
        rest = segment.end - position
        data = _read(fd, position - segment.base + HEADER_BYTES, rest if whole else min(window, rest))
        before = position
        for frame in scan(data, position + HEADER_BYTES, 0, seed, 0):
            if frame is not None:
                position = frame.end
                yield frame
            elif not whole:
                # Damaged, or only cut off by the window's end: a second look from here tells.
                break
        if whole:
            return
        whole = position == before


def _read(fd: int, at: int, size: int) -> bytes:
    pieces: list[bytes] = []
    while size > 0 and (piece := os.pread(fd, min(size, _READ_AT_ONCE), at)):
        pieces.append(piece)
        at += len(piece)
        size -= len(piece)
    return b"".join(pieces)
