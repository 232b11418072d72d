"""Requests, and one of them in time, with the shop's real traffic."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import Shop, shop
from tests.e2e.console.watched import Watched


def row(console: Watched, request_id: str) -> Locator:
    return console.at("request-row").filter(has_text=re.compile(rf"{request_id}$"))


def edges(part: Locator) -> tuple[float, float]:
    """Return from where to where something goes, from left to right."""
    box = part.bounding_box()
    assert box is not None
    return box["x"], box["x"] + box["width"]


def test_the_list(console: Watched, traced: Shop) -> None:
    """The newest come first, the slowest when asked for, of the failed only those; a path leaves what has it in it."""
    traced.order("listed")
    traced.get("/api/reports/slow?seconds=0.9", "slow-one")
    traced.fail("broken-one")
    console.enter("requests")
    expect(console.at("request-row").first).to_contain_text("broken-one")
    expect(row(console, "broken-one")).to_contain_text(
        re.compile("GET.*average-order.*500.*ZeroDivisionError", re.DOTALL)
    )
    expect(row(console, "listed")).to_contain_text(re.compile("POST.*/api/orders.*201.*ms", re.DOTALL))

    traced.get("/api/products/1", "came-later")
    expect(console.at("request-row").first).to_contain_text("came-later")
    console.at("requests-slowest").click()
    # Not the first of all: a WebSocket of another test may have been open for longer.
    expect(row(console, "slow-one")).to_be_visible()
    expect(console.at("request-row").first).not_to_contain_text("came-later")
    console.at("requests-failed").click()
    expect(row(console, "listed")).to_have_count(0)
    expect(row(console, "broken-one")).to_be_visible()

    console.at("requests-recent").click()
    console.at("requests-path").fill("/reports")
    expect(row(console, "listed")).to_have_count(0)
    expect(row(console, "slow-one")).to_be_visible()
    expect(console.page).to_have_url(re.compile("path=.*reports"))
    console.page.reload()
    expect(row(console, "slow-one")).to_be_visible()
    expect(row(console, "listed")).to_have_count(0)


def test_a_request_with_its_spans(console: Watched, traced: Shop) -> None:
    """A click on an order shows its spans in time with its events on them, and the way to the trace backend."""
    traced.order("placed")
    console.enter("requests")
    row(console, "placed").click()
    console.see("trace-head", re.compile(r"POST\s+/api/orders\s+201"))
    expect(console.at("no-spans")).to_have_count(0)
    server = console.at("span-row").first
    expect(server).to_contain_text(re.compile("POST /api/orders.*server", re.DOTALL))
    for message, span in (("Order placed", "fastapi.endpoint"), ("Receipt sent", "send_receipt")):
        holder = console.at("span-row").filter(has_text=span)
        start, end = edges(holder.locator(".wf-bar"))
        place, _ = edges(holder.get_by_label(message))
        assert end - start > 2
        assert start - 4 <= place <= end + 4
    start, end = edges(server.locator(".wf-bar"))
    receipt = console.at("span-row").filter(has_text="send_receipt").locator(".wf-bar")
    assert edges(receipt)[0] >= end - 4  # after the answer
    assert edges(server.get_by_label("request_completed"))[0] >= edges(receipt)[1] - 10
    lines = console.at("event-line")
    expect(lines).to_have_count(3)
    assert [line.locator(".row-message").inner_text() for line in lines.all()] == [
        "Order placed",
        "Receipt sent",
        "request_completed",
    ]

    server.click()
    for words in ("POST /api/orders", "http.request.method", "server"):
        expect(console.at("span-detail")).to_contain_text(words)
    console.page.keyboard.press("Escape")
    console.page.get_by_label("Receipt sent").click()
    expect(console.at("event-detail")).to_contain_text("order_id")


def test_the_link_to_the_trace_backend(console: Watched, traced: Shop) -> None:
    """A trace has a link to the user's own backend, by the configured address; it is not followed by itself."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    traced.get("/api/products/1", "linked", headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"})
    console.enter(f"traces/{trace_id}")
    link = console.at("trace-backend").first
    expect(link).to_have_attribute("href", f"https://traces.example/trace/{trace_id}")
    expect(link).to_have_attribute("rel", re.compile("noreferrer"))
    expect(console.at("span-row").first).to_be_visible()
    console.page.get_by_role("link", name="linked").click()
    expect(console.at("trace-head")).to_contain_text("/api/products/{product_id}")


def test_a_failed_request(console: Watched, traced: Shop) -> None:
    """The exception of a failed request is opened up, with where it was raised; its span is marked."""
    traced.fail("exploded")
    console.enter("requests/exploded")
    exception = console.at("exception").first
    for words in ("ZeroDivisionError", "division by zero", "average_order", "reports.py"):
        expect(exception).to_contain_text(words)
    expect(console.at("span-row").locator(".wf-bar.failed").first).to_be_visible()


@pytest.mark.parametrize("what", ["requests/never-seen", "traces/00000000000000000000000000000001"])
def test_nothing_is_known(console: Watched, what: str) -> None:
    """A request that is not in memory says so, and why that may be."""
    console.allowed.append("status of 404")
    console.enter(what)
    console.see("trace-missing", "in memory")


def test_without_spans(opened: Opened, tmp_path) -> None:
    """Without an SDK the time line shows the request and its events alone; they are all there."""
    with shop(tmp_path) as plain:
        plain.order("spanless")
        console = opened(plain.base)
        console.enter("requests/spanless")
        expect(console.at("no-spans")).to_be_visible()
        expect(console.at("span-row")).to_have_count(0)
        expect(console.at("tick")).to_have_count(3)
        expect(console.at("event-line")).to_have_count(3)
        console.page.get_by_label("Spans and events in time").get_by_text("request", exact=True).is_visible()
        expect(console.at("trace-backend")).to_have_count(0)
