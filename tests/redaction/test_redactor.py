"""The redactor: the same outcome for dicts and for records, idempotent, never in place."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.coerce import MASK
from fapilog.event import IDENTITY_KEYS, EventDict, Extra, Origin, Record, to_event
from fapilog.levels import LevelTable
from fapilog.protocols import RecordRedactor
from fapilog.redaction.options import RedactionOptions
from fapilog.redaction.redactor import Redactor

LEVELS = LevelTable()
ORIGIN = Origin("shop", None)  # type: ignore[arg-type] - nothing is submitted
TOKEN = "ghp_" + "a1B2" * 9
EVERYTHING = RedactionOptions(
    presets=("CREDENTIALS", "CONTENT_PATTERNS", "PII"),
    fields=("user.*.pet", "items[*].code"),
    remove=("noise", "deep.*.gone"),
    allow=("client_secret", "public.password"),
    max_text=200,
)

secrets = st.sampled_from(
    [
        "hunter2",
        TOKEN,
        f"see {TOKEN} there",
        "password=hunter2",
        "https://bob:pw@db/x",
        "4111 1111 1111 1111",
        "4111111111111111",
        "x" * 400,
    ]
)
harmless = st.sampled_from(["", "order placed", "12:30:01", "/orders/7", "EUR", "a=b", "c0ffee"])
keys = st.sampled_from((
    "id", "password", "apiKey", "user", "pet", "items", "code", "noise", "deep", "gone", "body", "client_secret",
    "public", "message", "request_id", "trace_id", "span_id", "linked_span_id", "session_count", "email", TOKEN,
))  # fmt: skip
leaves = secrets | harmless | st.integers() | st.just(4111111111111111) | st.floats(allow_nan=False) | st.none()
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))
mappings = st.dictionaries(keys, values, max_size=4)
contexts = mappings.map(
    lambda fields: {key: value for key, value in fields.items() if key not in IDENTITY_KEYS or type(value) is str}
)


class Captured:
    """Stands for an exception taken apart at the call."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render(self) -> dict[str, Any]:
        frames = [{"file": "a.py", "line": 1, "function": "f", "code": self._text}]
        return {"type": "ValueError", "message": self._text, "stacktrace": f"in a.py\n{self._text}\n", "frames": frames}


def record(message: str = "order placed", extra: Extra | None = None, **parts: Any) -> Record:
    whole = {"fields": {}, "bound": {}, "local": {}, "shared": {}, **parts}
    return Record(time_ns=1, levelno=20, origin=ORIGIN, message=message, span=None, extra=extra, **whole)


def flat(captured: Any, resource: dict[str, Any] | None = None) -> EventDict:
    return to_event(captured, LEVELS, resource or {})


def test_it_takes_records_and_dicts() -> None:
    """The engine looks for both."""
    assert isinstance(Redactor(RedactionOptions()), RecordRedactor)


@given(secrets | harmless, mappings, mappings, contexts, contexts, st.none() | secrets)
def test_a_record_is_redacted_as_its_dict_is(message, fields, bound, local, shared, raised) -> None:
    """Which way an event takes depends on the other stages; what is hidden does not."""
    redactor = Redactor(EVERYTHING)
    extra = None if raised is None else Extra(Captured(raised), raised)
    captured = record(message, extra, fields=fields, bound=bound, local=local, shared=shared)

    (redacted,) = redactor.redact_records([captured])

    assert flat(redacted) == redactor(flat(captured))


@given(st.lists(st.tuples(secrets | harmless, mappings, mappings), max_size=4))
def test_what_is_redacted_stays_as_it_is(logged) -> None:
    """Idempotent, for records and for dicts, and nothing of the caller's is changed."""
    redactor = Redactor(EVERYTHING)
    records = [record(message, fields=fields, bound=bound) for message, fields, bound in logged]
    before = copy.deepcopy([list(captured) for captured in records if captured.origin is not ORIGIN])
    kept = copy.deepcopy([(r.message, r.fields, r.bound) for r in records])

    once = redactor.redact_records(records)
    events = [redactor(flat(captured)) for captured in records]

    assert [list(r)[3:6] for r in redactor.redact_records(once)] == [list(r)[3:6] for r in once]
    assert [redactor(copy.deepcopy(event)) for event in events] == events
    assert [(r.message, r.fields, r.bound) for r in records] == kept
    assert before == []


