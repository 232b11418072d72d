"""The last events as dicts: for tests, consoles, and looking at a service from within."""

import threading
from collections import deque

from fapilog.errors import ConfigError
from fapilog.event import EventDict
from fapilog.protocols import Batch


class MemorySink:
    """Keeps the last events in memory, the oldest leaving first.

    All methods may be called from any thread, while the engine writes. What is kept survives ``close`` and
    ``open``, and is gone with the process; a forked child starts with what the parent had kept.

    Args:
        max_events: How many events are kept, default 1000. Older ones are evicted and counted in ``evicted``.
        name: The sink's name in figures and diagnostics.

    Attributes:
        evicted: How many events had to leave for newer ones since the sink was made; ``clear`` counts none.

    Raises:
        ConfigError: If ``max_events`` is not a whole number above zero.
    """

    blocks = False
    format = "events"

    def __init__(self, max_events: int = 1000, name: str = "memory") -> None:
        """Start empty."""
        if not isinstance(max_events, int) or isinstance(max_events, bool) or max_events < 1:
            raise ConfigError.wrong("MemorySink(max_events)", max_events, "a whole number above zero")
        self.name = name
        self.evicted = 0
        self._kept: deque[EventDict] = deque(maxlen=max_events)
        self._lock = threading.Lock()

    @property
    def events(self) -> list[EventDict]:
        """The kept events, oldest first: a new list, the dicts are the kept ones."""
        with self._lock:
            return list(self._kept)

    def clear(self) -> None:
        """Forget what is kept."""
        with self._lock:
            self._kept.clear()

    async def open(self) -> None:
        """Take a new lock: in a forked child the old one may be held by a thread that is not there."""
        self._lock = threading.Lock()

    def write(self, batch: Batch) -> None:
        """Keep a copy of each event; values inside are shared with other sinks, which do not change them."""
        events = [dict(event) for event in batch.events]
        with self._lock:
            room = (self._kept.maxlen or 0) - len(self._kept)
            self._kept.extend(events)
            self.evicted += max(0, len(events) - room)

    async def close(self) -> None:
        """Keep everything."""
