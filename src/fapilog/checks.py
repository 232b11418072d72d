"""What the options of several parts have to check; each raises ``ConfigError`` and returns the value.

``where`` is the method and parameter, or the variable, that the value came from.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fapilog.errors import ConfigError


def flag(value: Any, where: str) -> bool:
    """Return True or False; 0, 1 and words are neither."""
    if not isinstance(value, bool):
        raise ConfigError.wrong(where, value, "True or False")
    return value


def whole(value: Any, where: str, least: int) -> int:
    """Return a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError.wrong(where, value, f"a whole number of at least {least}")
    return value


def share(value: Any, where: str) -> float:
    """Return a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError.wrong(where, value, "a number from 0 to 1")
    return value


def text(value: Any, where: str) -> str:
    """Return a text that is not empty. What is no text is not shown: it may hold a secret."""
    if not isinstance(value, str):
        raise ConfigError.hidden(where, value, "a text that is not empty")
    if not value.strip():
        raise ConfigError.wrong(where, value, "a text that is not empty")
    return value


def texts(values: Any, where: str) -> tuple[str, ...]:
    """Return texts that are not empty, as a tuple."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ConfigError.hidden(where, values, "a list of texts, not one text")
    found = tuple(values)
    for value in found:
        text(value, where)
    return found


def paths(values: Any, where: str) -> tuple[str, ...]:
    """Return paths such as ``/health``, or prefixes ended by ``*`` such as ``/static/*``, as a tuple."""
    found = texts(values, where)
    for path in found:
        if not path.startswith(("/", "*")) or "*" in path[:-1]:
            raise ConfigError.wrong(where, path, 'a path such as "/health", or a prefix ended by * such as "/static/*"')
    return found
