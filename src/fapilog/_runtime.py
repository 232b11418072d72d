"""The one home of process-wide state: the default engine, the level names, the exit and fork hooks.

    get_logger("app") ─► Origin "app" ─► queue of the default engine
                                          │ nothing configured yet: Unbound, which builds ``minimal`` at the first event
                                          │ configure(…), or the first engine built: that one
                                          └ while a lifespan runs: that of its builder; the former one after

An origin is looked at by every log call, so the way to the engine is pushed to the origins when the default changes and
not looked up when they log. Importing this module starts no thread and imports no framework, pydantic, asyncio
or OpenTelemetry; the engine's modules are loaded with the first event.
"""

import atexit
import importlib
import os
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from fapilog.diagnostics import attempt, describe
from fapilog.errors import ConfigError
from fapilog.event import Origin
from fapilog.levels import LevelTable
from fapilog.logger.aio import AsyncLoggerFacade
from fapilog.logger.sync import SyncLoggerFacade
from fapilog.logger.unbound import Unbound

if TYPE_CHECKING:
    from fapilog.config.builder import OptionsBuilder
    from fapilog.config.options import Options
    from fapilog.config.publishing import Publishing
    from fapilog.config.settings import Settings
    from fapilog.engine.engine import Engine
    from fapilog.metrics.http import HttpDurations
    from fapilog.metrics.points import Family
    from fapilog.otel.recording import Recording
    from fapilog.otel.watching import SpanWatch


class _State:
    """All of it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.levels = LevelTable()
        self.unbound = Unbound(self.levels, lambda: default_engine())  # noqa: PLW0108 - not defined yet
        self.origins: dict[str, Origin] = {}
        self.engines: weakref.WeakSet[Engine] = weakref.WeakSet()
        self.options: weakref.WeakKeyDictionary[Engine, Options] = weakref.WeakKeyDictionary()
        self.configured: Engine | None = None
        self.implicit: Engine | None = None
        self.lent: list[Engine] = []
        self.catching: set[Engine] = set()
        self.finalize_pid = 0

    @cached_property
    def metrics(self) -> "Publishing":
        # Two threads may come here at once: what the first one made is for both.
        made = _load("fapilog.config.publishing").Publishing(self.engines, self.options)
        return cast("Publishing", vars(self).setdefault("metrics", made))

    @cached_property
    def spans(self) -> "SpanWatch":
        made = _load("fapilog.otel.watching").SpanWatch(lambda fields: default_engine().redact_fields(fields))
        return cast("SpanWatch", vars(self).setdefault("spans", made))


_state = _State()


def default_engine() -> "Engine":
    """Return the engine that loggers without one of their own lead to; builds ``minimal`` if there is none."""
    with _state.lock:
        if _state.lent:
            return _state.lent[-1]
        if _state.configured is not None:
            return _state.configured
        if _state.implicit is None:
            _state.implicit = _implicit_engine()
            _lead_here(_state.implicit)
        return _state.implicit


def _implicit_engine() -> "Engine":
    """Return an engine as the environment has it; without it if that is wrong, for here a log call may be waiting."""
    resolve = _load("fapilog.config.resolve").resolve
    engine, error = attempt(lambda: build_engine(resolve({})))
    if error is not None:
        engine = build_engine(resolve({}, None, {}))
        engine.diagnostics.report("configuration", f"the environment is passed over: {describe(error)}")
    return cast("Engine", engine)


def build_engine(options: "Options") -> "Engine":
    """Return a stopped engine of its own, drained at exit and made new in a forked child.

    Raises:
        ConfigError: If an option cannot be used.
    """
    with _state.lock:
        name = _state.metrics.free_name(options.name)
        on_delivery = _state.metrics.publish(options, name)
        engine: Engine = _load("fapilog.config.assemble").build_engine(options, _state.levels, name, on_delivery)
        engine.on_start = _engine_starts
        _state.engines.add(engine)
        _state.options[engine] = options
        _state.metrics.add(engine, name)
    return engine


def metrics() -> "list[Family]":
    """Return the figures of the engines that publish any, of all if none does, and the durations of requests."""
    return _state.metrics.families()


def http_durations() -> "HttpDurations":
    """Return where the durations of requests are counted for Prometheus; the same one as long as the process lives."""
    return _state.metrics.http


def recording() -> "Recording":
    """Return what records into OpenTelemetry's histograms; the same one as long as the process lives."""
    return _state.metrics.recording


