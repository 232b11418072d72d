"""2 000 events a second: the page follows, and never stands still for long."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import Shop
from tests.e2e.console.watched import TOKEN

HERE = Path(__file__).parent
EVENTS_A_SECOND = 2_000
SECONDS = 10
LONGEST_TASK_MS = 200
ROWS = 200  # that exist at a time at most, of the 20 000


@pytest.fixture(scope="module")
def flooding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    env = {"FAPILOG_DEBUG_ROUTE__TOKEN": TOKEN, "FAPILOG_QUEUE__POLICY": "wait"}
    with Shop(tmp_path_factory.mktemp("flood"), "hostile_app:app", "--app-dir", str(HERE), env=env) as server:
        yield server


@pytest.mark.parametrize("view", ["tail", "overview"])
def test_a_flood(flooding: Shop, opened: Opened, view: str) -> None:
    """Through ten seconds of 2 000 events a second no task takes 200 ms, and at the end the newest event is there."""
    console = opened(flooding.base)
    console.enter(view)
    if view == "tail":
        console.see("tail-state", "live")
    console.page.evaluate("window.observed.length = 0")
    flooding.client.get("/flood", params={"rate": EVENTS_A_SECOND, "seconds": SECONDS})
    console.page.wait_for_timeout(SECONDS * 1000 - 1000)
    if view == "tail":
        expect(console.at("tail-row").filter(has_text="flood is over")).to_be_in_viewport()
        console.see("tail-figures", "the last 5,000 kept")
        expect(console.at("tail-passed")).to_have_text("")
        assert console.at("tail-row").count() <= ROWS
        text = console.at("tail-figures").inner_text()
    else:
        sent = str(flooding.ask()["submitted"] // 1000)
        expect(console.at("figure-submitted")).to_contain_text(f"{sent},")
        text = console.at("figure-rate").inner_text().replace("\n", " ")
    nodes = console.page.evaluate("document.querySelectorAll('*').length")
    longest = console.longest_task()
    print(f"\n{view}: longest task {longest:.0f} ms, {nodes} elements, {text}, load {os.getloadavg()[0]:.1f}")
    assert nodes < 2_500
    assert longest < LONGEST_TASK_MS
