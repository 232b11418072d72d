"""Dedupe: the first at once, one summary for its repetitions, and no event unaccounted for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fapilog
from fapilog.errors import ConfigError
from fapilog.filters.dedupe import Dedupe, DedupeOptions
from fapilog.testing import FakeClock
from tests.filters.events import LEVELS, event, passed


def made(clock: FakeClock | None = None, **options: Any) -> Dedupe:
    return Dedupe(DedupeOptions(**options), LEVELS.number, clock or FakeClock())


def told(dedupe: Dedupe, final: bool) -> int:
    return sum(summary.fields["count"] for summary in dedupe.due(final))


def test_the_first_goes_on_and_a_summary_tells_of_the_others() -> None:
    """When the window is over, under their level, with the time of the first and the trace of the last."""
    clock = FakeClock()
    dedupe = made(clock)

    assert [dedupe(event("disk full", level="ERROR", trace_id=f"t{n}")) for n in range(4)] == [
        True,
        False,
        False,
        False,
    ]
    clock.advance(9.9)
    assert dedupe.due(final=False) == []
    clock.advance(0.1)
    fields = {
        "count": 3,
        "repeated_message": "disk full",
        "repeated_logger": "shop",
        "first_timestamp": "2026-01-01T00:00:00Z",
        "window_seconds": 10.0,
        "last_trace_id": "t3",
    }
    assert dedupe.due(final=False) == [("ERROR", "events repeated", fields)]
    assert dedupe.due(final=True) == []
    assert dedupe(event("disk full", level="ERROR"))


def test_what_was_not_repeated_has_no_summary() -> None:
    """Nor one with a trace that none of them had."""
    clock = FakeClock()
    dedupe = made(clock)
    dedupe(event("once"))
    passed(dedupe, [event("twice")] * 2)

    (summary,) = dedupe.due(final=True)
    assert summary.fields["repeated_message"] == "twice"
    assert "last_trace_id" not in summary.fields


def test_a_new_window_begins_with_the_next_event() -> None:
    """What goes on being repeated gives one event and one summary for each window, also if nobody asks in between."""
    clock = FakeClock()
    dedupe = made(clock, window="1s")
    on = 0
    for _ in range(50):
        on += dedupe(event())
        clock.advance(0.1)

    summaries = dedupe.due(final=True)
    assert (on, [summary.fields["count"] for summary in summaries]) == (5, [9] * 5)


def test_what_makes_a_kind() -> None:
    """Logger, level, message and the type of an exception; not fields, nor what the exception says."""
    kinds = [
        event(),
        event(level="ERROR"),
        event(logger="other"),
        event("other"),
        event(exception={"type": "KeyError", "message": "'1'"}),
        event(exception={"type": "OSError"}),
    ]
    same = [event(order=1), event(exception={"type": "KeyError", "message": "'2'", "frames": [1]})]
    dedupe = made()

    assert passed(dedupe, kinds) == 6
    assert passed(dedupe, same) == 0
    assert passed(made(key=["order"]), [event(order=1), event("b", order=1), event(order=2)]) == 2


def test_a_million_kinds_stay_bounded() -> None:
    """Never more than said; those that make room tell what they know."""
    dedupe = made(max_keys=1_000)
    on = summed = 0
    for number in range(500_000):
        one = {"logger": "shop", "level": "INFO", "message": number}
        on += dedupe(one) + dedupe(one)
        if not number % 1_000:
            summed += told(dedupe, final=False)
            assert len(dedupe._kinds) <= 1_000
            assert dedupe._ready == []

    assert on == 500_000
    assert on + summed + told(dedupe, final=True) == 1_000_000


def test_many_windows_that_end_together_are_told_bit_by_bit() -> None:
    """So that the background thread is not held up and the queue has room for what is logged meanwhile."""
    clock = FakeClock()
    dedupe = made(clock)
    for number in range(1_000):
        passed(dedupe, [event(str(number))] * 2)
    clock.advance(10.0)

    counts = [len(dedupe.due(final=False)) for _ in range(20)]

    assert max(counts) <= 100
    assert sum(counts) == 1_000
    for number in range(1_000):
        passed(dedupe, [event(str(number))] * 2)
    assert told(dedupe, final=True) == 1_000


def test_a_summary_shows_no_long_and_no_nested_value() -> None:
    """Ten thousand long messages are not kept either."""
    dedupe = made()
    one = event("x" * 100_000, trace_id={"password": "hunter2"})
    passed(dedupe, [one] * 2)

    (summary,) = dedupe.due(final=True)
    assert summary.fields["repeated_message"] == "<100000 characters>"
    assert summary.fields["last_trace_id"] == "<dict>"


def test_odd_events() -> None:
    """The toolkit's own go on; one without names is a kind like others, and its summary is a warning."""
    dedupe = made()

    assert passed(dedupe, [event(logger="fapilog")] * 5) == 5
    assert [dedupe({}), dedupe({})] == [True, False]
    (summary,) = dedupe.due(final=True)
    assert (summary.level, summary.fields["count"]) == ("WARNING", 1)


