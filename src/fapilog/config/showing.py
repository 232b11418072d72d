"""The ``repr`` of options: enough to see what was chosen, and no text that could be a secret.

Numbers, words out of a closed set, sizes, durations and level names are shown. Any other text, and whatever is inside
a list, a mapping or an object of the user's, is told by its type or its count alone.
"""

from collections.abc import Mapping, Sized
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

HIDDEN = "'***'"


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
