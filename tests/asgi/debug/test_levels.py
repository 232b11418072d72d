"""`/debug/logging/levels`: one level for ten minutes, and everything back as it was."""

import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from fapilog import LoggerBuilder, _runtime, configure, get_logger, register_level
from fapilog.asgi.debug.levels import TemporaryLevels
from fapilog.errors import ConfigError
from fapilog.stdlib import capture_stdlib
from fapilog.testing import RecordingSink, capture_logs
from tests.asgi.conftest import Log
from tests.asgi.debug.later import Loop

ME = "203.0.113.7"
DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def levels(log: Log, loop: Loop) -> TemporaryLevels:
    return TemporaryLevels(lambda: log.engine, loop.clock, loop.call_later)


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """A logger of `logging` of its own, whose records reach fapilog from INFO on."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers
    with capture_stdlib():
        yield logging.getLogger(f"test.{uuid.uuid4().hex}")
    assert (root.level, root.handlers) == (level, handlers)


def changes(log: Log) -> list[dict[str, Any]]:
    """The events of the console, without what all events have."""
    plain = {"timestamp", "logger", "host", "pid", "service"}
    return [{key: event[key] for key in event if key not in plain} for event in log.of("fapilog.console")]


def row(levels: TemporaryLevels, name: str) -> dict[str, Any]:
    (found,) = [each for each in levels.look()["loggers"] if each["logger"] == name]
    return dict(found)


def test_change_ends_by_itself(log: Log, levels: TemporaryLevels, loop: Loop) -> None:
    """P46: loggers bound before are reached, and after the time what was configured holds again."""
    log.engine.set_level("INFO")
    bound = get_logger("app.db").bind(shard=3)
    bound.debug("no")
    levels.set("app", "DEBUG", 600, ME)
    bound.debug("yes")
    loop.advance(599.0)
    bound.debug("yes too")
    loop.advance(1.0)
    bound.debug("no more")

    assert [event["message"] for event in log.of("app.db")] == ["yes", "yes too"]
    assert log.engine.levels.overrides == {}
    assert loop.timers == 0


def test_library_and_those_below_it_are_reached(
    log: Log, levels: TemporaryLevels, loop: Loop, library: logging.Logger
) -> None:
    """P46: the same for loggers of `logging`; the engine's level and that of the logger end together."""
    child = library.getChild("child")
    levels.set(library.name, "debug", 60, ME)
    child.debug("yes")
    assert row(levels, library.name)["stdlib"] == "DEBUG"
    loop.advance(60.0)
    child.debug("no")

    assert [event["message"] for event in log.of(child.name)] == ["yes"]
    assert (library.level, child.level) == (logging.NOTSET, logging.NOTSET)


def test_default_level_reaches_the_root(log: Log, levels: TemporaryLevels, loop: Loop, library: logging.Logger) -> None:
    """Null is the default of fapilog and the root of `logging`; another library's own level stays."""
    log.engine.set_level("INFO")
    levels.set(None, "DEBUG", 60, ME)
    library.debug("yes")
    get_logger("app").debug("yes")
    shown = levels.look()["default"]
    loop.advance(60.0)
    library.debug("no")
    get_logger("app").debug("no")

    assert shown == {
        "configured": "DEBUG",
        "effective": "DEBUG",
        "stdlib": "DEBUG",
        "until": "2026-01-01T00:01:00.000000Z",
        "seconds_left": 60.0,
    }
    assert [event["message"] for event in log.events if event["logger"] != "fapilog.console"] == ["yes", "yes"]
    assert log.engine.levels.default == INFO


def test_raised_level_holds_back(log: Log, levels: TemporaryLevels, loop: Loop, library: logging.Logger) -> None:
    """ERROR for a while silences fapilog's loggers and those of `logging`, whose own level is left alone."""
    levels.set(library.name, "ERROR", 60, ME)
    library.warning("no")
    get_logger(library.name).warning("no")
    library.error("yes")
    loop.advance(60.0)
    library.warning("again")

    assert [event["message"] for event in log.of(library.name)] == ["yes", "again"]


def test_what_was_set_before_comes_back(log: Log, levels: TemporaryLevels, loop: Loop) -> None:
    """P46: an override by `set_level`, or by an earlier change without an end, is what a chain of changes ends with."""
    log.engine.set_level("WARNING", "app")
    levels.set("app", "DEBUG", 60, ME)
    loop.advance(30.0)
    levels.set("app", "ERROR", 60, ME)
    loop.advance(59.0)
    assert log.engine.levels.overrides == {"app": ERROR}
    assert row(levels, "app")["seconds_left"] == 1.0
    loop.advance(1.0)

    assert log.engine.levels.overrides == {"app": WARNING}


