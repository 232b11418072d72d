"""``capture_stdlib``: each line once, in one shape, and everything back afterwards."""

import io
import logging
import logging.config
import sys
from pathlib import Path
from typing import Any

import pytest

from fapilog.errors import ConfigError
from fapilog.stdlib import FapilogHandler, capture_stdlib
from fapilog.testing import CapturedLogs


def state() -> list[Any]:
    root = logging.getLogger()
    return [id(root.handlers), list(root.handlers), root.level, root.propagate]


def test_all_records_are_taken_and_all_is_put_back(logger: logging.Logger, logs: CapturedLogs) -> None:
    """From INFO on, the records of every logger are events; undone, `logging` is as before."""
    before = state()

    with capture_stdlib():
        logger.debug("no")
        logger.info("yes")

    assert logs.messages == ["yes"]
    assert state() == before
    logger.warning("after")
    assert logs.messages == ["yes"]


def test_console_handlers_are_replaced_for_the_time(
    logger: logging.Logger, logs: CapturedLogs, capfd: pytest.CaptureFixture[str]
) -> None:
    """A line that went to the console goes to fapilog instead, not to both."""
    root = logging.getLogger()
    console = [logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)]
    root.handlers = [*console, *root.handlers]

    undo = capture_stdlib()
    logger.error("captured")
    undo()
    logger.error("printed")

    assert logs.messages == ["captured"]
    out, err = capfd.readouterr()
    assert "captured" not in out + err
    assert (out, err) == ("printed\n", "printed\n")


def test_other_handlers_stay(logger: logging.Logger, logs: CapturedLogs, tmp_path: Path) -> None:
    """Files and streams that are no console get their lines as before."""
    memory = io.StringIO()
    others = [logging.FileHandler(tmp_path / "log"), logging.StreamHandler(memory)]
    logging.getLogger().handlers = [*others, *logging.getLogger().handlers]

    with capture_stdlib():
        logger.error("x")
    others[0].close()

    assert (tmp_path / "log").read_text() == memory.getvalue() == "x\n"
    assert logs.messages == ["x"]


def test_named_loggers_only(logger: logging.Logger, logs: CapturedLogs, capfd: pytest.CaptureFixture[str]) -> None:
    """A named logger is taken out of the root's console, its children with it; the others are left alone."""
    logging.getLogger().handlers = [logging.StreamHandler(sys.stderr)]
    other = logging.getLogger(logger.name + "2")

    with capture_stdlib(loggers=[logger.name]):
        logger.getChild("child").error("ours")
        other.error("theirs")

    assert logs.messages == ["ours"]
    assert capfd.readouterr().err == "theirs\n"
    assert (logger.handlers, logger.propagate, logger.level) == ([], True, logging.NOTSET)


def test_kept_handlers_of_the_root_serve_a_named_logger_once(logger: logging.Logger, logs: CapturedLogs) -> None:
    """A handler that is no console gets the records of a captured logger once, as before."""
    memory = io.StringIO()
    logging.getLogger().handlers = [logging.StreamHandler(memory), logging.StreamHandler(sys.stderr)]

    with capture_stdlib(loggers=[logger.name]):
        logger.error("x")

    assert memory.getvalue() == "x\n"


@pytest.mark.parametrize("given", ["debug", logging.DEBUG, "DEBUG"])
def test_level_is_lowered_and_put_back(logger: logging.Logger, logs: CapturedLogs, given: Any) -> None:
    """A level by name or number lets through what the root logger would have stopped."""
    logging.getLogger().setLevel(logging.ERROR)

    with capture_stdlib(level=given):
        logger.debug("x")

    assert logs.messages == ["x"]
    assert logging.getLogger().level == logging.ERROR


def test_level_is_not_raised_for_the_handlers_beside(logger: logging.Logger, logs: CapturedLogs) -> None:
    """What we take is limited; what a file gets is not."""
    memory = io.StringIO()
    logging.getLogger().handlers = [logging.StreamHandler(memory)]
    logging.getLogger().setLevel(logging.DEBUG)

    with capture_stdlib(level="WARNING"):
        logger.debug("x")

    assert memory.getvalue() == "x\n"
    assert logs.messages == []


def test_level_none_leaves_levels_alone(logger: logging.Logger, logs: CapturedLogs) -> None:
    """With None the loggers' own levels decide."""
    logging.getLogger().setLevel(logging.ERROR)

    with capture_stdlib(level=None):
        logger.warning("no")
        logger.error("yes")

    assert logs.messages == ["yes"]


