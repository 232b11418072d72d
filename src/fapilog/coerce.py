r"""Any Python object as a value that JSON knows, copied, bounded in depth and size.

It runs at the log call, so that what is written is what was logged even if the caller changes it a
microsecond later, and again in a serialiser for what a user's stage has added. Nothing here raises
(``KeyboardInterrupt`` and ``SystemExit`` of a user's ``__repr__`` pass through) and nothing of the caller's
is changed.

============================  ===================================================================
given                         becomes
============================  ===================================================================
str int float bool None       itself; NaN and infinities ``"NaN"`` ``"Infinity"`` ``"-Infinity"``
dict, mapping                 object; keys that are not text are rendered, a clash gets ``_``
list tuple set deque array    array; sets sorted by their text; dict views too
dataclass, attrs, pydantic,   object of the fields that its repr shows (``repr=False`` is left out,
msgspec, named tuple          and pydantic's ``exclude=True``); custom serialisers are not run
datetime date time            ISO 8601; timedelta: seconds; Enum: its value
Decimal UUID Path bytes       text; bytes as UTF-8 with ``\x..`` for what is not
numpy scalar, array           number, nested arrays; over ``MAX_ARRAY_BYTES`` its ``repr``
exception                     ``Type: message``
``Sensitive``                 ``***``
anything else, iterators too  its ``repr``, cut at ``MAX_REPR`` characters; nothing is consumed
============================  ===================================================================

One value, or the fields of one call together, cost at most ``MAX_NODES`` values and ``MAX_ALL_TEXT`` characters, and
of each container the first ``MAX_ITEMS``; a text is cut at ``MAX_TEXT``, bytes that are not UTF-8 at ``MAX_BINARY``, a
key at ``MAX_KEY``. What is cut says so and how much there was. When the whole is used up, containers become
``<cut: …>`` and texts are cut at ``MAX_REPR``; numbers of the call itself are always kept.
"""

import array
import codecs
import datetime
import decimal
import enum
import math
import os
import sys
import uuid
from collections import UserList, UserString, deque
from collections.abc import Callable, ItemsView, Iterable, KeysView, Mapping, ValuesView
from itertools import islice
from typing import Any

from fapilog.diagnostics import attempt, describe, head_of, type_name

MASK = "***"
MAX_DEPTH = 16
MAX_ITEMS = 1_000
MAX_NODES = 10_000
MAX_TEXT = 256 * 1024
MAX_ALL_TEXT = 1024 * 1024
MAX_KEY = 256
MAX_REPR = 1_000
MAX_BINARY = 4_096
MAX_ARRAY_BYTES = 8 * MAX_NODES
FIELD_BYTES = 64
"""What a field of a dict takes beside its name and its value, roughly."""
MAX_INT_BITS = 8_192
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

    def __format__(self, format_spec: str) -> str:
        """Return the mask, whatever the format asks for: a width would raise in the caller's f-string."""
        return MASK

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a masked value: a secret does not travel by accident."""
        return (Sensitive, (MASK,))


class _Walk:
    """The state of one copy: how many values and characters are left, and which containers we are inside of."""

    __slots__ = ("inside", "left", "text")

    def __init__(self) -> None:
        self.left = MAX_NODES
        self.text = MAX_ALL_TEXT
        self.inside: set[int] = set()


def to_plain(value: Any) -> Any:
    """Return ``value`` as a JSON value of its own: no container of the caller's is shared."""
    return _plain(value, _Walk(), 0)


def to_plain_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the fields of one call, each value as by :func:`to_plain`, bounded together."""
    walk = _Walk()
    plain: dict[str, Any] = {}
    for key, value in fields.items():
        if len(plain) >= MAX_ITEMS:
            plain["…"] = _cut_note(fields)
            break
        name = key if type(key) is str and len(key) <= MAX_KEY else cut_text(to_text(key), MAX_KEY)
        plain[_unused(name, plain)] = _plain(value, walk, 0)
    return plain


def cut_text(text: str, limit: int = MAX_TEXT) -> str:
    """Return ``text``, or about its first ``limit`` characters, as whole words, and a note of the whole length."""
    return text if len(text) <= limit else f"{head_of(text, limit)}…[cut, {len(text)} characters]"


def size_of(value: Any) -> int:
    """Return roughly how many bytes a plain value holds besides an event's own; of a scalar that is no text 0."""
    kind = type(value)
    if kind is str:
        return len(value)
    if kind is dict:
        return sum(len(key) + FIELD_BYTES + size_of(item) for key, item in value.items())
    if kind is list:
        return sum(32 + size_of(item) for item in value)
    return 0