STEPS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.floats(0, 20) | st.just(0.0), st.sampled_from([None, None, False, True])),
    max_size=150,
)


@given(st.floats(0.1, 30), st.integers(1, 5), STEPS)
def test_counts_are_conserved(window: float, most: int, steps: list[tuple[str, float, bool | None]]) -> None:
    """What went on and the counts of the summaries make up what came, with kinds that make room and drains between."""
    clock = FakeClock()
    dedupe = made(clock, window=window, max_keys=most)
    on = summed = 0
    for message, pause, look in steps:
        clock.advance(pause)
        on += dedupe(event(message))
        if look is not None:
            summed += told(dedupe, look)
        assert len(dedupe._kinds) <= most

    assert on + summed + told(dedupe, final=True) == len(steps)
    assert dedupe.due(final=True) == []


@given(st.floats(0.1, 30), STEPS)
def test_a_repetition_is_told_of_when_its_window_is_over(
    window: float, steps: list[tuple[str, float, bool | None]]
) -> None:
    """None waits for longer than a window, however the kinds come."""
    clock = FakeClock()
    dedupe = made(clock, window=window)
    for message, pause, _ in steps:
        clock.advance(pause)
        dedupe.due(final=False)
        dedupe(event(message))
    clock.advance(window * 1.001)
    for _ in range(3):
        dedupe.due(final=False)

    assert len(dedupe._kinds) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(({"key": value}, "key") for value in (None, "message", [], [7], 7)),
        *(({"window": value}, "window") for value in (None, 0, -1, "5 years", "", True, [], float("nan"), 10**400)),
        *(({"max_keys": value}, "max_keys") for value in (None, "5", 0, -1, 1.5, True)),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    """With the method and the parameter."""
    with pytest.raises(ConfigError, match=rf"^with_dedupe\({said}\): "):
        DedupeOptions(**options)


def test_end_to_end(logs_of: Any) -> None:
    """The summary of what the drain found held back arrives in the same drain, and the books agree."""
    events, result = logs_of(
        fapilog.LoggerBuilder().with_dedupe(),
        lambda logger: [logger.error("disk full", n=n) for n in range(50)],
    )

    assert result.sinks["memory"]["filtered"] == {"dedupe": 49}
    first, summary = events
    assert first["n"] == 0
    assert (summary["logger"], summary["level"], summary["message"]) == ("fapilog", "ERROR", "events repeated")
    assert (summary["count"], summary["repeated_message"], summary["repeated_logger"]) == (49, "disk full", "root")
    assert summary["first_timestamp"] == first["timestamp"]
    assert (result.submitted, result.delivered, result.filtered) == (51, 2, 49)


def test_secrets_in_what_was_repeated_are_masked(logs_of: Any) -> None:
    """A summary goes the way of all events, redaction included."""
    events, _ = logs_of(
        fapilog.LoggerBuilder().with_dedupe().with_rate_limit(0.001, burst=2, key=["message", "password"]),
        lambda logger: [
            logger.info("Authorization: Bearer abcdef0123456789abcdef", password="hunter2") for _ in range(9)
        ],
    )

    assert {one["message"] for one in events} >= {"events repeated", "events rate limited"}
    assert "hunter2" not in str(events)
    assert "abcdef0123456789" not in str(events)
