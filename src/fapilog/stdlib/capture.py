"""``capture_stdlib``: the whole of ``logging``, or some loggers, through fapilog."""

import logging
from collections.abc import Iterable

from fapilog import _runtime
from fapilog.errors import ConfigError
from fapilog.stdlib.handler import FapilogHandler
from fapilog.stdlib.placement import Capture, place

_WHERE = "capture_stdlib"


def capture_stdlib(
    *, level: str | int | None = "INFO", loggers: Iterable[str] = ("root",), source: bool = False
) -> Capture:
    """Send records of ``logging`` through fapilog, each line once and in one shape, until undone.

    Handlers that write to standard output or standard error are replaced for the time; files, error trackers and
    the like stay. A handler below the captured logger is the user's own and stays too: what it prints, it prints
    beside us. Calling it again for the same logger shares what is there; it is undone with the last. If ``logging``
    is configured anew afterwards (``dictConfig``, ``fileConfig``, ``basicConfig(force=True)``), that is reported on
    standard error; call this again after it.

    For set-up code: not to be called by several threads at once. A forked child keeps what was set up.

    Args:
        level: What is taken, by name or number, default INFO. A logger with a higher level is lowered to it. None
            takes what the loggers' levels let through as they are. The level of the fapilog logger of the same name
            applies too.
        loggers: Names of loggers; ``"root"``, the default, stands for all.
        source: Add the place of each call, see :class:`FapilogHandler`. Default False.

    Returns:
        Call it, or leave its ``with`` block, to put handlers, levels and propagation back. What somebody else has
        changed meanwhile stays as it is.

    Raises:
        ConfigError: For a level that does not exist, or for names that are not a collection of text.
    """
    names = [loggers] if isinstance(loggers, str) else list(loggers)
    for name in names:
        if not isinstance(name, str):
            raise ConfigError.wrong(f"{_WHERE}(loggers)", name, "names of loggers, such as ('root',) or ('httpx',)")
    number = None if level is None else _runtime.origin("root").queue.levels.number(level, f"{_WHERE}(level)")
    handler = FapilogHandler(logging.NOTSET if number is None else number, source=source)
    placements = [place(logging.getLogger("" if name == "root" else name), handler, number) for name in names]
    return Capture(placement for placement in placements if placement is not None)
