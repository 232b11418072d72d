"""Events that want to be more than text: shown, in every view, as what they are."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import TOKEN, Shop
from tests.e2e.console.tasks import Tasks
from tests.e2e.console.watched import Watched

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LARGE = 1_234_567_890_123_456_789
HERE = Path(__file__).parent
# What of the events has become an element, or has run; nothing may.
EVIL = """() => [
  document.querySelectorAll("[id^=evil], img, main a[href^=javascript], main script, iframe").length,
  document.querySelectorAll("[onerror], [onclick], [onload]").length,
  ({}).polluted ?? null,
  document.title.includes("title"),
]"""
HARMLESS = [0, 0, None, False]
PROMPT_MS = 1000


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Run the application, with all of its events logged once."""
    folder = tmp_path_factory.mktemp("hostile")
    env = {
        "FAPILOG_DEBUG_ROUTE__TOKEN": TOKEN,
        "FAPILOG_DEBUG_ROUTE__KEEP": "32 MB",
        "FAPILOG_QUEUE__CAPACITY": str(sys.maxsize),
    }
    with Shop(folder, "hostile_app:app", "--app-dir", str(HERE), env=env) as server:
        server.get("/hostile", "evil-one", headers={"Connection": "close"})
        server.get("/said/%3Cb%20id=evil-path%3E%E2%80%AE%1B[31m", "evil-path")
        yield server


@pytest.fixture
def prompt(chromium: Browser) -> Iterator[None]:
    """Let no task of the test take a second."""
    with Tasks(chromium) as tasks:
        yield
    assert tasks.longest_ms < PROMPT_MS


@pytest.fixture
def console(opened: Opened, hostile: Shop) -> Watched:
    console = opened(hostile.base)
    console.context.on("dialog", lambda dialog: console.troubles.append("dialog"))
    return console


def rows(console: Watched, text: str | re.Pattern[str]) -> Locator:
    return console.at("tail-row").filter(has_text=text, visible=True)


def harmless(console: Watched) -> None:
    assert console.page.evaluate(EVIL) == HARMLESS


def open_row(console: Watched, text: str) -> Locator:
    rows(console, text).first.click()
    expect(console.at("panel")).to_be_visible()
    harmless(console)
    return console.at("event-detail")


def test_in_the_tail(console: Watched) -> None:
    """Rows show markup as text and what is invisible as symbols, in one line each."""
    console.enter("tail")
    row = rows(console, "markup <script>alert(1)</script>")
    expect(row).to_be_visible()
    expect(rows(console, "of an odd logger")).to_contain_text("‹U+202E›")
    expect(rows(console, "escapes")).to_contain_text("‹ESC›[31mred‹ESC›[0m‹ESC›]0;title‹U+0007›")
    hidden = rows(console, "hidden")
    for symbol in ("‹U+202E›", "‹U+200B›", "‹U+200D›", "‹U+2066›", "‹U+FEFF›", "‹U+E0041›", "‹U+2028›"):
        expect(hidden).to_contain_text(symbol)
    expect(rows(console, "many fields")).to_be_visible()
    expect(rows(console, "odd keys")).to_be_visible()
    expect(rows(console, "GET /said/")).to_be_visible()
    heights = {round(box["height"]) for box in map(Locator.bounding_box, rows(console, re.compile(".")).all()) if box}
    assert len(heights) == 1
    harmless(console)


SHOWN = {
    "markup <script>": ["<img src=x onerror=alert(2)>", "javascript:alert(5)"],
    "escapes": ["‹ESC›[31mred", "‹U+0000›", "‹U+0008›"],
    "hidden": ["‹U+202E›", "‹U+E0041›"],
    "long xxx": ["Show all"],
    "many fields": ["field_0000", "field_0099", "Show 100 more"],
    "deep": ["deep", "deeper"],
    "odd keys": ["__proto__", "constructor", "hasOwnProperty", "<b id=evil-key>"],
    "of an odd logger": ["odd<b id=evil-logger>"],
    "GET /said/": ["/said/<b id=evil-path>‹U+202E›‹ESC›[31m"],
    "request_failed": ["ValueError", "<script>alert(1)</script>"],
}


def test_in_the_whole_event(console: Watched) -> None:
    """An event opened up shows all of it, a page of fields at a time, and nothing of it is more than text."""
    console.enter("tail")
    for row, words in SHOWN.items():
        detail = open_row(console, row)
        for each in words:
            expect(detail).to_contain_text(each)
        for _ in range(4):
            closed = detail.locator("details:not([open]) > summary")
            if closed.count():
                closed.first.click()
        harmless(console)


