"""Counting by level, and sharing out what is only known as a number."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fapilog.delivery.by_level import count_levels, shared_out

levels = st.lists(st.sampled_from([10, 20, 30, 40]), max_size=70)


@given(st.lists(levels, max_size=5))
def test_slices_are_counted_as_one_by_one(slices: list[list[int]]) -> None:
    """Whether of one level or of many, or empty."""
    counts: dict[int, int] = {}
    for piece in slices:
        count_levels(counts, piece)

    assert counts == dict(Counter(level for piece in slices for level in piece))


@given(st.dictionaries(st.integers(0, 50), st.integers(0, 1_000), min_size=1), st.data())
def test_a_share_is_in_proportion_and_never_more_than_there_is(pool: dict[int, int], data: st.DataObject) -> None:
    """As many as were asked for, within one of the exact proportion."""
    whole = sum(pool.values())
    count = data.draw(st.integers(0, whole))
    found = shared_out(pool, count)

    assert sum(found.values()) == count
    for level, share in found.items():
        assert 0 <= share <= pool[level]
        assert abs(share - pool[level] * count / max(1, whole)) < 1
