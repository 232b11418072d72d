"""``schema/event_v1.json`` ships with the package and describes what is really written."""

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from fapilog.event import ERROR_KEYS, IDENTITY_KEYS, RESERVED, RESOURCE_KEYS, Record, to_event
from fapilog.serializers.json import JsonFormat
from tests.serializers.records import NAMES, RESOURCE, encode, raised, record, records

SCHEMA = json.loads((files("fapilog") / "schema" / "event_v1.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """Check formats too: ``date-time`` is more than its pattern."""
    return jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def _chained() -> BaseException:
    error = RuntimeError("outer")
    error.__cause__ = raised(KeyError("inner"))
    return raised(ExceptionGroup("both", [raised(error), ValueError("never raised")]))


REAL: dict[str, Record] = {
    "plain": record(),
    "fields of every kind": record(fields={"a": 1, "b": [None, 1.5], "c": {"d": True}, "e": 2**64, "f": float("nan")}),
    "reserved names as fields": record(fields=dict.fromkeys((*RESERVED, *ERROR_KEYS), 1)),
    "resource names as fields": record(fields={key: [1] for key in RESOURCE_KEYS}),
    "identity": record(context={"request_id": "r", "trace_id": "a" * 32, "span_id": "b" * 16, "trace_flags": "03"}),
    "exception": record(error=raised(ValueError("x"))),
    "chain and group": record(error=_chained()),
    "stack": record(stack="  File ..."),
    "unnamed level": record(level=25),
    "before the epoch": record(time_ns=-1),
    "the end of time": record(time_ns=2**63 - 1),
    "text of the wrong kind": record("\ud800\x00\u2028", logger="\ud800", fields={"\ud800": "\ud800"}),
}


def test_the_schema_is_one() -> None:
    """It is valid JSON Schema 2020-12."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_key_that_fapilog_owns_is_described() -> None:
    """A key added to the event is added to the schema."""
    assert list(SCHEMA["properties"]) == [*RESERVED, *ERROR_KEYS, *RESOURCE_KEYS]
    assert SCHEMA["title"] == "fapilog/1"
    assert set(IDENTITY_KEYS) < set(SCHEMA["properties"])


@pytest.mark.parametrize("case", REAL.values(), ids=REAL.keys())
def test_what_is_written_is_valid(case, validator) -> None:
    """Design 5: real output against the schema."""
    [line] = encode(JsonFormat(NAMES, RESOURCE), case)

    validator.validate(json.loads(line))


@given(records())
@settings(max_examples=150, deadline=None)
def test_whatever_is_logged_is_valid(one) -> None:
    """No field, message, name or exception makes an event that the schema refuses."""
    [line] = encode(JsonFormat(NAMES, RESOURCE), one)

    event = json.loads(line, parse_constant=_no_constant)
    jsonschema.Draft202012Validator(SCHEMA).validate(event)
    assert list(event)[:4] == ["timestamp", "level", "logger", "message"]


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": "2026-01-02T03:04:05Z"},
        {"timestamp": "2026-01-02T03:04:05.123456+00:00"},
        {"timestamp": "2026-13-02T03:04:05.123456Z"},
        {"level": "info"},
        {"level": 20},
        {"message": None},
        {"logger": 1},
        {"request_id": 1},
        {"exception": "ValueError"},
        {"exception": {"type": "E"}},
        {"exception": {"type": "E", "message": "m", "frames": [{"file": "f"}]}},
        {"exception": {"type": "E", "message": "m", "frames": [], "cause": {"type": "E"}}},
        {"stack": ["a"]},
    ],
    ids=str,
)
def test_the_schema_refuses_what_is_not_an_event(change, validator) -> None:
    """The schema says something: a wrong event does not pass."""
    event: dict[str, Any] = {**to_event(record(), NAMES, RESOURCE), **change}

    with pytest.raises(jsonschema.ValidationError):
        validator.validate(event)


@pytest.mark.parametrize("key", ["timestamp", "level", "logger", "message"])
def test_the_first_four_keys_are_required(key, validator) -> None:
    """An event without them is none."""
    event = to_event(record(), NAMES, RESOURCE)
    del event[key]

    with pytest.raises(jsonschema.ValidationError):
        validator.validate(event)


def _no_constant(name: str) -> None:
    pytest.fail(f"{name} is no JSON")