@pytest.mark.usefixtures("prompt")
def test_what_the_server_would_have_cut(console: Watched) -> None:
    """Of a megabyte of text, 5 000 fields, 5 000 levels the page shows the beginning, and more when asked."""
    head = '"level":"INFO","logger":"made <b id=evil-up>up","message"'
    long = json.dumps("long " + MARKUP + "x" * 1_000_000)
    fields = ",".join(f'"k{number}":{number}' for number in range(5000))
    levels = '{"d":' * 5000 + "1" + "}" * 5000
    lines = [
        f'{{"timestamp":"2026-01-01T00:00:00.000000Z",{head}:{long}}}',
        f'{{"timestamp":"2026-01-01T00:00:00.000001Z",{head}:"wide",{fields}}}',
        f'{{"timestamp":"2026-01-01T00:00:00.000002Z",{head}:"deep","d":{levels}}}',
        '{"timestamp":"2026-01-01T00:00:00.000003Z","level":{"a":1},"logger":null,"message":["odd"],"request_id":{"b":2}}',
        "{no json <b id=evil-line>",
    ]
    body = "event: events\nid: 0-5\n" + "".join(f"data: {line}\n" for line in lines) + "\n"
    once = iter([body])
    console.context.route(
        "**/debug/logging/tail*",
        lambda route: route.fulfill(content_type="text/event-stream", body=next(once, ": nothing more\n\n")),
    )
    console.enter("tail")
    expect(rows(console, "no json <b id=evil-line>")).to_be_visible()
    expect(rows(console, "[1]")).to_be_visible()

    detail = open_row(console, "long <script>")
    assert console.page.evaluate("document.body.innerText.length") < 20_000
    detail.get_by_test_id("show-all").click()
    console.at("whole-text").evaluate("node => { node.scrollTop = node.scrollHeight }")
    harmless(console)
    detail = open_row(console, "wide")
    expect(detail).to_contain_text("k99")
    detail.get_by_test_id("more-fields").click()
    expect(detail).to_contain_text("k199")
    detail = open_row(console, "deep")
    detail.locator("summary").first.click()
    expect(detail.locator("details")).to_have_count(2)
    expect(open_row(console, "[1]")).to_contain_text('{"a":1}')
    console.page.keyboard.press("Escape")
    expect(console.at("panel")).to_be_hidden()


@pytest.mark.usefixtures("prompt")
def test_in_requests(console: Watched) -> None:
    """The list of requests, one of them, its exception, and a level's name are text, too."""
    console.enter("requests")
    expect(console.at("request-row").filter(has_text="evil-path")).to_contain_text("‹U+202E›")
    harmless(console)
    console.at("request-row").filter(has_text="evil-one").click()
    expect(console.at("exception").first).to_contain_text("<script>alert(1)</script>")
    expect(console.at("event-line").filter(has_text="hidden")).to_contain_text("‹U+202E›")
    expect(console.at("event-line")).to_have_count(9)
    for tick in console.at("tick").all():
        tick.hover(force=True)
        harmless(console)
    console.go("levels")
    expect(console.at("levels")).to_contain_text("odd<b id=evil-logger>.‹U+202E›logger")
    console.go("overview")
    console.see("health", re.compile("Logging"))
    console.see("figure-queue", "0 %")
    harmless(console)


def test_large_whole_numbers(console: Watched) -> None:
    """Every digit is that of the event, in a row, in its details, in a request, and in what is copied there."""
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.enter("tail?text=odd%20logger")
    expect(rows(console, "of an odd logger")).to_contain_text("order_id=1234567890123456789")
    expect(open_row(console, "of an odd logger")).to_contain_text("1234567890123456789")
    console.go("requests")
    console.at("request-row").filter(has_text="evil-one").click()
    line = console.at("event-line").filter(has_text="of an odd logger")
    expect(line).to_contain_text("order_id=1234567890123456789")
    line.click()
    detail = console.at("event-detail")
    expect(detail).to_contain_text("1234567890123456789")
    detail.get_by_test_id("copy-json").click()
    expect(detail.get_by_test_id("copy-json")).to_have_text("Copied")
    copied = json.loads(console.page.evaluate("navigator.clipboard.readText()"))
    assert (copied["order_id"], copied["nested"], copied["tiny"]) == (LARGE, {"order_id": -LARGE}, 1e-20)


def test_in_the_address(console: Watched) -> None:
    """What a link brings along is text as well."""
    console.allowed.append("status of 40[04]")
    console.enter()
    for address in ("requests/%3Cb%20id=evil%3E", "traces/%E2%80%AE", "requests/%E0%A4%A"):
        console.go(address)
        expect(console.at("trace-missing")).to_be_visible()
        harmless(console)
    console.go("tail?level=%3Cb%20id=evil%3E&text=%00%3Cb%20id=evil%3E")
    expect(console.at("tail-state")).to_have_text(re.compile("live|refused"))
    harmless(console)
