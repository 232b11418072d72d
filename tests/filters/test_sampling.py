"""Sampling of events and traces: the share is exact, a trace is whole, errors are exempt."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fapilog
from fapilog.errors import ConfigError
from fapilog.filters.sampling import AdaptiveSampler, Sampler, SamplingOptions, TraceSampler, sampler
from fapilog.filters.shares import Share
from fapilog.levels import LevelTable
from tests.filters.events import LEVELS, event, passed

RATES = st.floats(0, 1) | st.sampled_from([0.0, 0.1, 0.5, 1 / 3, 1.0])
TRACES = st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}")


def made(levels: LevelTable = LEVELS, seed: int = 7, **options: Any) -> Any:
    return sampler(SamplingOptions(**options), levels.number, chance=random.Random(seed).random)


@given(RATES, st.integers(0, 500), st.integers())
def test_the_share_is_exact_at_any_time(rate: float, count: int, seed: int) -> None:
    """After each event what went on differs by less than one from the rate times what came."""
    keep, on = made(seed=seed, rate=rate), 0
    for came in range(1, count + 1):
        on += keep(event())
        assert abs(on - rate * came) < 1 + 1e-9


def test_none_and_all_are_just_that() -> None:
    """A rate of 0 lets nothing through, 1 everything."""
    assert passed(made(rate=0), [event()] * 1_000) == 0
    assert passed(made(rate=1), [event()] * 1_000) == 1_000
    assert passed(made(by="trace"), [event()] * 1_000) == 1_000


def test_the_share_does_not_keep_step_with_what_repeats() -> None:
    """Of ten messages in turn a tenth is not always the same message."""
    keep = made(rate=0.1)
    kept = [number % 10 for number in range(10_000) if keep(event())]

    assert len(kept) == 1_000
    assert all(60 < kept.count(which) < 140 for which in range(10))


def test_each_has_the_same_chance_with_rates_that_change() -> None:
    """Each event is picked as often as its own rate says, wherever it stands."""
    chance = random.Random(7).random
    rates = [0.3, 0.9, 0.05, 0.5, 1.0, 0.7, 0.0, 0.4, 0.15]
    picked = [0] * len(rates)
    for _ in range(10_000):
        share = Share(chance)
        for index, rate in enumerate(rates):
            picked[index] += share.take(rate)

    assert picked == pytest.approx([rate * 10_000 for rate in rates], abs=250)


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": 0, "by": "trace"}, {"target_per_second": 1e-9}], ids=str)
def test_errors_and_the_toolkits_own_events_are_exempt(options: dict[str, Any]) -> None:
    """From ERROR on by default; another level can be said, by name or number."""
    keep = made(**options)
    passed(keep, [event()] * 5)  # the tokens of a target
    trace = {"trace_id": "0" * 31 + "1", "trace_flags": "00"}

    assert [keep(event(level=level, **trace)) for level in ("ERROR", "CRITICAL")] == [True, True]
    assert [keep(event(level=level, **trace)) for level in ("DEBUG", "INFO", "WARNING")] == [False] * 3
    assert keep(event(logger="fapilog", **trace))
    assert not keep(event(logger="fapilog.request", **trace))
    for level in ("warn", 30):
        keep = made(**options, exempt=level)
        assert passed(keep, [event(level="WARNING", **trace)] * 10) == 10


def test_levels_of_ones_own_are_judged_by_their_number() -> None:
    """Registered ones by name, unnamed numbers by ``LEVEL_45``; what is not known is not severe and raises nothing."""
    levels = LevelTable()
    keep = made(levels, rate=0)
    assert not keep(event(level="PANIC"))
    levels.register("PANIC", 60)
    levels.register("NOTICE", 25)

    assert [keep(event(level=level)) for level in ("PANIC", "LEVEL_45", "LEVEL_40")] == [True] * 3
    wrong = ("NOTICE", "LEVEL_39", "LEVEL_", "LEVEL_x", "", "error ")
    assert [keep(event(level=level)) for level in wrong] == [False, False, False, False, False, True]
    assert keep({"message": "nothing else"}) is False


def test_names_that_are_no_levels_are_not_remembered() -> None:
    """What is kept about levels does not grow without end."""
    keep = made(rate=0)
    for number in range(2_000):
        keep(event(level=f"X{number}"))

    assert len(keep._exempt._numbers._known) == 0


@given(TRACES, RATES)
def test_the_verdict_on_a_trace_follows_from_its_id(trace: str, rate: float) -> None:
    """Each process decides alike, for all events of a trace."""
    one, other = made(rate=rate, by="trace"), made(rate=rate, by="trace")
    passed(other, [event()] * 3)
    verdicts = {one(event(trace_id=trace)), other(event("other", trace_id=trace, request_id="r-1"))}

    assert len(verdicts) == 1


@given(TRACES, st.text(min_size=1), RATES, RATES)
def test_what_a_low_rate_keeps_a_higher_one_keeps(trace: str, request: str, one: float, other: float) -> None:
    """So services that sample at different rates share the traces of the lowest."""
    low, high = sorted((one, other))
    for identity in ({"trace_id": trace}, {"request_id": request}, {"trace_id": request}):
        assert made(rate=low, by="trace")(event(**identity)) <= made(rate=high, by="trace")(event(**identity))


@pytest.mark.parametrize("form", ["trace", "b3", "request", "decimal"])
@pytest.mark.parametrize("rate", [0.5, 0.1])
def test_the_share_of_traces_is_the_rate(form: str, rate: float) -> None:
    """Whatever form the ids have: random ones, and numbers in a row."""
    ids = random.Random(7)
    keep = made(rate=rate, by="trace")
    forms = {
        "trace": lambda _: {"trace_id": f"{ids.getrandbits(128):032x}"},
        "b3": lambda _: {"trace_id": f"{ids.getrandbits(64):016X}"},
        "request": lambda number: {"request_id": f"req-{number}"},
        "decimal": lambda number: {"trace_id": number + 1},
    }

    assert passed(keep, [event(**forms[form](n)) for n in range(10_000)]) == pytest.approx(rate * 10_000, rel=0.1)


def test_the_threshold_is_that_of_open_telemetry() -> None:
    """The last 56 bits decide: kept from ``(1 - rate) * 2**56`` on, whatever stands before."""
    keep = made(rate=0.25, by="trace")

    for front in ("0" * 18, "f" * 18):
        assert keep(event(trace_id=front + "c0000000000000"))
        assert not keep(event(trace_id=front + "bfffffffffffff"))


@pytest.mark.parametrize(
    ("flags", "kept"), [("01", True), ("03", True), ("ff", True), ("00", False), ("02", False), ("fe", False)]
)
def test_the_sampled_flag_is_honoured(flags: str, kept: bool) -> None:
    """It is the lowest of eight bits, and wins over the rate."""
    for rate in (0, 0.5, 1, None):
        assert made(rate=rate, by="trace")(event(trace_id="a" * 32, trace_flags=flags)) is kept


@pytest.mark.parametrize("flags", [None, "", "1", "zz", "-1", "+1", "0x", " 1", "001", 1, ["01"]])
def test_what_is_no_flag_says_nothing(flags: Any) -> None:
    """The id decides then; flags without an id say nothing, too."""
    assert made(rate=1, by="trace")(event(trace_id="a" * 32, trace_flags=flags))
    assert not made(rate=0, by="trace")(event(trace_id="a" * 32, trace_flags=flags))
    assert not made(rate=0, by="trace")(event(trace_flags="01"))


@pytest.mark.parametrize("trace", ["x", "é" * 32, "-" * 32, "\ud800", 7, [1], {"a": 1}, "0" * 33, True])
def test_odd_ids_do_not_raise(trace: Any) -> None:
    """A trace id that is none is hashed like a request's."""
    assert made(rate=1, by="trace")(event(trace_id=trace)) is True
    assert made(rate=0, by="trace")(event(trace_id=trace)) is False


