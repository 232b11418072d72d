"""P46: loggers of `logging` turned up for a while, those obtained before and those below, and put back exactly."""

import io
import logging
import logging.config
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn.config
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.stdlib import FapilogHandler, capture_stdlib
from fapilog.stdlib.levels import StdlibLevels, taken_from, with_own_level
from fapilog.stdlib.servers import take_over_servers
from fapilog.testing import CapturedLogs, capture_logs

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR


@pytest.fixture
def levels() -> StdlibLevels:
    return StdlibLevels()


def test_logger_and_children_obtained_before_are_reached(
    logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels
) -> None:
    """P46: a logger and its child, both in use before the change, log from the new level on, and no longer after it."""
    child = logging.LoggerAdapter(logger.getChild("child"), {"bound": 1})
    with capture_stdlib():
        assert not child.isEnabledFor(DEBUG)
        levels.turn(logger.name, DEBUG)
        logger.debug("one")
        child.debug("two")
        assert child.isEnabledFor(DEBUG)
        levels.turn(logger.name, None)
        logger.debug("no")
        child.debug("no")
        child.info("three")

    assert logs.messages == ["one", "two", "three"]
    assert logger.level == child.logger.level == logging.NOTSET


def test_a_logger_that_does_not_exist_yet_is_turned_up_alone(
    logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels
) -> None:
    """Not the one above it, which exists."""
    with capture_stdlib():
        levels.turn(f"{logger.name}.unborn", DEBUG)
        logger.debug("no")
        logging.getLogger(f"{logger.name}.unborn").debug("yes")

    assert logs.messages == ["yes"]


def test_all_others_are_held_back_as_before(logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels) -> None:
    """`capture_stdlib(level=…)` goes on holding back what was not turned up, also a logger that is at DEBUG itself."""
    other = logging.getLogger(logger.name + "2")
    other.setLevel(DEBUG)
    with capture_stdlib(level="WARNING"):
        levels.turn(logger.name, DEBUG)
        other.info("no")
        other.warning("yes")
        logger.debug("yes too")

    assert logs.messages == ["yes", "yes too"]


