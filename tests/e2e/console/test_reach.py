"""For everybody: by keyboard alone, on a narrow screen, in light and dark, and for those who listen."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import Shop
from tests.e2e.console.test_levels import give_token
from tests.e2e.console.watched import Watched

VIEWS = ("overview", "tail", "requests", "requests/reach", "levels")
NARROW = {"viewport": {"width": 400, "height": 800}}
CONTRASTS = Path(__file__).with_name("contrasts.js").read_text("utf-8")
UNNAMED = Path(__file__).with_name("unnamed.js").read_text("utf-8")
OUTSIDE = """() => [...document.querySelectorAll("main button, main input, main select, nav a")]
  .filter((node) => node.checkVisibility() && !node.closest(".table-box"))
  .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
  .map((node) => node.textContent)"""
# What moves sideways: tables and stack traces may, in a box of their own.
SIDEWAYS = """() => [...document.querySelectorAll("main *")]
  .filter((node) => node.checkVisibility() && !node.closest(".table-box, pre"))
  .filter((node) => ["auto", "scroll"].includes(getComputedStyle(node).overflowX))
  .filter((node) => node.scrollWidth > node.clientWidth)
  .map((node) => node.className)"""
READABLE = 4.5  # WCAG 2.2, 1.4.3
FOCUSED = """() => {
  const node = document.activeElement;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(node);
  return {
    id: node.dataset.testid ?? node.id,
    html: node.outerHTML.slice(0, 200),
    beyond: node === document.body,  // past the last control, where the browser's own begin
    visible: (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none",
  };
}"""


@pytest.fixture(scope="module", autouse=True)
def _something_to_see(traced: Shop) -> None:
    traced.crowd(30)
    traced.order("reach")
    traced.fail("reach-not")


def settled(console: Watched, view: str) -> Page:
    """Go to a view and wait until it has something to show."""
    page = console.go(view)
    shown = {
        "overview": console.at("sink-stdout"),
        "tail": console.at("tail-row").filter(visible=True).first,
        "requests": console.at("request-row").first,
        "requests/reach": console.at("event-line").first,
        "levels": console.at("change-default"),
    }
    expect(shown[view]).to_be_attached()
    return page


def press_until(page: Page, wanted: str, key: str = "Tab", most: int = 40) -> None:
    """Press a key until the focus is where it should be; wherever it is on the way, that is seen."""
    for _ in range(most):
        page.keyboard.press(key)
        focus = page.evaluate(FOCUSED)
        assert focus["visible"] or focus["beyond"], f"the focus is not seen on {focus['html']}"
        if focus["id"] == wanted:
            return
    raise AssertionError(f"{wanted} was not reached")


def test_by_keyboard(console: Watched) -> None:
    """Without a mouse: to the tail, through its rows, into an event and out, and a level is set and reset."""
    page = console.enter()
    expect(console.at("sink-stdout")).to_be_visible()
    press_until(page, "tab-overview")
    press_until(page, "tab-tail", "ArrowRight")
    page.keyboard.press("Enter")
    console.see("tail-state", "live")
    expect(console.at("tail-row").filter(visible=True).first).to_be_visible()
    press_until(page, "tail-rows")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    chosen = page.locator("[role=option][aria-selected=true]")
    expect(chosen).to_have_count(1)
    page.keyboard.press("Enter")
    expect(console.at("event-detail")).to_be_visible()
    assert console.at("panel").evaluate("node => node.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(console.at("panel")).to_be_hidden()
    assert page.evaluate(FOCUSED)["id"] == "tail-rows"

    press_until(page, "tab-tail", "Shift+Tab")
    press_until(page, "tab-levels", "ArrowRight")
    page.keyboard.press("Enter")
    expect(console.at("change-default")).to_be_visible()
    press_until(page, "new-logger")
    page.keyboard.type("example_app.backoffice")
    press_until(page, "level-submit")
    page.keyboard.press("Enter")
    expect(console.at("token-input")).to_be_focused()
    page.keyboard.press("Escape")
    expect(console.at("token-dialog")).to_have_count(0)
    console.see("levels-error", "Nothing was changed")
    press_until(page, "new-logger", "Shift+Tab")
    page.keyboard.press("Enter")
    give_token(console)
    press_until(page, "reset-example_app.backoffice")
    page.keyboard.press("Enter")
    expect(console.at("reset-example_app.backoffice")).to_have_count(0)


def test_requests_by_keyboard(console: Watched) -> None:
    """A request is chosen with the arrows and opened with Enter; its spans and events are reached in the same way."""
    page = console.enter("requests")
    expect(console.at("request-row").first).to_be_visible()
    press_until(page, "request-row")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(console.at("trace-head")).to_be_visible()
    press_until(page, "span-row")
    page.keyboard.press("Enter")
    expect(console.at("span-detail")).to_be_visible()
    page.keyboard.press("Escape")
    expect(console.at("panel")).to_be_hidden()
    press_until(page, "event-line")
    page.keyboard.press("Enter")
    expect(console.at("event-detail")).to_be_visible()


def test_on_a_narrow_screen(opened: Opened, traced: Shop) -> None:
    """At 400 pixels neither the page nor a list scrolls sideways in any view, and no control lies outside."""
    console = opened(traced.base, **NARROW)
    console.enter()
    wide = []
    for view in VIEWS:
        page = settled(console, view)
        page.wait_for_timeout(100)  # the charts are drawn when they have been measured
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
            wide.append(view)
        assert page.evaluate(OUTSIDE) == [], view
        assert page.evaluate(SIDEWAYS) == [], view
    assert wide == []
    settled(console, "tail")
    console.at("tail-row").filter(visible=True).last.click()
    expect(console.at("panel")).to_be_visible()
    assert console.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    console.at("panel-close").click()
    expect(console.at("panel")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(opened: Opened, traced: Shop, scheme: str) -> None:
    """In light and dark all text has a contrast of 4.5 to what is behind it, and every control has a name."""
    console = opened(traced.base, color_scheme=scheme)
    console.enter()
    unreadable = []
    for view in VIEWS:
        page = settled(console, view)
        found = page.evaluate(CONTRASTS)
        assert len(found) > 20
        unreadable += [f"{view}: {words!r} {contrast:.2f}" for contrast, words in found if contrast < READABLE]
        assert page.evaluate(UNNAMED) == [], view
    assert unreadable == []


def test_light_and_dark(opened: Opened, traced: Shop) -> None:
    """The page follows the system; the button overrules it, and this browser keeps that."""
    colour = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for scheme in ("light", "dark"):
        console = opened(traced.base, color_scheme=scheme)
        console.enter()
        seen[scheme] = console.page.evaluate(colour)
    assert seen["light"] != seen["dark"]
    for _ in range(3):
        if console.at("theme").inner_text() == "Theme: light":
            break
        console.at("theme").click()
    assert console.page.evaluate(colour) == seen["light"]
    console.page.reload()
    expect(console.at("theme")).to_have_text(re.compile("light"))
    assert console.page.evaluate(colour) == seen["light"]