def test_change_without_end_stays_under_one_with(
    log: Log, levels: TemporaryLevels, loop: Loop, library: logging.Logger
) -> None:
    """What was changed until reset comes back, also for a library, and goes with the reset."""
    levels.set(library.name, "DEBUG", None, ME)
    levels.set(library.name, "ERROR", 60, ME)
    library.debug("no")
    loop.advance(60.0)
    library.debug("yes")
    loop.advance(1_000_000.0)
    library.debug("yes too")
    levels.set(library.name, None, None, ME)
    library.debug("no more")

    assert [event["message"] for event in log.of(library.name)] == ["yes", "yes too"]
    assert library.level == logging.NOTSET
    assert log.engine.levels.overrides == {}


def test_chain_of_changes_of_a_library_ends(
    log: Log, levels: TemporaryLevels, loop: Loop, library: logging.Logger
) -> None:
    """The second change is not what the first one had turned up."""
    levels.set(library.name, "DEBUG", 60, ME)
    levels.set(library.name, 15, 90, ME)
    loop.advance(90.0)
    library.debug("no")

    assert log.of(library.name) == []
    assert library.level == logging.NOTSET


def test_change_without_end_replaces_one_with(log: Log, levels: TemporaryLevels, loop: Loop) -> None:
    """Nothing ends it any more."""
    levels.set("app", "ERROR", 60, ME)
    levels.set("app", "WARNING", None, ME)
    loop.advance(61.0)

    assert log.engine.levels.overrides == {"app": WARNING}
    assert loop.timers == 0


def test_reset_cancels_the_timer(loop: Loop) -> None:
    """P46: null goes back to what was configured, an override among it, and nothing happens later."""
    with capture_logs() as logs:
        engine = logs.engine
        engine.levels.configured_overrides["app"] = WARNING
        engine.set_level(None, "app")
        levels = TemporaryLevels(lambda: engine, loop.clock, loop.call_later)
        levels.set("app", "DEBUG", 60, ME)
        levels.set("app", None, None, ME)
        assert engine.levels.overrides == {"app": WARNING}
        assert loop.timers == 0
        engine.set_level("ERROR", "app")
        loop.advance(61.0)

        assert engine.levels.overrides == {"app": ERROR}


def test_what_code_sets_meanwhile_wins(log: Log, levels: TemporaryLevels, loop: Loop) -> None:
    """An end does not undo what somebody else has set, not even through another change on top of it."""
    levels.set("app", "DEBUG", 60, ME)
    log.engine.set_level("ERROR", "app")
    loop.advance(60.0)
    assert log.engine.levels.overrides == {"app": ERROR}

    levels.set("app", "DEBUG", 60, ME)
    log.engine.set_level("WARNING", "app")
    levels.set("app", "INFO", 60, ME)
    loop.advance(60.0)
    assert log.engine.levels.overrides == {"app": WARNING}


def test_end_is_noticed_without_a_loop(log: Log, levels: TemporaryLevels, loop: Loop) -> None:
    """The loop that was to end a change is gone: the next look ends it."""
    levels.set("app", "DEBUG", 60, ME)
    loop.gone = True
    loop.advance(60.0)
    assert log.engine.levels.overrides == {"app": DEBUG}
    levels.look()

    assert log.engine.levels.overrides == {}


def test_close_takes_back_what_would_have_ended(
    log: Log, levels: TemporaryLevels, loop: Loop, library: logging.Logger
) -> None:
    """At shutdown; what has no end stays with the engine."""
    levels.set(library.name, "DEBUG", 60, ME)
    levels.set(None, "WARNING", 60, ME)
    levels.set("kept", "ERROR", None, ME)
    levels.close()
    levels.close()

    assert log.engine.levels.overrides == {"kept": ERROR}
    assert log.engine.levels.default == DEBUG
    assert library.level == logging.NOTSET
    assert loop.timers == 0
    assert [each["reason"] for each in changes(log) if "reason" in each] == ["shutdown", "shutdown"]


def test_engine_replaced_meanwhile(loop: Loop) -> None:
    """P46: a change is taken back where it was made; the engine that came after never had it."""
    sinks = [RecordingSink(), RecordingSink()]
    builders = [LoggerBuilder().with_level("info,app=error").add_sink(sink) for sink in sinks]
    configure(builders[0])
    first = _runtime.default_engine()
    levels = TemporaryLevels(_runtime.default_engine, loop.clock, loop.call_later)
    levels.set("app", "DEBUG", 60, ME)
    levels.set("lib", "DEBUG", 60, ME)
    configure(builders[1])
    second = _runtime.default_engine()
    assert row(levels, "app")["until"] is None
    levels.set("lib", "WARNING", 30, ME)
    assert first.levels.overrides == {"app": DEBUG}
    loop.advance(61.0)
    for engine in (first, second):
        assert engine.levels.overrides == {"app": ERROR}
        engine.drain(10.0)

    texts = [[event["message"] for event in sink.events] for sink in sinks]
    assert texts == [["log_level_changed"] * 2, ["log_level_changed", "log_level_restored"]]


