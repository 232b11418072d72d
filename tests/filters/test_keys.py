"""Kinds: the same for what is the same, hashable whatever it is, and small."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.coerce import to_plain
from fapilog.errors import ConfigError
from fapilog.filters.keys import LONGEST, checked_key, key_of, known, repeats_nothing, shown
from tests.filters.events import event
from tests.odd_values import values


def test_a_key_holds_the_named_fields_in_order() -> None:
    """What is missing is None."""
    assert key_of(("message", "user", "none"))(event("a", user=7)) == ("a", 7, None)


def test_of_an_exception_only_the_type_counts() -> None:
    """Not its message and its frames, which hold addresses and ids."""
    key = key_of(("message", "exception"))
    first, second = ({"type": "KeyError", "message": f"'{id}'"} for id in (1, 2))  # noqa: A001

    assert key(event(exception=first)) == key(event(exception=second)) == ("Order placed", "KeyError")
    assert key(event(exception=first)) != key(event(exception={"type": "OSError"})) != key(event())


def test_another_dict_with_a_type_counts_as_a_whole() -> None:
    """A payload of the application is no exception."""
    key = key_of(("payload",))

    assert key(event(payload={"type": "order", "id": 1})) != key(event(payload={"type": "order", "id": 2}))
    assert key(event(payload={"type": "order", "id": 1})) == key(event(payload={"type": "order", "id": 1}))


@pytest.mark.parametrize(
    "value", ["x" * 100_000, list(range(1_000)), {"password": "hunter2"}, [[["deep"]]], 10**4_000, 10**5_000],
    ids=["text", "list", "dict", "nested", "integer", "integer without repr"],
)  # fmt: skip
def test_what_is_long_or_holds_others_is_small_and_not_shown(value: Any) -> None:
    """No text is cut, in the middle of a secret, and no dict becomes a text that the redactor sees no keys in."""
    part = known(value)

    assert part == known(value)
    assert hash(part) is not None
    assert sys.getsizeof(part) + sum(map(sys.getsizeof, part)) < 400
    assert shown(part).startswith("<")
    assert len(shown(part)) < 40


def test_long_texts_that_differ_at_their_end_are_different_kinds() -> None:
    """Nothing is held back for sharing a long beginning with something else."""
    assert known("x" * 10_000 + "a") != known("x" * 10_000 + "b")
    assert known("x" * LONGEST) == "x" * LONGEST
    assert shown(known("x" * (LONGEST + 1))) == "<513 characters>"


def test_a_list_is_no_text() -> None:
    """What reads alike but is of another type is another kind."""
    assert len({known("[1]"), known([1]), known("1"), known(1)}) == 4


@given(values)
def test_any_value_has_a_key(value: Any) -> None:
    """As log calls make it plain: hashable, the same each time, and short."""
    key = key_of(("value", "exception"))
    value = to_plain(value)
    one = key(event(value=value, exception=value))

    assert len({one, key(event(value=value, exception=value))}) == 1
    assert all(len(str(shown(part))) <= LONGEST for part in one)


@pytest.mark.parametrize("key", [None, "message", b"message", 7, [], (), {}, {"message": 1}, [7], [""], [None], [" "]])
def test_a_wrong_key_is_refused(key: object) -> None:
    """One text is no list of names; the error names the method."""
    with pytest.raises(ConfigError, match=r"^with_dedupe\(key\): "):
        checked_key(key, "with_dedupe(key)")


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1))
def test_any_list_of_names_is_a_key(names: list[str]) -> None:
    """As a tuple, so that options stay as they are."""
    assert checked_key(iter(names), "x") == tuple(names)


@pytest.mark.parametrize(("logger", "own"), [("fapilog", True), ("fapilog.request", True), ("fapilog.other", False)])
def test_completion_events_are_no_repetitions_of_each_other(logger: str, own: bool) -> None:
    """Each request has exactly one, all with the same message; nor are the toolkit's own events."""
    assert repeats_nothing({"logger": logger}) is own