def test_an_event_with_nothing_to_hide_goes_on_as_the_same_object() -> None:
    """Which is what makes redaction cheap."""
    redactor = Redactor(EVERYTHING)
    captured = record(fields={"id": 7, "path": "/orders", "at": "12:30"}, bound={"tenant": "acme"})
    event = flat(captured)

    assert redactor.redact_records([captured])[0] is captured
    assert redactor(event) is event


def test_a_bound_mapping_is_redacted_once_for_all_its_events() -> None:
    """The serialiser knows parts by identity: the redacted one has to be one object, too."""
    redactor = Redactor(RedactionOptions())
    bound = {"api_key": "k", "tenant": "acme"}

    first, second = redactor.redact_records([record(bound=bound), record(bound=bound)])

    assert first.bound if hasattr(first, "bound") else first[5] == {"api_key": MASK, "tenant": "acme"}
    assert first[5] is second[5]


def test_trace_ids_are_not_taken_for_cards() -> None:
    """Sixteen decimal digits that pass the Luhn check are a span id now and then."""
    ids = {"trace_id": "41111111111111114111111111111111", "span_id": "4111111111111111", "trace_flags": "01"}
    redactor = Redactor(EVERYTHING)
    span = SimpleNamespace(trace_id=1, span_id=0x4111111111111111, trace_flags=1)

    (local,) = redactor.redact_records([record(local=ids)])
    event = flat(record()._replace(span=span))

    assert flat(local) == {**flat(record()), **ids}
    assert redactor(event)["span_id"] == "4111111111111111"
    assert redactor({**event, "span_id": "4111 1111 1111 1111"})["span_id"] == MASK


def test_the_ids_that_linked_work_points_back_with_are_no_card_numbers() -> None:
    """Wherever they were bound; what has another form is hidden, and the same for dicts and for records."""
    redactor = Redactor(RedactionOptions(presets=("CONTENT_PATTERNS",)))
    links = {"linked_trace_id": "41111111111111114111111111111111", "linked_span_id": "4111111111111111"}
    card = {"linked_span_id": "4111 1111 1111 1111", "card": "4111111111111111"}
    for parts in ((links, {}, {}, {}), ({}, links, {}, {}), ({}, {}, links, {}), ({}, {}, {}, links)):
        record = Record(0, 20, ORIGIN, "m", *parts, None, None)
        [redacted] = redactor.redact_records([record])
        event = to_event(redacted, LEVELS, {})
        assert event == redactor(to_event(record, LEVELS, {}))
        assert {key: event[key] for key in links} == links
    assert set(redactor.fields(card).values()) == {MASK}


def test_paths_reach_where_names_do_not() -> None:
    """``user.*.pet`` is masked, a pet elsewhere is not; ``deep.*.gone`` is removed."""
    redactor = Redactor(EVERYTHING)
    fields = {
        "user": {"a": {"pet": "cat"}, "pet": "dog"},
        "items": [{"code": "x"}, {"code": {"y": 1}}],
        "deep": {"x": {"gone": 1, "kept": 2}, "noise": 3},
        "pet": "fish",
    }

    assert redactor.fields(fields) == {
        "user": {"a": {"pet": MASK}, "pet": "dog"},
        "items": [{"code": MASK}, {"code": MASK}],
        "deep": {"x": {"kept": 2}},
        "pet": "fish",
    }


def test_a_name_that_is_allowed_wins_over_a_path() -> None:
    """Whoever allows a name means it everywhere."""
    redactor = Redactor(RedactionOptions(fields=("user.*.mail",), remove=("user.gone",), allow=("mail", "gone")))

    assert redactor.fields({"user": {"a": {"mail": 1}, "gone": 2}}) == {"user": {"a": {"mail": 1}, "gone": 2}}


def test_what_is_allowed_is_shown_but_not_what_is_recognised_by_content() -> None:
    """An allow list says that a name is harmless; it does not say so of every text."""
    redactor = Redactor(EVERYTHING)

    shown = redactor.fields({"client_secret": "rotated", "public": {"password": TOKEN}, "password": "x"})

    assert shown == {"client_secret": "rotated", "public": {"password": MASK}, "password": MASK}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("abc", "<3 characters>"),
        ("", "<0 characters>"),
        ([1, 2], "<2 items>"),
        ({"a": TOKEN}, "<1 items>"),
        (7, 7),
        (None, None),
    ],
)
def test_bulk_fields_show_their_size_alone(value: Any, shown: Any) -> None:
    """Bodies are nobody's business in a log; numbers and nothing have no size."""
    redactor = Redactor(RedactionOptions(presets=("CONTENT_PATTERNS",)))

    assert redactor.fields({"body": value}) == {"body": shown}
    assert redactor.fields({"body": shown}) == {"body": shown}


