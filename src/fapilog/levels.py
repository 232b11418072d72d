"""Level names and numbers: those of the standard library, and a user's own."""

from fapilog.errors import ConfigError

DEBUG = 10
INFO = 20
WARNING = 30
ERROR = 40
CRITICAL = 50
STANDARD_LEVELS = {"DEBUG": DEBUG, "INFO": INFO, "WARNING": WARNING, "ERROR": ERROR, "CRITICAL": CRITICAL}
_ALIASES = {"WARN": WARNING, "FATAL": CRITICAL}
_HIGHEST = 1000
_UNNAMED = {f"LEVEL_{number}": number for number in range(_HIGHEST + 1)}
"""What levels without a name are called."""


class LevelTable:
    """Which level names exist. The process has one, in ``fapilog._runtime``.

    Thread-safe: names are only ever added, each by one dict store.
    """

    def __init__(self) -> None:
        """Start with the five standard levels."""
        self._numbers = dict(STANDARD_LEVELS)
        self._names = {number: name for name, number in STANDARD_LEVELS.items()}

    def register(self, name: str, number: int) -> None:
        """Add a level.

        Args:
            name: Letters, digits and underscores; stored in upper case.
            number: 1 to 1000; 10 is DEBUG, 20 INFO, 30 WARNING, 40 ERROR, 50 CRITICAL.

        Raises:
            ConfigError: If the name or number is malformed, or already stands for something else.
        """
        if not (isinstance(name, str) and name.isidentifier() and name.isascii()):
            raise ConfigError.wrong("register_level(name)", name, "ASCII letters, digits and underscores")
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _HIGHEST:
            raise ConfigError.wrong("register_level(number)", number, f"a whole number from 1 to {_HIGHEST}")
        key = name.upper()
        if self._numbers.get(key, number) != number or self._names.get(number, key) != key or key in _ALIASES:
            taken = self._names.get(number, key)
            raise ConfigError.wrong("register_level()", (name, number), f"a name and a number not taken by {taken}")
        self._numbers[key] = number
        self._names[number] = key

    def number(self, level: str | int, where: str) -> int:
        """Return the number of a level given by name (any case), by number, or as ``LEVEL_<number>``.

        Raises:
            ConfigError: If no such level exists.
        """
        if isinstance(level, str):
            key = level.strip().upper()
            found = self._numbers.get(key, _ALIASES.get(key))
            if found is not None:
                return found
            if key in _UNNAMED:
                return _UNNAMED[key]
            raise ConfigError.unknown(where, level, self._numbers)
        if isinstance(level, int) and not isinstance(level, bool) and 0 <= level <= _HIGHEST:
            return level
        raise ConfigError.wrong(where, level, f"a level name ({', '.join(self._numbers)}) or a number up to {_HIGHEST}")

    def name(self, number: int) -> str:
        """Return the name of a level number; an unnamed one is ``LEVEL_<number>``."""
        return self._names.get(number) or f"LEVEL_{number}"

    def names(self) -> dict[str, int]:
        """Return all names with their numbers, a copy."""
        return dict(self._numbers)
