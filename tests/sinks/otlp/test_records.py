"""Flat events become OTLP records that say the same."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog.asgi import access
from fapilog.coerce import json_safe, to_plain
from fapilog.processors.otel import otel
from fapilog.sinks.otlp.records import EDGE_EVENTS, encode
from tests.odd_values import values
from tests.processors.events import COMPLETED, FAILED, PLAIN, SPAN_ID, STAMP_NS, TRACE_ID, odd_events
from tests.services.otlp import pairs_of, value_of

OBSERVED = 1_800_000_000_000_000_000


def encoded(*events: dict[Any, Any], **extra: Any) -> ExportLogsServiceRequest:
    """Return what a receiver decodes from the bytes that are sent."""
    return ExportLogsServiceRequest.FromString(encode(events, extra, OBSERVED).SerializeToString())


def only(request: ExportLogsServiceRequest) -> Any:
    """Return the only record of a request."""
    (resource_logs,) = request.resource_logs
    (scope_logs,) = resource_logs.scope_logs
    (record,) = scope_logs.log_records
    return record


def record_of(**fields: Any) -> Any:
    return only(encoded({**PLAIN, **fields}))


def attributes_of(**fields: Any) -> dict[str, Any]:
    return pairs_of(record_of(**fields).attributes)


def as_received(value: Any) -> Any:
    """Return a value as AnyValue can hold it."""
    safe = json_safe(to_plain(value))

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return list(map(walk, value))
        return str(value) if type(value) is int and value >= 1 << 63 else value

    return walk(safe)


def test_time_ids_severity_and_body_are_those_of_the_event() -> None:
    """A record has the event's time to the nanosecond, its ids as bytes, its level as text and number, its message."""
    record = record_of()
    assert (record.time_unix_nano, record.observed_time_unix_nano) == (int(STAMP_NS), OBSERVED)
    assert (record.trace_id.hex(), record.span_id.hex(), record.flags) == (TRACE_ID, SPAN_ID, 1)
    assert (record.severity_text, record.severity_number, record.body.string_value) == ("INFO", 9, "Order placed")


@pytest.mark.parametrize(
    ("level", "number"),
    [
        ("LEVEL_1", 1),
        ("TRACE", 1),
        ("DEBUG", 5),
        ("INFO", 9),
        ("NOTICE", 10),
        ("WARNING", 13),
        ("LEVEL_35", 14),
        ("ERROR", 17),
        ("CRITICAL", 21),
        ("LEVEL_60", 22),
    ],
)
def test_severity_numbers_are_those_of_the_data_model(level: str, number: int) -> None:
    """DEBUG 5, INFO 9, WARN 13, ERROR 17, FATAL 21, what is below DEBUG is TRACE; the text is the level's name."""
    record = record_of(level=level)
    assert (record.severity_text, record.severity_number) == (level, number)


@pytest.mark.parametrize("trace_id", [None, "0" * 32, "F" * 32, "abc", 7])
def test_what_is_no_trace_id_leaves_the_records_empty(trace_id: Any) -> None:
    """An all-zero id, one in upper case or of another length is not sent as an id."""
    assert record_of(trace_id=trace_id).trace_id == b""
    assert record_of(span_id="0" * 16).span_id == b""


def test_flags_are_a_bit_field() -> None:
    """The W3C trace flags arrive as they are: a root span of SDK 1.45 has 3."""
    assert record_of(trace_flags="03").flags == 3
    assert record_of(trace_flags="00").flags == 0


def test_fields_are_attributes_of_their_types() -> None:
    """Numbers stay numbers, nested values stay nested, None is the empty value."""
    fields = {
        "s": "text",
        "i": -7,
        "f": 0.5,
        "b": False,
        "n": None,
        "l": [1, "a", [None]],
        "d": {"k": {"x": [{}]}},
        "e": [],
        "m": {},
    }
    found = attributes_of(**fields)
    assert repr({key: found[key] for key in fields}) == repr(fields)


def test_integers_over_64_bits_arrive_as_decimal_text() -> None:
    """No integer is cut or refused: up to 64 bits with sign a number, else its digits."""
    found = attributes_of(a=(1 << 63) - 1, b=-(1 << 63), c=1 << 63, d=-(1 << 63) - 1, e=1 << 64, f=[10**300])
    assert (found["a"], found["b"]) == ((1 << 63) - 1, -(1 << 63))
    assert (found["c"], found["d"]) == (str(1 << 63), str(-(1 << 63) - 1))
    assert (found["e"], found["f"]) == (str(1 << 64), [str(10**300)])


