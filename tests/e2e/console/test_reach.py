"""For everybody: by keyboard alone, on a narrow screen, in light and dark, and for those who listen."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import Shop
from tests.e2e.console.watched import Watched
from tests.e2e.console.test_levels import give_token

VIEWS = ("overview", "tail", "requests", "requests/reach", "levels")
NARROW = {"viewport": {"width": 400, "height": 800}}
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
# All text that is seen, with the contrast to what is behind it.
CONTRASTS = """() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [...found.slice(0, 3).map((part) => part * scale), found[3] ?? 1];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const light = (color) => {
    const [r, g, b] = color.slice(0, 3).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const layers = [];
    for (let each = node; each; each = each.parentElement) layers.push(parse(getComputedStyle(each).backgroundColor));
    const canvas = getComputedStyle(document.documentElement).colorScheme === "dark" ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.reverse().reduce((below, layer) => over(layer, below), canvas);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const words = walker.currentNode.data.trim();
    if (!words || node.closest("svg, [disabled], [hidden], .visually-hidden, .skip, option, noscript, script, style")) continue;
    if (!node.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const back = behind(node);
    const [one, two] = [light(over(parse(getComputedStyle(node).color), back)), light(back)].sort((a, b) => b - a);
    found.push([(one + 0.05) / (two + 0.05), words.slice(0, 40)]);
  }
  return found;
}"""
# Controls without a name, ids that occur twice, images without words, headings that are missing.
UNNAMED = """() => {
  const trouble = [];
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) trouble.push(`twice: #${id}`);
  for (const node of document.querySelectorAll("input, select, textarea")) {
    if (!node.labels.length && !node.ariaLabel && !node.getAttribute("aria-labelledby")) trouble.push(`no label: ${node.outerHTML}`);
  }
  for (const node of document.querySelectorAll("button, a[href], summary, [role=img], [role=listbox], [role=tree], [role=region], [role=group]")) {
    if (!node.textContent.trim() && !node.ariaLabel || (/^(img|listbox|tree|region|group)$/.test(node.role) && !node.ariaLabel && !node.getAttribute("aria-labelledby"))) {
      trouble.push(`no name: ${node.outerHTML.slice(0, 200)}`);
    }
  }
  for (const node of document.querySelectorAll("table th:not([scope])")) trouble.push(`no scope: ${node.textContent}`);
  for (const node of document.querySelectorAll("[tabindex]")) if (node.tabIndex > 0) trouble.push(`tabindex: ${node.outerHTML.slice(0, 100)}`);
  if (document.querySelectorAll("main").length !== 1) trouble.push("not one main");
  if (!document.documentElement.lang || !document.title) trouble.push("no language or title");
  return trouble;
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
    """At 400 pixels no view makes the page scroll sideways, and no control lies outside."""
    console = opened(traced.base, **NARROW)
    console.enter()
    wide = []
    for view in VIEWS:
        page = settled(console, view)
        page.wait_for_timeout(100)  # the charts are drawn when they have been measured
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
            wide.append(view)
        outside = page.evaluate(
            "[...document.querySelectorAll('main button, main input, main select, nav a')].filter((node) => node.checkVisibility()"
            " && !node.closest('.table-box') && node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.textContent)"
        )
        assert outside == [], view
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