def test_each_change_is_an_event_whatever_the_levels_are(log: Log, levels: TemporaryLevels, loop: Loop) -> None:
    """Who, what, until when: at INFO, and also if everything is off before and after."""
    log.engine.set_level("CRITICAL")
    log.engine.set_level("CRITICAL", "fapilog.console")
    levels.set(None, "ERROR", 600, ME)
    loop.advance(600.0)
    levels.set("app", "DEBUG", None, "")
    levels.set("app", None, None, ME)
    levels.set("app", None, None, ME)

    change = {"level": "INFO", "message": "log_level_changed", "client_ip": ME, "target_logger": None}
    back = {**change, "message": "log_level_restored"}
    assert changes(log) == [
        {
            **change,
            "level_before": "CRITICAL",
            "level_after": "ERROR",
            "ttl_seconds": 600,
            "until": "2026-01-01T00:10:00.000000Z",
        },
        {**back, "level_before": "ERROR", "level_after": "CRITICAL", "reason": "expired"},
        {
            **change,
            "client_ip": None,
            "target_logger": "app",
            "level_before": "CRITICAL",
            "level_after": "DEBUG",
            "ttl_seconds": None,
            "until": None,
        },
        {**back, "target_logger": "app", "level_before": "DEBUG", "level_after": "CRITICAL", "reason": "reset"},
    ]


def test_what_is_shown(log: Log, levels: TemporaryLevels, library: logging.Logger) -> None:
    """Overrides first; then every logger that has been used, and those of `logging` with a level of their own."""
    register_level("NOTICE", 25)
    get_logger("seen").info("here")
    library.setLevel(WARNING)
    log.engine.set_level("NOTICE", "zoo")
    levels.set("app", "INFO", 60.5, ME)
    shown = levels.look()

    names = [each["logger"] for each in shown["loggers"]]
    assert names[:2] == ["app", "zoo"]
    assert names[2:] == sorted(names[2:])
    assert {"seen", library.name} <= set(names[2:])
    assert len(set(names)) == len(names)
    assert shown["loggers"][0] == {
        "logger": "app",
        "configured": None,
        "effective": "INFO",
        "stdlib": "INFO",
        "until": "2026-01-01T00:01:00.500000Z",
        "seconds_left": 60.5,
    }
    assert row(levels, "zoo")["effective"] == "NOTICE"
    assert row(levels, library.name) == {
        "logger": library.name,
        "configured": None,
        "effective": "DEBUG",
        "stdlib": "WARNING",
        "until": None,
        "seconds_left": None,
    }
    assert shown["available"] == ["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"]


def test_what_does_not_reach_us_is_left_alone(log: Log, levels: TemporaryLevels) -> None:
    """Without capture the level of `logging` is null, and nothing there is touched."""
    other = logging.getLogger(f"test.{uuid.uuid4().hex}")
    levels.set(other.name, "DEBUG", 60, ME)

    assert row(levels, other.name)["stdlib"] is None
    assert levels.look()["default"]["stdlib"] is None
    assert other.level == logging.NOTSET
    levels.close()


def test_list_is_bounded(log: Log, levels: TemporaryLevels) -> None:
    """A process with thousands of loggers answers 500 of them, what was changed before what was not."""
    for number in range(600):
        log.engine.origin(f"a{number}")
    levels.set("z", "INFO", 60, ME)
    shown = levels.look()["loggers"]

    assert len(shown) == 500
    assert shown[0]["logger"] == "z"
    levels.close()


def test_changes_are_bounded(log: Log, levels: TemporaryLevels, loop: Loop) -> None:
    """At most 200 that end by themselves; one that is running may be changed again."""
    for number in range(200):
        levels.set(f"a{number}", "INFO", 60, ME)
    with pytest.raises(ConfigError, match="200"):
        levels.set("one.more", "INFO", 60, ME)
    assert "one.more" not in log.engine.levels.overrides
    levels.set("a7", "ERROR", 60, ME)
    levels.set("lasting", "ERROR", None, ME)
    loop.advance(60.0)
    levels.set("one.more", "INFO", 60, ME)
    levels.close()

    assert log.engine.levels.overrides == {"lasting": ERROR}
