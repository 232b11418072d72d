"""What holds for all schemas: nothing lost, nothing forged, nothing raised, nothing changed."""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.errors import ConfigError
from fapilog.processors.schema import SCHEMAS, schema_named
from fapilog.serializers.json import dump_event
from tests.processors.events import COMPLETED, FAILED, PLAIN, TAKEN, odd_events

every_schema = pytest.mark.parametrize("name", SCHEMAS)
every_event = pytest.mark.parametrize("event", [PLAIN, COMPLETED, FAILED], ids=["plain", "completed", "failed"])

# What a schema says in other words: the leaf in the flat event, and the words of each schema.
SAID = {
    ("ecs", "duration_ms"): lambda value: round(value * 1_000_000),
    ("datadog", "duration_ms"): lambda value: round(value * 1_000_000),
    ("datadog", "span_id"): lambda value: str(int(value, 16)),
    ("datadog", "level"): str.lower,
    ("gcp", "duration_ms"): lambda value: f"{value / 1_000:.6f}s",
    ("gcp", "request_bytes"): str,
    ("gcp", "response_bytes"): str,
    ("gcp", "pid"): str,
    ("gcp", "trace_flags"): lambda value: value == "01",
    ("otel", "timestamp"): lambda _: "1767323045123456000",
    ("otel", "trace_flags"): lambda value: int(value, 16),
}


def leaves(value: Any) -> Iterator[str]:
    """Yield each scalar in a value, and each empty container, as JSON."""
    if isinstance(value, dict | list) and value:
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield json.dumps(value)


@every_schema
@every_event
def test_every_leaf_is_found_again(name: str, event: dict[str, Any]) -> None:
    """As it was, or in the schema's own words; none is lost."""
    said = {key: SAID[name, key](value) if (name, key) in SAID else value for key, value in event.items()}

    missing = Counter(leaves(said)) - Counter(leaves(SCHEMAS[name](event)))

    assert not missing


@every_schema
@every_event
def test_the_event_stays_as_it_was(name: str, event: dict[str, Any]) -> None:
    """A schema returns a dict of its own; other sinks see the flat one."""
    before = copy.deepcopy(event)

    result = SCHEMAS[name](event)

    assert event == before
    assert list(event) == list(before)
    assert result is not event


@every_schema
@given(event=odd_events())
@settings(max_examples=60, deadline=None)
def test_no_event_is_too_odd(name: str, event: dict[Any, Any]) -> None:
    """Missing keys, values of any type, keys that are no text: it is JSON in the end, and the input is as before."""
    keys_before, ids_before = list(map(id, event)), list(map(id, event.values()))

    line = dump_event(SCHEMAS[name](event))

    assert isinstance(json.loads(line), dict)
    assert list(map(id, event)) == keys_before
    assert list(map(id, event.values())) == ids_before


@every_schema
@given(
    base=st.sampled_from([PLAIN, COMPLETED, FAILED]),
    odd=st.sets(st.sampled_from([key for key in COMPLETED if key != "timestamp"]), max_size=6),
    extra=st.sets(st.sampled_from(TAKEN)),
)
@settings(max_examples=80, deadline=None)
def test_no_field_is_lost_whatever_its_name_and_type(
    name: str, base: dict[str, Any], odd: set[str], extra: set[str]
) -> None:
    """Fields named like a schema's keys, and known names with objects for values, all come out again."""
    marks = {key: {"mark": [f"mark-{number}"]} for number, key in enumerate(sorted(odd | extra))}
    event = {**base, **marks}

    found = list(leaves(SCHEMAS[name](event)))

    for mark in marks.values():
        assert found.count(json.dumps(mark["mark"][0])) == 1


@every_schema
@given(
    base=st.sampled_from([PLAIN, COMPLETED, FAILED]),
    extra=st.dictionaries(st.sampled_from(TAKEN), st.just("forged"), min_size=1),
)
@settings(max_examples=80, deadline=None)
def test_no_field_takes_the_place_of_a_schema_s_key(name: str, base: dict[str, Any], extra: dict[str, Any]) -> None:
    """What the schema says of the event is the same with and without fields that are named like its keys."""
    schema = SCHEMAS[name]
    plain, forged = schema(base), schema(base | extra)

    def at(value: Any, path: str) -> Any:
        for key in path.split("\0")[:-1]:
            value = value[key]
        return value

    for path in _paths(plain):
        assert at(forged, path) == at(plain, path)


def _paths(value: Any, before: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, f"{before}{key}\0")
    else:
        yield before


@every_schema
def test_an_event_of_three_keys_is_enough(name: str) -> None:
    """What is left of an event whose redaction failed."""
    withheld = {"timestamp": PLAIN["timestamp"], "level": "INFO", "logger": "shop", "message": "event withheld"}

    assert "event withheld" in dump_event(SCHEMAS[name](withheld)).decode()
    assert isinstance(SCHEMAS[name]({}), dict)


def test_schemas_are_found_by_name() -> None:
    """All five, and no other; a near miss is told."""
    assert list(SCHEMAS) == ["grouped", "ecs", "otel", "gcp", "datadog"]
    assert schema_named("ecs") is SCHEMAS["ecs"]
    with pytest.raises(ConfigError, match=r"with_schema\(name\): 'escs' is not known; allowed: .*Did you mean 'ecs'"):
        schema_named("escs")
    with pytest.raises(ConfigError, match="FAPILOG_SCHEMA: None"):
        schema_named(None, "FAPILOG_SCHEMA")
