"""Pictures of every view, in light and dark, wide and narrow, while customers come and go.

They are kept in the folder that `FAPILOG_SCREENSHOTS` names; without it half of them are, with pytest's other temporary
files. With `FAPILOG_PICTURES` the best of them are written to that folder, after a minute of traffic instead of a few
seconds: `make pictures`.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.customers import customers
from tests.e2e.console.places import Shop, traced_shop
from tests.e2e.console.test_levels import give_token
from tests.e2e.console.watched import Watched

ROOT = Path(__file__).resolve().parents[3]
# Where this repository lies is nobody's business.
ELSEWHERE = """
(root) => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) walk.currentNode.data = walk.currentNode.data.replaceAll(root, "/srv/shop");
}
"""
BEST = {
    "overview-light",
    "overview-dark",
    "tail-dark",
    "requests-light",
    "trace-light",
    "failure-dark",
    "levels-light",
    "overview-dark-narrow",
    "trace-light-narrow",
}
SIZES = {"": {"width": 1280, "height": 800}, "-narrow": {"width": 400, "height": 800}}
TALL = {"overview": 1120, "failure": 950, "levels": 1000}  # what is worth seeing goes on below the 800 pixels
COLOURS = ("light", "dark")
ALL = [(colour, size) for colour in COLOURS for size in SIZES]
TAKEN = ALL if {"FAPILOG_SCREENSHOTS", "FAPILOG_PICTURES"} & set(os.environ) else [ALL[0], ALL[-1]]
VIEWS = ("overview", "tail", "requests", "trace", "failure", "levels")
SECONDS = 80 if "FAPILOG_PICTURES" in os.environ else 4
INTERESTING = re.compile("Order (placed|viewed|refused)|Receipt sent|Reserved")
MOST_BYTES = 250_000
ORDER = {"email": "ada@example.org", "items": [{"product_id": 5, "quantity": 1}, {"product_id": 4, "quantity": 2}]}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with traced_shop(tmp_path_factory.mktemp("busy")) as shop, customers(shop):
        yield shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("FAPILOG_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep(page: Page, folder: Path, name: str) -> None:
    """Write a picture; by Playwright's own way to the disk a thread would be left behind."""
    page.evaluate(ELSEWHERE, str(ROOT))
    picture = page.screenshot(animations="disabled")
    assert picture.startswith(b"\x89PNG")
    (folder / f"console-{name}.png").write_bytes(picture)
    if "FAPILOG_PICTURES" in os.environ and name in BEST:
        assert len(picture) < MOST_BYTES
        Path(os.environ["FAPILOG_PICTURES"], f"console-{name}.png").write_bytes(picture)


def turn_up(console: Watched) -> None:
    """Make something to see in the levels: one for ten minutes, one for half an hour, a rule."""
    console.go("levels")
    for name, time in (("example_app.routes.orders", "10 minutes"), ("example_app.store", "30 minutes")):
        console.at("new-logger").fill(name)
        console.at("level-of-logger").select_option("DEBUG")
        console.at("new-ttl").select_option(label=time)
        console.at("level-submit").click()
        if console.at("token-dialog").count():
            give_token(console)
        expect(console.at(f"reset-{name}")).to_be_visible()
    console.at("rule-path").fill("/api/reports/*")
    console.at("rule-header").fill("x-customer: grace")
    console.at("rule-submit").click()
    expect(console.at("louder")).to_contain_text("/api/reports/*")


def in_view(console: Watched, rows: Locator) -> Locator:
    """Return one of the rows that are seen; there are a few more, above and below."""
    frame = console.at("tail-rows").bounding_box()
    for row in rows.all():
        box = row.bounding_box()
        if frame and box and frame["y"] < box["y"] < frame["y"] + frame["height"] - box["height"]:
            return row
    raise AssertionError("no such row is seen")


def show(console: Watched, view: str) -> None:
    """Go to what is in a picture, and wait until it is there."""
    page = console.page
    page.mouse.move(0, 0)
    if view == "overview":
        console.go(view)
        expect(console.at("sink-otlp")).to_contain_text("ok")
        expect(page.locator("canvas")).to_have_count(4)
    elif view == "tail":
        console.go(view)
        rows = console.at("tail-row").filter(visible=True)
        expect(rows.filter(has_text="Receipt sent").last).to_be_visible()
        console.at("tail-pause").click()
        if page.viewport_size["width"] > 1000:
            in_view(console, rows.filter(has_text=INTERESTING)).click()
            expect(console.at("event-detail")).to_be_visible()
    elif view == "requests":
        console.go(view)
        expect(console.at("request-row").nth(12)).to_be_visible()
    elif view == "trace":
        console.go("requests/the-last-tin")
        expect(console.at("span-row").first).to_be_visible()
    elif view == "failure":
        console.go("requests?show=failed")
        console.at("request-row").filter(has_text="ZeroDivisionError").first.click()
        expect(console.at("exception").first).to_be_visible()
    else:
        console.go(view)
        expect(console.at("reset-example_app.store")).to_be_visible()
    page.wait_for_timeout(250)  # the charts follow the size


@pytest.mark.timeout(240)
def test_pictures(busy: Shop, opened: Opened, folder: Path) -> None:
    """Each view has a picture of its own in every size and colour, none without something to see."""
    busy.fail("a-day-without-orders")
    wall = opened(busy.base)
    wall.enter()
    turn_up(wall)
    wall.go("overview")
    for _ in range(SECONDS):
        wall.page.wait_for_timeout(1000)
    busy.send("POST", "/api/orders", "the-last-tin", json=ORDER, headers={"X-Customer": "ada"})
    for colour, size in TAKEN:
        wall.page.emulate_media(color_scheme=colour)
        for view in VIEWS:
            height = TALL.get(view, 800) if "FAPILOG_PICTURES" in os.environ and not size else 800
            wall.page.set_viewport_size({**SIZES[size], "height": height})
            show(wall, view)
            keep(wall.page, folder, f"{view}-{colour}{size}")
    pictures = [folder / f"console-{view}-{colour}{size}.png" for view in VIEWS for colour, size in TAKEN]
    assert len({picture.read_bytes() for picture in pictures}) == len(pictures)
