"""The token bucket: never more than promised, in any stretch of time."""

from hypothesis import given
from hypothesis import strategies as st

from fapilog.filters.bucket import Bucket

PAUSES = st.lists(st.floats(0, 10) | st.just(0.0), max_size=200)


@given(st.floats(0.01, 1_000), st.floats(1, 100), PAUSES)
def test_no_window_gets_more_than_burst_and_rate(rate: float, burst: float, pauses: list[float]) -> None:
    """Between any two takes: at most ``burst + rate * t``."""
    bucket, now, taken = Bucket(rate, burst, 0.0), 0.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now):
            taken.append(now)

    for first, start in enumerate(taken):
        for count, end in enumerate(taken[first:], 1):
            assert count <= (burst + rate * (end - start)) * (1 + 1e-9)


@given(st.floats(0.01, 1_000), st.floats(1, 100), PAUSES)
def test_it_is_full_after_a_calm(rate: float, burst: float, pauses: list[float]) -> None:
    """Whatever was taken, the whole burst is back after ``burst / rate`` seconds."""
    bucket, now = Bucket(rate, burst, 0.0), 0.0
    for pause in pauses:
        now += pause
        bucket.take(now)
    now += burst / rate * 1.001

    assert bucket.full(now)
    assert [bucket.take(now) for _ in range(int(burst) + 1)] == [True] * int(burst) + [False]
