"""Time that passes when told, and what is to be called later."""

import heapq
import itertools
from collections.abc import Callable

from fapilog.testing import FakeClock


class Loop:
    """A clock, and what was to be called later; time passes by :meth:`advance` alone.

    Attributes:
        gone: Nothing is called any more: the loop has ended.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.gone = False
        self._waiting: list[tuple[float, int, Handle]] = []
        self._number = itertools.count()

    def call_later(self, seconds: float, function: Callable[[], None]) -> "Handle":
        handle = Handle(function)
        heapq.heappush(self._waiting, (self.clock.monotonic() + seconds, next(self._number), handle))
        return handle

    def advance(self, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        while not self.gone and self._waiting and self._waiting[0][0] <= until:
            due, _, handle = heapq.heappop(self._waiting)
            self.clock.advance(max(0.0, due - self.clock.monotonic()))
            if not handle.cancelled:
                handle.function()
        self.clock.advance(until - self.clock.monotonic())

    @property
    def timers(self) -> int:
        return sum(not handle.cancelled for _, _, handle in self._waiting)


class Handle:
    """As asyncio's."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
