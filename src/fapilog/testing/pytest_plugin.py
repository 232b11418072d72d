"""Fixtures for pytest, switched on in ``conftest.py`` by ``pytest_plugins = ["fapilog.testing.pytest_plugin"]``.

``fapilog_logs``
    What the test logs, see :func:`fapilog.testing.capture_logs`.
``fapilog_no_strays``
    Fails a test that leaves a thread, a task or a handler of ``logging`` behind. For every test of a suite::

        @pytest.fixture(autouse=True)
        def _no_strays(fapilog_no_strays): ...

Both work beside ``caplog``, ``capfd``, ``pytest -n`` and ``-W error``.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Generator, Iterator

import pytest

from fapilog.testing.capture import CapturedLogs, capture_logs

_LOOK_SECONDS = 0.001
_JOIN_SECONDS = 5.0
_FIXTURE = "fapilog_no_strays"
_OF_THE_PROCESS = "fapilog-metrics"
"""The thread of ``fapilog.otel.recording``."""


@pytest.fixture
def fapilog_logs() -> Iterator[CapturedLogs]:
    """Catch what the test logs; ``fapilog_logs.events`` are flat dicts."""
    with capture_logs() as logs:
        yield logs


@pytest.fixture
def fapilog_no_strays() -> Iterator[None]:
    """Fail the test if a thread it started still runs after five seconds, or a handler it attached is still there."""
    threads, handlers = set(threading.enumerate()), _handlers()
    yield
    left = [f"thread {thread.name!r}" for thread in _still_running(set(threading.enumerate()) - threads)]
    for name, handler in sorted(_handlers() - handlers, key=repr):
        logging.getLogger(name).removeHandler(handler)
        left.append(f"handler {handler!r} on logger {name or 'root'!r}")
    if left:
        pytest.fail(f"the test left behind: {', '.join(left)}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail an asynchronous test of pytest-asyncio that leaves tasks running, if it asks for ``fapilog_no_strays``.

    It has to be done before the fixtures are taken down: the end of the loop cancels what is left without a word.
    """
    loop = _loop_of(item) if _FIXTURE in getattr(item, "fixturenames", ()) else None
    before = asyncio.all_tasks(loop) if loop is not None else set()
    yield
    if loop is None or loop.is_closed():
        return
    left = sorted(task.get_name() for task in asyncio.all_tasks(loop) - before)
    if left:
        pytest.fail(f"the test left tasks running: {', '.join(left)}", pytrace=False)


def _loop_of(item: pytest.Item) -> asyncio.AbstractEventLoop | None:
    """Return the loop that pytest-asyncio runs the test on: that of the runner among its fixtures."""
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, asyncio.Runner):
            return value.get_loop()
    return None


def _still_running(threads: set[threading.Thread]) -> list[threading.Thread]:
    """Give threads that are about to end the time to do so; daemon threads of fapilog end with a drain.

    Only that which records metrics belongs to the process, not to what the test has started.
    """
    threads = {thread for thread in threads if thread.name != _OF_THE_PROCESS}
    deadline = time.monotonic() + _JOIN_SECONDS
    for thread in threads:
        # One that is just being started cannot be joined yet.
        while thread.ident is None and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        if thread.ident is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in threads if thread.is_alive()]


def _handlers() -> set[tuple[str, logging.Handler]]:
    """Return all handlers with their loggers' names, except pytest's own, which come and go."""
    loggers = [logging.getLogger()]
    loggers += [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    return {
        ("" if logger is logging.root else logger.name, handler)
        for logger in loggers
        for handler in logger.handlers
        if not type(handler).__module__.startswith("_pytest")
    }