def span_watch() -> "SpanWatch":
    """Return what adds span processors to providers; the same one as long as the process lives."""
    return _state.spans


def build_logger(options: "Options") -> SyncLoggerFacade:
    """Return a logger on an engine of its own, which becomes the default if nothing was configured before."""
    engine = _built(options)
    return SyncLoggerFacade(engine.origin(options.name), lambda: engine)


def build_async_logger(options: "Options") -> AsyncLoggerFacade:
    """Do the same as :func:`build_logger` for the asynchronous logger."""
    engine = _built(options)
    return AsyncLoggerFacade(engine.origin(options.name), lambda: engine)


def get_logger(
    name: str = "root", *, preset: str | None = None, settings: "Settings | None" = None
) -> SyncLoggerFacade:
    """Return a logger.

    Without ``preset`` and ``settings`` it leads to the process's default engine, looked up late: a logger made at
    import follows whatever is configured afterwards. With one of them the engine it names is configured: the first one
    in a process becomes the default, the same options again give a logger on the same engine, others an
    engine of its own.

    Args:
        name: The logger's name, on the wire as ``logger``; dots make a hierarchy for levels.
        preset: See ``list_presets()``.
        settings: A ``Settings`` value.

    Raises:
        ConfigError: If the preset or a setting cannot be used.
    """
    if preset is None and settings is None:
        return SyncLoggerFacade(origin(name), default_engine)
    engine = _configured_engine(preset, settings)
    return SyncLoggerFacade(engine.origin(_checked(name)), lambda: engine)


async def get_async_logger(
    name: str = "root", *, preset: str | None = None, settings: "Settings | None" = None
) -> AsyncLoggerFacade:
    """Return an asynchronous logger; see :func:`get_logger`."""
    if preset is None and settings is None:
        return AsyncLoggerFacade(origin(name), default_engine)
    engine = _configured_engine(preset, settings)
    return AsyncLoggerFacade(engine.origin(_checked(name)), lambda: engine)


def configure(
    source: "str | Settings | OptionsBuilder | None" = None,
    /,
    *,
    preset: str | None = None,
    settings: "Settings | None" = None,
    builder: "OptionsBuilder | None" = None,
) -> None:
    """Replace the default engine on purpose, by exactly one of a preset's name, ``Settings``, or a builder.

    Loggers obtained before follow at once. The former engine is drained in the background; no event falls between.

    Raises:
        ConfigError: If not exactly one is given, or it cannot be used.
    """
    given = [value for value in (source, preset, settings, builder) if value is not None]
    if len(given) != 1:
        raise ConfigError.wrong("configure()", given, "exactly one preset name, Settings value or builder")
    options = options_of(given[0], "configure")
    engine = build_engine(options)
    if not isinstance(given[0], _load("fapilog.config.builder").OptionsBuilder):
        # ``get_logger(preset=…)`` of the same leads here; what a builder makes is its own.
        engine.options = options
    with _state.lock:
        former = _state.configured or _state.implicit
        if former is not None:
            former.options = None
        _state.configured = engine
        _state.implicit = None
        if not _state.lent:
            _lead_here(engine)
    if former is not None:
        former.begin_drain()


@contextmanager
def runtime(
    name: str = "root", *, preset: str | None = None, settings: "Settings | None" = None
) -> Iterator[SyncLoggerFacade]:
    """Yield a logger and drain its engine at the end of the block, within the shutdown timeout."""
    logger = get_logger(name, preset=preset, settings=settings)
    try:
        yield logger
    finally:
        logger.drain()


@asynccontextmanager
async def runtime_async(
    name: str = "root", *, preset: str | None = None, settings: "Settings | None" = None
) -> AsyncIterator[AsyncLoggerFacade]:
    """Yield an asynchronous logger and drain its engine at the end of the block, within the shutdown timeout."""
    logger = await get_async_logger(name, preset=preset, settings=settings)
    try:
        yield logger
    finally:
        await logger.drain()


def set_level(level: str | int | None, logger: str | None = None) -> None:
    """Change a level of the default engine while it runs.

    Args:
        level: A name or number; None takes the override of ``logger`` back.
        logger: The name whose level to change, with all names below it; default all without an override.

    Raises:
        ConfigError: If there is no such level.
    """
    if logger is not None:
        _checked(logger, "set_level(logger)")
    default_engine().set_level(level, logger)


def register_level(name: str, number: int) -> None:
    """Add a level for ``logger.log(name, …)``; see :meth:`fapilog.levels.LevelTable.register`."""
    _state.levels.register(name, number)


