"""The tail with the shop's real traffic."""

import re
from urllib.parse import quote

from playwright.sync_api import Locator, expect

from tests.e2e.console.places import Shop
from tests.e2e.console.watched import Watched


def rows(console: Watched, text: str | re.Pattern[str]) -> Locator:
    return console.at("tail-row").filter(has_text=text, visible=True)


def watch(console: Watched) -> None:
    console.enter("tail")
    console.see("tail-state", "live")


def sift(console: Watched, name: str, value: str) -> None:
    """Type into a filter, and wait until the list shows what it leaves."""
    box = console.at(f"tail-{name}")
    if name == "level":
        box.select_option(value)
    else:
        box.fill(value)
    asked = f"{name}={quote(value)}"
    console.wait_for(lambda: (asked in console.page.url) == bool(value), f"{asked} is not asked for")
    console.see("tail-state", "live")


def test_events_arrive(console: Watched, traced: Shop) -> None:
    """What a request logs is there a moment later, the newest last and in view."""
    watch(console)
    traced.order("arriving", customer="newcomer")
    for said in ("Order placed", "Receipt sent", "request_completed"):
        expect(rows(console, "customer=newcomer").filter(has_text=said)).to_be_in_viewport()
    console.see("tail-figures", "received")


def test_filters(console: Watched, traced: Shop) -> None:
    """Level, logger, text, request id leave what matches, of the past and of what comes, and are in the address."""
    traced.order("seen-before")
    watch(console)
    sift(console, "request_id", "seen-before")
    expect(rows(console, "Receipt sent")).to_have_count(1)
    expect(rows(console, "request_completed")).to_have_count(1)
    traced.order("another")
    traced.get("/api/products/3/stock", "seen-before")
    expect(rows(console, "request_completed")).to_have_count(2)
    assert "request_id=seen-before" in console.page.url

    sift(console, "request_id", "")
    sift(console, "level", "ERROR")
    traced.fail("divided")
    expect(rows(console, "request_failed").last).to_be_visible()
    assert {row.split()[1] for row in rows(console, re.compile(".")).all_inner_texts()} <= {"ERROR", "CRITICAL"}

    sift(console, "level", "")
    sift(console, "logger", "example_app.routes.orders")
    expect(rows(console, "request_")).to_have_count(0)
    expect(rows(console, "Order placed").last).to_be_visible()

    sift(console, "text", "receipt")
    expect(rows(console, "Order placed")).to_have_count(0)
    expect(rows(console, "Receipt sent").last).to_be_visible()
    console.page.reload()
    expect(rows(console, "Receipt sent").last).to_be_visible()
    expect(rows(console, "Order placed")).to_have_count(0)


def test_pause(console: Watched, traced: Shop) -> None:
    """Paused, the list stands still and counts what comes; resumed, it shows that."""
    watch(console)
    sift(console, "request_id", "paused")
    sift(console, "text", "Receipt")
    traced.order("paused")
    expect(rows(console, "Receipt sent")).to_have_count(1)
    console.at("tail-pause").click()
    console.see("tail-state", "paused")
    for _ in range(3):
        traced.order("paused")
    expect(console.at("tail-pause")).to_have_text("Resume (3 new)")
    expect(rows(console, "Receipt sent")).to_have_count(1)
    console.at("tail-pause").click()
    expect(rows(console, "Receipt sent")).to_have_count(4)
    console.see("tail-state", "live")


def test_a_whole_event(console: Watched, traced: Shop) -> None:
    """A click on a row shows all of its event, with a link to its request; Escape closes that."""
    watch(console)
    sift(console, "request_id", "clicked")
    traced.order("clicked")
    rows(console, "Receipt sent").click()
    detail = console.at("event-detail")
    for words in ("example_app.routes.orders", "Receipt sent", "order_id", "email", "***", "customer", "ada"):
        expect(detail).to_contain_text(words)
    console.page.keyboard.press("Escape")
    expect(console.at("panel")).to_be_hidden()

    rows(console, "Receipt sent").click()
    console.at("link-request_id").click()
    expect(console.at("trace-head")).to_contain_text("/api/orders")
    assert console.page.url.endswith("#/requests/clicked")


def test_scrolled_up_it_stands_still(console: Watched, traced: Shop) -> None:
    """Whoever has scrolled up keeps what he reads, is told what is new, and gets back to it by a click."""
    traced.crowd(60)
    watch(console)
    expect(console.at("tail-row").filter(visible=True).nth(10)).to_be_visible()
    console.at("tail-rows").evaluate("node => { node.scrollTop = 0 }")
    expect(console.at("tail-jump")).to_be_visible()
    top = console.at("tail-rows").evaluate("node => node.scrollTop")
    received = console.at("tail-figures").inner_text()
    traced.order("meanwhile", customer="latecomer")
    expect(console.at("tail-figures")).not_to_have_text(received)
    expect(rows(console, "customer=latecomer")).to_have_count(0)
    assert console.at("tail-rows").evaluate("node => node.scrollTop") == top
    console.at("tail-jump").click()
    expect(rows(console, "customer=latecomer").filter(has_text="request_completed")).to_be_in_viewport()
    expect(console.at("tail-jump")).to_be_hidden()
