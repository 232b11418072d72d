"""More is logged than memory holds before the tail gets it: the page says how much it has not seen."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import TOKEN, Shop
from tests.e2e.console.test_server_gone import UNREACHABLE
from tests.e2e.console.watched import Watched
from tests.e2e.console.wire import Wire

HERE = Path(__file__).parent
EVENTS = 1_000
OTHERS = 2  # of each flood: the request's completion, and that it is over
NOTE = re.compile(r"([\d,]+) events lost: gone from the server's memory")


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Shop]:
    """Run an application whose console remembers as little as it can: some 300 events."""
    env = {
        "FAPILOG_DEBUG_ROUTE__TOKEN": TOKEN,
        "FAPILOG_DEBUG_ROUTE__KEEP": "100 KB",
        "FAPILOG_QUEUE__POLICY": "wait",
    }
    with Shop(tmp_path, "hostile_app:app", "--app-dir", str(HERE), env=env) as server:
        yield server


def received(console: Watched) -> int:
    """Return how many events the tail has got, as it says itself."""
    found = re.search(r"([\d,]+) received", console.at("tail-figures").inner_text())
    assert found
    return int(found[1].replace(",", ""))


def all_received(console: Watched, server: Shop) -> int:
    """Wait until the tail says that it has got all that the server has, which is little yet, and return how many."""
    events = int(server.ask()["recent"]["events"])
    console.wait_for(lambda: received(console) == events, "the tail has not got what there is")
    return events


def flood(server: Shop, rate: int) -> None:
    """Let it log a thousand events."""
    server.client.get("/flood", params={"rate": rate, "seconds": EVENTS / rate})


def all_logged(server: Shop, before: int) -> bool:
    """Return whether the worker is done with the flood."""
    figures = server.ask()
    return bool(figures["submitted"] == before + EVENTS + OTHERS and figures["in_flight"] == 0)


def note(console: Watched) -> Locator:
    """Scroll to where the events that are there begin, and return what is said there."""
    console.at("tail-rows").press("Home")
    note = console.at("tail-row").filter(has_text="lost", visible=True)
    expect(note).to_be_in_viewport()
    return note


def lost(console: Watched) -> int:
    """Return how many events are lost, as the tail says between the last that it had and the first after them."""
    found = NOTE.search(note(console).inner_text())
    assert found
    return int(found[1].replace(",", ""))


def test_back_too_late(forgetful: Shop, opened: Opened) -> None:
    """A tail that was cut off for too long goes on with what is left, and says how many events are gone: no other."""
    with Wire(forgetful.port) as wire:
        console = opened(wire.base)
        console.allowed.append(UNREACHABLE)
        console.enter("tail")
        console.see("tail-state", "live")
        forgetful.get("/said/before", "before")
        expect(console.at("tail-row").filter(has_text="/said/before")).to_be_visible()
        had = all_received(console, forgetful)
        wire.cut()
        console.see("tail-state", "reconnecting")
        before = forgetful.ask()["submitted"]
        flood(forgetful, 5 * EVENTS)
        console.wait_for(lambda: all_logged(forgetful, before), "not all of it was logged")
        wire.mend()
        expect(console.at("tail-row").filter(has_text="flood is over")).to_be_visible()
        console.see("tail-figures", "received")
        gone = lost(console)
        assert gone > EVENTS / 2
        console.wait_for(
            lambda: received(console) - had + gone == EVENTS + OTHERS, "not each is received or lost, once"
        )
        note(console).click()
        expect(console.at("panel")).to_be_hidden()


def test_too_much_at_once(forgetful: Shop, opened: Opened) -> None:
    """While the tail is live, more comes between two looks than memory holds: it goes on and says how many are gone."""
    console = opened(forgetful.base)
    console.enter("tail")
    console.see("tail-state", "live")
    forgetful.get("/said/before", "before")
    expect(console.at("tail-row").filter(has_text="/said/before")).to_be_visible()
    had = all_received(console, forgetful)
    flood(forgetful, 1000 * EVENTS)
    expect(console.at("tail-row").filter(has_text="flood is over")).to_be_visible()
    console.see("tail-state", "live")
    gone = lost(console)
    assert gone > 0
    console.wait_for(lambda: received(console) - had + gone == EVENTS + OTHERS, "not each is received or lost, once")
    forgetful.get("/said/after", "after")
    console.at("tail-jump").click()
    expect(console.at("tail-row").filter(has_text="/said/after")).to_be_in_viewport()
    console.wait_for(
        lambda: received(console) - had + gone == EVENTS + OTHERS + 1, "the next one is not received, once"
    )
