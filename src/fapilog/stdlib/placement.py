"""Put our handler in the place of the console handlers of a logger, and put everything back exactly.

    before    app.db ──propagate──► root: [StreamHandler(stderr), Sentry's]
    placed    app.db: [ours, Sentry's]                                  (propagate off)
    undone    as before

Every record reaches our handler once, and each handler that does not write to the console as often as before. Lists
of handlers are replaced, not written to: gunicorn gives one list to several loggers, and another thread may be
walking it.
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from operator import methodcaller
from typing import Protocol, Self

from fapilog.diagnostics import attempt
from fapilog.stdlib.handler import FapilogHandler


class Placement:
    """What was changed on one logger. Not thread-safe: for set-up and shutdown."""

    def __init__(self, logger: logging.Logger, handler: FapilogHandler | None, level: int | None) -> None:
        """Change the logger.

        Args:
            logger: The logger.
            handler: Put in the place of the console handlers; None puts nothing there.
            level: The logger's level is lowered to this; None leaves it.
        """
        self.logger = logger
        self.handler = handler
        self.holders = 1
        self.saved = logger.handlers
        self.propagate = logger.propagate
        others = [each for each in reached(logger) if not (is_console(each) or isinstance(each, FapilogHandler))]
        self.removed = [each for each in self.saved if each not in others]
        self.installed = [*([handler] if handler else []), *others]
        logger.handlers = list(self.installed)
        logger.propagate = False
        self.level = logger.level
        self.level_set = self.level
        if level is not None and logger.getEffectiveLevel() > level:
            self.level_set = level
            logger.setLevel(level)
        if handler is not None:
            handler.placements[logger.name] = self

    def undo(self) -> None:
        """Put back what is still as we left it; what somebody has configured since stays."""
        self.holders -= 1
        if self.holders:
            return
        logger = self.logger
        if self.handler is not None:
            # First: its level is compared below, and what is turned up would go to the console from here on.
            self.handler.leave(logger)
        now = logger.handlers
        ours = self.handler in now if self.handler is not None else now == self.installed
        if self.handler is not None:
            self.handler.placements.pop(logger.name, None)
            self.handler.otel_handlers.release()
        if not ours:
            return
        kept = [each for each in self.saved if each in self.removed or each in now]
        added = [each for each in now if each not in self.installed and each not in kept]
        # Propagation first: a record that comes in between is rather written twice than not at all.
        if logger.propagate is False:
            logger.propagate = self.propagate
        logger.handlers = self.saved if kept == self.saved and not added else kept + added
        if logger.level == self.level_set != self.level:
            logger.setLevel(self.level)


class Undoable(Protocol):
    """What can be taken back."""

    def undo(self) -> None: ...  # noqa: D102 - the name says it


class Capture:
    """What ``capture_stdlib`` and the servers' take-over return: call it, or leave its ``with`` block, to undo it.

    Undoing twice is the same as once.
    """

    def __init__(self, placements: Iterable[Undoable]) -> None:
        """Hold what was changed."""
        self._placements = list(placements)

    def undo(self) -> None:
        """Put the handlers, the levels and the propagation of the loggers back as they were."""
        while self._placements:
            self._placements.pop().undo()

    __call__ = undo

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Undo."""
        self.undo()


def place(logger: logging.Logger, handler: FapilogHandler, level: int | None) -> Placement | None:
    """Put ``handler`` on a logger, unless its records reach one of ours already; see :class:`Placement`.

    A placement that is there is shared and undone with its last holder. A handler of ours that somebody else has
    attached, by ``dictConfig`` for example, is left alone: then there is nothing to undo.
    """
    for present in logger.handlers:
        if isinstance(present, FapilogHandler):
            shared: Placement | None = present.placements.get(logger.name)
            if shared is not None:
                shared.holders += 1
            return shared
    way = list(reached(logger))
    if any(isinstance(each, FapilogHandler) for each in way) and not any(map(is_console, way)):
        return None
    return Placement(logger, handler, level)


def reached(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Return the handlers that a record of this logger comes to, in the order in which ``logging`` calls them."""
    step: logging.Logger | None = logger
    while step is not None:
        yield from step.handlers
        step = step.parent if step.propagate else None


def is_console(handler: logging.Handler) -> bool:
    """Tell whether a handler writes to standard output or standard error."""
    stream = getattr(handler, "stream", None) if isinstance(handler, logging.StreamHandler) else None
    if stream is None:
        return False
    if stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        return True
    number, error = attempt(methodcaller("fileno"), stream)
    return error is None and number in (1, 2)
