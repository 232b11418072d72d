"""What the tests of the spool share."""

import os
from pathlib import Path

from fapilog.delivery.spool.options import SpoolOptions
from fapilog.delivery.spool.store import SpoolStore
from fapilog.testing import FakeClock


def spool_in(directory: Path, said: list[str] | None = None, clock: FakeClock | None = None, **options) -> SpoolStore:
    """Return an open spool."""
    store = SpoolStore(SpoolOptions(directory, **options), "sink", clock or FakeClock(), (said or []).append)
    if said is not None:
        store._say = said.append
    store.open()
    return store


def crash(store: SpoolStore) -> None:
    """Let go as the kernel does for a process that dies: nothing is written, the lock is gone."""
    store.abandon_after_fork()


def take(store: SpoolStore, most: int = 100, limit: int = 1_000_000) -> list[bytes]:
    """Read and acknowledge everything."""
    found: list[bytes] = []
    while chunk := store.read(most, limit):
        found += chunk.records
        store.acknowledge(chunk.token)
    return found


def lines(count: int, begin: int = 0, width: int = 60) -> list[bytes]:
    """Return records that can be told apart."""
    return [b'{"n":%d,"text":"%s"}' % (number, b"x" * width) for number in range(begin, begin + count)]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*/*/*.seg"))


def lock(directory: Path) -> Path:
    (found,) = directory.glob("*/*/LOCK")
    return found


def recover(directory: Path, said: list[str] | None = None, **options) -> tuple[list[bytes], int]:
    """Return what another process finds, and how many it counts as damaged."""
    store = spool_in(directory, said, **options)
    found = take(store)
    damaged = store.figures["damaged_events"]
    store.close()
    return found, damaged


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
