"""Thresholds by logger name, written as directives: ``info,app.db=debug,httpx=warning``.

One level without a name is the default; ``name=level`` holds for a logger and all below it, the longest name wins.
The form is that of the ``tracing`` crate's environment filter, as far as it is about targets and levels.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fapilog.errors import ConfigError

_FORM = 'a level such as "INFO", or directives such as "info,app.db=debug"'
_NAMES = "names of loggers without spaces or wildcards: a name is for all loggers below it, too"
_MOST_DIGITS = 4


class Directives(NamedTuple):
    """What a text of directives says.

    Attributes:
        default: The level of all loggers that none is about; None if it does not say.
        loggers: Levels by logger name.
    """

    default: int | None
    loggers: Mapping[str, int]


def parse_directives(given: str | int, number: Callable[[str | int, str], int], where: str) -> Directives:
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
