"""Thresholds by logger name, written as directives: ``info,app.db=debug,httpx=warning``.

One level without a name is the default; ``name=level`` holds for a logger and all below it, the longest name wins.
The form is that of the ``tracing`` crate's environment filter, as far as it is about targets and levels.
"""

from collections.abc import Mapping
from typing import NamedTuple

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import ConfigError
from fapilog.event import EventDict
from fapilog.filters.keys import OWN
from fapilog.filters.shares import LevelNumber, Numbers
from fapilog.levels import LevelTable

_FORM = 'a level such as "INFO", or directives such as "info,app.db=debug"'
_NAMES = "names of loggers without spaces or wildcards: a name is for all loggers below it, too"
_MOST_DIGITS = 4
_MOST_NAMES = 1_000


class Directives(NamedTuple):
    """What a text of directives says.

    Attributes:
        default: The level of all loggers that none is about; None if it does not say.
        loggers: Levels by logger name.
    """

    default: int | None
    loggers: Mapping[str, int]


def parse_directives(given: str | int, number: LevelNumber, where: str) -> Directives:
    """Return what a level, or a text of directives, means.

    Args:
        given: A level's number or name, or directives separated by commas; spaces around their parts do not count.
            A number may be written as text, as a variable has to.
        number: Looks up a level: :meth:`fapilog.levels.LevelTable.number`.
        where: The method or variable it came from, for the error.

    Raises:
        ConfigError: If a part cannot be read, a level does not exist, or a name is given twice.
    """
    if not isinstance(given, str):
        return Directives(number(given, where), {})
    default: int | None = None
    loggers: dict[str, int] = {}
    for part in given.split(","):
        name, named, level = (piece.strip() for piece in part.rpartition("="))
        if (named and not name) or "=" in name or (not level and given.strip()):
            raise ConfigError.wrong(where, given, _FORM)
        if set(name) & set("* \t\n") or name.startswith(".") or name.endswith("."):
            raise ConfigError.wrong(where, name, _NAMES)
        if name in loggers or (not named and default is not None):
            allowed = f"each logger once, and one level without a name; {part.strip()!r} is a second"
            raise ConfigError.wrong(where, given, allowed)
        digits = level.isascii() and level.isdigit() and len(level) <= _MOST_DIGITS
        found = number(int(level) if digits else level, where)
        if named:
            loggers[name] = found
        else:
            default = found
    return Directives(default, loggers)


class LevelFilter:
    """Holds back what is below the threshold of its logger, counted under ``level``.

    It takes the directives of ``with_level``. Thresholds cost nothing where they stand, at the log call, and so are the
    better choice; this is for where they are not enough: ``with_filter(LevelFilter("httpx=error"))`` or a plug-in, for
    instance after thresholds that anybody may lower while the process runs. A level that does not exist goes on, and so
    does an event of a logger that no directive is about.
    """

    name = "level"

    def __init__(self, directives: str | int, number: LevelNumber | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        """Read the directives.

        Args:
            directives: A level, or such as ``"info,app.db=debug"``.
            number: Looks up a level; default the five standard ones and numbers, not those of one's own.
            clock: Not used; filters are made alike.

        Raises:
            ConfigError: If a part cannot be read, a level does not exist, or a name is given twice.
        """
        del clock
        look_up = LevelTable().number if number is None else number
        self._default, self._loggers = parse_directives(directives, look_up, "LevelFilter(directives)")
        self._numbers = Numbers(look_up)
        self._thresholds: dict[str, int] = {}

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        logger = str(event.get("logger", ""))
        threshold = self._thresholds.get(logger)
        if threshold is None:
            if len(self._thresholds) >= _MOST_NAMES:
                self._thresholds.clear()
            threshold = self._thresholds[logger] = self._threshold(logger)
        number = self._numbers.of(event.get("level", ""))
        return number is None or number >= threshold or logger == OWN

    def _threshold(self, name: str) -> int:
        while name:
            if name in self._loggers:
                return self._loggers[name]
            name = name.rpartition(".")[0]
        return 0 if self._default is None else self._default
