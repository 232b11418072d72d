r"""Any Python object as a value that JSON knows, copied, bounded in depth and size.

It runs at the log call, so that what is written is what was logged even if the caller changes it a
microsecond later, and again in a serialiser for what a user's stage has added. Nothing here raises
(``KeyboardInterrupt`` and ``SystemExit`` of a user's ``__repr__`` pass through) and nothing of the caller's
is changed.

==========================  =====================================================================
given                       becomes
==========================  =====================================================================
str int float bool None     itself; text over ``MAX_TEXT`` characters is cut, its length told
dict, mapping               object; keys that are not text are rendered, a clash gets ``_`` appended
list tuple set iterators    array; sets sorted by their text; iterators are not consumed but named
dataclass, attrs, pydantic  object of its fields; a named tuple too
datetime date time          ISO 8601; timedelta: seconds; Enum: its value
Decimal UUID Path bytes     text; bytes as UTF-8 with ``\x..`` for what is not
numpy scalar, array         number; nested arrays
exception                   ``Type: message``
``Sensitive``               ``***``
anything else               its ``repr``, cut at ``MAX_REPR`` characters
==========================  =====================================================================
"""

import dataclasses
import datetime
import decimal
import enum
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fapilog.diagnostics import attempt, describe

MASK = "***"
MAX_DEPTH = 16
MAX_ITEMS = 1_000
MAX_NODES = 10_000
MAX_TEXT = 256 * 1024
MAX_REPR = 1_000
CYCLE = "<cycle>"
TOO_DEEP = "<too deep>"
SCALARS = frozenset({str, int, float, bool, type(None)})


class Sensitive:
    """Marks a value at the call so that it is masked everywhere: ``logger.info("paid", card=Sensitive(card))``.

    Its ``repr``, ``str`` and ``format`` are the mask. The value stays the caller's; nothing of it, not even
    its length, is queued or written.
    """

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        """Hold the value without looking at it."""
        self._value = value

    def reveal(self) -> object:
        """Return the value."""
        return self._value

    def __repr__(self) -> str:
        """Return the mask."""
        return MASK

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a masked value: a secret does not travel by accident."""
        return (Sensitive, (MASK,))


class _Walk:
    """The state of one copy: how many nodes are left, and which containers we are inside of."""

    __slots__ = ("inside", "left")

    def __init__(self) -> None:
        self.left = MAX_NODES
        self.inside: set[int] = set()


def to_plain(value: Any) -> Any:
    """Return ``value`` as a JSON value of its own: no container of the caller's is shared."""
    if type(value) in SCALARS:
        return cut_text(value) if type(value) is str and len(value) > MAX_TEXT else value
    result, error = attempt(_plain, value, _Walk(), 0)
    return _unprintable(value, error) if error is not None else result


