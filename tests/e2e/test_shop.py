"""The example application under uvicorn from the shell, as its users see it."""

import json
import os
import re
import signal
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from example_app.demo import checks
from tests.e2e.server import Event, Server, Stopped, free_port
from tests.services.otlp import OtlpServer

ROOT = Path(__file__).parents[2]
ORDER = {"email": "ada@example.org", "items": [{"product_id": 3, "quantity": 1}]}
ENDED_BY_SIGTERM = (0, -signal.SIGTERM, 128 + signal.SIGTERM)
PIPE_BYTES = 65_536
COMPLETIONS = {"request_completed", "request_failed"}


def shop(folder: Path, *arguments: str, **variables: str) -> Server:
    env = {"SHOP_DATABASE": str(folder / "shop.sqlite3"), "SHOP_REPORT_FOLDER": str(folder), **variables}
    return Server(folder, "example_app.main:app", "--app-dir", str(ROOT), *arguments, env=env)


def browse(client: httpx.Client, number: int) -> tuple[str, int]:
    """Make one request and return its id and status, as the client saw them."""
    visits = [
        ("GET", "/api/products", None),
        ("POST", "/api/orders", ORDER),
        ("GET", "/api/products/1/stock", None),
        ("GET", "/api/products/99", None),
        ("GET", "/api/reports/export.csv?rows=100", None),
        ("GET", "/api/reports/average-order/1999-12-31", None),
        ("POST", "/api/orders", {"items": []}),
    ]
    method, path, body = visits[number % len(visits)]
    headers = {"X-Request-ID": f"visit-{number:04d}"}
    if "average-order" in path:
        headers["Connection"] = "close"  # uvicorn closes it after an exception; no other request may be on its way
    response = client.request(method, path, json=body, headers=headers)
    assert response.headers.get_list("x-request-id") == [f"visit-{number:04d}"]
    return response.headers["x-request-id"], response.status_code


def completions(events: list[Event]) -> list[tuple[str, int]]:
    return sorted((event["request_id"], event["status_code"]) for event in events if event["message"] in COMPLETIONS)


def check_books(folder: Path, stopped: Stopped) -> None:
    """Every event that the workers say they took is a line or in a summary, and nothing was lost on the way."""
    reports = [json.loads(path.read_text("utf-8")) for path in folder.glob("drain-*.json")]
    for report in reports:
        lost = {key: report[key] for key in ("dropped", "failed", "in_flight", "timed_out")}
        assert lost == {"dropped": 0, "failed": 0, "in_flight": 0, "timed_out": False}
    events = stopped.events()
    assert sum(report["filtered"] for report in reports) == checks.repetitions(events)
    assert sum(report["submitted"] for report in reports) == len(events) + checks.repetitions(events)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_loses_nothing(workers: int, tmp_path: Path) -> None:
    """Every request that was answered has exactly one completion event with its status; all of stdout is JSON."""
    arguments = () if workers == 1 else ("--workers", str(workers))
    with shop(tmp_path, *arguments) as server:
        server.wait_for(lambda: server.printed().count('"Shop opened"') == workers, "the shop did not open")
        with ThreadPoolExecutor(8) as pool:
            answered = list(pool.map(lambda number: browse(server.client, number), range(140)))
        stopped = server.stop()

    events = stopped.events()
    assert stopped.status in ENDED_BY_SIGTERM
    assert completions(events) == sorted(answered)
    assert Counter(event["message"] for event in events)["Receipt sent"] == 20
    assert len({event["pid"] for event in events if event["message"] == "Shop opened"}) == workers
    assert len(list(tmp_path.glob("drain-*.json"))) == workers
    check_books(tmp_path, stopped)


def test_each_line_stands_once(tmp_path: Path) -> None:
    """The server's own lines and a library's records come in one shape, once; uvicorn's access line is off."""
    with shop(tmp_path) as server:
        assert server.client.post("/api/orders", json={**ORDER, "items": [{"product_id": 5, "quantity": 2}]}).is_success
        assert server.client.get("/api/reports/average-order/1999-12-31").status_code == 500
        stopped = server.stop()

    events = stopped.events()
    by_message = Counter(event["message"] for event in events)
    assert by_message["Only 1 left of Last tin of matcha"] == 1
    assert by_message["Order placed"] == by_message["Receipt sent"] == by_message["Shop opened"] == 1
    assert not [event for event in events if event["logger"] == "uvicorn.access"]
    assert [event["message"] for event in events if "exception" in event] == ["request_failed"]
    running = [line for line in (stopped.stdout + stopped.stderr).splitlines() if "Uvicorn running on" in line]
    assert len(running) == 1
    assert "ZeroDivisionError" not in stopped.stderr


