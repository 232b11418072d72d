"""The loggers of uvicorn, gunicorn and hypercorn, taken over while an application runs.

uvicorn sets its loggers up before it imports the application, so it is done at lifespan start:

    uvicorn ─► uvicorn.error, uvicorn.asgi     our handler on ``uvicorn``; the others reach it
    uvicorn.access                             our handler, or silent where completion events tell the same
    gunicorn.error, gunicorn.access            the same, one by one
    hypercorn.error, hypercorn.access          the same, at their first line: hypercorn sets them up after the lifespan
                                               has started
"""

import logging
import sys
from collections.abc import Callable
from typing import Any

from fapilog.stdlib.handler import FapilogHandler
from fapilog.stdlib.placement import Capture, Placement, is_console, place, reached

# Parents first: what reaches the parent's handler needs none of its own.
_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.asgi", "gunicorn.error")
_ACCESS_LOGGERS = ("uvicorn.access", "gunicorn.access")
_LATE_LOGGERS = ("hypercorn.error", "hypercorn.access")


def take_over_servers(*, completion_events: bool = True) -> Capture:
    """Send the lines of the server that runs us through fapilog, each once and in one shape, until undone.

    Loggers of servers that this process does not use are not touched. Console handlers are replaced, others (files,
    error trackers) stay. A logger without a level, below a root logger that nobody has configured, is set to INFO.
    An access log that is off stays off.

    Args:
        completion_events: The middleware reports each request itself: the access lines are then left out of the
            console, and uvicorn does not even make them. Default True.

    Returns:
        Call it to put everything back; once is as good as often.
    """
    handler = FapilogHandler()

    def take(logger: logging.Logger) -> Placement | None:
        if not logger.name.endswith(".access"):
            return place(logger, handler, _lacking_level(logger))
        if _is_off(logger):
            return None
        return _silence(logger) if completion_events else place(logger, handler, _lacking_level(logger))

    placements = [take(logger) for logger in _present(_LOGGERS + _ACCESS_LOGGERS)]
    late = [_AtFirstLine(logger, take) for logger in _present(_LATE_LOGGERS)]
    return Capture([*late, *(placement for placement in placements if placement is not None)])


def uvicorn_log_config(level: str = "INFO") -> dict[str, Any]:
    """Return a ``dictConfig`` with which even uvicorn's first and last lines come through fapilog.

    For ``uvicorn.run(app, log_config=uvicorn_log_config())``, or written to a file as JSON for
    ``uvicorn --log-config``. Those lines go to the process's default engine, which before and after a lifespan is
    the one that was configured last, or ``minimal``. Each call returns a new dict.

    Args:
        level: The level of uvicorn's loggers as ``logging`` knows it. Default ``"INFO"``.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        # uvicorn writes its `--use-colors` into these two, so they have to be there.
        "formatters": {"default": {"format": "%(message)s"}, "access": {"format": "%(message)s"}},
        "handlers": {"fapilog": {"class": "fapilog.stdlib.FapilogHandler"}},
        "loggers": {
            "uvicorn": {"handlers": ["fapilog"], "level": level, "propagate": False},
            "uvicorn.error": {"level": level},
            "uvicorn.access": {"handlers": ["fapilog"], "level": level, "propagate": False},
        },
    }


class _AtFirstLine(logging.Filter):
    """Takes a logger over when it is first used: it lets every record through, and is asked before the handlers."""

    def __init__(self, logger: logging.Logger, take: Callable[[logging.Logger], Placement | None]) -> None:
        super().__init__()
        self._logger = logger
        self._take = take
        self._placement: Placement | None = None
        self._taken = False
        logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        if not self._taken:
            self._taken = True
            self._placement = self._take(self._logger)
        return True

    def undo(self) -> None:
        self._logger.removeFilter(self)
        self._taken = True
        if self._placement is not None:
            self._placement.undo()


def _present(names: tuple[str, ...]) -> list[logging.Logger]:
    """Return those loggers whose server is in use here."""
    return [logging.getLogger(name) for name in names if name.partition(".")[0] in sys.modules]


def _is_off(logger: logging.Logger) -> bool:
    """Tell whether the user has switched an access log off (``--no-access-log`` leaves it without any way out)."""
    return not logger.handlers and not logger.propagate


def _silence(logger: logging.Logger) -> Placement | None:
    """Take the ways to the console from a logger, and ours; without any handler left, uvicorn makes no line at all."""
    noisy = any(is_console(each) or isinstance(each, FapilogHandler) for each in reached(logger))
    return Placement(logger, None, None) if noisy else None


def _lacking_level(logger: logging.Logger) -> int | None:
    """Return INFO if the only level above this logger is the root logger's default."""
    step: logging.Logger | None = logger
    while step is not None and step.level == logging.NOTSET and step.propagate:
        step = step.parent
    unset = step is None or step.level == logging.NOTSET or (step is logging.root and step.level == logging.WARNING)
    return logging.INFO if unset else None
