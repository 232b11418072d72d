"""Two services that call each other through httpx: one trace, seen in both logs and in the spans of both."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import Event, Server
from tests.services.otlp import OtlpServer

ROOT = Path(__file__).parents[2]
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CAME_WITH = {
    "traceparent": f"00-{TRACE}-{CALLER}-01",
    "tracestate": "vendor=abc,other=1",
    "baggage": "tenant=acme,unasked=1",
    "x-request-id": "two-services",
}
ORDER = "/orders/7"
HTTPX = pytest.mark.requires_service("httpx-instrumentation", module="opentelemetry.instrumentation.httpx")
MAKERS = ["fastapi", "ours"]
CLIENTS = [pytest.param("instrumented", marks=HTTPX), "inject"]


@dataclass
class Told:
    """What a call left: the events of both services, and what the second one got."""

    front: list[Event]
    stock: list[Event]
    arrived: dict[str, str]

    def event(self, service: str, message: str) -> Event:
        [found] = [event for event in getattr(self, service) if event["message"] == message]
        return found


@contextmanager
def services(folder: Path, **env: str) -> Iterator[tuple[Server, Server]]:
    def start(name: str, **more: str) -> Server:
        (folder / name).mkdir()
        target = f"tests.e2e.two_services:{name}"
        return Server(folder / name, target, "--app-dir", str(ROOT), env={"OTEL_SERVICE_NAME": name, **env, **more})

    with start("stock") as stock, start("front", STOCK_URL=f"http://127.0.0.1:{stock.port}") as front:
        yield front, stock


def order(folder: Path, headers: dict[str, str] | None = None, **env: str) -> Told:
    """Place one order and end both services."""
    with services(folder, **env) as (front, stock):
        answer = front.client.post(ORDER, headers=CAME_WITH if headers is None else headers)
        assert answer.status_code == 200, answer.text
        ended, other = front.stop(), stock.stop()
    return Told(ended.events(), other.events(), answer.json()["stock"])


class Spans:
    """The spans that a collector got."""

    def __init__(self, spans: list[dict[str, Any]]) -> None:
        self._spans = {span["span_id"]: span for span in spans}
        assert len(self._spans) == len(spans)

    def of(self, trace_id: str) -> list[dict[str, Any]]:
        return [span for span in self._spans.values() if span["trace_id"] == trace_id]

    def ids(self, service: str) -> set[str]:
        return {span_id for span_id, span in self._spans.items() if span["service"] == service}

    def server(self, service: str) -> dict[str, Any]:
        """Return the one server span of a service."""
        [found] = [each for each in self._spans.values() if (each["service"], each["kind"]) == (service, "SERVER")]
        return found

    def above(self, span: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the parent, its parent and so on, as far as they were exported."""
        found = []
        while span["parent"] in self._spans:
            span = self._spans[span["parent"]]
            found.append(span)
        return found


