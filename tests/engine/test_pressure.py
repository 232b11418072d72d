"""Batches grow under pressure, come back after it, and do not swing; shedding comes last."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.delivery.limits import Limits
from fapilog.engine.pressure import HOLD_SECONDS, LEVELS, SLOW_SECONDS, AdaptiveOptions, Pressure
from fapilog.errors import ConfigError

TICK = 0.05


class Channel:
    """What a pressure watches: told, not lived."""

    def __init__(self) -> None:
        self.limits = Limits(500, 1_000_000, 0.25)
        self.shed_level: int | None = None
        self.filled = 0.0
        self.took = 0.001
        self.open = False
        self.lost = 0

    def fill(self) -> float:
        return self.filled

    def latency(self) -> float:
        return self.took

    def failing(self) -> bool:
        return self.open

    def overflowed(self) -> int:
        return self.lost


def watched(**options: Any) -> tuple[Channel, Pressure]:
    channel = Channel()
    return channel, Pressure(channel, AdaptiveOptions(**options), 10)


def run(pressure: Pressure, begin: float, seconds: float) -> float:
    """Tick for a while; return when it ended."""
    for step in range(round(seconds / TICK)):
        pressure.tick(0.0, begin + step * TICK)
    return begin + seconds


@pytest.mark.parametrize(("fill", "level"), [(0.39, 0), (0.4, 1), (0.65, 2), (0.9, 3), (5.0, 3)])
def test_the_fill_decides_at_once(fill: float, level: int) -> None:
    """Upwards nothing is waited for."""
    channel, pressure = watched()
    channel.filled = fill

    pressure.tick(0.0, 0.0)

    assert LEVELS[pressure.level] == LEVELS[level]


def test_each_level_doubles_within_bounds() -> None:
    """Events, bytes and batches in flight; never more than the options say."""
    channel, pressure = watched(max_batch=4, max_in_flight=3)
    seen = []
    for fill in (0.5, 0.7, 0.95):
        channel.filled = fill
        pressure.tick(0.0, 0.0)
        seen.append((channel.limits.max_events, channel.limits.max_bytes, channel.limits.in_flight))

    assert seen == [(1000, 2_000_000, 2), (2000, 4_000_000, 3), (2000, 4_000_000, 3)]


@pytest.mark.parametrize("cause", ["slow", "circuit", "queue"])
def test_slow_deliveries_open_circuits_and_a_full_queue_count_too(cause: str) -> None:
    """Each of them is pressure before the sink's own buffer fills."""
    channel, pressure = watched()
    channel.took = SLOW_SECONDS if cause == "slow" else 0.0
    channel.open = cause == "circuit"

    pressure.tick(0.5 if cause == "queue" else 0.0, 0.0)

    assert LEVELS[pressure.level] == "elevated"


def test_it_is_back_to_normal_within_two_seconds() -> None:
    """From critical, one level at a time, once the sink is quick and the buffer empty."""
    channel, pressure = watched()
    channel.filled, channel.took = 0.95, 0.2
    now = run(pressure, 0.0, 5)
    channel.filled, channel.took = 0.0, 0.001

    run(pressure, now, 2)

    assert LEVELS[pressure.level] == "normal"
    assert (channel.limits.max_events, channel.limits.in_flight) == (500, 1)


def test_a_level_is_not_left_while_the_sink_is_slow() -> None:
    """An empty buffer only shows that the level is high enough."""
    channel, pressure = watched()
    channel.filled, channel.took = 0.7, 0.2
    now = run(pressure, 0.0, 1)
    channel.filled = 0.0
    run(pressure, now, 60)

    assert LEVELS[pressure.level] == "high"
    assert pressure.changes == 1


def test_what_swings_is_held_longer_and_longer() -> None:
    """A load that fills the buffer at one level and empties it at the next: some changes an hour, not one a second."""
    channel, pressure = watched()
    now, changes = 0.0, []
    for _ in range(round(3600 / TICK)):
        # The sink takes 10 000 events/s at normal and 20 000 at elevated; 15 000 come, and 10 000 fit into the buffer.
        rate = 10_000 << pressure.level
        channel.filled = min(1.0, max(0.0, channel.filled + (15_000 - rate) * TICK / 10_000))
        if pressure.tick(0.0, now):
            changes.append(now)
        now += TICK

    first, last = [at for at in changes if at < 60], [at for at in changes if at >= 3540]
    assert len(changes) < 150
    assert len(last) <= 2 < len(first)


def test_nothing_is_shed_that_there_is_room_for() -> None:
    """Critical alone sheds nothing; the first event that finds no room does, until the pressure is over."""
    channel, pressure = watched()
    channel.filled = 1.0
    now = run(pressure, 0.0, 1)
    assert channel.shed_level is None

    channel.lost = 1
    now = run(pressure, now, 0.1)
    assert channel.shed_level == 10

    channel.filled = 0.3
    now = run(pressure, now, 0.1)
    assert channel.shed_level is None

    channel.filled = 1.0
    run(pressure, now, 0.1)
    assert channel.shed_level is None, "what was lost before is no reason to shed now"


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.floats(1.05, 3.0))
def test_more_is_never_lost_than_without_it(seed: int, overload: float) -> None:
    """Under any course of rates and latencies the buffer overflows no earlier, and no more, than with fixed limits."""
    source = random.Random(seed)
    course = [(source.uniform(0, 10_000 * overload), source.choice([0.001, 0.05, 0.2])) for _ in range(20)]

    def lost(adaptive: bool) -> int:
        channel, pressure = watched()
        waiting = dropped = 0.0
        for step in range(20 * 20):
            rate, took = course[step // 20]
            channel.took = took
            sent = channel.limits.max_events * channel.limits.in_flight / max(took, 0.05) * TICK
            waiting = max(0.0, waiting + rate * TICK - sent)
            dropped += max(0.0, waiting - 10_000)
            waiting = min(waiting, 10_000)
            channel.filled, channel.lost = waiting / 10_000, int(dropped)
            if adaptive:
                pressure.tick(0.0, step * TICK)
        return int(dropped)

    assert lost(adaptive=True) <= lost(adaptive=False)


def test_it_tells_what_it_has_done() -> None:
    """For ``/debug/logging``."""
    channel, pressure = watched()
    channel.filled = 0.5
    pressure.tick(0.0, 0.0)

    assert pressure.describe() == {"level": "elevated", "changes": 1, "max_events": 1000, "in_flight": 2}
    assert HOLD_SECONDS * 4 < 2


@pytest.mark.parametrize("options", [{"max_batch": 0}, {"max_in_flight": 0}, {"max_batch": True}, {"shed": None}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """The error names the method."""
    with pytest.raises(ConfigError, match="with_adaptive"):
        AdaptiveOptions(**options)
