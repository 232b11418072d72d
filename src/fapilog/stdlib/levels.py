"""Turning loggers of ``logging`` up and down again while the process runs, as far as their records come to fapilog."""

import logging

from fapilog.stdlib.handler import FapilogHandler
from fapilog.stdlib.placement import reached


class StdlibLevels:
    """What one console has turned up. For one thread; a forked child keeps what was turned up.

    Whatever is turned up and still there when ``capture_stdlib`` or the servers' take-over is undone goes with it.
    """

    def __init__(self) -> None:
        """Turn nothing up."""
        self._turned: dict[str | None, tuple[int, logging.Logger, list[FapilogHandler]]] = {}

    def level(self, name: str | None) -> int | None:
        """Return what a logger was turned up to last, None if it is not."""
        turned = self._turned.get(name)
        return None if turned is None else turned[0]

    def turn(self, name: str | None, level: int | None) -> None:
        """Let the records of a logger, and of those below it, come from ``level`` on; None takes that back.

        A logger whose records do not come to fapilog is left alone. Levels are only lowered: what is to be less,
        fapilog holds back itself, and a handler beside ours still gets it.

        Args:
            name: Of the logger; None for the root, and so for all that have no level of their own. ``"root"`` is
                only the name of a logger of fapilog, and does nothing here.
            level: The level; loggers below with a level of their own keep it.
        """
        before = self._turned.pop(name, None)
        handlers: list[FapilogHandler] = []
        nearest = None if level is None else _logger(name)
        if level is not None and nearest is not None and _ours(nearest):
            # Made only now: ``logging`` never forgets a name.
            logger = logging.getLogger(name)
            handlers = _ours(logger)
            for handler in handlers:
                # 0 would be NOTSET there: whatever the loggers above say.
                handler.turn_up(self, logger, max(level, 1))
            self._turned[name] = (level, logger, handlers)
        if before is not None:
            for handler in before[2]:
                if handler not in handlers:
                    handler.turn_up(self, before[1], None)


def taken_from(name: str | None) -> int | None:
    """Return the level from which records of a logger come to fapilog, None if none do.

    Args:
        name: Of a logger, which need not exist; None for the root.
    """
    logger = _logger(name)
    handlers = [] if logger is None else _ours(logger)
    if logger is None or not handlers:
        return None
    return max(logger.getEffectiveLevel(), min(handler.louder.threshold(name or "") for handler in handlers))


def with_own_level() -> list[str]:
    """Return the names of the loggers whose records come to fapilog and that have a level of their own, not the root.

    Sorted.
    """
    known = list(logging.root.manager.loggerDict.items())
    return sorted(
        name for name, logger in known if isinstance(logger, logging.Logger) and logger.level and _ours(logger)
    )


def _logger(name: str | None) -> logging.Logger | None:
    """Return a logger, or for one that does not exist the nearest above it; None for the name ``root``."""
    if name is None:
        return logging.root
    if name == logging.root.name:
        return None
    known = logging.root.manager.loggerDict
    while name and not isinstance(known.get(name), logging.Logger):
        name = name.rpartition(".")[0]
    return logging.getLogger(name) if name else logging.root


def _ours(logger: logging.Logger) -> list[FapilogHandler]:
    """Return those of our handlers that a record of this logger comes to."""
    if logger.disabled:
        return []
    return list(dict.fromkeys(each for each in reached(logger) if isinstance(each, FapilogHandler)))
