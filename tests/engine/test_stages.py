"""Stages on records and on dicts: what is redacted, what is withheld, and what is said of a stage that raises."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.diagnostics import Diagnostics
from fapilog.engine.stages import UNREDACTED, HeldBack, Stages
from fapilog.event import EventDict, Origin, to_event
from fapilog.levels import LevelTable
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Awaited, Keeping

LEVELS = LevelTable()


def quiet() -> Diagnostics:
    return Diagnostics(write=lambda _: None)


class Masking:
    """Masks the field ``secret``, on records and on dicts; raises for a message of ``bad``."""

    name = "masking"

    def __init__(self) -> None:
        self.slices: list[int] = []

    def __call__(self, event: EventDict) -> EventDict:
        if event["message"] == "bad":
            raise ValueError("bad: " + event.get("secret", ""))
        return {key: "***" if key == "secret" else value for key, value in event.items()}

    def redact_records(self, records: Sequence[Any]) -> Sequence[Any]:
        self.slices.append(len(records))
        if any(record[3] == "bad" for record in records):
            raise ValueError("bad: " + str([record[4] for record in records]))
        return [(*record[:4], record[4] | {"secret": "***"}, *record[5:]) for record in records]


def record(message: str, number: int) -> tuple[Any, ...]:
    origin = Origin("app", None)  # type: ignore[arg-type]
    return (number * 1_000, 20, origin, message, {"secret": "hunter2"}, {"b": 1}, {"c": 2}, {"d": 3}, None, None)


def flat(records: Sequence[Any]) -> list[EventDict]:
    return [to_event(one, LEVELS, {"service": "shop"}) for one in records]


@pytest.mark.parametrize(
    ("stages", "raw"),
    [
        ({}, True),
        ({"redactors": [Masking()]}, True),
        ({"redactors": [Masking(), lambda event: event]}, False),
        ({"redactors": [Masking()], "filters": [lambda _: True]}, False),
        ({"redactors": [Masking()], "enrichers": [lambda _: {}]}, False),
        ({"redactors": [Masking()], "processors": [lambda event: event]}, False),
    ],
)
def test_records_stay_records_as_long_as_nobody_wants_a_dict(stages: Any, raw: bool) -> None:
    """The short way is taken only if every stage there is can do it."""
    assert Stages(quiet(), **stages).raw is raw


@given(st.lists(st.sampled_from(["good", "bad"]), max_size=8), st.sampled_from(["mask_all", "drop"]))
@settings(deadline=None)
def test_both_ways_withhold_the_same_events(messages: list[str], fail: Any) -> None:
    """Only the guilty one is withheld or dropped; its neighbours in the slice are whole."""
    records = [record(message, number) for number, message in enumerate(messages)]
    short, long = HeldBack(), HeldBack()
    stages = Stages(quiet(), redactors=[Masking()], fail=fail)
    by_record = flat(stages.redact(records, short))
    by_dict = [event for one in flat(records) if (event := stages.apply(one, long)) is not None]
    bad = messages.count("bad")
    assert short.dropped == long.dropped == ({"redaction_failed": bad} if bad and fail == "drop" else {})
    assert [event["timestamp"] for event in by_record] == [event["timestamp"] for event in by_dict]
    for one, other in zip(by_record, by_dict, strict=True):
        assert one == other if other["message"] == "good" else one == other | {"service": "shop"}
        assert one["secret"] == "***" if one["message"] == "good" else one["message"] == UNREDACTED


@pytest.mark.parametrize("sinks", [[Keeping("a")], [Keeping("a"), Awaited("b")]])
@pytest.mark.parametrize("processors", [[], [lambda event: event]])
@pytest.mark.parametrize("fail", ["mask_all", "drop"])
def test_an_event_that_cannot_be_redacted_is_withheld_or_dropped(
    make_engine: MakeEngine, sinks: list[Any], processors: list[Any], fail: str
) -> None:
    """Counted for the engine and for every sink, and its secret is nowhere, diagnostics and figures included."""
    said: list[str] = []
    for sink in sinks:
        sink.events.clear()
    engine = make_engine(
        *sinks, redactors=[Masking()], processors=processors, fail=fail, diagnostics=Diagnostics(write=said.append)
    )
    logger = logger_of(engine)
    for message in ("good", "bad", "good"):
        logger.info(message, secret="hunter2")
    result = engine.drain()
    figures = engine.figures()
    gone = 1 if fail == "drop" else 0
    assert (result.submitted, result.delivered, result.dropped, result.in_flight) == (3, 3 - gone, gone, 0)
    for row in (figures, *figures["sinks"].values()):
        assert row["dropped"] == ({"redaction_failed": 1} if gone else {})
        assert row["in_flight"] == 0
    for sink in sinks:
        messages = [event["message"] for event in sink.events]
        assert messages == (["good", "good"] if gone else ["good", UNREDACTED, "good"])
    shown = str([said, engine.snapshot(), *(sink.events for sink in sinks)])
    assert "hunter2" not in shown
    assert any(line.startswith("fapilog: redactor masking: ValueError at test_stages.py:") for line in said)


@pytest.mark.parametrize("answer", [lambda r: r[:-1], lambda r: [*r, *r], lambda r: None, lambda r: 7, iter])
def test_a_redactor_that_loses_or_adds_records_is_one_that_failed(make_engine: MakeEngine, answer: Any) -> None:
    """It would break the books for ever; nothing it was given goes on unredacted."""

    class Wrong(Masking):
        def redact_records(self, records: Sequence[Any]) -> Sequence[Any]:
            wrong: Sequence[Any] = answer(records)
            return wrong

    sink = Keeping()
    engine = make_engine(sink, redactors=[Wrong()], diagnostics=quiet())
    logger = logger_of(engine)
    for _ in range(5):
        logger.info("mine", secret="hunter2")
    result = engine.drain(5)
    assert (result.timed_out, result.delivered, result.in_flight) == (False, 5, 0)
    assert [event["message"] for event in sink.events] == [UNREDACTED] * 5
    assert "hunter2" not in str(sink.events)


@pytest.mark.parametrize("kind", ["filters", "enrichers", "redactors"])
def test_what_sees_secrets_is_never_quoted(make_engine: MakeEngine, kind: str) -> None:
    """Only the type of what it raised and the place are said; both are enough to find it."""
    said: list[str] = []

    def quoting(event: EventDict) -> Any:
        raise RuntimeError(f"cannot handle {event}")

    engine = make_engine(Keeping(), diagnostics=Diagnostics(write=said.append), **{kind: [quoting]})
    logger_of(engine).info("event", secret="hunter2")
    engine.drain()
    line = next(line for line in said if "quoting" in line)
    assert line.startswith(f"fapilog: {kind.removesuffix('s')} quoting: RuntimeError at test_stages.py:")
    assert "hunter2" not in str((said, engine.snapshot()))


def test_user_redactors_run_in_the_order_given() -> None:
    """The built-in one is put last by the assembly, so that it sees what the others left."""

    class Appending(Masking):
        def __init__(self, letter: str) -> None:
            super().__init__()
            self.letter = letter

        def __call__(self, event: EventDict) -> EventDict:
            return event | {"message": event["message"] + self.letter}

        def redact_records(self, records: Sequence[Any]) -> Sequence[Any]:
            return [(*one[:3], one[3] + self.letter, *one[4:]) for one in records]

    stages = Stages(quiet(), redactors=[Appending("a"), Appending("b")])
    (by_record,) = flat(stages.redact([record("", 0)], HeldBack()))
    by_dict = stages.apply(flat([record("", 0)])[0], HeldBack())
    assert by_dict is not None
    assert by_record["message"] == by_dict["message"] == "ab"
