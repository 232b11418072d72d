"""What makes two events the same kind: the values of some of their fields."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from fapilog.checks import texts
from fapilog.diagnostics import attempt
from fapilog.errors import ConfigError
from fapilog.event import EventDict

LONGEST = 512
OWN = "fapilog"
"""The logger of the toolkit's own events, which no filter holds back."""
_NO_REPETITIONS = frozenset((OWN, "fapilog.request"))

Key = tuple[Any, ...]
_LARGEST = 1 << 63


class _Known(NamedTuple):
    """What is kept of a value that is long or holds others: how to call it, and what tells it from others.

    Nothing of the value itself: the beginning of a text could end in the middle of a secret, and a redactor that sees
    the text of a dict does not see its keys.
    """

    shown: str
    digest: int


def repeats_nothing(event: EventDict) -> bool:
    """Tell whether an event is the toolkit's own, or one of those that every request has exactly once.

    They all have the same message, and are no repetitions of each other.
    """
    return event.get("logger") in _NO_REPETITIONS


def key_of(names: tuple[str, ...]) -> Callable[[EventDict], Key]:
    """Return a function that gives the key of an event: of an exception only its type, None for what is missing.

    A key is hashable and of bounded size.
    """

    def key(event: EventDict) -> Key:
        return tuple([_part(name, event.get(name)) for name in names])

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


def known(value: Any) -> Any:
    """Return what is kept of a value: itself, if it is a short text or a plain number."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= LONGEST else _Known(f"<{len(value)} characters>", hash(value))
    if value is None or kind is bool or (kind is int and -_LARGEST <= value < _LARGEST):
        return value
    if kind is float:
        # One that is no number is not even equal to itself, and each would be a kind of its own.
        return value if value == value else "NaN"  # noqa: PLR0124
    text, error = attempt(repr, value)
    return _Known(f"<{kind.__name__}>", hash(text if error is None else kind))


def shown(part: Any) -> Any:
    """Return what a summary tells of what is kept of a value."""
    return part.shown if type(part) is _Known else part


def _part(name: str, value: Any) -> Any:
    if name == "exception" and type(value) is dict:
        # Not its message and frames, which differ by addresses and ids.
        value = value.get("type")
    return known(value)