def to_plain_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the fields of one call, each value by :func:`to_plain`."""
    return {key: to_plain(value) for key, value in fields.items()}


def cut_text(text: str, limit: int = MAX_TEXT) -> str:
    """Return ``text``, or its first ``limit`` characters and a note of the whole length."""
    return text if len(text) <= limit else f"{text[:limit]}…[cut, {len(text)} characters]"


def to_text(value: object) -> str:
    """Return a message as text: ``str(value)`` bounded, or what can be said if that raises."""
    if isinstance(value, str):
        return cut_text(str.__str__(value))
    text, error = attempt(str, value)
    return _unprintable(value, error) if error is not None else cut_text(str.__str__(text))


def _plain(value: Any, walk: _Walk, depth: int) -> Any:
    kind = type(value)
    if kind in SCALARS:
        return cut_text(value) if kind is str else value
    walk.left -= 1
    if walk.left < 0:
        return f"<cut: over {MAX_NODES} values>"
    for base, convert in _SIMPLE:
        if isinstance(value, base):
            result, error = attempt(convert, value)
            if error is not None:
                return _unprintable(value, error)
            return result if type(result) in SCALARS else _plain(result, walk, depth)
    if depth >= MAX_DEPTH:
        return TOO_DEEP
    if id(value) in walk.inside:
        return CYCLE
    walk.inside.add(id(value))
    result, error = attempt(_container, value, walk, depth)
    walk.inside.discard(id(value))
    return _unprintable(value, error) if error is not None else result


def _container(value: Any, walk: _Walk, depth: int) -> Any:
    if isinstance(value, Mapping):
        return _mapping(value, walk, depth)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _mapping(value._asdict(), walk, depth)
    if isinstance(value, list | tuple):
        return _array(value, len(value), walk, depth)
    if isinstance(value, set | frozenset):
        return sorted(_array(value, len(value), walk, depth), key=str)
    if isinstance(value, type):
        return _bounded_repr(value)
    if dataclasses.is_dataclass(value):
        return _mapping({f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.repr}, walk, depth)
    attrs = getattr(type(value), "__attrs_attrs__", None)
    if attrs is not None:
        return _mapping({a.name: getattr(value, a.name) for a in attrs if a.repr}, walk, depth)
    for method in ("model_dump", "tolist"):
        dump = getattr(value, method, None)
        if callable(dump) and callable(getattr(type(value), method, None)):
            return _plain(dump(), walk, depth)
    return _bounded_repr(value)


def _mapping(value: Mapping[Any, Any], walk: _Walk, depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    # A snapshot of the items: the caller's dict may grow in another thread while we walk it.
    items = list(value.items()) if isinstance(value, dict) else value.items()
    for count, (key, item) in enumerate(items):
        if count >= MAX_ITEMS or walk.left <= 0:
            result["…"] = f"<cut: {len(value)} items>"
            break
        name = key if type(key) is str else _key(key)
        while name in result:
            name += "_"
        result[name] = _plain(item, walk, depth + 1)
    return result


def _array(value: Iterable[Any], length: int, walk: _Walk, depth: int) -> list[Any]:
    result: list[Any] = []
    for item in value if isinstance(value, list | tuple) else tuple(value):
        if len(result) >= MAX_ITEMS or walk.left <= 0:
            result.append(f"<cut: {length} items>")
            break
        result.append(_plain(item, walk, depth + 1))
    return result


def _key(key: object) -> str:
    """Render a key as JSON encoders do for the scalars, else by its plain value or repr."""
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    plain = to_plain(key)
    return plain if type(plain) is str else to_text(plain)


def _bounded_repr(value: object) -> str:
    text, error = attempt(repr, value)
    return _unprintable(value, error) if error is not None else cut_text(str.__str__(text), MAX_REPR)


def _unprintable(value: object, error: Exception) -> str:
    return f"<unprintable {type(value).__name__}: {type(error).__name__}>"


def _seconds(value: datetime.timedelta) -> float:
    return value.total_seconds()


def _text_of_bytes(value: bytes | bytearray | memoryview) -> str:
    length = value.nbytes if isinstance(value, memoryview) else len(value)
    head = bytes(value) if isinstance(value, memoryview) else bytes(value[:MAX_TEXT])
    text = head[:MAX_TEXT].decode("utf-8", "backslashreplace")
    return text if length <= MAX_TEXT else f"{text}…[cut, {length} bytes]"


# In order: the first class that fits decides. A bool is an int, an Enum may be a str: those come first.
_SIMPLE: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Sensitive, lambda _: MASK),
    (enum.Enum, lambda v: v.value),
    (str, lambda v: cut_text(str.__str__(v))),
    (bool, bool),
    (int, int.__int__),
    (float, float.__float__),
    (datetime.datetime | datetime.date | datetime.time, lambda v: v.isoformat()),
    (datetime.timedelta, _seconds),
    (decimal.Decimal | uuid.UUID, str),
    (os.PathLike, lambda v: to_plain(os.fspath(v))),
    (bytes | bytearray | memoryview, _text_of_bytes),
    (BaseException, describe),
)
