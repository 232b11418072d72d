"""What the tests of the journal share."""

import os
from pathlib import Path

from fapilog.diagnostics import Diagnostics
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.journal.recovery import Recovery
from fapilog.engine.journal.store import Journal
from fapilog.testing import FakeClock

SMALL = {"max_bytes": 1_000_000, "segment_bytes": 64_000}
SPAN = 61_440 - 128
"""How many bytes of records a small segment holds."""


def journal_in(directory: Path, clock: FakeClock | None = None, said: list[str] | None = None, **options) -> Journal:
    """Return an open journal with small segments."""
    clock = clock or FakeClock()
    sink = said if said is not None else []
    journal = Journal(JournalOptions(directory, **(SMALL | options)), "app", Diagnostics(clock, sink.append), clock)
    assert journal.open(), sink
    return journal


def lines(count: int, begin: int = 0, width: int = 60) -> list[bytes]:
    """Return payloads that can be told apart."""
    return [b'{"n":%d,"text":"%s"}' % (number, b"x" * width) for number in range(begin, begin + count)]


def crash(journal: Journal) -> None:
    """Let go of the journal as the kernel does for a process that dies: nothing is written, the lock is gone."""
    if journal._owner is not None:
        journal._owner.forget()
    journal._begin()


def recover(directory: Path, said: list[str] | None = None, *, settle: bool = True, most: int = 100) -> list[bytes]:
    """Return all payloads that are found, and leave them settled or not."""
    recovery = recovery_in(directory, said)
    found: list[bytes] = []
    while records := recovery.read(most):
        found += [record.payload for record in records]
        if settle:
            recovery.settle()
    recovery.close()
    return found


def recovery_in(directory: Path, said: list[str] | None = None) -> Recovery:
    sink = said if said is not None else []
    return Recovery(directory, Diagnostics(FakeClock(), sink.append))


def settle(journal: Journal, tickets: list[int]) -> None:
    journal.claim(tickets).settle()
    journal.tend()


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*/*.seg"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