def test_a_request_can_be_followed(tmp_path: Path) -> None:
    """All events of an order carry its id: the library's, the synchronous dependency's field, the background task's."""
    with shop(tmp_path) as server:
        order = {**ORDER, "items": [{"product_id": 5, "quantity": 1}]}
        server.client.post("/api/orders", json=order, headers={"X-Request-ID": "follow-me", "X-Customer": "ada"})
        stopped = server.stop()

    events = [event for event in stopped.events() if event.get("request_id") == "follow-me"]
    messages = [event["message"] for event in events]
    assert set(messages) == {"Only 2 left of Last tin of matcha", "Order placed", "Receipt sent", "request_completed"}
    assert len(messages) == 4
    assert {event.get("customer") for event in events} == {"ada"}
    [completion] = [event for event in events if event["message"] == "request_completed"]
    assert completion["http_route"] == "/api/orders"
    assert completion["returning_customer"] is True
    assert completion["order_id"] == 1
    [receipt] = [event for event in events if event["message"] == "Receipt sent"]
    assert receipt["email"] == "***"
    assert not [secret for secret in checks.SECRETS if secret in stopped.stdout + stopped.stderr]


def test_a_receipt_is_a_trace_of_its_own(tmp_path: Path) -> None:
    """What goes on after the answer has a trace id of its own, and names the trace of the order that caused it."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    with shop(tmp_path) as server:
        headers = {"X-Request-ID": "ordered", "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
        assert server.client.post("/api/orders", json=ORDER, headers=headers).is_success
        stopped = server.stop()

    events = {event["message"]: event for event in stopped.events() if event.get("request_id") == "ordered"}
    receipt = events.pop("Receipt sent")
    assert {event["trace_id"] for event in events.values()} == {trace_id}
    assert receipt["trace_id"] != trace_id
    assert receipt["linked_trace_id"] == trace_id


def test_the_shop_exports_where_the_environment_says(tmp_path: Path) -> None:
    """With `OTEL_EXPORTER_OTLP_ENDPOINT` each line is a log record there, each request has a span, nothing is lost."""
    with OtlpServer(tmp_path / "collector") as collector:
        endpoint = f"http://127.0.0.1:{collector.http_port}"
        with shop(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as server:
            answered = [browse(server.client, number) for number in range(21)]
            stopped = server.stop()
        records, spans = collector.received(), collector.spans()

    events = stopped.events()
    assert completions(events) == sorted(answered)
    assert Counter(record["message"] for record in records) == Counter(event["message"] for event in events)
    served = {span["span_id"]: span for span in spans if span["kind"] == "SERVER"}
    assert len(served) == len(answered)
    for event in events:
        if event["message"] in COMPLETIONS:
            assert served[event["span_id"]]["attributes"]["fapilog.request_id"] == event["request_id"]
    logged = {
        key: value for key, value in records[0]["resource"].items() if key.startswith(("service.", "deployment."))
    }
    assert logged.items() <= spans[0]["resource"].items()
    check_books(tmp_path, stopped)


def test_the_metrics_of_the_shop_can_be_scraped(tmp_path: Path) -> None:
    """`/debug/logging/metrics` answers Prometheus, behind the same token as the rest."""
    with shop(tmp_path, SHOP_DEBUG_TOKEN="open-sesame") as server:
        server.client.get("/api/products")
        assert server.client.get("/debug/logging/metrics").status_code in (401, 403)
        response = server.client.get("/debug/logging/metrics", headers={"Authorization": "Bearer open-sesame"})
        server.stop()

    assert response.status_code == 200
    assert "fapilog_" in response.text


def test_routes_are_templates(tmp_path: Path) -> None:
    """A router in a router and a mounted application give the whole template; an unknown path gives none."""
    with shop(tmp_path) as server:
        server.client.post("/api/orders", json=ORDER)
        for path in ("/api/orders/1/items", "/api/products/2", "/nowhere"):
            server.client.get(path)
        server.client.post("/backoffice/orders/1/ship")
        server.client.get("/backoffice/health")
        stopped = server.stop()

    routes = [event.get("http_route") for event in stopped.events() if event["message"] in COMPLETIONS]
    assert Counter(routes) == {
        "/api/orders": 1,
        "/api/orders/{order_id}/items": 1,
        "/api/products/{product_id}": 1,
        "/backoffice/orders/{order_id}/ship": 1,
        None: 1,
    }


def test_the_debug_route_agrees_with_the_drain(tmp_path: Path) -> None:
    """It wants its token, and its figures are those of the events so far."""
    with shop(tmp_path, SHOP_DEBUG_TOKEN="open-sesame") as server:
        server.client.get("/api/products")
        assert server.client.get("/debug/logging").status_code in (401, 403)
        response = server.client.get("/debug/logging", headers={"Authorization": "Bearer open-sesame"})
        stopped = server.stop()

    figures = response.json()
    assert figures["submitted"] >= 3
    assert figures["delivered"] <= len(stopped.events())
    assert set(figures["sinks"]) == {"stdout"}
    check_books(tmp_path, stopped)


def test_a_reader_that_stalls_tears_no_line(tmp_path: Path) -> None:
    """Two workers share a pipe that is full: requests are answered all the same, later every line is whole."""
    with shop(tmp_path, "--workers", "2") as server:
        server.wait_for(lambda: server.printed().count('"Shop opened"') == 2, "the shop did not open")
        server.stall_reader(True)
        with ThreadPoolExecutor(8) as pool:
            answered = list(pool.map(lambda number: browse(server.client, number), range(350)))
        server.stall_reader(False)
        stopped = server.stop()

    assert len(stopped.stdout) > 2 * PIPE_BYTES
    assert completions(stopped.events()) == sorted(answered)
    check_books(tmp_path, stopped)


class Serve(Server):
    """`make serve`."""

    def command(self, target: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", target, *arguments]


def test_serve_prints_a_link_that_works(tmp_path: Path) -> None:
    """`make serve` keeps the shop running and says where its logging can be looked at."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    port = free_port()
    with Serve(tmp_path, "example_app.serve", env={"SHOP_PORT": str(port), "PYTHONPATH": path}, port=port) as server:
        [link] = re.findall(r"http://\S+/debug/logging\?once=\S+", server.complained())
        [token] = re.findall(r"token: +(\S+)", server.complained())
        page = server.client.get(link, headers={"Accept": "text/html"})
        response = server.client.get("/debug/logging")
        changed = server.client.put("/debug/logging/levels", json={}, headers={"Authorization": f"Bearer {token}"})
        server.client.get("/api/products", headers={"X-Request-ID": "browsing"})
        known = "/debug/logging/requests/browsing"
        server.wait_for(lambda: bool(server.client.get(known).json().get("spans")), "no spans of this request")
        request = server.client.get(known).json()
        server.client.cookies.clear()
        again = server.client.get(link, headers={"Accept": "text/html"})
        stopped = server.stop()

    assert (page.status_code, response.status_code, again.status_code) == (200, 200, 401)
    assert page.headers["content-type"].startswith("text/html")
    assert response.json()["state"] == "running"
    assert [span["kind"] for span in request["spans"] if span["parent_span_id"] is None] == ["SERVER"]
    assert changed.status_code == 400  # let in, and told that it says nothing
    assert stopped.status in ENDED_BY_SIGTERM
    assert link.partition("=")[2] not in stopped.stdout
    assert token not in stopped.stdout


def test_serve_does_not_print_a_token_that_it_was_given(tmp_path: Path) -> None:
    """It may be one that lives long; the link opens all the same."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    port = free_port()
    env = {"SHOP_PORT": str(port), "PYTHONPATH": path, "SHOP_DEBUG_TOKEN": "open-sesame"}
    with Serve(tmp_path, "example_app.serve", env=env, port=port) as server:
        [link] = re.findall(r"http://\S+/debug/logging\?once=\S+", server.complained())
        page = server.client.get(link, headers={"Accept": "text/html"})
        stopped = server.stop()

    assert page.status_code == 200
    assert "open-sesame" not in stopped.stdout + stopped.stderr
