"""The server stops while the page is open, and comes back."""

import re
import time
from collections import Counter
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import Shop, shop
from tests.e2e.console.watched import Watched
from tests.e2e.console.wire import Wire

PROMPT_SECONDS = 8.0
# What Chromium says of requests that nobody answers.
UNREACHABLE = (
    r"ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED"
)
FITS = "document.scrollingElement.scrollHeight <= innerHeight"
FEW = "?text=Receipt%20sent"


def orders(console: Watched) -> Counter[str]:
    """Return how often each order's receipt is in the list."""
    rows = console.at("tail-row").filter(has_text="Receipt sent", visible=True).all_inner_texts()
    return Counter(re.findall(r"customer=([\w-]+)", " ".join(rows)))


def test_the_server_stops_and_comes_back(opened: Opened, tmp_path: Path) -> None:
    """SIGTERM ends a server soon although a page looks at it; the page says so, and goes on when it is back."""
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    with shop(tmp_path / "first") as server:
        console = opened(server.base)
        console.allowed.append(UNREACHABLE)
        console.enter(f"tail{FEW}")
        console.see("tail-state", "live")
        for number in range(3):
            server.order(f"o{number}", customer=f"before-{number}")
        console.wait_for(lambda: len(orders(console)) == 3, "three receipts were sent")
        begin = time.monotonic()
        server.stop()
        took = time.monotonic() - begin
        port = server.port
    print(f"\nSIGTERM with the page open: ended after {took:.2f} s")  # noqa: T201 - for whoever runs it with -s
    assert took < PROMPT_SECONDS
    expect(console.at("banner")).to_contain_text("not reachable")
    expect(console.at("tail-state")).to_contain_text("reconnecting")
    assert len(orders(console)) == 3
    assert console.page.evaluate(FITS), "the banner pushes the newest events out of view"

    with shop(tmp_path / "second", port=port) as server:
        expect(console.at("banner")).to_be_hidden()
        console.see("state", "running")
        console.see("tail-state", "live")
        for number in range(2):
            server.order(f"p{number}", customer=f"after-{number}")
        console.wait_for(lambda: len(orders(console)) == 5, f"five receipts were sent: {orders(console)}")
        assert set(orders(console).values()) == {1}
        server.stop()


def test_a_cut_connection_misses_nothing(opened: Opened, traced: Shop) -> None:
    """While the connection is cut events go on; back again the tail has each of them, once."""
    with Wire(traced.port) as wire:
        console = opened(wire.base)
        console.allowed.append(UNREACHABLE)
        console.enter(f"tail{FEW}&request_id=cut-off")
        console.see("tail-state", "live")
        for number in range(2):
            traced.order("cut-off", customer=f"before-{number}")
        console.wait_for(lambda: len(orders(console)) == 2, "two receipts were sent")
        wire.cut()
        expect(console.at("banner")).to_contain_text("not reachable")
        console.see("tail-state", "reconnecting")
        for number in range(3):
            traced.order("cut-off", customer=f"meanwhile-{number}")
        assert len(orders(console)) == 2
        wire.mend()
        expect(console.at("banner")).to_be_hidden()
        console.wait_for(lambda: len(orders(console)) == 5, f"five receipts were sent: {orders(console)}")
        assert set(orders(console).values()) == {1}
