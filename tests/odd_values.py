"""What people log, and what nobody should: strategies and single objects for property tests."""

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from typing import Any

from hypothesis import strategies as st


class Raising:
    """Raises from whatever it is asked."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __repr__(self) -> str:
        raise self._error

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise self._error

    def __hash__(self) -> int:
        return id(self)

    @property
    def __class__(self) -> Any:
        raise self._error


class Talking:
    """Has an arbitrary text as its repr."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class Colour(enum.Enum):
    """An enumeration with a container for a value."""

    RED = "red"
    MIXED = ("red", 1)


@dataclasses.dataclass
class Order:
    """A dataclass with a field that it does not show."""

    id: Any
    note: Any = None
    card: str = dataclasses.field(default="4111", repr=False)


# Lone surrogates included: file names and broken clients bring them.
texts = st.text(st.characters(), max_size=20) | st.sampled_from(
    [
        "\x1b[31mred",
        "a\nb",
        "\r\n",
        "\x9b2J",
        "\u202egnp",
        "\u2028",
        "\u200b",
        "\ud800",
        'say "hi"',
        "a=b",
        "null",
        "7",
        "",
    ]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, 2**64, -(2**63) - 1, float("nan"), float("inf"), -float("inf"), -0.0, 5e-324])
    | st.just(5_000).map(lambda digits: 10**digits)
    | st.floats()
    | texts
)
keys = texts | st.integers() | st.none() | st.booleans() | st.tuples(st.integers(), texts) | st.builds(Talking, texts)
objects = (
    st.binary(max_size=20)
    | st.binary(max_size=20).map(bytearray)
    | st.binary(max_size=20).map(memoryview)
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.uuids()
    | st.builds(Talking, texts)
    | st.builds(Raising, st.sampled_from([ValueError("no"), RecursionError(), MemoryError()]))
    | st.sampled_from(
        [Colour.RED, Colour.MIXED, pathlib.PurePath("/tmp/x"), decimal.Decimal("NaN"), object, len, uuid.UUID(int=0)]
    )
    | st.builds(ValueError, texts)
    | st.frozensets(st.integers() | texts, max_size=4)
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
        | st.tuples(inner, inner)
        | st.builds(Order, inner, inner)
        | st.lists(inner, max_size=4).map(_in_itself)
    )


def _in_itself(items: list[Any]) -> list[Any]:
    items.append(items)
    return items


values = st.recursive(scalars | objects, _containers, max_leaves=20)
field_names = (
    st.sampled_from(
        [
            "message",
            "level",
            "timestamp",
            "logger",
            "trace_id",
            "request_id",
            "exception",
            "stack",
            "service",
            "pid",
            "level_",
        ]
    )
    | texts
)
fields = st.dictionaries(field_names, values, max_size=5)
