"""First seen: one of each kind in a while, and bounded in memory."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fapilog
from fapilog.errors import ConfigError
from fapilog.filters.first_seen import FirstSeen, FirstSeenOptions
from fapilog.testing import FakeClock
from tests.filters.events import LEVELS, event, passed


def made(clock: FakeClock | None = None, **options: Any) -> FirstSeen:
    return FirstSeen(FirstSeenOptions(**options), LEVELS.number, clock or FakeClock())


def test_the_first_of_each_kind_goes_on() -> None:
    """By logger and message; the others are held back until the window is over, counted from the first."""
    clock = FakeClock()
    keep = made(clock, window="5m")

    assert passed(keep, [event(), event(level="ERROR"), event(n=1)]) == 1
    assert passed(keep, [event("other"), event(logger="other")]) == 2
    clock.advance(299.0)
    assert not keep(event())
    clock.advance(1.0)
    assert passed(keep, [event()] * 5) == 1


def test_the_oldest_kind_is_forgotten_first() -> None:
    """Where there are more kinds than are remembered; being seen again makes none younger."""
    keep = made(max_keys=2, key=["message"])

    assert [keep(event(message)) for message in "abaca"] == [True, True, False, True, True]


def test_a_kind_that_is_new_again_is_the_youngest() -> None:
    """Its window has begun anew, so others are forgotten before it."""
    clock = FakeClock()
    keep = made(clock, window=10, max_keys=3, key=["message"])
    keep(event("a"))
    clock.advance(9.0)
    keep(event("b"))
    clock.advance(1.0)

    assert [keep(event(message)) for message in "acda"] == [True, True, True, False]


def test_a_million_kinds_stay_bounded() -> None:
    """Never more than said."""
    keep = made(max_keys=1_000)

    assert all(keep({"logger": "shop", "message": number}) for number in range(1_000_000))
    assert len(keep._seen) == 1_000


def test_odd_events() -> None:
    """The toolkit's own go on; one without names, and one with a list, are kinds like others."""
    keep = made(key=["message", "tags"])

    assert passed(keep, [event(logger="fapilog")] * 5) == 5
    assert [keep({}), keep({}), keep(event(tags=["a"])), keep(event(tags=["a"])), keep(event(tags=["b"]))] == [
        True, False, True, False, True,
    ]  # fmt: skip


@given(
    st.floats(0.1, 100),
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("abcdefg"), st.floats(0, 50)), max_size=100),
)
def test_no_kind_is_held_back_longer_than_a_window(window: float, most: int, steps: list[tuple[str, float]]) -> None:
    """What is held back had an event of its kind that went on within the window; no more are remembered than said."""
    clock = FakeClock()
    keep = made(clock, window=window, max_keys=most, key=["message"])
    last: dict[str, float] = {}
    for message, pause in steps:
        clock.advance(pause)
        now = clock.monotonic()
        if keep(event(message)):
            if len({one for one, _ in steps}) <= most:
                assert now - last.get(message, -1e9) >= window * (1 - 1e-9)
            last[message] = now
        else:
            assert now - last[message] < window
        assert len(keep._seen) <= most


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
    with pytest.raises(ConfigError, match=rf"^with_first_seen\({said}\): "):
        FirstSeenOptions(**options)


def test_end_to_end(logs_of: Any) -> None:
    """The drain counts what was held back."""
    events, result = logs_of(
        fapilog.LoggerBuilder().with_first_seen(),
        lambda logger: [logger.warning(f"disk {n % 2}", n=n) for n in range(50)],
    )

    assert [one["n"] for one in events] == [0, 1]
    assert result.sinks["memory"]["filtered"] == {"first_seen": 48}
    assert (result.submitted, result.delivered, result.filtered) == (50, 2, 48)
