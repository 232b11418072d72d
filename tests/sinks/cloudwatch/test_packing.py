"""Which events go into which call: the limits of PutLogEvents, and what its answer says."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.sinks.cloudwatch.packing import (
    EXPIRED,
    MAX_BYTES,
    MAX_EVENTS,
    MAX_MESSAGE,
    OVERHEAD,
    SPAN_MS,
    TOO_LARGE,
    TOO_NEW,
    TOO_OLD,
    pack,
    rejected_of,
)

HOUR_MS = 3_600_000
SIZES = st.one_of(st.integers(1, 500), st.integers(200_000, 400_000), st.sampled_from([MAX_MESSAGE, MAX_MESSAGE + 1]))
TIMES = st.one_of(st.integers(0, 5), st.integers(0, 100 * HOUR_MS), st.sampled_from([0, SPAN_MS - 1, SPAN_MS]))
EVENTS = st.lists(st.tuples(TIMES, SIZES), max_size=60)


@given(EVENTS)
def test_each_event_is_in_one_call_or_rejected_and_every_call_holds_all_limits(events):
    """No event is lost, doubled or sent where the service would refuse the call, and order is time, then position."""
    times, sizes = [time for time, _ in events], [size for _, size in events]

    calls, rejected = pack(times, sizes)

    sent = [index for call in calls for index in call]
    assert sorted([*sent, *rejected]) == list(range(len(events)))
    assert sent == sorted(sent, key=lambda index: (times[index], index))
    assert set(rejected) == {index for index, size in enumerate(sizes) if size + OVERHEAD > MAX_BYTES}
    for call in calls:
        assert 1 <= len(call) <= MAX_EVENTS
        assert sum(sizes[index] + OVERHEAD for index in call) <= MAX_BYTES
        assert times[call[-1]] - times[call[0]] < SPAN_MS


@given(EVENTS)
def test_no_call_could_have_taken_the_first_event_of_the_next(events):
    """The calls are as few as the order of time allows."""
    times, sizes = [time for time, _ in events], [size for _, size in events]

    calls, _ = pack(times, sizes)

    for call, following in pairwise(calls):
        longer = [*call, following[0]]
        assert (
            len(longer) > MAX_EVENTS
            or sum(sizes[index] + OVERHEAD for index in longer) > MAX_BYTES
            or times[longer[-1]] - times[longer[0]] >= SPAN_MS
        )


def test_ten_thousand_events_are_one_call_and_one_more_makes_two():
    """The limit of events is used to the full, and kept."""
    calls, _ = pack([7] * 10_001, [10] * 10_001)

    assert [len(call) for call in calls] == [10_000, 1]


def test_the_overhead_of_each_event_counts():
    """1 048 576 bytes are messages and 26 bytes for each of them."""
    half = MAX_BYTES // 2 - OVERHEAD

    assert pack([0, 0], [half, half])[0] == [[0, 1]]
    assert pack([0, 0], [half, half + 1])[0] == [[0], [1]]


def test_the_largest_event_goes_alone_and_a_larger_one_is_rejected():
    """One byte more than a call can hold is said to be too large, and the others are sent."""
    calls, rejected = pack([0, 0, 0], [MAX_MESSAGE, MAX_MESSAGE + 1, 5])

    assert (calls, rejected) == ([[0], [2]], {1: TOO_LARGE})


def test_a_clock_that_stepped_back_gives_one_call():
    """Events are sorted by their time before they are packed, so old and new in turns do not make a call each."""
    calls, _ = pack([HOUR_MS * 50, 0] * 50, [10] * 100)

    assert calls == [list(range(1, 100, 2)), list(range(0, 100, 2))]


@pytest.mark.parametrize(
    ("info", "rejected"),
    [
        (None, {}),
        ({}, {}),
        ({"tooOldLogEventEndIndex": 2}, {30: TOO_OLD, 10: TOO_OLD}),
        ({"tooNewLogEventStartIndex": 3}, {20: TOO_NEW}),
        ({"tooNewLogEventStartIndex": 0}, {30: TOO_NEW, 10: TOO_NEW, 0: TOO_NEW, 20: TOO_NEW}),
        ({"tooOldLogEventEndIndex": 0, "tooNewLogEventStartIndex": 4}, {}),
        ({"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 3}, {30: TOO_OLD, 10: EXPIRED, 0: EXPIRED}),
        (
            {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": None, "tooNewLogEventStartIndex": 3},
            {30: TOO_OLD, 20: TOO_NEW},
        ),
        ({"tooOldLogEventEndIndex": -1, "expiredLogEventEndIndex": -7}, {}),
    ],
)
def test_an_answer_counts_in_the_order_of_the_call(info, rejected):
    """Ends are exclusive, the start is inclusive, and the positions are those of the batch, not of the call."""
    answer = {} if info is None else {"rejectedLogEventsInfo": info}

    assert rejected_of(answer, [30, 10, 0, 20]) == rejected