@pytest.mark.parametrize("makes", MAKERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_without_an_sdk_both_logs_have_the_callers_trace(client: str, makes: str, tmp_path: Path) -> None:
    """Nobody makes spans, and still one trace id is on every event of both services: the caller's."""
    told = order(tmp_path, SERVICE_CLIENT=client, SERVICE_SPANS=makes)

    for name in ("front", "stock"):
        events = [event for event in getattr(told, name) if event.get("request_id")]
        ours = [event for event in events if event["message"] != "Receipt sent"]
        assert {event["message"] for event in ours} >= {"request_completed"}
        assert {(event.get("trace_id"), event.get("span_id")) for event in ours} == {(TRACE, CALLER)}
        assert {event.get("tenant") for event in ours} == {"acme"}
        assert not [event for event in ours if "unasked" in event]
    assert told.arrived == {name: CAME_WITH[name] for name in ("traceparent", "tracestate", "baggage")}
    check_receipt(told, TRACE, {CALLER})


@pytest.mark.parametrize("makes", MAKERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_with_an_sdk_logs_and_spans_are_one_trace(client: str, makes: str, tmp_path: Path) -> None:
    """One trace id in both logs; a server span of each service, parent by parent; the job is linked to its cause."""
    with OtlpServer(tmp_path / "collector") as collector:
        endpoint = f"http://127.0.0.1:{collector.http_port}"
        sdk = {"SERVICE_SDK": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        told = order(tmp_path, SERVICE_CLIENT=client, SERVICE_SPANS=makes, **sdk)
        spans, records = Spans(collector.spans()), collector.received()

    served, looked_up = spans.server("front"), spans.server("stock")
    assert (served["name"], looked_up["name"]) == ("POST /orders/{order_id}", "GET /stock/{order_id}")
    assert {served["trace_id"], looked_up["trace_id"]} == {TRACE}
    assert served["parent"] == CALLER
    above = spans.above(looked_up)
    assert above[-1] is served
    assert [span["kind"] for span in above].count("CLIENT") == (client == "instrumented")
    if makes == "ours":
        kinds = ["CLIENT", "SERVER", "SERVER"] if client == "instrumented" else ["SERVER", "SERVER"]
        assert sorted(span["kind"] for span in spans.of(TRACE)) == kinds
    assert {span["state"] for span in spans.of(TRACE)} == {CAME_WITH["tracestate"]}
    assert told.arrived["traceparent"].split("-")[1:3] == [TRACE, above[0]["span_id"]]
    assert told.arrived["tracestate"] == CAME_WITH["tracestate"]
    assert "tenant=acme" in told.arrived["baggage"]

    for name, server in (("front", served), ("stock", looked_up)):
        found = [event for event in getattr(told, name) if event.get("trace_id") == TRACE]
        assert {event["message"] for event in found} > {"request_completed"}
        assert {event.get("tenant") for event in found} == {"acme"}
        assert {event["span_id"] for event in found} <= spans.ids(name)
        assert told.event(name, "request_completed")["span_id"] == server["span_id"]
    check_receipt(told, TRACE, spans.ids("front"))
    receipt = told.event("front", "Receipt sent")
    [job] = spans.of(receipt["trace_id"])
    assert (job["parent"], job["span_id"]) == ("", receipt["span_id"])
    assert job["links"] == [(TRACE, receipt["linked_span_id"])]
    check_records(told, records)


@pytest.mark.parametrize("makes", MAKERS)
def test_without_a_caller_the_front_begins_the_trace(makes: str, tmp_path: Path) -> None:
    """Without `traceparent` the front's server span is the root, and the other service is below it."""
    with OtlpServer(tmp_path / "collector") as collector:
        endpoint = f"http://127.0.0.1:{collector.http_port}"
        sdk = {"SERVICE_SDK": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        told = order(tmp_path, {}, SERVICE_CLIENT="inject", SERVICE_SPANS=makes, **sdk)
        spans = Spans(collector.spans())

    root, below = spans.server("front"), spans.server("stock")
    assert root["parent"] == ""
    assert spans.above(below)[-1] is root
    assert told.event("stock", "Stock looked up")["trace_id"] == root["trace_id"]
    assert told.event("front", "Order placed")["trace_id"] == root["trace_id"]


def check_receipt(told: Told, trace_id: str, causes: set[str]) -> None:
    """The job's event is in a trace of its own and names the one that caused it; it keeps the request's id."""
    receipt = told.event("front", "Receipt sent")
    assert receipt["request_id"] == CAME_WITH["x-request-id"]
    assert receipt["trace_id"] != trace_id
    assert receipt["linked_trace_id"] == trace_id
    assert receipt["linked_span_id"] in causes
    assert receipt["tenant"] == "acme"


def check_records(told: Told, records: list[dict[str, Any]]) -> None:
    """Every line of both logs is a record at the collector, with the same ids, and there are no others."""

    def key(event: dict[str, Any]) -> tuple[str, ...]:
        service = event.get("service") or event.get("resource", {}).get("service.name")
        return (service, event["message"], event.get("trace_id", ""), event.get("span_id", ""))

    assert sorted(map(key, records)) == sorted(map(key, [*told.front, *told.stock]))
