"""A page of the console in Chromium, with everything noted that should not happen while it is open."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, Request, expect

from fapilog.asgi.debug import one_time_link
from tests.e2e.console.places import TOKEN

PATH = "/debug/logging"
PATIENCE_MS = 20_000
LET_GO = "net::ERR_ABORTED"  # what Chromium calls a request that the page itself has ended
# Violations of the Content-Security-Policy go to the console, where everything is listened to.
OBSERVE = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


class Watched:
    """A browser context of its own, and what went wrong in it.

    Attributes:
        base: The server's address, to which every request has to go.
        context: Its cookies are nobody else's.
        page: The first page.
        troubles: What no test allows: requests to elsewhere, errors, violations of the policy, dialogs.
        allowed: Patterns of troubles that the test makes itself: a wrong token, a server that is stopped.
    """

    def __init__(self, browser: Browser, base: str, **options: Any) -> None:
        self.base = base
        self.troubles: list[str] = []
        self.allowed: list[str] = []
        self.context: BrowserContext = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(OBSERVE)
        self.context.on("request", self._requested)
        self.context.on("requestfailed", self._failed)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.troubles.append(f"error: {error.error}"))
        self.context.on("dialog", self._asked)
        self.page: Page = self.context.new_page()

    def close(self) -> list[str]:
        """Close the browser context and return the troubles that were not allowed."""
        self.context.close()
        return [said for said in self.troubles if not any(re.search(pattern, said) for pattern in self.allowed)]

    # ---- where to go -----------------------------------------------------------------------------------------------

    def link(self) -> str:
        """Return a link that opens the console once."""
        return one_time_link(TOKEN, base=self.base)

    def enter(self, view: str = "overview") -> Page:
        """Open the console by a one-time link, then a view, and return the page."""
        self.page.goto(self.link())
        self.see("state", "running")
        return self.go(view)

    def go(self, view: str) -> Page:
        """Go to a view by its address, ``tail?level=ERROR`` for example."""
        self.page.evaluate("hash => { location.hash = hash }", f"#/{view}")
        expect(
            self.page.locator(f"main[data-view={'requests' if view.startswith('traces') else view_name(view)}]")
        ).to_be_visible()
        return self.page

    # ---- what is there ---------------------------------------------------------------------------------------------

    def at(self, test_id: str) -> Locator:
        """Return what has this ``data-testid``."""
        return self.page.get_by_test_id(test_id)

    def see(self, test_id: str, text: str | re.Pattern[str]) -> None:
        """Wait until it says so."""
        expect(self.at(test_id)).to_contain_text(text)

    def wait_for(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Look until it is so; fails with ``otherwise``."""
        waited = 0
        while not condition():
            assert waited < PATIENCE_MS, otherwise
            self.page.wait_for_timeout(50)  # lets the browser's messages in meanwhile
            waited += 50

    # ---- what should not happen ------------------------------------------------------------------------------------

    def _requested(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme != "data" and f"{address.scheme}://{address.netloc}" != self.base:
            self.troubles.append(f"elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != LET_GO:
            self.troubles.append(f"failed: {request.method} {request.url} {request.failure}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(f"console {message.type}: {message.text} {message.location.get('url', '')}")

    def _asked(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.type} {dialog.message}")
        dialog.dismiss()


def view_name(hash_: str) -> str:
    """Return the name of the view in ``tail?level=ERROR``, ``requests/abc``."""
    return re.split(r"[/?]", hash_, maxsplit=1)[0]
