"""P46: any course of changes, ends, resets and code that sets levels of its own, against a model of the promises."""

import logging
import uuid

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fapilog.asgi.debug.levels import TemporaryLevels
from fapilog.stdlib import capture_stdlib
from fapilog.testing import capture_logs
from tests.asgi.debug.later import Loop

ME = "203.0.113.7"
WARNING = 30
NAMES = [None, "app", "app.db", "lib"]
LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR"]
CONFIGURED = {"app.db": WARNING}


class Course(RuleBasedStateMachine):
    """Any course of changes, ends, resets and code that sets levels of its own, against a model of the promises."""

    def __init__(self) -> None:
        super().__init__()
        self.captured = capture_logs()
        logs = self.captured.__enter__()
        self.engine = logs.engine
        self.engine.levels.configured_overrides.update(CONFIGURED)
        self.engine.levels.overrides = dict(CONFIGURED)
        self.loop = Loop()
        self.levels = TemporaryLevels(lambda: self.engine, self.loop.clock, self.loop.call_later)
        self.stdlib = capture_stdlib()
        self.base = f"test.{uuid.uuid4().hex}"
        self.before = {name: logging.getLogger(name).level for name in ("app", "app.db", "lib")}
        self.lasting: dict[str | None, int | None] = {}
        self.running: dict[str | None, tuple[float, int]] = {}

    def held(self, name: str | None) -> int | None:
        rules = self.engine.levels
        found: int | None = rules.default if name is None else rules.overrides.get(name)
        return found

    def configured(self, name: str | None) -> int | None:
        return self.engine.levels.configured if name is None else CONFIGURED.get(name)

    def ended(self) -> None:
        now = self.loop.clock.monotonic()
        self.running = {name: kept for name, kept in self.running.items() if kept[0] > now}

    @rule(name=st.sampled_from(NAMES), level=st.sampled_from(LEVELS), ttl=st.sampled_from([1.0, 60.0, 600.0]))
    def change_for_a_while(self, name: str | None, level: str, ttl: float) -> None:
        self.levels.set(name, level, ttl, ME)
        self.running[name] = (self.loop.clock.monotonic() + ttl, self.engine.queue.levels.number(level, ""))

    @rule(name=st.sampled_from(NAMES), level=st.sampled_from(LEVELS))
    def change_for_good(self, name: str | None, level: str) -> None:
        self.levels.set(name, level, None, ME)
        self.running.pop(name, None)
        self.lasting[name] = self.engine.queue.levels.number(level, "")

    @rule(name=st.sampled_from(NAMES))
    def reset(self, name: str | None) -> None:
        self.levels.set(name, None, None, ME)
        self.running.pop(name, None)
        self.lasting.pop(name, None)

    @rule(name=st.sampled_from(NAMES), level=st.sampled_from([5, 15, 25]))
    def code_sets(self, name: str | None, level: int) -> None:
        """A level that the console never sets: somebody else's."""
        self.engine.set_level(level, name)
        self.running.pop(name, None)
        self.lasting[name] = level

    @rule(seconds=st.sampled_from([0.5, 30.0, 60.0, 600.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.advance(seconds)
        self.ended()

    @precondition(lambda self: not self.loop.gone)
    @rule()
    def loop_ends(self) -> None:
        self.loop.gone = True

    @rule()
    def application_stops(self) -> None:
        self.levels.close()
        self.running.clear()

    @rule()
    def somebody_looks(self) -> None:
        shown = {each["logger"]: each for each in self.levels.look()["loggers"]}
        for name in NAMES[1:]:
            left = shown[name]["seconds_left"] if name in shown else None
            if name in self.running:
                assert left == pytest.approx(self.running[name][0] - self.loop.clock.monotonic(), abs=0.1)

    @invariant()
    def each_level_is_what_was_last_promised(self) -> None:
        if self.loop.gone:
            self.levels.look()
        for name in NAMES:
            promised = self.lasting.get(name, self.configured(name))
            expected = self.running[name][1] if name in self.running else promised
            assert self.held(name) == expected, name

    def teardown(self) -> None:
        self.loop.gone = False
        self.levels.close()
        for name in NAMES:
            self.levels.set(name, None, None, ME)
        assert self.engine.levels.overrides == CONFIGURED
        assert self.engine.levels.default == self.engine.levels.configured
        assert {name: logging.getLogger(name).level for name in self.before} == self.before
        self.stdlib.undo()
        self.captured.__exit__(None, None, None)


Course.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestCourse = Course.TestCase