def test_others_are_held_back_at_every_moment(
    logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another thread logs in the midst of a change is taken or held back as before and after it."""
    other = logging.getLogger(logger.name + "2")
    other.setLevel(DEBUG)

    def meddled(level: int) -> None:
        other.debug("no")
        logging.Logger.setLevel(logger, level)
        other.debug("no")

    monkeypatch.setattr(logger, "setLevel", meddled)
    with capture_stdlib():
        levels.turn(logger.name, DEBUG)
        other.debug("no")
        logger.debug("yes")
        levels.turn(logger.name, None)

    assert logs.messages == ["yes"]


def test_root_reaches_all_without_a_level_of_their_own(
    logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels
) -> None:
    """The default level of fapilog is the root of `logging`."""
    own = logger.getChild("own")
    own.setLevel(WARNING)
    before = logging.getLogger().level
    with capture_stdlib():
        captured = logging.getLogger().level
        levels.turn(None, DEBUG)
        logger.debug("yes")
        own.info("no")
        levels.turn(None, None)
        assert logging.getLogger().level == captured
        logger.debug("no")

    assert logs.messages == ["yes"]
    assert logging.getLogger().level == before


def test_child_with_a_level_of_its_own_keeps_it(
    logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels
) -> None:
    """As in `logging` and as with fapilog's overrides; turned up by its own name it is reached."""
    child = logger.getChild("child")
    child.setLevel(WARNING)
    with capture_stdlib():
        levels.turn(logger.name, DEBUG)
        child.info("no")
        levels.turn(child.name, INFO)
        child.info("yes")
        child.debug("no")
        levels.turn(child.name, None)

        assert child.level == WARNING
    assert logs.messages == ["yes"]


def test_both_a_logger_and_one_above_it(logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels) -> None:
    """A change does not lean on one above it that ends earlier."""
    child = logger.getChild("child")
    with capture_stdlib():
        levels.turn(logger.name, DEBUG)
        levels.turn(child.name, DEBUG)
        levels.turn(logger.name, None)
        logger.debug("no")
        child.debug("yes")
        levels.turn(child.name, None)
        child.debug("no")

    assert logs.messages == ["yes"]
    assert child.level == logger.level == logging.NOTSET


def test_a_change_holds_whatever_happens_above_it(
    logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels
) -> None:
    """A change to a level that another logger's lends for now stays when that one ends, or is raised by somebody."""
    child = logger.getChild("child")
    with capture_stdlib(level="WARNING"):
        levels.turn(logger.name, DEBUG)
        levels.turn(child.name, INFO)
        levels.turn(logger.name, None)
        child.info("one")
        levels.turn(child.name, WARNING)
        logger.setLevel(ERROR)
        child.warning("two")

    assert logs.messages == ["one", "two"]


def test_level_zero_is_all(logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels) -> None:
    """fapilog's level 0 is not `NOTSET`, which would mean: as the loggers above."""
    with capture_stdlib():
        logs.engine.set_level(0)
        levels.turn(logger.name, 0)
        logger.log(1, "yes")

    assert logs.messages == ["yes"]


def test_a_higher_level_is_left_to_fapilog(logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels) -> None:
    """Turning down takes nothing from the handlers beside ours; fapilog's own level holds the records back."""
    memory = io.StringIO()
    logging.getLogger().handlers = [logging.StreamHandler(memory), *logging.getLogger().handlers]
    with capture_stdlib():
        levels.turn(logger.name, ERROR)
        logs.engine.set_level("ERROR", logger.name)
        logger.info("beside")
        logger.error("both")

    assert logs.messages == ["both"]
    assert memory.getvalue() == "beside\nboth\n"
    assert logger.level == logging.NOTSET


def test_logger_that_does_not_reach_us_is_left_alone(logger: logging.Logger, levels: StdlibLevels) -> None:
    """Nothing captured, a logger that does not propagate, one that is disabled: not ours to change, or to make."""
    levels.turn(logger.name, DEBUG)
    assert logger.level == logging.NOTSET
    assert taken_from(logger.name) is None
    with capture_stdlib():
        logger.propagate = False
        levels.turn(logger.name, DEBUG)
        assert (logger.level, taken_from(logger.name)) == (logging.NOTSET, None)
        logger.propagate, logger.disabled = True, True
        levels.turn(logger.name, DEBUG)
        assert (logger.level, taken_from(logger.name)) == (logging.NOTSET, None)
    levels.turn("test.levels.never.made", DEBUG)
    assert "test.levels.never.made" not in logging.root.manager.loggerDict


def test_logger_made_after_the_change_is_reached(logs: CapturedLogs, levels: StdlibLevels) -> None:
    """A library that is imported later logs at the level its name was turned up to."""
    name = f"test.{uuid.uuid4().hex}"
    with capture_stdlib():
        assert taken_from(name) == INFO
        levels.turn(name, DEBUG)
        logging.getLogger(f"{name}.late").debug("yes")
        assert taken_from(f"{name}.late") == DEBUG
        levels.turn(name, None)
        logging.getLogger(f"{name}.late").debug("no")

    assert logs.messages == ["yes"]


def test_name_root_is_not_all(logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels) -> None:
    """`get_logger()` has the name `root`: turning that up must not let all of `logging` through."""
    with capture_stdlib():
        levels.turn("root", DEBUG)
        logger.debug("no")
        assert taken_from("root") is None

    assert logs.messages == []


def test_what_somebody_else_sets_meanwhile_stays(logger: logging.Logger, levels: StdlibLevels) -> None:
    """Taking back compares: a level that is not ours any more is left."""
    with capture_stdlib():
        levels.turn(logger.name, DEBUG)
        logger.setLevel(ERROR)
        levels.turn(logger.name, None)

        assert logger.level == ERROR


def test_level_of_the_handler_that_somebody_sets_meanwhile_stays(
    logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels
) -> None:
    """Its own level may be changed while something is turned up, by the method or by the attribute."""
    handler = FapilogHandler("INFO")
    logging.getLogger().handlers = [handler]
    logging.getLogger().setLevel(DEBUG)
    levels.turn(logger.name, DEBUG)
    handler.setLevel("ERROR")
    logging.getLogger("other").warning("no")
    logger.debug("yes")
    levels.turn(logger.name, None)
    assert handler.level == ERROR

    levels.turn(logger.name, DEBUG)
    handler.level = WARNING
    levels.turn(logger.name, None)

    assert handler.level == WARNING
    assert logs.messages == ["yes"]


def test_two_consoles_want_the_same_logger(logger: logging.Logger, logs: CapturedLogs) -> None:
    """P49: the lowest level counts, and the former one comes back with the last, in any order."""
    one, two = StdlibLevels(), StdlibLevels()
    logger.setLevel(WARNING)
    with capture_stdlib():
        one.turn(logger.name, DEBUG)
        two.turn(logger.name, INFO)
        logger.debug("yes")
        one.turn(logger.name, None)
        logger.debug("no")
        logger.info("yes too")
        two.turn(logger.name, None)

    assert logs.messages == ["yes", "yes too"]
    assert logger.level == WARNING


def test_changes_go_with_the_capture(
    logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels, capfd: pytest.CaptureFixture[str]
) -> None:
    """Undone while turned up, `logging` is as before, the root too, and the console is not flooded."""
    root = logging.getLogger()
    root.handlers = [logging.StreamHandler(sys.stderr)]
    root.setLevel(ERROR)
    undo = capture_stdlib()
    levels.turn(None, DEBUG)
    levels.turn(logger.name, DEBUG)
    logger.debug("captured")

    undo()
    logger.debug("no")
    levels.turn(None, None)
    levels.turn(logger.name, None)

    assert (root.level, logger.level) == (ERROR, logging.NOTSET)
    assert logs.messages == ["captured"]
    assert capfd.readouterr().err == ""


def test_servers_are_reached(logs: CapturedLogs, levels: StdlibLevels) -> None:
    """The loggers that the take-over leads here: one with a level of its own by its own name."""
    logging.config.dictConfig(uvicorn.config.LOGGING_CONFIG)
    errors, parent = logging.getLogger("uvicorn.error"), logging.getLogger("uvicorn")
    with take_over_servers():
        levels.turn("uvicorn", DEBUG)
        errors.debug("no")
        parent.debug("one")
        levels.turn("uvicorn.error", DEBUG)
        errors.debug("two")
        assert taken_from("uvicorn.access") is None

    assert (errors.level, parent.level) == (INFO, INFO)
    assert logs.messages == ["one", "two"]


def test_configured_anew_meanwhile(logger: logging.Logger, logs: CapturedLogs, levels: StdlibLevels) -> None:
    """After a `dictConfig` taking back undoes only what is still ours."""
    undo = capture_stdlib()
    levels.turn(None, DEBUG)
    levels.turn(logger.name, DEBUG)
    logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "root": {"handlers": [], "level": "WARNING"}}
    )
    levels.turn(None, None)
    levels.turn(logger.name, None)

    assert (logging.getLogger().level, logger.level) == (WARNING, logging.NOTSET)
    undo()


