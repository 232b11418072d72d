"""Chromium, once for each file of tests, and a page for each test that fails it for what should not happen."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("playwright", reason="needs Playwright: it is not installed")
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.console.places import Shop, traced_shop
from tests.e2e.console.watched import PATIENCE_MS, Watched

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-proxy-server"]
Opened = Callable[..., Watched]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium until the file's tests are over: Playwright's loop must not meet those of other files."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opened]:
    """Open browser contexts at a server; after the test nothing may have gone wrong in any of them."""
    contexts: list[Watched] = []

    def one(base: str, **options: Any) -> Watched:
        contexts.append(Watched(chromium, base, **options))
        return contexts[-1]

    yield one
    assert [trouble for context in contexts for trouble in context.close()] == []


@pytest.fixture(scope="session")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Run the shop with spans, for all tests of this folder: starting it takes longer than most of them."""
    with traced_shop(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture
def console(opened: Opened, traced: Shop) -> Watched:
    """Return a page that has not gone anywhere yet."""
    return opened(traced.base)