def test_twice_is_once(logger: logging.Logger, logs: CapturedLogs) -> None:
    """Capturing again shares what is there; the last to undo puts back, in any order."""
    before = state()
    first = capture_stdlib()
    second = capture_stdlib()

    logger.info("both")
    first()
    first()
    logger.info("one left")
    second.undo()

    assert logs.messages == ["both", "one left"]
    assert state() == before


def test_what_others_change_meanwhile_stays(logger: logging.Logger, logs: CapturedLogs) -> None:
    """Undoing takes back our own changes only."""
    root = logging.getLogger()
    kept, console = logging.StreamHandler(io.StringIO()), logging.StreamHandler(sys.stderr)
    gone, added = logging.StreamHandler(io.StringIO()), logging.NullHandler()
    root.handlers = [kept, console, gone]

    undo = capture_stdlib()
    root.removeHandler(gone)
    root.addHandler(added)
    root.setLevel(logging.CRITICAL)
    undo()

    assert root.handlers == [kept, console, added]
    assert root.level == logging.CRITICAL


def test_handler_that_was_attached_by_hand_is_left_alone(logger: logging.Logger, logs: CapturedLogs) -> None:
    """Somebody who attached our handler himself gets each line once, and keeps the handler."""
    mine = FapilogHandler()
    logging.getLogger().handlers = [mine]

    with capture_stdlib():
        logger.warning("x")

    assert logs.messages == ["x"]
    assert logging.getLogger().handlers == [mine]


def reconfigure_by_dict() -> None:
    logging.config.dictConfig({"version": 1, "root": {"handlers": [], "level": "INFO"}})


def reconfigure_by_file() -> None:
    """As alembic's env.py does it."""
    text = "[loggers]\nkeys=root\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nlevel=WARNING\nhandlers=\n"
    logging.config.fileConfig(io.StringIO(text))


def reconfigure_basic() -> None:
    logging.basicConfig(force=True, handlers=[logging.NullHandler()])


@pytest.mark.parametrize(
    ("reconfigure", "name"),
    [(reconfigure_by_dict, "dictConfig"), (reconfigure_by_file, "fileConfig"), (reconfigure_basic, "basicConfig")],
)
def test_being_removed_is_noticed_and_said(reconfigure: Any, name: str, logs: CapturedLogs) -> None:
    """P44: whoever configures `logging` after us is named with file and line; capturing again works."""
    logger = logging.getLogger("noticed")
    undo = capture_stdlib()

    reconfigure()

    (report,) = [each.text for each in logs.engine.diagnostics.recent() if each.kind == "stdlib"]
    assert f"configured anew by {name}() at {__file__}:" in report
    logger.disabled = False
    theirs = list(logging.getLogger().handlers)
    again = capture_stdlib()
    logger.info("back")
    assert logs.messages == ["back"]
    again()
    undo()
    assert logging.getLogger().handlers == theirs


def test_undoing_says_nothing(logs: CapturedLogs) -> None:
    """P44: only being removed by others is worth a word."""
    undo = capture_stdlib()
    undo()
    logging.shutdown()

    assert logs.engine.diagnostics.counts() == {}


@pytest.mark.parametrize("level", ["LOUD", -1, 3.5, True])
def test_wrong_level_is_refused(level: Any) -> None:
    """A level that does not exist fails at once, with what is allowed, and changes nothing."""
    before = state()

    with pytest.raises(ConfigError, match=r"capture_stdlib\(level\)"):
        capture_stdlib(level=level)

    assert state() == before


def test_wrong_names_are_refused() -> None:
    """Names of loggers are text."""
    with pytest.raises(ConfigError, match=r"capture_stdlib\(loggers\)"):
        capture_stdlib(loggers=[logging.getLogger("x")])  # type: ignore[list-item]


def test_one_name_needs_no_list(logger: logging.Logger, logs: CapturedLogs) -> None:
    """A single name is not taken for a list of letters."""
    with capture_stdlib(loggers=logger.name):
        logger.info("x")

    assert logs.messages == ["x"]


def test_caplog_sees_what_we_capture(
    logger: logging.Logger, logs: CapturedLogs, caplog: pytest.LogCaptureFixture
) -> None:
    """P49: pytest's own capturing is not disturbed."""
    with capture_stdlib():
        logger.info("x")

    assert caplog.messages == ["x"]
    assert logs.messages == ["x"]
