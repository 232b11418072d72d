"""The last events of an engine in memory, as redacted JSON lines, for whoever looks at the running process.

    worker ─► take(a slice as a batch) ─► ring of chunks, bounded in bytes, oldest leaves first
                      └─ level ERROR or above ─► a ring of their own, which chatter does not push out

Events are numbered from 1 on in the order in which the worker takes them. A reader keeps the number of the last one
that it has seen and asks what has come since: nothing is queued for it, and one that is too slow learns how many it has
missed. What is kept costs a slice one run of bytes, and an event nothing.
"""

import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fapilog.levels import ERROR
from fapilog.protocols import Batch

ERRORS_SHARE = 8
"""Which part of the bytes the ring of errors may have, beside the whole for everything."""
CHUNK_BYTES = 512 * 1024
"""How many bytes leave the ring, and go to a reader, at a time: as much, or one event if that has more."""
_PIECES = 8
_BOOT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some events that came together.

    Attributes:
        first: The number of the first.
        count: How many.
        data: Their lines, each ended by a newline.
    """

    first: int
    count: int
    data: bytes


class Recent:
    """The ring. Thread-safe; written by one thread. A forked child gets :meth:`reset`.

    Args:
        max_bytes: How many bytes of lines are kept; one event larger than that is kept alone.

    Attributes:
        boot: Eight hexadecimal digits that no other ring has: numbers mean something together with it.
        end: The number of the next event to come.
    """

    def __init__(self, max_bytes: int) -> None:
        """Start empty."""
        self.max_bytes = max_bytes
        self._piece_bytes = min(CHUNK_BYTES, max_bytes // _PIECES)
        self.reset()

    def reset(self) -> None:
        """Start anew, under another name."""
        self.boot = os.urandom(_BOOT_BYTES).hex()
        self.end = 1
        self._lock = threading.Lock()
        self._chunks: deque[Chunk] = deque()
        self._bytes = 0
        self._errors: deque[tuple[int, bytes]] = deque()
        self._error_bytes = 0

    @property
    def start(self) -> int:
        """The number of the oldest event that is kept; ``end`` if none is."""
        with self._lock:
            return self._chunks[0].first if self._chunks else self.end

    def take(self, batch: Batch, levels: Sequence[int]) -> None:
        """Keep a batch of JSON lines.

        Args:
            batch: The events, all with a line; its bytes are shared with the sinks that write the same.
            levels: The level number of each.
        """
        if not levels:
            return
        whole = Chunk(self.end, len(levels), batch.lines)
        chunks = [whole] if len(whole.data) <= self._piece_bytes else _pieces(whole, self._piece_bytes)
        grave = max(levels) >= ERROR
        with self._lock:
            self._chunks.extend(chunks)
            self._bytes += len(whole.data)
            while self._bytes > self.max_bytes and len(self._chunks) > 1:
                self._bytes -= len(self._chunks.popleft().data)
            if grave:
                self._keep_errors(whole.first, batch, levels)
            self.end = whole.first + whole.count

    def _keep_errors(self, first: int, batch: Batch, levels: Sequence[int]) -> None:
        for index, level in enumerate(levels):
            if level >= ERROR:
                self._errors.append((first + index, batch.line(index)))
                self._error_bytes += len(batch.line(index))
        while self._error_bytes > self.max_bytes // ERRORS_SHARE and len(self._errors) > 1:
            self._error_bytes -= len(self._errors.popleft()[1])

    def since(self, number: int, max_bytes: int = 1 << 20) -> tuple[int, list[Chunk]]:
        """Return the events from a number on, and how many of them are not kept any more.

        Args:
            number: Of the first event that is wanted.
            max_bytes: How many bytes at most, but always one chunk if there is any; ask again for the rest.
        """
        found: list[Chunk] = []
        size = 0
        with self._lock:
            oldest = self._chunks[0].first if self._chunks else self.end
            for chunk in reversed(self._chunks):
                if chunk.first + chunk.count <= number:
                    break
                found.append(chunk)
        found.reverse()
        for place, chunk in enumerate(found):
            size += len(chunk.data)
            if size > max_bytes and place:
                del found[place:]
                break
        if found and found[0].first < number:
            found[0] = _without(found[0], number - found[0].first)
        return max(0, oldest - number), found

    def chunks(self) -> list[Chunk]:
        """Return everything that is kept, oldest first."""
        with self._lock:
            return list(self._chunks)

    def errors(self) -> list[tuple[int, bytes]]:
        """Return number and line of the events of level ERROR and above that are kept, oldest first."""
        with self._lock:
            return list(self._errors)

    def describe(self) -> dict[str, int]:
        """Return how much is kept."""
        with self._lock:
            oldest = self._chunks[0].first if self._chunks else self.end
            return {
                "events": self.end - oldest,
                "bytes": self._bytes,
                "max_bytes": self.max_bytes,
                "oldest_number": oldest,
            }


def _pieces(whole: Chunk, most: int) -> list[Chunk]:
    """Return a chunk in pieces of so many bytes, or of one event that has more."""
    pieces: list[Chunk] = []
    data, first, start = whole.data, whole.first, 0
    while start < len(data):
        end = len(data) if len(data) - start <= most else data.rfind(b"\n", start, start + most) + 1
        piece = data[start : end or data.index(b"\n", start) + 1]
        pieces.append(Chunk(first, piece.count(b"\n"), piece))
        first += pieces[-1].count
        start += len(piece)
    return pieces


def _without(chunk: Chunk, count: int) -> Chunk:
    """Return a chunk without its first events."""
    at = 0
    for _ in range(count):
        at = chunk.data.index(b"\n", at) + 1
    return Chunk(chunk.first + count, chunk.count - count, chunk.data[at:])
