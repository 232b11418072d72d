"""Searches of the console's, one at a time.

Eight megabytes of lines keep the interpreter's lock busy for a tenth of a second. Several threads that do so at a time
leave the event loop little of it, take the threads that the application has for its own work, and hold an answer each.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Turns:
    """Calls functions on a thread, each when the one before it has returned. For one event loop at a time."""

    def __init__(self) -> None:
        """Belong to no loop yet."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()

    async def call(self, function: Callable[[], T]) -> T:
        """Return what ``function`` returns; what it raises goes on.

        A caller that is cancelled lets the next one begin, although its own function goes on.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A lock belongs to the loop that it was first waited for in.
            self._loop, self._lock = loop, asyncio.Lock()
        async with self._lock:
            return await asyncio.to_thread(function)
