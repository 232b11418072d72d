"""Time as an argument: whatever waits, ages or stamps takes a clock, so that tests need not sleep."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where a part reads the time. ``fapilog.testing.FakeClock`` is the one for tests."""

    def time_ns(self) -> int:
        """Return the wall clock in nanoseconds since the epoch; it may step."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only move forward; for deadlines and ages."""
        ...


class SystemClock:
    """The operating system's clocks."""

    def time_ns(self) -> int:
        """Return :func:`time.time_ns`."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return :func:`time.monotonic`."""
        return time.monotonic()


SYSTEM_CLOCK = SystemClock()
