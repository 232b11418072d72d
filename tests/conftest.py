"""What every test gets: nothing stray is left behind, and a missing counterpart is no silent skip in CI."""

import asyncio
import logging
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec

import pytest
import pytest_asyncio

from fapilog import _runtime
from fapilog.context import current

JOIN_SECONDS = 5.0
STOP_SECONDS = 1.0


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose real counterpart is missing; where services are required, fail it."""
    for mark in item.iter_markers("requires_service"):
        missing = _missing(**mark.kwargs)
        if missing and os.environ.get("FAPILOG_REQUIRE_SERVICES") == "1":
            pytest.fail(f"{mark.args[0]} is required here but {missing}", pytrace=False)
        if missing:
            pytest.skip(f"needs {mark.args[0]}: {missing}")


def _missing(module: str | None = None, command: str | None = None) -> str:
    if module is not None and find_spec(module) is None:
        return f"the module {module} is not installed"
    if command is not None and shutil.which(command) is None:
        return f"the command {command} is not on the path"
    return ""


@pytest.fixture(autouse=True)
def _nothing_stray(_own_state: None) -> Iterator[None]:
    """Fail a test that leaves a thread running or a handler on a logger of the standard library."""
    threads = set(threading.enumerate())
    handlers = _handlers()
    yield
    left_threads = _still_running(set(threading.enumerate()) - threads)
    left_handlers = _handlers() - handlers
    for name, handler in left_handlers:
        logging.getLogger(name).removeHandler(handler)
    problems = [f"thread {thread.name!r}" for thread in left_threads]
    problems += [f"handler {handler!r} on logger {name or 'root'!r}" for name, handler in left_handlers]
    if problems:
        pytest.fail("the test left behind: " + ", ".join(sorted(problems)), pytrace=False)


@pytest.fixture(autouse=True)
def _own_state() -> Iterator[None]:
    """Give each test a process in which nothing is bound or configured: all of them share one.

    Set up before ``_nothing_stray`` and so undone after it; an engine that a test left running, and was failed
    for, is stopped here, so that the next test is not failed for it, too.
    """
    state = _runtime._state
    scope = current.get()
    engines = set(state.engines)
    numbers, names = dict(state.levels._numbers), dict(state.levels._names)
    yield
    current.set(scope)
    state.levels._numbers, state.levels._names = numbers, names
    for engine in set(state.engines) - engines:
        engine.drain(STOP_SECONDS)
        state.engines.discard(engine)
    state.configured = state.implicit = None
    state.lent.clear()
    _runtime._lead_here(None)


@pytest.fixture(autouse=True)
def _no_stray_tasks(request: pytest.FixtureRequest, _nothing_stray: None) -> None:
    """Fail an asynchronous test that leaves a task running; its loop would cancel it without a word."""
    if request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("_tasks_end")


@pytest_asyncio.fixture
async def _tasks_end() -> AsyncIterator[None]:
    """Look at the test's own loop, after the test's other fixtures have been taken down."""
    before = asyncio.all_tasks()
    yield
    current = asyncio.current_task()
    left = [task for task in asyncio.all_tasks() - before if task is not current]
    if left:
        await asyncio.wait(left, timeout=1.0)
    names = sorted(f"{task.get_name()} ({task.get_coro()!r})" for task in left if not task.done())
    if names:
        pytest.fail("the test left tasks running: " + ", ".join(names), pytrace=False)


def _still_running(threads: set[threading.Thread]) -> list[threading.Thread]:
    """Give threads that are about to end the time to do so."""
    deadline = time.monotonic() + JOIN_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in threads if thread.is_alive()]


def _handlers() -> set[tuple[str, logging.Handler]]:
    """Return every handler with its logger's name; pytest's own come and go and are none of ours."""
    loggers = [("", logging.getLogger())]
    loggers += [(name, it) for name, it in logging.Logger.manager.loggerDict.items() if isinstance(it, logging.Logger)]
    return {
        (name, handler)
        for name, logger in loggers
        for handler in logger.handlers
        if not type(handler).__module__.startswith("_pytest")
    }
