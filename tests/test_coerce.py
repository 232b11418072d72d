"""Any object as a plain value: the table of the module, its bounds, and that nothing of the caller's is touched."""

import array
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import io
import json
import pathlib
import pickle
import time
import types
import uuid
from typing import Any, NamedTuple
from unittest import mock

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given, settings

from fapilog import coerce
from fapilog.coerce import (
    CYCLE,
    MAX_ITEMS,
    MAX_NODES,
    MAX_TEXT,
    TOO_DEEP,
    Sensitive,
    to_plain,
    to_plain_fields,
    to_text,
)
from tests.odd_values import Colour, Order, Raising, Talking, fields, values


class Number(int):
    """An int that lies about its text."""

    def __str__(self) -> str:
        return "lie"


class Text(str):
    """A str that lies about its text."""

    __slots__ = ()

    def __str__(self) -> str:
        return "lie"


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int


@attrs.define
class AttrsUser:
    """An attrs class with a field that it does not show."""

    name: str
    password: str = attrs.field(repr=False)


class Model(pydantic.BaseModel):
    """A pydantic model with secrets of three kinds."""

    model_config = pydantic.ConfigDict(extra="allow")

    name: str
    inner: Order
    password: str = pydantic.Field("hunter2", repr=False)
    token: str = pydantic.Field("t0ken", exclude=True)
    key: pydantic.SecretStr = pydantic.SecretStr("s3cret")


class Struct(msgspec.Struct):
    """A msgspec structure."""

    sku: str
    left: int


class Weekday(enum.IntEnum):
    """An enumeration that is a number as well."""

    MONDAY = 1


class Half:
    """A dataclass-like object with a field that was never set."""


@dataclasses.dataclass(init=False)
class Unset:
    """A dataclass of which one field was never set."""

    given: int
    missing: int

    def __init__(self) -> None:
        self.given = 1