def to_text(value: object) -> str:
    """Return a message as text: ``str(value)`` bounded, or what can be said if that raises."""
    if issubclass(type(value), str):
        return cut_text(str.__str__(value))
    text, error = attempt(str, value)
    return _unprintable(value, error) if error is not None else cut_text(str.__str__(text))


def json_safe(value: Any) -> Any:
    """Return a plain value with what JSON, or orjson, does not take replaced by text.

    Integers over 64 bits become decimal text, NaN and infinities ``"NaN"``, ``"Infinity"``, ``"-Infinity"``, lone
    surrogates a visible escape, names that are no text their text.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        bits = value.bit_length()
        return str(value) if bits <= MAX_INT_BITS else f"<integer of {bits} bits>"
    if isinstance(value, dict):
        safe: dict[str, Any] = {}
        for key, item in value.items():
            name = json_safe(key if type(key) is str else to_text(key))
            while name in safe:
                name += "_"
            safe[name] = json_safe(item)
        return safe
    if isinstance(value, list):
        return [json_safe(item) for item in value]
    return value


def _plain(value: Any, walk: _Walk, depth: int) -> Any:
    if type(value) in SCALARS:
        return _scalar(value, walk)
    if walk.left <= 0:
        return f"<cut: over {MAX_NODES} values>"
    walk.left -= 1
    result, error = attempt(_convert, value, walk, depth)
    return _unprintable(value, error) if error is not None else result


def _scalar(value: Any, walk: _Walk) -> Any:
    walk.left -= 1
    kind = type(value)
    if kind is str:
        walk.text -= len(value)
        return cut_text(value, MAX_TEXT if walk.text >= 0 else MAX_REPR)
    if kind is float and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _convert(value: Any, walk: _Walk, depth: int) -> Any:
    # By the type itself, not by isinstance: that asks the object, which may lie (a mock, a proxy) or raise.
    kind = type(value)
    if kind not in _CONTAINERS:
        for base, convert in _SIMPLE:
            if issubclass(kind, base):
                return _plain(convert(value), walk, depth)
    if depth >= MAX_DEPTH:
        return TOO_DEEP
    if id(value) in walk.inside:
        return CYCLE
    walk.inside.add(id(value))
    try:
        return _container(value, kind, walk, depth)
    finally:
        walk.inside.discard(id(value))


def _container(value: Any, kind: type, walk: _Walk, depth: int) -> Any:
    if issubclass(kind, Mapping):
        return _mapping(value, walk, depth)
    if issubclass(kind, tuple) and hasattr(kind, "_asdict"):
        return _mapping(value._asdict(), walk, depth)
    if issubclass(kind, _ARRAYS):
        return _array(value, walk, depth)
    if issubclass(kind, set | frozenset):
        return _array(value, walk, depth, by_text=True)
    names = _field_names(value, kind)
    if names is not None:
        return _object(value, names, walk, depth)
    if callable(getattr(kind, "tolist", None)):
        size = getattr(value, "nbytes", 0)
        return _plain(value.tolist(), walk, depth) if size <= MAX_ARRAY_BYTES else _bounded_repr(value)
    return _bounded_repr(value)


def _mapping(value: Mapping[Any, Any], walk: _Walk, depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    # A snapshot, for a dict in one step of the interpreter: it may change in another thread while we walk.
    for key, item in tuple(islice(value.items(), MAX_ITEMS + 1)):
        if len(result) >= MAX_ITEMS or walk.left <= 0:
            result["…"] = _cut_note(value)
            break
        name = key if type(key) is str and len(key) <= MAX_KEY else _key(key, walk, depth)
        result[_unused(name, result)] = _plain(item, walk, depth + 1)
    return result


def _array(value: Iterable[Any], walk: _Walk, depth: int, *, by_text: bool = False) -> list[Any]:
    result: list[Any] = []
    note = []
    for item in tuple(islice(value, MAX_ITEMS + 1)):
        if len(result) >= MAX_ITEMS or walk.left <= 0:
            note = [_cut_note(value)]
            break
        result.append(_plain(item, walk, depth + 1))
    return [*(sorted(result, key=str) if by_text else result), *note]


def _field_names(value: Any, kind: type) -> Iterable[str] | None:
    """Return the names of the fields that an object's repr shows, if its class declares any."""
    if issubclass(kind, type):
        return None
    # Whoever has a dataclass has the module loaded; importing it here would double the time of `import fapilog`.
    dataclasses = sys.modules.get("dataclasses")
    if dataclasses is not None and dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind) if field.repr]
    attrs = getattr(kind, "__attrs_attrs__", None)
    if attrs is not None:
        return [attribute.name for attribute in attrs if attribute.repr]
    model_fields = getattr(kind, "model_fields", None)
    if isinstance(model_fields, dict) and hasattr(kind, "model_dump"):
        shown = [name for name, field in model_fields.items() if field.repr and not field.exclude]
        return [*shown, *(value.model_extra or ())]
    return getattr(kind, "__struct_fields__", None)


