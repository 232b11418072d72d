"""Events that want to be more than text: shown, in every view, as what they are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import Shop
from tests.e2e.console.watched import TOKEN, Watched

HERE = Path(__file__).parent
# What of the events has become an element, or has run; nothing may.
EVIL = """() => [
  document.querySelectorAll("[id^=evil], b, img, main a[href^=javascript], main script, iframe").length,
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
    env = {"FAPILOG_DEBUG_ROUTE__TOKEN": TOKEN, "FAPILOG_DEBUG_ROUTE__KEEP": "32 MB"}
    with Shop(folder, "hostile_app:app", "--app-dir", str(HERE), env=env) as server:
        server.get("/hostile", "evil-one", headers={"Connection": "close"})
        server.get("/said/%3Cb%20id=evil-path%3E%E2%80%AE%1B[31m", "evil-path")
        yield server


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
    expect(rows(console, "odd<b id=evil-logger>")).to_contain_text("‹U+202E›")
    expect(rows(console, "escapes")).to_contain_text("␛[31mred␛[0m␛]0;title␇")
    hidden = rows(console, "hidden")
    for symbol in ("‹U+202E›", "‹U+200B›", "‹U+200D›", "‹U+2066›", "‹U+FEFF›", "‹U+E0041›", "‹U+2028›"):
        expect(hidden).to_contain_text(symbol)
    expect(rows(console, "many fields")).to_be_visible()
    expect(rows(console, "odd keys")).to_be_visible()
    expect(rows(console, re.compile("/said/.*evil-path"))).to_contain_text("‹U+202E›")
    heights = {round(box["height"]) for box in map(Locator.bounding_box, rows(console, re.compile(".")).all()) if box}
    assert len(heights) == 1
    harmless(console)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("markup <script>", ["<img src=x onerror=alert(2)>", "javascript:alert(5)"]),
        ("escapes", ["␛[31mred", "␀", "␈"]),
        ("hidden", ["‹U+202E›", "‹U+E0041›"]),
        ("many fields", ["field_0000", "field_0099", "4,900"]),
        ("deep", ["deep", "deeper"]),
        ("odd keys", ["__proto__", "constructor", "hasOwnProperty", "<b id=evil-key>"]),
        ("of an odd logger", ["odd<b id=evil-logger>"]),
        ("request_failed", ["ValueError", "<script>alert(1)</script>"]),
    ],
)
def test_in_the_whole_event(console: Watched, row: str, words: list[str]) -> None:
    """An event opened up shows all of it, a page of fields at a time, and nothing of it is more than text."""
    console.enter("tail")
    detail = open_row(console, row)
    for each in words:
        expect(detail).to_contain_text(each)
    for _ in range(8):
        closed = detail.locator("details:not([open]) > summary")
        if closed.count():
            closed.first.click()
    harmless(console)


def test_a_long_message(console: Watched) -> None:
    """A message of a megabyte is shown by its beginning, whole when asked for, and the page stays at hand."""
    console.enter("tail")
    detail = open_row(console, "long xxx")
    expect(detail.get_by_text(re.compile("Show all"))).to_have_count(2)
    assert console.page.evaluate("document.body.innerText.length") < 60_000
    detail.get_by_test_id("show-all").first.click()
    whole = console.at("whole-text")
    whole.evaluate("node => { node.scrollTop = node.scrollHeight }")
    expect(whole).to_be_visible()
    harmless(console)
    console.page.keyboard.press("Escape")
    expect(console.at("panel")).to_be_hidden()
    assert console.longest_task() < PROMPT_MS


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
    harmless(console)
    assert console.longest_task() < PROMPT_MS


@pytest.mark.parametrize("address", ["requests/%3Cb%20id=evil%3E", "traces/%E2%80%AE", "requests/%E0%A4%A", "tail?level=<b>&text=%00"])
def test_in_the_address(console: Watched, address: str) -> None:
    """What a link brings along is text as well."""
    console.allowed.append("status of 40[04]")
    console.enter(address)
    console.page.wait_for_load_state("networkidle") if not address.startswith("tail") else None
    expect(console.page.locator("main")).not_to_be_empty()
    harmless(console)