def test_names_with_a_level_of_their_own(logger: logging.Logger, levels: StdlibLevels) -> None:
    """What is worth showing: a level of its own, and records that reach us."""
    logger.setLevel(WARNING)
    assert logger.name not in with_own_level()
    with capture_stdlib():
        assert logger.name in with_own_level()
        assert taken_from(logger.name) == WARNING
        assert taken_from(None) == INFO
        logger.setLevel(DEBUG)
        assert taken_from(logger.name) == INFO
        logger.setLevel(WARNING)
        levels.turn(logger.name, DEBUG)
        assert (taken_from(logger.name), levels.level(logger.name)) == (DEBUG, DEBUG)
        levels.turn(logger.name, None)
        assert levels.level(logger.name) is None


@contextmanager
def own_tree(names: list[str]) -> Iterator[tuple[str, dict[str, logging.Logger]]]:
    base = f"test.{uuid.uuid4().hex}"
    root = logging.getLogger()
    level, handlers = root.level, root.handlers
    yield base, {name: logging.getLogger(f"{base}.{name}") for name in names}
    root.setLevel(level)
    root.handlers = handlers


NAMES = ["a", "a.b", "a.b.c", "d"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),
        st.sampled_from([None, *NAMES]),
        st.sampled_from([None, 5, DEBUG, INFO, WARNING, ERROR]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(
    steps=STEPS,
    own=st.dictionaries(st.sampled_from(NAMES), st.sampled_from([DEBUG, INFO, WARNING, ERROR])),
    root_level=st.sampled_from([logging.NOTSET, DEBUG, WARNING]),
    capture_level=st.sampled_from([None, DEBUG, INFO, WARNING]),
)
def test_any_course_of_changes_ends_as_it_began(
    steps: list[tuple[int, str | None, int | None]],
    own: dict[str, int],
    root_level: int,
    capture_level: int | None,
) -> None:
    """Whatever two consoles turn up and down, a turned-up logger is heard, and at the end all is as it was."""
    with capture_logs(), own_tree(NAMES) as (base, loggers), capture_stdlib(loggers=[]):
        root = logging.getLogger()
        root.setLevel(root_level)
        for each, own_level in own.items():
            loggers[each].setLevel(own_level)
        before = {name: each.level for name, each in loggers.items()}
        with capture_stdlib(level=capture_level):
            inside = [root.level, *(taken_from(each.name) for each in loggers.values())]
            consoles = [StdlibLevels(), StdlibLevels()]
            for which, name, level in steps:
                full = None if name is None else f"{base}.{name}"
                consoles[which].turn(full, level)
                if level is not None:
                    taken = taken_from(full)
                    assert taken is not None
                    assert taken <= level
            for console in consoles:
                for full in [None, *(each.name for each in loggers.values())]:
                    console.turn(full, None)
            assert [root.level, *(taken_from(each.name) for each in loggers.values())] == inside
        assert {name: each.level for name, each in loggers.items()} == before
        assert root.level == root_level
