"""The flight recorder outside requests: ``with recorder():`` around a job of a script, worker or queue."""

import time
from collections.abc import Callable, Sequence
from contextvars import Token
from functools import wraps
from types import TracebackType
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from fapilog import _runtime
from fapilog.context import Scope, current, in_task, is_coroutine_function, is_generator_function, reset
from fapilog.diagnostics import attempt, describe
from fapilog.errors import ConfigError
from fapilog.flight import Limits, Recorder
from fapilog.flight_options import ERROR, SLOW, FlightRecorderOptions
from fapilog.units import parse_duration

P = ParamSpec("P")
T = TypeVar("T")
_NO_FAILURES = frozenset(("CancelledError", "GeneratorExit"))


class _Run(NamedTuple):
    """One block that is being run."""

    recorder: Recorder
    token: Token[Scope]
    close_floor: Callable[[], None]
    engine: Any
    options: FlightRecorderOptions
    began: float


class recorder:  # noqa: N801 - used like a function, as in contextlib
    """Keep events below the level for a block, and let them out only if it raises or is slow.

    ``with recorder():``, ``async with recorder():``, or a decorator for functions and coroutine functions. What is not
    said here is as the process's default engine was configured (``with_flight_recorder``), else the default. Events of
    loggers that lead to that engine are kept: in this task or thread and those that it starts or carries its context
    to. What is at or above its logger's level goes out at once, as ever. Kept events are in memory only, and nowhere if
    the process is killed. What the block raises goes on unchanged; that it was cancelled, or ends by ``sys.exit(0)``,
    is no error. Inside a request, or inside another one, it alone decides about the events of its block.

    One instance may be used again, inside itself, and by several tasks and threads at a time. Where a block is left in
    another context than it was begun in, as by generators that take turns, each needs an instance of its own.

    Args:
        level: The lowest level that is kept.
        on: What lets them out: ``"error"``, ``"slow"``.
        slow_seconds: From when on a block is slow.
        max_events: How many events are kept; the oldest leave first.
        max_bytes: How many bytes of them.

    Raises:
        ConfigError: If a value cannot be used; a level's name that is not known when the block is entered; as the
            decorator of a generator function, whose body runs when the block is over.
    """

    def __init__(
        self,
        level: str | int | None = None,
        on: Sequence[str] | None = None,
        slow_seconds: float | str | None = None,
        max_events: int | None = None,
        max_bytes: int | str | None = None,
    ) -> None:
        """Check the values."""
        said: dict[str, Any] = {
            "level": level, "on": on, "slow_seconds": slow_seconds, "max_events": max_events, "max_bytes": max_bytes,
        }  # fmt: skip
        self._said = {name: value for name, value in said.items() if value is not None}
        try:
            FlightRecorderOptions(**self._said)
        except ConfigError as error:
            raise error.at(error.where.replace("with_flight_recorder", "recorder")) from None
        self._runs: dict[object, _Run] = {}

    def __enter__(self) -> None:
        """Begin to keep."""
        engine = _runtime.default_engine()
        known = _runtime.default_options().flight_recorder
        options = FlightRecorderOptions(**{**(vars(known) if known is not None else {}), **self._said})
        limits = Limits.of(options, engine.queue.levels.number, "recorder(level)")
        kept = Recorder(limits, engine.ledger)
        close_floor = engine.open_floor(limits.level)
        scope = current.get()
        # A request that was made louder for a while stays so.
        over = getattr(scope.below, "over", None)
        below = kept if over is None else over(kept)
        token = current.set(Scope(scope.fields, scope.request, scope.notes, below))
        self._runs[below] = _Run(kept, token, close_floor, engine, options, time.perf_counter())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the events out or forget them."""
        # The block that is left is the one that the context is in; the latest, if it was begun in another context.
        run = self._runs.pop(current.get().below, None) or self._runs.popitem()[1]
        reset(current, run.token)
        _, failed = attempt(_finish, run, error)
        run.close_floor()
        if failed is not None:
            run.engine.diagnostics.report("recorder", describe(failed))

    async def __aenter__(self) -> None:
        """Begin to keep."""
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the events out or forget them."""
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Return ``function`` so that each call is a block of its own."""
        if isinstance(function, type) or is_generator_function(function):
            raise ConfigError.wrong("recorder()", function, "a function or coroutine function; in a generator use with")
        said = self._said
        if is_coroutine_function(function):

            @wraps(function)
            async def recorded_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with recorder(**said):
                    return await cast("Any", function(*args, **kwargs))

            return cast("Callable[P, T]", recorded_coroutine)

        @wraps(function)
        def recorded(*args: P.args, **kwargs: P.kwargs) -> T:
            with recorder(**said):
                return function(*args, **kwargs)

        return recorded


def _finish(run: _Run, error: BaseException | None) -> None:
    reason = None
    if ERROR in run.options.on and _failed(error):
        reason = ERROR
    elif SLOW in run.options.on:
        slow = time.perf_counter() - run.began >= parse_duration(run.options.slow_seconds, "slow_seconds")
        reason = SLOW if slow else None
    run.recorder.finish(reason, may_await=in_task())


def _failed(error: BaseException | None) -> bool:
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return error is not None and type(error).__name__ not in _NO_FAILURES
