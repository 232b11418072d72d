"""The quick way of the usual events gives what the schema ``otel`` gives."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.coerce import json_safe, to_plain
from fapilog.processors.otel import otel
from fapilog.sinks.otlp import usual
from fapilog.sinks.otlp.usual import UsualEvents
from tests.odd_values import values
from tests.processors.events import COMPLETED, FAILED, PLAIN, odd_events

CHANGES = st.dictionaries(
    st.sampled_from([*PLAIN, "k8s.pod.name", "exception", "http_method", "x"]),
    st.sampled_from(["", "0" * 32, "DEBUG", "fapilog.request", "2026-02-30T00:00:00.000000Z", True, 1, 1.0, None, {}])
    | st.sampled_from(["2026-01-02T03:04:05.000001Z", "2026-01-02T03:04:06.9999999", "1960-01-02T03:04:05.123456Z"])
    | values,
    max_size=2,
)


def said(event: dict[Any, Any]) -> str:
    """Return what an event says, whatever is in it."""
    return repr(json_safe({key: to_plain(value) for key, value in event.items()}))


def said_by(record: dict[str, Any]) -> str:
    """Return what a record says, without the observed time."""
    found = {"Resource": {}, "Attributes": {}, **record}
    found.pop("ObservedTimestamp", None)
    if "Timestamp" in found:
        found["Timestamp"] = int(found["Timestamp"])
    return "".join(f"{name}: {said({0: found[name]})}\n" for name in sorted(found))


@given(st.lists(st.builds(lambda change: {**PLAIN, **change}, CHANGES) | odd_events(), max_size=5))
def test_every_event_is_mapped_as_the_schema_does(events: list[dict[Any, Any]]) -> None:
    """Whatever was seen before, a record is that of ``otel``, to the type of each value."""
    mapper = UsualEvents()
    for event in events:
        before = said(event)
        assert said_by(mapper.record(event)) == said_by(otel(event))
        assert said(event) == before


def test_usual_events_do_not_go_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its parts are known an event of the same request is mapped without ``otel``."""
    mapper = UsualEvents()
    mapper.record(PLAIN)
    monkeypatch.setattr(usual, "otel", None)
    record = mapper.record({**PLAIN, "timestamp": PLAIN["timestamp"][:20] + "000001Z", "order": 8, "message": "again"})
    assert (record["Body"], record["Attributes"]["order"]) == ("again", 8)


@pytest.mark.parametrize("event", [COMPLETED, FAILED, {**PLAIN, "k8s.pod.name": "a"}])
def test_exceptions_and_requests_go_the_long_way(event: dict[str, Any]) -> None:
    """What has attributes of its own in the conventions is left to the schema."""
    mapper = UsualEvents()
    assert mapper._quick(dict(event)) is None
    assert mapper.record(event) == otel(event)