def test_a_long_text_is_cut_and_its_length_told() -> None:
    """The secret that the cut goes through is recognised whole before."""
    redactor = Redactor(RedactionOptions(max_text=100))
    text = "a" * 90 + " " + TOKEN + " " + "b" * 1000

    shown = redactor.fields({"text": text})["text"]

    assert shown == "a" * 90 + f" {MASK} bbbbb…[cut, {len(text)} characters]"
    assert redactor.fields({"text": shown}) == {"text": shown}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ([["cookie", "sid=1"], ["accept", "*/*"]], [["cookie", MASK], ["accept", "*/*"]]),
        ({"name": "DB_PASSWORD", "value": "S"}, {"name": "DB_PASSWORD", "value": MASK}),
        ([{"key": "api_key", "value": {"a": 1}}], [{"key": "api_key", "value": MASK}]),
        (["run", "--password", "S", "--verbose"], ["run", "--password", MASK, "--verbose"]),
        (["password", "token"], ["password", "token"]),
        ({"name": "ann", "value": "S"}, {"name": "ann", "value": "S"}),
    ],
)
def test_a_name_beside_its_value_counts_as_one(given: Any, shown: Any) -> None:
    """Headers as pairs, the environment of a container, arguments; a list of names is none of these."""
    redactor = Redactor(RedactionOptions())

    assert redactor.fields({"given": given}) == {"given": shown}
    assert redactor.redact_records([record(fields={"given": given})])[0][4] == {"given": shown}


@pytest.mark.parametrize(
    "given",
    [{"GET /x?token=abc": 7}, ["--token abc", "next"], {f"{TOKEN}{n}": n for n in range(20)}, ["--token", "abc"]],
)
def test_what_becomes_of_a_name_says_the_same_the_next_time(given: Any) -> None:
    """A processor or a journal has the redactor look twice."""
    redactor = Redactor(RedactionOptions())
    once = redactor.fields({"given": given})

    assert redactor.fields(once) == once
    assert len(once["given"]) == len(given)


def test_names_that_are_secrets_are_masked() -> None:
    """A dict keyed by tokens shows none, and loses no value."""
    redactor = Redactor(RedactionOptions())
    other = "ghp_" + "z9Y8" * 9

    assert redactor.fields({"clients": {TOKEN: 1, other: 2}}) == {"clients": {MASK: 1, MASK + "_": 2}}


def test_a_card_number_is_one_as_an_integer_too() -> None:
    """And a time in nanoseconds is none."""
    redactor = Redactor(RedactionOptions(presets=("CONTENT_PATTERNS",)))

    assert redactor.fields({"n": 4111111111111111, "ns": 1767225600000000000, "list": [4111111111111111]}) == {
        "n": MASK,
        "ns": 1767225600000000000,
        "list": [MASK],
    }


def test_what_a_stage_has_put_in_is_looked_into() -> None:
    """An enricher may add objects of any kind: they are made plain first."""
    redactor = Redactor(RedactionOptions())
    event = {**flat(record()), "raw": (TOKEN, {"password": "x"}), "blob": TOKEN.encode(), "set": {TOKEN}}

    redacted = redactor(event)

    assert redacted["raw"] == [MASK, {"password": MASK}]
    assert redacted["blob"] == MASK
    assert redacted["set"] == [MASK]


def test_memory_for_names_and_texts_is_bounded() -> None:
    """A million different names and messages leave no million entries."""
    redactor = Redactor(RedactionOptions())

    for number in range(10_000):
        redactor.redact_records(
            [record(f"message {number}", fields={f"name{number}": f"value {number}"}, bound={"n": number})]
        )

    assert len(redactor._walk.known) <= 4_096 + 2
    assert len(redactor._walk.harmless) <= 4_096
    assert len(redactor._walk._actions) <= 4_096
    assert len(redactor._parts) <= 512
