"""The ``repr`` of options: enough to see what was chosen, and no text that could be a secret.

Numbers, words out of a closed set, sizes, durations and level names are shown. Any other text, and whatever is inside
a list, a mapping or an object of the user's, is told by its type or its count alone.
"""

from collections.abc import Mapping, Sized
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin, get_type_hints

HIDDEN = "'***'"

_READABLE = frozenset({
    "directory", "env", "error_level", "format", "group", "hosts", "include_headers", "level", "loggers", "name", "on",
    "path", "preset", "presets", "protocol", "request_id_header", "schema", "shed", "skip_paths", "stream", "table",
    "to", "topic", "trusted_proxies", "version",
})  # fmt: skip
"""Options whose text says what is done, and holds no secret."""


def flat_fields(value: Any, prefix: str = "", hidden: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return all options of a dataclass by name, those of a part as ``part.option``, as plain values for JSON.

    What :func:`show` hides is hidden here, too, but for a few names.
    """
    hints = get_type_hints(type(value))
    found: dict[str, Any] = {}
    for item in fields(value):
        if item.name in hidden:
            continue
        name, inner = f"{prefix}{item.name}", getattr(value, item.name)
        if is_dataclass(inner) and not isinstance(inner, type):
            found |= flat_fields(inner, f"{name}.")
        elif isinstance(inner, Mapping | list | tuple | set | frozenset):
            found |= _members(name, inner, readable=item.name in _READABLE)
        elif inner is None or isinstance(inner, bool | int | float):
            found[name] = inner
        elif isinstance(inner, str | PurePath):
            found[name] = str(inner) if item.name in _READABLE or _is_closed(hints.get(item.name)) else HIDDEN[1:-1]
        else:
            found[name] = f"<{type(inner).__name__}>"
    return found


def _members(name: str, values: Any, *, readable: bool) -> dict[str, Any]:
    """Return how many values there are in a collection, or the texts themselves; parts one by one, by their kind."""
    if readable and all(isinstance(each, str) for each in values):
        return {name: list(values)}
    parts = [each for each in values if is_dataclass(each) and not isinstance(each, type)]
    if not parts:
        return {name: len(values)}
    found: dict[str, Any] = {}
    for number, part in enumerate(parts):
        kind = type(part).__name__.removesuffix("Options").lower()
        found[f"{name}[{number}]"] = kind
        found |= flat_fields(part, f"{name}[{number}].")
    return found


def show_fields(value: Any, hidden: tuple[str, ...] = ()) -> str:
    """Return ``Class(option=value, …)`` of a dataclass with the options that differ from their defaults."""
    hints = get_type_hints(type(value))
    shown = [
        f"{item.name}={show(getattr(value, item.name), hints.get(item.name))}"
        for item in fields(value)
        if item.name not in hidden and getattr(value, item.name) != _default(item)
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def show(value: Any, hint: Any = None) -> str:
    """Return a value as its options' ``repr`` shows it.

    Args:
        value: The value.
        hint: The type that its field is declared with.
    """
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, str):
        return repr(value) if _is_closed(hint) else HIDDEN
    if is_dataclass(value) and not isinstance(value, type):
        return show_fields(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _count(value)
    return f"<{type(value).__name__}>"


def _is_closed(hint: Any) -> bool:
    """Tell whether the texts of a type are few: words of a list, or other ways to write a number."""
    kinds = {get_origin(kind) or kind for kind in (hint, *get_args(hint))}
    return bool(kinds & {Literal, int, float})


def _count(values: Sized) -> str:
    return f"<{len(values)} of {type(values).__name__}>"


def _default(item: Field[Any]) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()
