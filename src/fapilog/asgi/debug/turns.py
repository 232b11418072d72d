"""The console's own thread: what takes long is done there, one at a time.

Not on the threads of ``asyncio.to_thread``: those are the application's, and when it is in trouble all of them may be
waiting for something, while somebody opens the console to see what. And one at a time: eight megabytes of lines keep
the interpreter's lock busy for a tenth of a second, and several threads that do so leave the event loop little of it.
"""

import os
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from fapilog.offload import Offload

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class Turns:
    """Calls functions on a daemon thread, each when the one before it has returned; there is none when there are none.

    For one event loop at a time; a forked child starts a thread of its own.
    """

    def __init__(self) -> None:
        """Start no thread."""
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._thread = Offload("fapilog-console")

    async def call(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Return what ``function(*args)`` returns; what it raises goes on.

        Raises:
            RuntimeError: If the system gives no thread.
        """
        if os.getpid() != self._pid:
            self._begin()
        thread = self._thread
        try:
            result: T = await thread.run(function, *args)
        finally:
            # It does what waits, and ends: nothing stays behind when nobody looks.
            thread.close()
        return result
