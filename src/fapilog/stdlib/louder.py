"""Loggers of ``logging`` that are turned up for a while, as one handler of ours sees it.

logging.getLogger("app.db").debug("…")
  ├─ the logger's own level, or the nearest above it ── lowered here, put back afterwards
  ├─ the handler's level, INFO say ─────────────────── lowered to the lowest that is wanted …
  └─ handle(record): asks by name ──────────────────── … so that all others are held back here as before
"""

import logging
import sys
from collections.abc import Iterator

_NO_MORE = sys.maxsize


class _Lowered:
    """A logger whose level is ours for the time."""

    __slots__ = ("before", "level", "logger")

    def __init__(self, logger: logging.Logger, level: int) -> None:
        self.logger = logger
        self.before = logger.level
        self.level = level
        logger.setLevel(level)

    @property
    def stands(self) -> bool:
        return self.logger.level == self.level

    def undo(self) -> None:
        """Give the former level back, unless somebody has set another one since."""
        if self.stands:
            self.logger.setLevel(self.before)


class Louder:
    """What is turned up of the loggers that lead to one handler.

    Levels are only ever lowered: what a handler beside ours gets is not made less by it, and what fapilog holds back it
    holds back itself. A logger with a level of its own keeps it when one above it is turned up, as ``logging`` has it.
    Several may turn up the same logger: the lowest level counts, and the one from before comes back with the last.

    Reading is thread-safe: the table is replaced as a whole. Changing is not: it belongs to one thread. A forked child
    keeps what was turned up.

    Args:
        level: The level of the handler itself, for all that is not turned up.

    Attributes:
        levels: The level wanted by name of the logger, ``""`` for the root; empty most of the time.
        own: The level of the handler itself.
    """

    def __init__(self, level: int) -> None:
        """Turn nothing up."""
        self.own = level
        self.levels: dict[str, int] = {}
        self._wishes: dict[str, dict[object, int]] = {}
        self._lowered: dict[str, _Lowered] = {}

    def threshold(self, name: str) -> int:
        """Return the level from which the handler takes records of a logger: its own, or less if turned up."""
        levels = self.levels
        while name and name not in levels:
            name = name.rpartition(".")[0]
        wanted = levels.get(name)
        return self.own if wanted is None or wanted > self.own else wanted

    def lowest(self) -> int:
        """Return the level that the handler must have for all that is wanted to come as far as to it."""
        return min(self.own, *self.levels.values()) if self.levels else self.own

    def wish(self, owner: object, logger: logging.Logger, level: int | None) -> None:
        """Turn a logger and those below it up for ``owner``; None takes back what it had wished.

        Args:
            owner: Who wishes; has one wish for each logger.
            logger: The logger.
            level: Its records come from this level on; what has a higher one is lowered to it.
        """
        name = key_of(logger)
        wishes = self._wishes.setdefault(name, {})
        wishes.pop(owner, None)
        if level is not None:
            wishes[owner] = level
        self._settle(name, logger)

    def tidy(self) -> None:
        """Forget what is wished no more; once the handler has :meth:`lowest`, or others came through in between."""
        self.levels = {name: level for name, level in self.levels.items() if level != _NO_MORE}

    def leave(self, holder: logging.Logger) -> None:
        """Take everything back that reaches the handler by ``holder``, which is about to lose it."""
        for name in list(self._wishes):
            logger = logging.getLogger(name)
            if any(step is holder for step in _way(logger)):
                self._wishes[name] = {}
                self._settle(name, logger)

    def _settle(self, name: str, logger: logging.Logger) -> None:
        """Make table and logger what the wishes for a name say."""
        wanted = min(self._wishes[name].values(), default=None)
        if wanted is None:
            del self._wishes[name]
        if wanted is not None or name in self.levels:
            self.levels = {**self.levels, name: _NO_MORE if wanted is None else wanted}
        lowered = self._lowered.get(name)
        if lowered is not None and lowered.level != wanted:
            self._lowered.pop(name).undo()
            lowered = None
        if wanted is not None and (lowered is None or not lowered.stands) and self._lacks(logger, wanted):
            self._lowered[name] = _Lowered(logger, wanted)

    def _lacks(self, logger: logging.Logger, level: int) -> bool:
        """Tell whether a logger would not let ``level`` through but for what is turned up above it for a while."""
        for step in _way(logger):
            lowered = self._lowered.get(key_of(step))
            own = lowered.before if lowered is not None and lowered.stands else step.level
            if own:
                return own >= level
        return False


def key_of(logger: logging.Logger) -> str:
    """Return the name of a logger, nothing for the root."""
    return "" if logger.parent is None else logger.name


def _way(logger: logging.Logger) -> Iterator[logging.Logger]:
    """Return a logger and those above it."""
    step: logging.Logger | None = logger
    while step is not None:
        yield step
        step = step.parent