def origin(name: str) -> Origin:
    """Return the late-bound origin of a name: it leads to the default engine, whichever that is."""
    found = _state.origins.get(_checked(name))
    if found is not None:
        return found
    with _state.lock:
        found = _state.origins.setdefault(name, Origin(name, _state.unbound))
        engine = _state.lent[-1] if _state.lent else _state.configured or _state.implicit
        if engine is not None:
            engine.adopt([found])
    return found


def _checked(name: str, where: str = "get_logger(name)") -> str:
    if not isinstance(name, str) or not name:
        raise ConfigError.wrong(where, name, "a text that is not empty")
    return name


def push_default(engine: "Engine", *, catches: bool = False) -> None:
    """Make an engine the default while a lifespan runs; :func:`pop_default` ends that.

    Args:
        engine: The engine.
        catches: Whether it stays the default even when a lifespan starts meanwhile, as ``capture_logs`` needs it.
    """
    with _state.lock:
        place = len(_state.lent)
        while not catches and place and _state.lent[place - 1] in _state.catching:
            place -= 1
        if catches:
            _state.catching.add(engine)
        _state.lent.insert(place, engine)
        _lead_here(_state.lent[-1])


def pop_default(engine: "Engine") -> None:
    """End what :func:`push_default` began; in any order, and without effect if it was not pushed."""
    with _state.lock:
        if engine not in _state.lent:
            return
        _state.lent.remove(engine)
        _state.catching.discard(engine)
        _lead_here(_state.lent[-1] if _state.lent else _state.configured or _state.implicit)


def _lead_here(engine: "Engine | None") -> None:
    """Lead all late-bound origins to an engine, or, if there is none, to where one gets built."""
    for other in _state.engines:
        other.release()
    if engine is not None:
        engine.adopt(_state.origins.values())
        return
    for unbound in _state.origins.values():
        unbound.level = unbound.threshold = 0
        unbound.queue = _state.unbound


def _built(options: "Options") -> "Engine":
    engine = build_engine(options)
    with _state.lock:
        if _state.configured is not None:
            return engine
        former, _state.implicit = _state.implicit, None
        _state.configured = engine
        if not _state.lent:
            _lead_here(engine)
        if former is not None:
            former.begin_drain()
    return engine


def _configured_engine(preset: str | None, settings: "Settings | None") -> "Engine":
    if preset is not None and settings is not None:
        raise ConfigError.wrong("get_logger()", (preset, settings), "a preset or settings, not both")
    options = options_of(preset if settings is None else settings, "get_logger")
    with _state.lock:
        for engine in _state.engines:
            if engine.options == options:
                return engine
        engine = _built(options)
        engine.options = options
        return engine


def options_of(source: Any, method: str) -> "Options":
    """Return the options of a preset's name, a ``Settings`` value or a builder; the edges may not import ``config``."""
    return cast("Options", _load("fapilog.config.resolve").options_of(source, method))


def default_options() -> "Options":
    """Return what the default engine was configured with, or what the environment says if there is none yet.

    Raises:
        ConfigError: If the environment cannot be used.
    """
    with _state.lock:
        engine = _state.lent[-1] if _state.lent else _state.configured or _state.implicit
        known: Options | None = None if engine is None else _state.options.get(engine)
    return known or cast("Options", _load("fapilog.config.resolve").resolve({}))


def _load(module: str) -> Any:
    """Load a module of the engine late: asyncio and OpenTelemetry would triple the time of ``import fapilog``."""
    return importlib.import_module(module)


def _engine_starts() -> None:
    """Register once with multiprocessing, whose forked children end without running ``atexit``."""
    if _state.finalize_pid == os.getpid():
        return
    _state.finalize_pid = os.getpid()
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        util = importlib.import_module("multiprocessing.util")
        util.Finalize(None, _at_exit, exitpriority=0)


def _at_exit() -> None:
    """Drain all engines for the last time, side by side, each within its shutdown timeout from now."""
    began = time.monotonic()
    engines = list(_state.engines)
    for engine in engines:
        engine.begin_drain()
    for engine in engines:
        engine.finish(max(0.0, began + engine.parts.shutdown_timeout_seconds - time.monotonic()))


def _after_fork() -> None:
    """Make everything new in a forked child; the parent keeps its own events and delivers them."""
    _state.lock = threading.RLock()
    for engine in list(_state.engines):
        engine.after_fork()
    if "metrics" in vars(_state):
        _state.metrics.after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
