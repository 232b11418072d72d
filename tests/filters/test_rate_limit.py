"""The rate limit: a bucket for each kind, bounded in number, and every event held back is told of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fapilog
from fapilog.errors import ConfigError
from fapilog.filters.rate_limit import MOST_TOLD, SUMMARY_SECONDS, RateLimit, RateLimitOptions
from fapilog.testing import FakeClock
from tests.filters.events import LEVELS, event, passed


def made(clock: FakeClock | None = None, **options: Any) -> RateLimit:
    return RateLimit(RateLimitOptions(**options), LEVELS.number, clock or FakeClock())


def told(limit: RateLimit, final: bool = True) -> int:
    return sum(summary.fields["count"] for summary in limit.due(final))


def test_a_burst_and_then_so_many_a_second() -> None:
    """The burst at once, then one for each time that a token needs."""
    clock = FakeClock()
    limit = made(clock, per_second=2, burst=5)

    assert passed(limit, [event()] * 20) == 5
    clock.advance(1.0)
    assert passed(limit, [event()] * 20) == 2
    clock.advance(60.0)
    assert passed(limit, [event()] * 20) == 5


def test_the_burst_is_a_second_s_worth_by_default() -> None:
    """At least one, else nothing would ever go on."""
    assert passed(made(per_second=7), [event()] * 20) == 7
    assert passed(made(per_second=0.1), [event()] * 20) == 1


def test_each_kind_has_its_own_bucket() -> None:
    """By logger and message unless other fields are named; errors are limited as well."""
    limit = made(per_second=1)
    assert [limit(event(m, logger=n, level="ERROR")) for m, n in (("a", "x"), ("a", "y"), ("b", "x"), ("a", "x"))] == [
        True, True, True, False,
    ]  # fmt: skip

    limit = made(per_second=1, key=["user"])
    assert [limit(event(str(n), user=u)) for n, u in enumerate((1, 2, [1], None, 1, [1], None))] == [
        True, True, True, True, False, False, False,
    ]  # fmt: skip


def test_the_toolkits_own_events_go_on() -> None:
    """Else a summary could be held back by the filter that made it."""
    limit = made(per_second=0.1, key=["level"])

    assert passed(limit, [event(logger="fapilog")] * 100) == 100
    assert limit(event()) is True


def test_a_summary_tells_of_each_kind() -> None:
    """Ten seconds after the first was held back, under the level of the last; then again only of what came since."""
    clock = FakeClock()
    limit = made(clock, per_second=0.01)
    for _ in range(4):
        limit(event("a"))
    limit(event("a", level="ERROR"))
    limit(event("b"))

    assert limit.due(final=False) == []
    clock.advance(SUMMARY_SECONDS - 0.001)
    assert limit.due(final=False) == []
    clock.advance(0.001)
    assert limit.due(final=False) == [
        ("ERROR", "events rate limited", {"count": 4, "of": {"logger": "shop", "message": "a"}})
    ]
    assert limit.due(final=True) == []

    limit(event("a"))
    assert told(limit, final=False) == 0
    assert told(limit) == 1


def test_a_flood_of_kinds_is_no_flood_of_summaries() -> None:
    """A hundred by themselves, the rest in one, and none twice."""
    limit = made(per_second=0.001)
    for number in range(1_000):
        passed(limit, [event(f"m{number}")] * (5 if number < MOST_TOLD else 3))

    summaries = limit.due(final=True)

    assert len(summaries) == MOST_TOLD + 1
    assert {summary.fields["count"] for summary in summaries[:-1]} == {4}
    assert summaries[-1] == ("WARNING", "events rate limited", {"count": 1_800, "other_kinds": True})
    assert limit.due(final=True) == []


def test_a_million_kinds_stay_bounded() -> None:
    """There are never more buckets than said, and new kinds are no way around the limit."""
    clock = FakeClock()
    limit = made(clock, per_second=1, burst=2, max_keys=1_000)
    on = 0
    for number in range(1_000_000):
        on += limit({"logger": "shop", "level": "INFO", "message": number})
        if not number % 1_000:
            clock.advance(0.001)

    assert len(limit._buckets) == 1_000
    assert len(limit._held) <= MOST_TOLD
    # 1000 of their own, and what the shared bucket allows.
    assert 1_000 <= on <= 1_000 + 2 + 1
    assert on + told(limit) == 1_000_000


def test_a_calm_kind_gives_its_place_away() -> None:
    """One whose bucket is full again; one that is in use does not."""
    clock = FakeClock()
    limit = made(clock, per_second=1, burst=1, key=["message"], max_keys=2)
    for message in ("a", "b", "c"):
        assert limit(event(message))  # c by the shared bucket
    assert not limit(event("d"))
    clock.advance(1.0)
    assert limit(event("d"))
    assert list(limit._buckets) == [("b",), ("d",)]

    assert not limit(event("d"))
    clock.advance(5.0)
    assert limit(event("e"))
    assert limit(event("f"))
    assert list(limit._buckets) == [("e",), ("f",)]
    assert told(limit) == 2  # of d, which has no bucket any more


def test_the_kind_that_was_used_longest_ago_goes_first() -> None:
    """One that is still logged keeps its bucket."""
    clock = FakeClock()
    limit = made(clock, per_second=1, burst=1, key=["message"], max_keys=2)
    for message in "aba":
        limit(event(message))
        clock.advance(2.0)
    limit(event("c"))

    assert list(limit._buckets) == [("a",), ("c",)]


def test_kinds_that_share_a_bucket_are_told_apart() -> None:
    """Those that share a bucket are told of one by one, too."""
    limit = made(per_second=0.1, key=["message"], max_keys=1)
    for message in ("a", "b", "c"):
        passed(limit, [event(message)] * 3)

    assert [summary.fields for summary in limit.due(final=True)] == [
        {"count": 2, "of": {"message": "a"}},
        {"count": 2, "of": {"message": "b"}},
        {"count": 3, "of": {"message": "c"}},
    ]


def test_a_place_of_its_own_is_no_second_burst() -> None:
    """A kind that has used the shared bucket up begins with what is left of it."""
    clock = FakeClock()
    limit = made(clock, per_second=1, burst=3, key=["message"], max_keys=1)
    assert limit(event("a"))
    assert passed(limit, [event("b")] * 5) == 3  # shared
    clock.advance(1.0)

    assert passed(limit, [event("b")] * 5) == 1
    assert list(limit._buckets) == [("b",)]


def test_numbers_that_are_none_are_one_kind() -> None:
    """NaN is not equal to itself, which is no way around the limit."""
    limit = made(per_second=0.1, key=["value"])

    assert passed(limit, [event(value=float("nan")) for _ in range(100)]) == 1


def test_a_summary_shows_no_long_and_no_nested_value() -> None:
    """A secret is not taken apart so that no rule finds it."""
    limit = made(per_second=0.1, key=["message", "user", "n"])
    passed(limit, [event("x" * 10_000, user={"password": "hunter2"}, n=7)] * 2)

    (summary,) = limit.due(final=True)

    assert summary.fields["of"] == {"message": "<10000 characters>", "user": "<dict>", "n": 7}


def test_an_event_without_a_level_or_a_logger() -> None:
    """Is a kind of its own and raises nothing."""
    limit = made(per_second=0.1)

    assert [limit({}) for _ in range(3)] == [True, False, False]
    assert limit.due(final=True) == [
        ("WARNING", "events rate limited", {"count": 2, "of": {"logger": None, "message": None}})
    ]


STEPS = st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 8), st.booleans()), max_size=100)


@given(st.floats(0.05, 20), st.none() | st.floats(1, 10), st.integers(1, 4), STEPS)
def test_counts_are_conserved_and_no_kind_gets_more_than_its_limit(
    rate: float, burst: float | None, most: int, steps: list[tuple[str, float, bool]]
) -> None:
    """What went on and what summaries tell make up what came; in any window at most ``burst + rate * t``."""
    clock = FakeClock()
    limit = made(clock, per_second=rate, burst=burst, key=["message"], max_keys=most)
    times: dict[str, list[float]] = {}
    summed = 0
    for message, pause, look in steps:
        clock.advance(pause)
        if limit(event(message)):
            times.setdefault(message, []).append(clock.monotonic())
        if look:
            summed += told(limit, final=False)
        assert len(limit._buckets) <= most

    assert sum(map(len, times.values())) + summed + told(limit) == len(steps)
    size = burst or max(1.0, rate)
    for on in times.values():
        for first, start in enumerate(on):
            for count, end in enumerate(on[first:], 1):
                assert count <= (size + rate * (end - start)) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(
            ({"per_second": value}, "per_second")
            for value in (0, -1, "5", None, True, [], float("nan"), float("inf"), 10**400)
        ),
        *(({"burst": value}, "burst") for value in (0, 0.5, -1, "5", True, [], float("nan"), float("inf"), 10**400)),
        *(({"key": value}, "key") for value in (None, "message", [], [7], 7)),
        *(({"max_keys": value}, "max_keys") for value in (None, "5", 0, -1, 1.5, True)),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    """With the method and the parameter."""
    with pytest.raises(ConfigError, match=rf"^with_rate_limit\({said}\): "):
        RateLimitOptions(**options)


def test_end_to_end(logs_of: Any) -> None:
    """The drain counts what was held back, and the last summary arrives in it."""
    events, result = logs_of(
        fapilog.LoggerBuilder().with_rate_limit(0.001, burst=3),
        lambda logger: [logger.info("tick", n=n) for n in range(50)],
    )

    assert result.sinks["memory"]["filtered"] == {"rate_limit": 47}
    assert [one["n"] for one in events[:3]] == [0, 1, 2]
    (summary,) = events[3:]
    assert (summary["logger"], summary["message"], summary["count"]) == ("fapilog", "events rate limited", 47)
    assert (summary["level"], summary["of"]) == ("INFO", {"logger": "root", "message": "tick"})
    assert (result.submitted, result.delivered, result.filtered) == (51, 4, 47)
