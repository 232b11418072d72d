"""Adaptive sampling: near the target in a flood, everything in a calm, and steady in between."""

import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.filters.sampling import AdaptiveSampler, SamplingOptions
from fapilog.testing import FakeClock
from tests.filters.events import LEVELS, event

TARGET = 100


class Run:
    """A sampler, its clock, and what came and went on in each second."""

    def __init__(self, target: float = TARGET, seed: int = 7) -> None:
        self.clock = FakeClock()
        options, chance = SamplingOptions(target_per_second=target), random.Random(seed).random
        self.keep = AdaptiveSampler(options, LEVELS.number, self.clock, chance)

    def seconds(self, count: int, pauses: Iterator[float]) -> list[int]:
        """Return how many went on in each of some seconds, with events at these distances."""
        on = [0] * count
        self.came = 0
        start, passed = self.clock.monotonic(), 0.0
        pause = next(pauses)
        while passed + pause < count:
            self.clock.advance(pause)
            passed = self.clock.monotonic() - start
            if passed < count:
                self.came += 1
                on[int(passed)] += self.keep(event())
            pause = next(pauses)
        self.clock.advance(max(0.0, count - passed))
        return on


def every(rate: float) -> Iterator[float]:
    while True:
        yield 1 / rate


def by_chance(rate: float, seed: int = 7) -> Iterator[float]:
    chance = random.Random(seed)
    while True:
        yield chance.expovariate(rate)


def in_clumps(rate: float, size: int) -> Iterator[float]:
    while True:
        yield size / rate
        for _ in range(size - 1):
            yield 0.0


@pytest.mark.parametrize("pauses", [every, by_chance], ids=["evenly", "by chance"])
def test_steps_up_and_down(pauses: Callable[[float], Iterator[float]]) -> None:
    """10, 10 000, 10 events a second for a target of 100: after two seconds within a fifth of it, without swinging."""
    run = Run()
    assert sum(run.seconds(10, pauses(10))) == run.came
    flood = run.seconds(20, pauses(10_000))
    after = run.seconds(20, pauses(10))
    assert sum(after) >= run.came - 20
    assert sum(run.seconds(20, pauses(10))) == run.came

    assert all(TARGET * 0.8 <= second <= TARGET * 1.2 for second in flood[2:]), flood
    assert flood[0] <= 2 * TARGET
    assert max(flood[2:]) - min(flood[2:]) <= TARGET * 0.2


@pytest.mark.parametrize("rate", [1, 10, 50, 90, 99])
def test_in_a_calm_all_go_on(rate: int) -> None:
    """Below the target nothing is held back, from the first event on, evenly or in clumps of half a second."""
    for pauses in (every(rate), in_clumps(rate, max(1, rate // 2))):
        run = Run()
        assert sum(run.seconds(20, pauses)) == run.came >= rate * 19


def test_after_a_flood_all_go_on_within_two_seconds() -> None:
    """The calm is not held back for the flood before it."""
    run = Run()
    run.seconds(30, every(10_000))
    calm = run.seconds(10, every(10))

    assert all(second in {9, 10, 11} for second in calm[2:]), calm


@pytest.mark.parametrize(
    ("target", "rate"), [(0.5, 7), (1, 1.5), (1, 3), (1, 1_000), (10, 11), (10, 25), (100, 150), (1_000, 5_000)]
)
def test_the_long_run_is_the_target(target: float, rate: float) -> None:
    """Also for small targets, where an average over two seconds is a guess."""
    run = Run(target)
    seconds = max(10, int(200 / target))
    run.seconds(10, by_chance(rate))

    assert sum(run.seconds(seconds, by_chance(rate, 8))) == pytest.approx(target * seconds, rel=0.1)


def test_a_stream_in_clumps_is_sampled_all_over() -> None:
    """Of requests with fifty lines each, in a flood, the last lines have their share, too."""
    run = Run()
    run.seconds(5, in_clumps(5_000, 50))
    kept = [0] * 50
    for _ in range(2_000):
        run.clock.advance(0.01)
        for line in range(50):
            kept[line] += run.keep(event())

    assert sum(kept) == pytest.approx(2_000, rel=0.05)
    assert sum(kept[25:]) > 0.35 * sum(kept)


def test_a_long_silence_is_no_work() -> None:
    """A year without events is a step like others, and all go on after it."""
    run = Run()
    run.seconds(3, every(5_000))
    run.clock.advance(365 * 86_400.0)

    assert [run.keep(event()) for _ in range(20)] == [True] * 20
    assert len(run.keep._counts) <= 8


def test_exempt_events_do_not_count() -> None:
    """A flood of errors goes on and holds no other event back."""
    run = Run()
    for _ in range(10_000):
        assert run.keep(event(level="ERROR"))
        run.clock.advance(0.0005)
    assert run.keep(event())
    assert [run.keep(event()) for _ in range(TARGET - 1)] == [True] * (TARGET - 1)


@given(st.floats(0.1, 50), st.lists(st.floats(0, 3) | st.just(0.0), max_size=150), st.integers())
def test_no_window_gets_more_than_a_second_ahead(target: float, pauses: list[float], seed: int) -> None:
    """Between any two events that went on: at most ``target * (t + 1)``, or ``target * t + 5``."""
    run, on = Run(target, seed), []
    for pause in pauses:
        run.clock.advance(pause)
        if run.keep(event()):
            on.append(run.clock.monotonic())

    for first, start in enumerate(on):
        for count, end in enumerate(on[first:], 1):
            assert count <= (max(5.0, target) + target * (end - start)) * (1 + 1e-9) + 1e-6
