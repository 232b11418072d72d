"""The fixtures, in a pytest run of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = 'pytest_plugins = ["fapilog.testing.pytest_plugin"]\n'
STRICT = """
import pytest

@pytest.fixture(autouse=True)
def _no_strays(fapilog_no_strays): ...
"""


def run(folder: Path, conftest: str, test: str, *arguments: str) -> tuple[int, str]:
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_it.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *arguments, str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_logs_of_a_test_are_caught(tmp_path: Path) -> None:
    """Each test sees its own events, beside caplog and capfd, with warnings as errors."""
    code, output = run(
        tmp_path,
        CONFTEST + STRICT,
        """
import logging
from fapilog import get_logger

def test_one(fapilog_logs, caplog, capfd):
    get_logger("a").info("one", n=1)
    logging.getLogger("b").warning("two")
    assert fapilog_logs.find("one", n=1)
    assert fapilog_logs.messages == ["one"]
    assert caplog.messages == ["two"]
    assert capfd.readouterr() == ("", "")

def test_two(fapilog_logs):
    assert fapilog_logs.events == []
""",
    )

    assert code == 0, output


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            """
import threading
from fapilog.testing import pytest_plugin
pytest_plugin._JOIN_SECONDS = 0.1

def test_it():
    threading.Thread(target=threading.Event().wait, name="left", daemon=True).start()
""",
            "the test left behind: thread 'left'",
        ),
        (
            """
import logging

def test_it():
    logging.getLogger("x").addHandler(logging.NullHandler())
""",
            "the test left behind: handler <NullHandler (NOTSET)> on logger 'x'",
        ),
        (
            """
from fapilog.stdlib import capture_stdlib

def test_it():
    capture_stdlib()
""",
            "the test left behind: handler <FapilogHandler (INFO)> on logger 'root'",
        ),
        (
            """
import asyncio
import pytest

@pytest.mark.asyncio
async def test_it():
    asyncio.create_task(asyncio.Event().wait(), name="left")
    await asyncio.sleep(0)
""",
            "the test left tasks running: left",
        ),
    ],
    ids=["thread", "handler", "capture", "task"],
)
def test_what_is_left_behind_fails_the_test(body: str, said: str, tmp_path: Path) -> None:
    """A thread, a handler or a task that stays is named."""
    code, output = run(tmp_path, CONFTEST + STRICT, body)

    assert code == 1
    assert said in output


def test_strays_are_allowed_where_nobody_asks(tmp_path: Path) -> None:
    """Without the fixture nothing is checked."""
    code, output = run(
        tmp_path,
        CONFTEST,
        """
import logging

def test_it():
    logging.getLogger("x").addHandler(logging.NullHandler())
""",
    )

    assert code == 0, output


def test_tasks_that_a_fixture_started_are_its_own(tmp_path: Path) -> None:
    """Only what the test itself started counts."""
    code, output = run(
        tmp_path,
        CONFTEST + STRICT,
        """
import asyncio
import pytest
import pytest_asyncio

@pytest_asyncio.fixture
async def server():
    task = asyncio.create_task(asyncio.Event().wait())
    yield
    task.cancel()

@pytest.mark.asyncio
async def test_it(server):
    await asyncio.sleep(0)
""",
    )

    assert code == 0, output