def _object(value: Any, names: Iterable[str], walk: _Walk, depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name in islice(names, MAX_ITEMS):
        item, error = attempt(getattr, value, name)
        result[name] = _plain(item, walk, depth + 1) if error is None else _unprintable(value, error)
    return result


def _key(key: Any, walk: _Walk, depth: int) -> str:
    """Render a key as JSON encoders do for the scalars, else by its plain value."""
    if key is None or type(key) is bool:
        return {None: "null", True: "true", False: "false"}[key]
    plain = _plain(key, walk, depth + 1)
    return cut_text(plain if type(plain) is str else to_text(plain), MAX_KEY)


def _unused(key: str, taken: Mapping[str, Any]) -> str:
    """Return a key that is not taken: itself, with ``_``, or with ``_`` and a number: many clashes stay cheap."""
    if key in taken:
        key += "_"
    while key in taken:
        key += str(len(taken))
    return key


def _cut_note(value: Any) -> str:
    length, error = attempt(len, value)
    return f"<cut: {length} items>" if error is None else "<cut>"


def _bounded_repr(value: object) -> str:
    text, error = attempt(repr, value)
    return _unprintable(value, error) if error is not None else cut_text(str.__str__(text), MAX_REPR)


def _unprintable(value: object, error: Exception) -> str:
    return f"<unprintable {type_name(value)}: {type_name(error)}>"


def _text_of_bytes(value: bytes | bytearray | memoryview) -> str:
    view = memoryview(value)
    length = view.nbytes
    if length > MAX_TEXT and not view.c_contiguous:
        return f"<{length} bytes>"
    head = bytes(view) if length <= MAX_TEXT else bytes(view.cast("B")[:MAX_TEXT])
    # An incremental decoder keeps back a character that the cut goes through.
    text, error = attempt(codecs.getincrementaldecoder("utf-8")().decode, head, length <= MAX_TEXT)
    if error is not None:
        # Escaping takes 0.2 us a byte, and nobody reads binary data in a log.
        head = head[:MAX_BINARY]
        text = head.decode("utf-8", "backslashreplace")
    return text if len(head) == length else f"{text}…[cut, {length} bytes]"


_CONTAINERS = frozenset({dict, list, tuple, set})
_ARRAYS = (list, tuple, deque, UserList, array.array, KeysView, ValuesView, ItemsView)
# In order: the first class that fits decides. A bool is an int, an Enum may be a str: those come first.
_SIMPLE: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Sensitive, lambda _: MASK),
    (enum.Enum, lambda v: v.value),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    ((datetime.datetime, datetime.date, datetime.time), lambda v: v.isoformat()),
    (datetime.timedelta, lambda v: v.total_seconds()),
    ((decimal.Decimal, uuid.UUID, UserString), str),
    (os.PathLike, os.fspath),
    ((bytes, bytearray, memoryview), _text_of_bytes),
    (BaseException, describe),
)