UTC = datetime.UTC
GOLDEN: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (7, 7),
    (2**64, 2**64),
    (1.5, 1.5),
    ("text", "text"),
    ("\ud800", "\ud800"),
    (float("nan"), "NaN"),
    (float("inf"), "Infinity"),
    (-float("inf"), "-Infinity"),
    (Number(7), 7),
    (Text("true text"), "true text"),
    ([1, [2]], [1, [2]]),
    ((1, 2), [1, 2]),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a"}), ["a", "b"]),
    ({"b", 1, None}, [1, None, "b"]),
    (set(), []),
    (collections.deque([1, 2]), [1, 2]),
    (collections.UserList([1]), [1]),
    (collections.UserString("u"), "u"),
    (array.array("d", [0.5]), [0.5]),
    ({"a": 1}.keys(), ["a"]),
    ({"a": 1}.values(), [1]),
    ({"a": 1}.items(), [["a", 1]]),
    (range(10**9), "range(0, 1000000000)"),
    ({"a": {"b": 1}}, {"a": {"b": 1}}),
    (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    ({1: "a", None: "b", False: "c", 2.5: "d"}, {"1": "a", "null": "b", "false": "c", "2.5": "d"}),
    ({(1, 2): "t"}, {"[1, 2]": "t"}),
    ({Colour.RED: 1, b"k": 2}, {"red": 1, "k": 2}),
    ({"1": "text", 1: "number"}, {"1": "text", "1_": "number"}),
    (Point(1, 2), {"x": 1, "y": 2}),
    (Order(7, note=[1]), {"id": 7, "note": [1]}),
    (Unset(), {"given": 1, "missing": "<unprintable Unset: AttributeError>"}),
    (AttrsUser("ada", "secret"), {"name": "ada"}),
    (
        Model(name="n", inner=Order(1), more=2),  # type: ignore[call-arg]
        {"name": "n", "inner": {"id": 1, "note": None}, "key": "SecretStr('**********')", "more": 2},
    ),
    (Struct("s", 1), {"sku": "s", "left": 1}),
    (Order, repr(Order)),
    (Colour.RED, "red"),
    (Colour.MIXED, ["red", 1]),
    (Weekday.MONDAY, 1),
    (datetime.datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006+00:00"),
    (datetime.datetime(2026, 1, 2), "2026-01-02T00:00:00"),  # noqa: DTZ001 - naive on purpose
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (datetime.time(3, 4), "03:04:00"),
    (datetime.timedelta(minutes=1, milliseconds=5), 60.005),
    (decimal.Decimal("1.10"), "1.10"),
    (decimal.Decimal("NaN"), "NaN"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (pathlib.PurePosixPath("/tmp/x"), "/tmp/x"),
    (b"caf\xc3\xa9", "café"),
    (b"\xff\x00", "\\xff\x00"),
    (bytearray(b"ab"), "ab"),
    (memoryview(b"abcd")[::2], "ac"),
    (ValueError("no\nway"), "ValueError: no way"),
    (ValueError(), "ValueError"),
    (Raising(KeyError("k")), "<unprintable Raising: KeyError>"),
    ([1, Raising(KeyError("k")), 2], [1, "<unprintable Raising: KeyError>", 2]),
    (Talking("<me>"), "<me>"),
    (Sensitive("secret"), "***"),
    ({"card": Sensitive("secret"), Sensitive("k"): 1}, {"card": "***", "***": 1}),
    (mock.Mock(spec=dict, name="m"), "<Mock name='m' spec='dict' id="),
]


@pytest.mark.parametrize("case", [pytest.param([one], id=type(one[0]).__name__) for one in GOLDEN])
def test_each_kind_of_object_has_its_documented_form(case) -> None:
    """X1, X2, X10: what is logged becomes what the table of the module says."""
    [(given_value, expected)] = case
    plain = to_plain(given_value)

    if isinstance(expected, str) and expected.endswith("id="):
        assert plain.startswith(expected)
    else:
        assert plain == expected
        assert type(plain) is type(expected)


def test_numpy_values_are_numbers_and_nested_arrays() -> None:
    """A numpy scalar is a number, a small array nested arrays, a large one its summary."""
    numpy = pytest.importorskip("numpy")

    assert to_plain(numpy.int64(7)) == 7
    assert type(to_plain(numpy.float32(0.5))) is float
    assert to_plain(numpy.arange(4).reshape(2, 2)) == [[0, 1], [2, 3]]
    assert len(to_plain(numpy.zeros((10, 1_000_000)))) <= coerce.MAX_REPR + 40


def test_an_array_library_is_not_asked_for_a_million_objects() -> None:
    """What has ``tolist`` and is large is shown by its repr, which such libraries keep short."""

    class Tensor:
        nbytes = 10**9

        def tolist(self) -> list[int]:
            raise AssertionError

        def __repr__(self) -> str:
            return "tensor(...)"

    assert to_plain(Tensor()) == "tensor(...)"


def test_an_iterator_is_named_and_not_consumed() -> None:
    """Logging a generator does not steal its elements from the caller."""
    numbers = (number for number in range(3))
    stream = io.StringIO("text")

    assert to_plain(numbers).startswith("<generator object")
    assert to_plain(stream).startswith("<_io.StringIO")
    assert list(numbers) == [0, 1, 2]
    assert stream.read() == "text"


def test_cycles_and_depth_are_cut() -> None:
    """X6: an object inside itself, and one nested ten thousand deep, end in a marker."""
    items: list[Any] = [1]
    items.append(items)
    mapping: dict[str, Any] = {}
    mapping["self"] = [mapping]
    deep: Any = 0
    for _ in range(10_000):
        deep = [deep]

    assert to_plain(items) == [1, CYCLE]
    assert to_plain(mapping) == {"self": [CYCLE]}
    assert TOO_DEEP in json.dumps(to_plain(deep))
    shared = [1]
    assert to_plain([shared, shared]) == [[1], [1]]


def _dag() -> Any:
    node: Any = []
    for _ in range(30):
        node = [node, node]
    return node


HUGE = {
    "a million elements": lambda: list(range(1_000_000)),
    "a set of a million": lambda: set(range(1_000_000)),
    "a hundred thousand keys": lambda: dict.fromkeys(range(100_000)),
    "a deque": lambda: collections.deque(range(1_000_000)),
    "a thousand thousands": lambda: [[0] * 1_000] * 1_000,
    "two to the thirty paths": _dag,
    "keys that all look the same": lambda: {Talking("same"): index for index in range(2_000)},
    "long keys": lambda: {f"{index}{'k' * 10_000}": 1 for index in range(1_000)},
    "many long texts": lambda: ["x" * 300_000] * 1_000,
    "ten megabytes of text": lambda: "x" * 10_000_000,
    "binary data": lambda: b"\xff" * 10_000_000,
    "a huge array": lambda: array.array("d", [0.0]) * 1_000_000,
    "sets of sets": lambda: [{frozenset({index})} for index in range(20_000)],
}


@pytest.mark.parametrize("build", HUGE.values(), ids=HUGE.keys())
def test_a_huge_object_costs_a_bounded_amount_of_work(build) -> None:
    """X6, X7: however large it is, a bounded number of values and characters is taken and the caller is soon back."""
    value = build()

    started = time.perf_counter()
    plain = to_plain(value)
    took_seconds = time.perf_counter() - started

    count, characters = _measure(plain)
    assert count <= 2.1 * MAX_NODES
    assert characters <= 4 * coerce.MAX_ALL_TEXT
    # 15 ms at most on the machine it was written on; the bound only catches what grows with the value.
    assert took_seconds < 1.0


def test_a_container_without_end_is_left_in_time() -> None:
    """X10: ``__iter__`` and ``items`` of the caller's classes are asked for no more than is written."""

    def numbers() -> Any:
        yield from range(MAX_ITEMS + 1)
        pytest.fail("too many were taken")

    class Endless(list[int]):
        def __iter__(self) -> Any:
            return numbers()

    class EndlessMapping(collections.UserDict[int, int]):
        def items(self) -> Any:
            return ((number, number) for number in numbers())

    assert to_plain(Endless()) == [*range(MAX_ITEMS), "<cut: 0 items>"]
    assert len(to_plain(EndlessMapping())) == MAX_ITEMS + 1


def test_what_an_object_says_of_its_class_is_not_believed() -> None:
    """Proxies and mocks claim to be what they stand for, and have nothing of it."""

    class Proxy:
        @property
        def __class__(self) -> Any:
            return str

        def __repr__(self) -> str:
            return "<proxy>"

    assert to_plain([Proxy()]) == ["<proxy>"]


def test_what_is_cut_says_how_much_there_was() -> None:
    """A reader of the log knows that he does not see everything."""
    assert to_plain(list(range(5_000)))[-1] == "<cut: 5000 items>"
    assert len(to_plain(list(range(5_000)))) == MAX_ITEMS + 1
    assert to_plain(set(range(5_000)))[-1] == "<cut: 5000 items>"
    assert to_plain(dict.fromkeys(range(5_000)))["…"] == "<cut: 5000 items>"
    assert to_plain("x" * (MAX_TEXT + 1)).endswith(f"…[cut, {MAX_TEXT + 1} characters]")
    assert to_plain("é".encode() * MAX_TEXT).endswith(f"é…[cut, {2 * MAX_TEXT} bytes]")
    assert to_plain(b"\xff" * 5_000).endswith("…[cut, 5000 bytes]")
    assert to_plain(list(range(MAX_ITEMS))) == list(range(MAX_ITEMS))


def test_bytes_are_cut_between_characters() -> None:
    """X7: the cut does not go through a UTF-8 sequence."""
    plain = to_plain(b"x" + "é".encode() * MAX_TEXT)

    assert "\\x" not in plain


def test_a_large_field_does_not_cost_the_others_of_its_call() -> None:
    """The bound is for the call, but a number beside a huge container is kept."""
    plain = to_plain_fields({"big": [[0] * 1_000] * 1_000, "user_id": 7, "tags": ["a"], "name": "ada"})

    assert plain["user_id"] == 7
    assert plain["name"] == "ada"
    assert plain["tags"] == f"<cut: over {MAX_NODES} values>"


def test_ten_thousand_fields_are_bounded() -> None:
    """X7: the number of fields is bounded like the members of an object."""
    plain = to_plain_fields({f"f{index}": "x" * 10_000 for index in range(10_000)})

    assert len(plain) == MAX_ITEMS + 1
    assert plain["…"] == "<cut: 10000 items>"
    assert _measure(plain)[1] <= 3 * coerce.MAX_ALL_TEXT


@given(values)
@settings(max_examples=300, deadline=None)
def test_whatever_is_given_becomes_a_plain_tree(value) -> None:
    """X1, X6, X10: nothing raises, and what comes out is made of exact JSON types only."""
    _assert_plain(to_plain(value), 0)


@given(fields)
@settings(deadline=None)
def test_plain_values_stay_as_they_are(given_fields) -> None:
    """To coerce twice is to coerce once: a serialiser may do it again."""
    once = to_plain_fields(given_fields)

    assert to_plain_fields(once) == once


def test_the_callers_objects_are_neither_changed_nor_shared() -> None:
    """P36, X8: what was logged is what is written, whatever happens to it afterwards."""
    value = {"list": [1, {"deep": [2]}], "bytes": bytearray(b"ab"), "order": Order([3])}
    before = copy.deepcopy(value)

    plain = to_plain(value)
    assert value == before
    value["list"][1]["deep"].append("later")  # type: ignore[index]
    value["bytes"].clear()  # type: ignore[attr-defined]
    value["order"].id.append("later")  # type: ignore[attr-defined]
    value.clear()

    assert plain == {"list": [1, {"deep": [2]}], "bytes": "ab", "order": {"id": [3], "note": None}}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_request_to_stop_is_not_swallowed(error) -> None:
    """X10: Ctrl-C while a slow ``__repr__`` runs stops the program."""

    class Stopping:
        def __repr__(self) -> str:
            raise error

    with pytest.raises(error):
        to_plain([Stopping()])


def test_a_message_of_any_kind_is_text() -> None:
    """X16: a message that is no text is rendered, bounded."""
    for value in (Raising(OSError()), Talking("x" * 10**6), 10**5000, Text("t"), b"b", None):
        text = to_text(value)

        assert type(text) is str
        assert len(text) <= MAX_TEXT + 50


def test_a_repr_that_is_no_text_is_marked() -> None:
    """X10: ``__repr__`` may return anything."""

    class Wrong:
        def __repr__(self) -> str:
            return 7  # type: ignore[return-value]

    assert to_plain(Wrong()) == "<unprintable Wrong: TypeError>"


def test_a_sensitive_value_shows_itself_nowhere() -> None:
    """3.7: the mask in ``repr``, ``str``, any format, pickles and asdict; the caller still gets the value."""
    card = Sensitive("5500-0000")

    shown = [repr(card), str(card), f"{card}", f"{card:>20}", f"{card!r}", "%s" % card, repr(to_plain([card]))]  # noqa: UP031
    assert not any("5500" in text for text in shown)
    assert b"5500" not in pickle.dumps(card)
    assert "5500" not in str(dataclasses.asdict(Order(card)))
    assert card.reveal() == "5500-0000"


def _measure(plain: Any) -> tuple[int, int]:
    """Return how many values there are, and how many characters."""
    if isinstance(plain, dict):
        parts = [_measure(item) for item in plain.values()]
        return 1 + sum(count for count, _ in parts), sum(map(len, plain)) + sum(length for _, length in parts)
    if isinstance(plain, list):
        parts = [_measure(item) for item in plain]
        return 1 + sum(count for count, _ in parts), sum(length for _, length in parts)
    return 1, len(plain) if isinstance(plain, str) else 0


def _assert_plain(value: Any, depth: int) -> None:
    assert depth <= coerce.MAX_DEPTH + 1
    assert type(value) in {str, int, float, bool, type(None), list, dict}
    if type(value) is float:
        assert value - value == 0, "NaN and infinities are text"
    for item in value if type(value) is list else ():
        _assert_plain(item, depth + 1)
    for key, item in value.items() if type(value) is dict else ():
        assert type(key) is str
        _assert_plain(item, depth + 1)
