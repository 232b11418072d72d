"""The journal of one process: appended to by callers, tended by the worker."""

import io
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.diagnostics import Diagnostics, describe
from fapilog.durable.frames import (
    FRAME_BYTES,
    FRAME_MAGIC,
    HEADER_BYTES,
    SHORT_BYTES,
    checksum,
    frame_body,
    pack_state,
    seed_of,
)
from fapilog.engine.journal.files import Owner, Segment, default_directory, make_owner, make_root
from fapilog.engine.journal.frontier import SIZE_BITS, Claim, Frontier
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.journal.recovery import Recovery

FULL = "full"
TOO_LARGE = "too_large"
CLOSED = "closed"
_RETRY_SECONDS = 1.0
_SPARE = 2
_FROM_HERE = 1
_TRIES = 10


class Journal:
    """A ring of mapped segments.

    :meth:`append` and :meth:`discard` may be called by any thread, also by a signal handler that interrupts them.
    :meth:`claim` and :meth:`tend` are the worker's. The other methods are thread-safe. Nothing here raises.

    Args:
        options: Where it is and how large it may grow.
        service: What the default directory is named after.
        diagnostics: Where it is said what cannot be done.
        clock: For how long to wait before something is tried again.
    """

    def __init__(
        self,
        options: JournalOptions,
        service: str = "",
        diagnostics: Diagnostics | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Make a closed journal."""
        self.root = Path(options.directory) if options.directory is not None else default_directory(service)
        self._diagnostics = diagnostics or Diagnostics(clock)
        self._clock = clock
        self._size = options.segment_size
        self._span = options.segment_size - HEADER_BYTES
        self._most = options.segments
        self._begin()

    def _begin(self) -> None:
        """Set up all that a forked child must not share with its parent."""
        self._lock = threading.RLock()
        self._reserve_lock = threading.Lock()
        # Seeking from where one is adds to a number and returns the sum, in one step that no other thread gets between.
        self._position = io.BytesIO()
        self._reserve: Callable[[int, int], int] = self._position.seek if _has_gil() else self._reserve_locked
        self._owner: Owner | None = None
        self._maps: dict[int, Segment] = {}
        self._spare: list[Segment] = []
        self._largest = 0
        self._seed = 1
        self._made = 0
        self._growing = False
        self._recovery: Recovery | None = None
        self._retry_at = 0.0
        self._tainted: set[int] = set()
        self._frontier = Frontier(0, 0.0)
        self._marked = 0
        self.refused: Counter[str] = Counter()

    def after_fork(self) -> None:
        """Let go of the parent's files; for the child of a fork, before anything else runs there. It is closed then."""
        if self._owner is not None:
            self._owner.forget()
        if self._recovery is not None:
            self._recovery.close()
        self._begin()

    @property
    def is_open(self) -> bool:
        """Whether appended records are kept."""
        return self._owner is not None

    def open(self) -> bool:
        """Take a directory of its own and make the first segment; False if that cannot be done, which is said."""
        with self._lock:
            if self._owner is not None:
                return True
            now = self._clock.monotonic()
            try:
                make_root(self.root)
                owner = make_owner(self.root)
            except (OSError, ValueError) as error:
                self._say(f"nothing is kept for the case of a kill: {describe(error)}")
                return False
            self._owner, self._seed = owner, seed_of(owner.stream)
            # Positions go on from a former opening, so that its tickets are no one else's.
            index = self._position.tell() // self._span + 1
            self._position.seek(index * self._span)
            self._frontier = Frontier(index * self._span, now)
            self._marked = index * self._span
            owner.mark(self._marked)
            first = self._new_segment()
            if first is None:
                self._owner = None
                owner.remove()
                return False
            first.touch()
            self._spare.append(first)
            self._grow(index)
            self._largest = self._span
            return True

    def append(self, payload: bytes, level: int) -> int | None:
        """Keep a record; return its ticket for :meth:`claim`, or None if it was refused, counted in ``refused``.

        Costs about a microsecond, makes no system call and takes no lock, but where a segment has to be made. Of
        what one thread appends the order is kept.

        Args:
            payload: One serialised event, redacted, at least one byte; it is written as it is.
            level: Its level number.
        """
        size = (len(payload) + FRAME_BYTES + 7) & ~7
        if size > self._largest or not payload:
            self._refuse(size)
            return None
        start = self._reserve(size, _FROM_HERE) - size
        index = start // self._span
        at = start - index * self._span
        segment = self._maps.get(index)
        if segment is None or at + size > self._span:
            placed = self._place(start, size)
            if placed is None:
                return None
            segment, start, at = placed
        at += HEADER_BYTES
        body = frame_body(payload, level, start)
        check = crc32(body, self._seed) if size <= SHORT_BYTES else checksum(body, self._seed)
        memory = segment.memory
        # What makes it true is written last: a process that dies in between leaves nothing that looks whole.
        memory[at + 8 : at + 8 + len(body)] = body
        pack_state(memory, at, FRAME_MAGIC, check)
        return start << SIZE_BITS | size

    def discard(self, ticket: int) -> None:
        """Take back a record that the worker will never see, because the queue had no room. Any thread."""
        start = ticket >> SIZE_BITS
        self._frontier.pass_over(start, start + (ticket & ((1 << SIZE_BITS) - 1)))

    def claim(self, tickets: Iterable[int]) -> Claim:
        """Note that the worker has taken these records; settle the claim when every sink has settled them all."""
        with self._lock:
            return self._frontier.claim(tickets, self._clock.monotonic())

    def tend(self, seen: float | None = None) -> None:
        """Move the watermark, use settled segments again, and have the next one ready. Costs little; call it often.

        Args:
            seen: A moment of the clock before which nothing is on its way to :meth:`claim` any more; default now.
        """
        now = self._clock.monotonic()
        with self._lock:
            if self._owner is None:
                return
            self._advance(now if seen is None else seen)
            wanted = self._wanted(now)
        if wanted:
            self._prepare()

    def recover(self) -> Recovery:
        """Return a reader of what dead processes have left; what this process is writing is not among that."""
        self._recovery = Recovery(self.root, self._diagnostics)
        return self._recovery

    def close(self) -> None:
        """Delete all that is settled. What is not stays for the next start, and can be recovered from now on."""
        with self._lock:
            owner = self._owner
            if owner is None:
                return
            self._largest = 0
            # At no time: what has not come by now may have been left to the next start.
            self._advance(float("-inf"))
            rest = self._frontier.settled < self._position.tell()
            self._owner = None
            self._maps = {}
            self._spare = []
            if rest:
                owner.release()
            else:
                owner.remove()

    def figures(self) -> dict[str, Any]:
        """Return ``open``, ``bytes`` on the disk, ``waiting_bytes`` that are not settled, and ``refused`` by reason."""
        with self._lock:
            count = len(self._maps) + len(self._spare)
            waiting = self._position.tell() - self._frontier.settled if self._owner is not None else 0
            return {
                "open": self._owner is not None,
                "bytes": count * self._size,
                "waiting_bytes": waiting,
                "refused": dict(self.refused),
            }

    def _refuse(self, size: int) -> None:
        full = TOO_LARGE if not FRAME_BYTES < size <= self._span else FULL
        self._count_refused(CLOSED if self._owner is None else full)

    def _count_refused(self, reason: str) -> None:
        # First the key: a counter without it calls Python code to get it, in which a signal handler may log, too.
        self.refused.setdefault(reason, 0)
        self.refused[reason] += 1

    def _place(self, start: int, size: int) -> tuple[Segment, int, int] | None:
        """Find room for a record whose reserved positions cannot be used as they are."""
        with self._lock:
            for _ in range(_TRIES):
                if self._owner is None or self._growing:
                    break
                index = start // self._span
                at = start - index * self._span
                if at + size <= self._span:
                    segment = self._maps.get(index) or self._grow(index)
                    if segment is None:
                        break
                    return segment, start, at
                start = self._move_on(start, size, (index + 1) * self._span)
            self._frontier.pass_over(start, start + size)
            self._count_refused(CLOSED if self._owner is None else FULL)
            return None

    def _move_on(self, start: int, size: int, boundary: int) -> int:
        """Exchange positions that lie in two segments for others, if possible for the first of the second one."""
        end, more = start + size, boundary - start
        beyond = self._reserve(more, _FROM_HERE)
        if beyond - more == end:
            self._frontier.pass_over(start, boundary)
            return boundary
        # Another thread came in between.
        self._frontier.pass_over(start, end)
        self._frontier.pass_over(beyond - more, beyond)
        return self._reserve(size, _FROM_HERE) - size

    def _grow(self, index: int) -> Segment | None:
        """Have a segment for an index; the lock is held. None, and no appends for now, if there is no room."""
        if index * self._span < self._frontier.settled // self._span * self._span:
            return None  # a thread that slept since before the segment was settled
        segment = self._spare.pop() if self._spare else self._new_segment()
        if segment is None:
            self._largest = 0
            return None
        segment.begin(index * self._span)
        self._maps[index] = segment
        return segment

    def _new_segment(self) -> Segment | None:
        if self._owner is None or len(self._maps) + len(self._spare) >= self._most:
            return None
        # A signal handler may log while this thread is here, holding the lock, which lets it in.
        self._growing = True
        try:
            self._made += 1
            return Segment(self._owner, self._made, self._size)
        except (OSError, ValueError) as error:
            self._retry_at = self._clock.monotonic() + _RETRY_SECONDS
            self._say(f"no room for another segment: {describe(error)}")
            return None
        finally:
            self._growing = False

    def _advance(self, now: float) -> None:
        """Move the watermark and free the segments below it; the lock is held."""
        lost = self._frontier.advance(now)
        if lost is not None:
            # Whoever was to write there may still come; its segment is not used again.
            self._tainted.update(range(lost[0] // self._span, (lost[1] - 1) // self._span + 1))
        settled = self._frontier.settled
        if settled == self._marked or self._owner is None:
            return
        self._marked = settled
        self._owner.mark(settled)
        for index in list(self._maps):
            if (index + 1) * self._span > settled:
                continue
            segment = self._maps.pop(index)
            if index in self._tainted or len(self._spare) >= _SPARE:
                segment.delete()
            else:
                self._spare.append(segment)
        self._tainted = {index for index in self._tainted if index in self._maps}

    def _wanted(self, now: float) -> bool:
        """Tell whether the segment that comes next should be made, and open the journal for appends if it may be."""
        if now < self._retry_at:
            return False
        may_grow = bool(self._spare) or len(self._maps) < self._most
        head = self._position.tell()
        index = head // self._span
        if self._largest == 0 and (may_grow or index in self._maps):
            self._largest = self._span
        half_full = head - index * self._span > self._span // 2 or index not in self._maps
        return may_grow and half_full and index + 1 not in self._maps and not self._spare

    def _prepare(self) -> None:
        """Have a spare segment, its pages touched without the lock."""
        with self._lock:
            segment = self._new_segment()
            owner = self._owner
        if segment is None:
            return
        segment.touch()
        with self._lock:
            if self._owner is owner and owner is not None:
                self._spare.append(segment)
            else:
                segment.delete()

    def _reserve_locked(self, size: int, whence: int) -> int:
        with self._reserve_lock:
            return self._position.seek(size, whence)

    def _say(self, text: str) -> None:
        self._diagnostics.report("journal", f"{self.root}: {text}")


def _has_gil() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())