def test_a_lone_surrogate_anywhere_loses_no_event_of_the_batch() -> None:
    """A lone surrogate in a body, name, value, logger, level or resource is escaped; its neighbours are untouched."""
    odd = "a\ud800b"
    events = [
        PLAIN,
        {**PLAIN, "message": odd},
        {**PLAIN, odd: 1, "x": odd, "y": [{odd: odd}], "event_name": odd, "event_id": odd},
        {**PLAIN, "level": odd, "logger": odd, "service": odd, "k8s.pod.name": odd},
        PLAIN,
    ]
    request = encoded(*events, team=odd)
    records = [record for logs in request.resource_logs for scope in logs.scope_logs for record in scope.log_records]
    shown = "a\\ud800b"
    assert len(records) == 5
    assert records[1].body.string_value == shown
    found = pairs_of(records[2].attributes)
    assert (found[shown], found["x"], found["y"], found["log.record.uid"]) == (1, shown, [{shown: shown}], shown)
    assert (records[2].event_name, records[3].severity_text) == (shown, shown)
    assert request.resource_logs[1].scope_logs[0].scope.name == shown
    resource = pairs_of(request.resource_logs[1].resource.attributes)
    assert (resource["service.name"], resource["k8s.pod.name"], resource["team"]) == (shown, shown, shown)
    assert records[0] == records[4]


def test_numbers_that_json_does_not_know_are_the_same_text_as_in_the_lines() -> None:
    """NaN and infinities are text here as they are in the JSON lines, beside what is odd and beside what is not."""
    expected = {"a": "NaN", "b": "Infinity", "c": ["-Infinity"]}
    for more in ({}, {"odd": "\ud800"}):
        found = attributes_of(a=float("nan"), b=float("inf"), c=[float("-inf")], **more)
        assert {key: found[key] for key in expected} == expected


def test_the_id_of_an_event_is_its_log_record_uid() -> None:
    """The event id is the attribute of the semantic conventions; a field that has this name is kept beside it."""
    found = attributes_of(**{"event_id": "5f0c-1", "log.record.uid": "mine", "log.record.uid_": "too"})
    assert "event_id" not in found
    assert (found["log.record.uid"], found["log.record.uid_"], found["log.record.uid__"]) == ("5f0c-1", "too", "mine")


@pytest.mark.parametrize("name", ["event_name", "event.name"])
def test_an_event_name_is_the_records_and_no_attribute(name: str) -> None:
    """A field that names the event becomes the record's event name; what is no text stays a field."""
    record = record_of(**{name: "order.placed"})
    assert record.event_name == "order.placed"
    assert name not in pairs_of(record.attributes)
    record = record_of(**{name: 7})
    assert (record.event_name, pairs_of(record.attributes)[name]) == ("", 7)


@pytest.mark.parametrize(
    "message",
    [
        "request_completed",
        "request_failed",
        "websocket_opened",
        "websocket_closed",
        "websocket_refused",
        "websocket_failed",
    ],
)
def test_the_events_of_the_edge_have_a_name(message: str) -> None:
    """A completion event is one of OpenTelemetry's events; its body stays, and a name that somebody gave it wins."""
    record = record_of(logger="fapilog.request", message=message)
    assert (record.event_name, record.body.string_value) == (f"fapilog.{message}", message)
    assert record_of(logger="fapilog.request", message=message, event_name="order.placed").event_name == "order.placed"
    assert record_of(message=message).event_name == ""
    assert record_of(logger="fapilog.request", message="anything else").event_name == ""
    assert record_of(logger="fapilog.request", message=[message]).event_name == ""


def test_the_names_of_the_edge_are_all_that_the_edge_says() -> None:
    """Whatever the middleware reports of a request or a WebSocket is in the list of names."""
    folder = Path(access.__file__).parent
    told = set(re.findall(r'"((?:request|websocket)_[a-z]+ed)"', "".join(map(Path.read_text, folder.glob("*.py")))))
    assert told == EDGE_EVENTS


def test_an_exception_has_the_attributes_of_the_conventions() -> None:
    """Type, message and stack trace are where every backend looks; frames and causes are kept beside them."""
    found = pairs_of(only(encoded(FAILED)).attributes)
    assert found["exception.type"] == "shop.errors.Declined"
    assert found["exception.message"] == "card expired"
    assert found["exception.stacktrace"] == FAILED["exception"]["stacktrace"]
    assert found["fapilog.exception"]["cause"] == FAILED["exception"]["cause"]


def test_a_request_has_the_attributes_of_the_conventions() -> None:
    """A completion event says method, path, route and status as the HTTP conventions call them."""
    found = pairs_of(only(encoded(COMPLETED)).attributes)
    assert (found["http.request.method"], found["url.path"], found["http.route"]) == (
        "GET", "/orders/7", "/orders/{order_id}",
    )  # fmt: skip
    assert (found["http.response.status_code"], found["client.address"]) == (404, "203.0.113.7")


