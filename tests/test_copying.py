"""The quick copy: the same as the careful one, or none."""

import enum
import math
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.coerce import MAX_DEPTH, MAX_ITEMS, MAX_KEY, to_plain_fields
from fapilog.copying import copy_fields
from tests.odd_values import Colour, Order


class Text(str):
    """A text of a class of its own."""

    __slots__ = ()


class Level(enum.IntEnum):
    """A number that is an enumeration."""

    HIGH = 3


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.text("é\ud800€\0", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sampled_from([Colour.RED, Level.HIGH, Order(1), uuid.UUID(int=7), Text("t"), b"b", {1: 2}, {1, 2}])
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=6), plain, max_size=5))
def test_it_gives_what_the_careful_copy_gives_or_nothing(fields: dict[str, Any]) -> None:
    """Whatever is logged: which way it was copied is nobody's business."""
    quick = copy_fields(fields)

    assert quick is None or quick[0] == to_plain_fields(fields)


def test_ordinary_fields_go_the_quick_way_and_share_no_container() -> None:
    """Or it would be of no use."""
    inner = {"a": [1, 2.5, None, True, "text", {"b": "é"}]}
    quick = copy_fields({"order": inner, "n": 7})

    assert quick is not None
    assert quick[0] == {"order": inner, "n": 7}
    inner["a"].append("later")
    assert "later" not in quick[0]["order"]["a"]


@pytest.mark.parametrize(
    "value",
    [
        math.nan, [math.inf, None], 2**64, "\ud800", object(), {1: 2}, {1, 2}, b"x", Text("t"), Order(1),
        ["x"] * (MAX_ITEMS + 1), "x" * (MAX_KEY + 1), {"k" * (MAX_KEY + 1): 1}, [None, (1, 2)],
    ],
)  # fmt: skip
def test_what_is_not_plain_or_near_a_bound_is_left_to_the_careful_copy(value: Any) -> None:
    """Which knows what to make of it."""
    assert copy_fields({"value": value}) is None


def test_depth_and_cycles_are_left_to_the_careful_copy() -> None:
    """The bounds are those of ``coerce``."""
    deep: Any = "bottom"
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    cycle: list[Any] = []
    cycle.append(cycle)

    assert copy_fields({"deep": deep}) is None
    assert copy_fields({"cycle": cycle}) is None
