"""Chromium, once for each file of tests, and a page for each test that fails it for what should not happen."""

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.console.places import Shop, traced_shop

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.e2e.console.watched import Watched

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-proxy-server",
    "--disable-dev-shm-usage",
]
MISSING = "needs Playwright: the module playwright is not installed"
Opened = Callable[..., "Watched"]


def pytest_pycollect_makemodule() -> None:
    """Leave out these files, which import Playwright, if it is missing; where services are required they fail."""
    if find_spec("playwright") is None and os.environ.get("FAPILOG_REQUIRE_SERVICES") != "1":
        pytest.skip(MISSING, allow_module_level=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.requires_service("chromium", files=CHROMIUM))


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    """Run Debian's Chromium until the file's tests are over: Playwright's loop must not meet those of other files."""
    from playwright.sync_api import expect, sync_playwright

    from tests.e2e.console.watched import PATIENCE_MS

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: "Browser") -> Iterator[Opened]:
    """Open browser contexts at a server; after the test nothing may have gone wrong in any of them."""
    from tests.e2e.console.watched import Watched

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
def console(opened: Opened, traced: Shop) -> "Watched":
    """Return a page that has not gone anywhere yet."""
    return opened(traced.base)