def test_the_resource_is_what_the_event_says_over_what_was_configured() -> None:
    """Service, version, environment, host, process and pod are the resource's; configured attributes join them."""
    event = {**PLAIN, "k8s.pod.name": "web-1-abc"}
    (logs,) = encoded(event, **{"service.name": "other", "team": "shop", "replicas": 3}).resource_logs
    assert pairs_of(logs.resource.attributes) == {
        "service.name": "shop",
        "service.version": "1.2",
        "deployment.environment.name": "prod",
        "host.name": "web-1",
        "process.pid": 4711,
        "k8s.pod.name": "web-1-abc",
        "team": "shop",
        "replicas": 3,
    }


def test_the_records_stand_in_the_order_of_the_batch() -> None:
    """Resources and loggers that alternate begin new groups: the order of a batch is never changed."""
    loggers, pids = "aabba", (1, 1, 1, 2, 2)
    events = [{**PLAIN, "logger": loggers[at], "pid": pids[at], "message": str(at)} for at in range(5)]
    request = encoded(*events)
    found = [
        [(scope.scope.name, [record.body.string_value for record in scope.log_records]) for scope in logs.scope_logs]
        for logs in request.resource_logs
    ]
    assert found == [[("a", ["0", "1"]), ("b", ["2"])], [("b", ["3"]), ("a", ["4"])]]


def test_a_time_that_no_64_bit_number_holds_is_an_attribute() -> None:
    """A year after 2554 does not fit; the text of the event is kept."""
    record = record_of(timestamp="9999-01-02T03:04:05.123456Z")
    assert record.time_unix_nano == 0
    assert pairs_of(record.attributes)["timestamp"] == "9999-01-02T03:04:05.123456Z"


def test_values_as_deep_as_events_go_are_decoded_by_receivers() -> None:
    """Protobuf refuses messages nested over 100 deep; the deepest value an event may hold is below that."""
    value: Any = "bottom"
    for _ in range(40):
        value = {"k": [value]}
    assert attributes_of(value=value)["value"] == as_received(value)


def test_a_value_in_itself_ends() -> None:
    """What a stage has added may hold itself."""
    value: list[Any] = []
    value.extend([value] * 1000)
    assert "<cycle>" in str(attributes_of(value=value))


@given(st.lists(odd_events(), min_size=1, max_size=3))
def test_any_event_is_encoded_and_decodes_to_the_same(events: list[dict[Any, Any]]) -> None:
    """Whatever events hold, each is a record, in order, with its ids, severity, body and attributes."""
    request = encoded(*events)
    found = [
        (logs, scope, record)
        for logs in request.resource_logs
        for scope in logs.scope_logs
        for record in scope.log_records
    ]
    assert len(found) == len(events)
    for event, (logs, scope, record) in zip(events, found, strict=True):
        expected = otel(event)
        assert record.trace_id.hex() == expected.get("TraceId", "").replace("0" * 32, "")
        assert record.span_id.hex() == expected.get("SpanId", "").replace("0" * 16, "")
        assert record.flags == expected.get("TraceFlags", 0)
        assert record.severity_number == expected["SeverityNumber"]
        assert record.severity_text == as_received(expected.get("SeverityText", ""))
        assert scope.scope.name == as_received(expected.get("InstrumentationScope", {}).get("Name", ""))
        assert repr(value_of(record.body)) == repr(as_received(expected.get("Body")))
        assert pairs_of(logs.resource.attributes) == as_received(expected.get("Resource", {}))
        attributes = expected.get("Attributes", {})
        if int(expected.get("Timestamp", 0)) < 1 << 64:
            assert record.time_unix_nano == int(expected.get("Timestamp", 0))
            assert repr(pairs_of(record.attributes)) == repr(as_received_pairs(attributes))


def as_received_pairs(attributes: dict[Any, Any]) -> dict[str, Any]:
    return {
        key: as_received(value)
        for key, value in json_safe({key: to_plain(value) for key, value in attributes.items()}).items()
    }


@given(st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3), min_size=2, max_size=5))
def test_what_one_record_takes_over_from_the_one_before_is_its_own(fields: list[dict[str, Any]]) -> None:
    """Values of any type follow each other under the same names; each record has its own ones."""
    names = fields[0].keys()
    events = [{**PLAIN, **dict.fromkeys(names), **its} for its in fields for _ in range(2)]
    (logs,) = encoded(*events).resource_logs
    for event, record in zip(events, logs.scope_logs[0].log_records, strict=True):
        assert repr(pairs_of(record.attributes)) == repr(as_received_pairs(otel(event)["Attributes"]))


def test_the_same_names_in_another_order_are_not_mixed_up() -> None:
    """Records take over attributes by their names and places: the same fields in another order are another shape."""
    one = {"a": 1, "b": "x"}
    two = {"b": "y", "a": 2}
    (logs,) = encoded({**one, "message": "1"}, {**two, "message": "2"}, {**one, "message": "3"}).resource_logs
    found = [pairs_of(record.attributes) for record in logs.scope_logs[0].log_records]
    assert found == [one, two, one]