def test_without_ids_events_are_sampled_one_by_one() -> None:
    """What happens outside of requests has the same share."""
    assert passed(made(rate=0.1, by="trace"), [event()] * 1_000) == pytest.approx(100, abs=1)


def test_the_options_say_which_sampler() -> None:
    """Each counts under its own name."""
    kinds = {Sampler: {"rate": 1}, TraceSampler: {"by": "trace"}, AdaptiveSampler: {"target_per_second": 5}}

    assert [type(made(**options)) for options in kinds.values()] == list(kinds)
    assert [kind.name for kind in kinds] == ["sampling", "trace_sampling", "adaptive_sampling"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(({"rate": rate}, "rate): ") for rate in (-0.1, 1.1, 5, "0.5", True, float("nan"), [], 10**400)),
        *(({"rate": 1, "by": by}, "by): ") for by in ("traces", None, 7, True, [], b"event")),
        *(
            ({"target_per_second": target}, "target_per_second): ")
            for target in (0, -1, "5", True, [], float("nan"), float("inf"), 10**400)
        ),
        ({"target_per_second": 5, "rate": 0.5}, "target_per_second): 5 .*not both"),
        ({"target_per_second": 5, "by": "trace"}, "target_per_second): 5 .*not both"),
        *(({"rate": 1, "exempt": level}, "exempt): ") for level in (None, True, 1.5, [], b"ERROR")),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    """With the method and the parameter."""
    with pytest.raises(ConfigError, match=rf"^with_sampling\({said.replace(')', '[)]', 1)}"):
        SamplingOptions(**options)


@pytest.mark.parametrize("level", ["ERORR", "", 5_000, -1])
@pytest.mark.parametrize("options", [{"rate": 1}, {"by": "trace"}, {"target_per_second": 5}], ids=str)
def test_a_level_that_does_not_exist_is_refused(options: dict[str, Any], level: str | int) -> None:
    """When the filter is made, as only then the levels are known."""
    with pytest.raises(ConfigError, match=r"^with_sampling\(exempt\): "):
        made(**options, exempt=level)


@pytest.mark.parametrize("options", [{"rate": 0.5}, {"target_per_second": 5}], ids=str)
def test_the_applications_own_chance_is_left_alone(options: dict[str, Any]) -> None:
    """A program that has seeded the process's generator gets the numbers it would get without sampling."""
    random.seed(7)
    expected = random.random()
    random.seed(7)
    passed(sampler(SamplingOptions(**options), LEVELS.number), [event()] * 50)

    assert random.random() == expected


def test_end_to_end(logs_of: Any) -> None:
    """The drain counts what was held back; errors all arrive."""

    def log(logger: Any) -> None:
        for number in range(100):
            logger.error("failed") if number % 10 == 0 else logger.info("tick")

    events, result = logs_of(fapilog.LoggerBuilder().with_sampling(0.1), log)

    assert sum(one["level"] == "ERROR" for one in events) == 10
    assert result.sinks["memory"]["filtered"] == {"sampling": 81}
    assert (result.submitted, result.delivered, result.filtered) == (100, 19, 81)


def test_end_to_end_by_trace(logs_of: Any) -> None:
    """Each request is there as a whole or not at all; its errors always are."""

    def log(logger: Any) -> None:
        for request in range(200):
            with fapilog.context_scope(request_id=f"r-{request}"):
                for line in range(5):
                    logger.info("step", line=line)

    events, result = logs_of(fapilog.LoggerBuilder().with_sampling(0.2, by="trace"), log)

    requests = [one["request_id"] for one in events]
    assert {requests.count(request) for request in requests} == {5}
    assert 20 <= len(set(requests)) <= 60
    assert result.sinks["memory"]["filtered"] == {"trace_sampling": 1_000 - len(events)}


def test_end_to_end_with_a_target(logs_of: Any) -> None:
    """Of a flood about a second's worth goes on at once, and its errors."""

    def log(logger: Any) -> None:
        for _ in range(2_000):
            logger.info("tick")
        logger.error("failed")

    events, result = logs_of(fapilog.LoggerBuilder().with_sampling(target_per_second=50), log)

    assert events[-1]["message"] == "failed"
    assert 50 <= len(events) - 1 <= 50 + 50 * result.duration_seconds + 50
    assert result.sinks["memory"]["filtered"] == {"adaptive_sampling": 2_001 - len(events)}


def test_what_an_unnamed_level_logs_can_be_exempt(logs_of: Any) -> None:
    """Without a report of a filter that raises."""
    events, _ = logs_of(
        fapilog.LoggerBuilder().with_sampling(0), lambda logger: [logger.log(level, "m") for level in (25, 45)]
    )

    assert [one["level"] for one in events] == ["LEVEL_45"]
