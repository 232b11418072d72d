import re
from playwright.sync_api import expect
from tests.e2e.console.conftest import Opened
from tests.e2e.console.watched import Watched


def test_x(console: Watched, traced, opened: Opened) -> None:
    traced.crowd(60)
    page = console.enter()
    page.wait_for_timeout(3000)
    for view in ("overview", "tail", "requests", "levels"):
        console.go(view)
        page.wait_for_timeout(1500)
        page.screenshot(path=f"/tmp/helper-I/{view}.png")
    traced.order("o1")
    console.go("requests/o1")
    page.wait_for_timeout(1500)
    page.screenshot(path=f"/tmp/helper-I/request.png")
    print(console.longest_task(), traced.ask()["trace_url"])
