"""What makes two events the same kind: the values of some of their fields."""

from collections.abc import Callable, Iterable
from typing import Any

from fapilog.checks import texts
from fapilog.errors import ConfigError
from fapilog.event import EventDict

KEPT_VALUE = 256
OWN = "fapilog"
"""The logger of the toolkit's own events, which no filter holds back."""


def key_of(names: tuple[str, ...]) -> Callable[[EventDict], tuple[Any, ...]]:
    """Return a function that gives the key of an event; what is missing is None, and long or odd values are text."""

    def key(event: EventDict) -> tuple[Any, ...]:
        return tuple([_plain(event.get(name)) for name in names])

    return key


def checked_key(key: Iterable[str], where: str) -> tuple[str, ...]:
    """Return the names of a key as a tuple.

    Raises:
        ConfigError: If it is no list of names, or empty.
    """
    names = texts(key, where)
    if not names:
        raise ConfigError.wrong(where, names, "at least one name of a field")
    return names


def _plain(value: Any) -> Any:
    if type(value) is str:
        return value if len(value) <= KEPT_VALUE else value[:KEPT_VALUE]
    if value is None or type(value) in (int, bool, float):
        return value
    if type(value) is dict and "type" in value:
        # An exception: its kind, not its text with addresses and ids in it.
        return _plain(value["type"])
    return repr(value)[:KEPT_VALUE]
