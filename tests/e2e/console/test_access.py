"""Who is let in, seen from a browser."""

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import TOKEN, Shop
from tests.e2e.console.watched import PATH, Watched

REFUSED = r"status of 401"  # Chromium notes an answer of 401 on its console
LOAD = """
tail => {
  const put = (name, said) => document.body.append(Object.assign(document.createElement(name), said));
  const rules = { prefetch: [{ urls: [`${tail}?text=ahead`], eagerness: "immediate" }] };
  put("iframe", { src: `${tail}?text=frame` });
  put("script", { type: "speculationrules", text: JSON.stringify(rules) });
}
"""


class Neighbour(BaseHTTPRequestHandler):
    """Another application of this machine: it has one page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Neighbour</title><link rel=icon href=data:,>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def neighbour() -> Iterator[str]:
    """Return the address of another application, on a port of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Neighbour) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button").click()


def test_a_link_opens_once(console: Watched, opened: Opened, traced: Shop) -> None:
    """A one-time link opens the page and leaves no ticket in the address; elsewhere it then asks for the token."""
    link = console.link()
    console.page.goto(link)
    console.see("state", "running")
    assert console.page.url == f"{traced.base}{PATH}"
    assert console.page.evaluate("history.length") <= 2
    console.page.reload()
    console.see("state", "running")

    other = opened(traced.base)
    other.allowed.append(REFUSED)
    other.page.goto(link)
    expect(other.page.get_by_label("Token")).to_be_visible()
    expect(other.at("state")).to_have_count(0)


def test_the_form_takes_the_token(console: Watched, traced: Shop) -> None:
    """Without a session there is a form; a wrong token is told so, the right one opens the page."""
    console.allowed.append(REFUSED)
    console.page.goto(traced.base + PATH)
    assert "script" not in console.page.content()
    sign_in(console.page, "not-" + TOKEN)
    expect(console.page.get_by_role("alert")).to_be_visible()
    sign_in(console.page, TOKEN)
    console.see("state", "running")
    assert console.page.url == f"{traced.base}{PATH}"
    assert TOKEN not in console.page.content()


def test_the_cookie_is_out_of_reach(console: Watched) -> None:
    """The session's cookie is for the server alone: no script sees it, no other site's page sends it."""
    console.enter()
    [cookie] = console.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", PATH)
    assert console.page.evaluate("document.cookie") == ""
    assert console.page.evaluate("Object.keys(sessionStorage).length") == 0


def test_a_session_that_is_over_says_so(console: Watched) -> None:
    """When the cookie is not good any more, the page says so and where to log in, and shows what it had."""
    console.enter()
    console.allowed.append(REFUSED)
    console.context.clear_cookies()
    console.see("banner", re.compile("session has expired"))
    expect(console.at("banner").get_by_role("link")).to_have_attribute("href", PATH)
    expect(console.at("figure-submitted")).to_be_visible()


def test_the_page_itself_cannot_run_what_is_put_into_it(console: Watched) -> None:
    """The policy holds: markup with a script or a handler in it, were it ever put into the page, does nothing."""
    console.enter()
    console.allowed.append(r"Content.Security.Policy|CSP:")
    console.page.evaluate(
        """() => {
          const box = document.createElement("div");
          box.innerHTML = '<img src="data:," onerror="window.ran = 1"><style>body { color: red }</style>';
          const script = document.createElement("script");
          script.textContent = "window.ran = 1";
          document.body.append(box, script);
        }"""
    )
    console.wait_for(lambda: any("CSP: script-src" in said for said in console.troubles), "nothing was refused")
    assert console.page.evaluate("window.ran") is None


def test_what_the_page_of_another_port_loads_is_refused(console: Watched, traced: Shop, neighbour: str) -> None:
    """Chromium sends the cookie along, and would hold a tail for each; a link on that page leads here all the same."""
    answered: list[int] = []
    tail = f"{traced.base}{PATH}/tail"
    console.enter()
    console.allowed += [REFUSED, re.escape(neighbour), re.escape(tail), "frame-ancestors"]
    console.page.goto(neighbour)
    console.context.on("response", lambda it: answered.append(it.status) if it.url.startswith(tail) else None)
    console.page.evaluate(LOAD, tail)
    console.wait_for(lambda: len(answered) == 2, "frame and prefetch were not both answered")
    console.page.evaluate("url => { location.href = url }", traced.base + PATH)
    console.see("state", "running")
    assert answered == [401, 401]
