"""What every test gets: a process in which nothing is configured, nothing stray is left, no silent skip in CI."""

import os
import shutil
from collections.abc import Generator, Iterator
from glob import glob
from importlib.util import find_spec

import pytest

from fapilog import _runtime
from fapilog.context import current

pytest_plugins = ["fapilog.testing.pytest_plugin"]
STOP_SECONDS = 1.0
REQUIRED = os.environ.get("FAPILOG_REQUIRE_SERVICES") == "1"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose real counterpart is missing; where services are required, fail it."""
    for mark in item.iter_markers("requires_service"):
        missing = _missing(**mark.kwargs)
        if missing and REQUIRED:
            pytest.fail(f"{mark.args[0]} is required here but {missing}", pytrace=False)
        if missing:
            pytest.skip(f"needs {mark.args[0]}: {missing}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where services are required, a test that `pytest.importorskip` skipped has failed."""
    report = yield
    if REQUIRED and report.skipped and isinstance(report.longrepr, tuple) and "could not import" in report.longrepr[2]:
        report.outcome, report.longrepr = "failed", f"required here: {report.longrepr[2]}"
    return report


def _missing(module: str | None = None, command: str | None = None, files: str | None = None) -> str:
    if module is not None and find_spec(module) is None:
        return f"the module {module} is not installed"
    if command is not None and shutil.which(command) is None:
        return f"the command {command} is not on the path"
    if files is not None and not glob(files):
        return f"there is no {files}"
    return ""


@pytest.fixture(autouse=True)
def _own_state() -> Iterator[None]:
    """Give each test a process in which nothing is bound or configured: all of them share one.

    An engine that a test left running, and was failed for, is stopped here, so that the next test is not failed
    for it, too.
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
def _no_strays(_own_state: None, fapilog_no_strays: None) -> None:
    """Fail a test that leaves a thread, a task or a handler of ``logging`` behind."""
