"""The origins that lead to one engine, and the levels written on them, where log calls read them."""

import threading
from collections.abc import Callable, Iterable

from fapilog.engine.levels import LevelRules
from fapilog.event import Intake, Origin


class Origins:
    """The origins of one engine: its own, one for each name, and those of the process that it has adopted.

    Thread-safe; a forked child gets :meth:`reset`.

    Args:
        queue: Where events go.
        rules: Which level holds for which name.
    """

    def __init__(self, queue: Intake, rules: LevelRules) -> None:
        """Start with none."""
        self._queue = queue
        self._rules = rules
        self._own: dict[str, Origin] = {}
        self._adopted: set[Origin] = set()
        self.reset()

    def reset(self) -> None:
        """Take a new lock."""
        self._lock = threading.RLock()

    def get(self, name: str) -> Origin:
        """Return where the events of a logger name start; one object for each name."""
        found = self._own.get(name)
        if found is None:
            with self._lock:
                found = self._own.setdefault(name, Origin(name, self._queue))
                self._rules.apply([found])
        return found

    def names(self) -> list[str]:
        """Return the names of the loggers that lead here, sorted."""
        with self._lock:
            return sorted({*self._own, *(origin.name for origin in self._adopted)})

    def adopt(self, origins: Iterable[Origin]) -> None:
        """Lead origins here that led elsewhere."""
        with self._lock:
            for origin in origins:
                self._adopted.add(origin)
                self._rules.apply([origin])
                origin.queue = self._queue

    def release(self) -> None:
        """Let go of the origins that were adopted: they lead elsewhere from now on."""
        with self._lock:
            self._adopted.clear()

    def set_level(self, level: str | int | None, logger: str | None) -> None:
        """Change a level; see ``LevelRules.set``."""
        with self._lock:
            self._rules.set(level, logger)
            self._apply()

    def open_floor(self, level: int) -> Callable[[], None]:
        """Lower what log calls compare first; call what is returned to take it back, once is as good as often."""
        with self._lock:
            if self._rules.open_floor(level):
                self._apply()
        left = [level]

        def close() -> None:
            with self._lock:
                if left and self._rules.close_floor(left.pop()):
                    self._apply()

        return close

    def _apply(self) -> None:
        self._rules.apply([*self._own.values(), *self._adopted])
