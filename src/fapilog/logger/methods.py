"""The level methods of both facades, made in one place.

    info(message, **fields)
      ├─ level off, for everybody ───────────────────────────────► return
      ├─ scalars only, short, room in the queue: append ─────────► return      (about a microsecond)
      ├─ below the threshold: capture.submit_below ─► Below.take ► return      (kept: about two)
      └─ anything else: capture.submit_call ─► Intake.admit ─────► return, wait or await

The fast path holds no lock and makes no system call: ``deque.append`` is atomic, and a thread that releases the
interpreter lock may wait 5 ms to get it back. Between the look at ``len(items)`` and the append another thread
may slip in, so that the queue can be over its limit by the number of threads that log at that very moment.
"""

from collections.abc import Awaitable
from time import time_ns
from typing import Any, Protocol

from fapilog.context import current
from fapilog.logger.capture import ORDINARY_BYTES, submit_below, submit_call

OUT_OF_THE_ORDINARY = ORDINARY_BYTES + 1
_SPAN_RAISES = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)


class LevelMethod(Protocol):
    """What ``logger.info`` and its siblings take."""

    def __call__(
        self,
        message: str,
        /,
        *args: object,
        exc_info: object = None,
        stack_info: bool = False,
        **fields: Any,
    ) -> None:
        """Log one event.

        Args:
            message: The text. Without ``args`` it is taken as it is: ``{}`` and ``%`` are text.
            args: Values for ``message % args``.
            exc_info: True for the exception being handled, an exception, or a ``sys.exc_info()`` triple.
            stack_info: Add the caller's stack.
            fields: Structured fields, captured by value.

        Returns at once and raises nothing that comes from the values. Under ``policy="wait"`` a call on a full
        queue blocks up to ``wait_seconds``, never in a thread whose event loop is running. An event that
        finds no room is counted as dropped.
        """


class LogMethod(Protocol):
    """What ``logger.log`` takes: a level by name or number, and then what the level methods take."""

    def __call__(
        self,
        level: str | int,
        message: str,
        /,
        *args: object,
        exc_info: object = None,
        stack_info: bool = False,
        **fields: Any,
    ) -> None:
        """Log one event at a level; see :class:`LevelMethod`.

        Raises:
            ConfigError: If there is no such level; the event is not lost silently, as its level cannot be known.
        """


class AsyncLevelMethod(Protocol):
    """What the async facade's ``info`` and its siblings take."""

    def __call__(
        self,
        message: str,
        /,
        *args: object,
        exc_info: object = None,
        stack_info: bool = False,
        **fields: Any,
    ) -> Awaitable[None]:
        """Log one event at the call; see :class:`LevelMethod`.

        What is returned may be awaited or forgotten. Awaiting takes time only under ``policy="wait"`` on a full
        queue.
        """


class AsyncLogMethod(Protocol):
    """What the async facade's ``log`` takes."""

    def __call__(
        self,
        level: str | int,
        message: str,
        /,
        *args: object,
        exc_info: object = None,
        stack_info: bool = False,
        **fields: Any,
    ) -> Awaitable[None]:
        """Log one event at a level, at the call; see :class:`LogMethod` and :class:`AsyncLevelMethod`."""


def make_level_method(  # noqa: C901 - a call costs more than a branch here
    name: str, levelno: int, taken: Awaitable[None] | None, *, exc_info: object = None
) -> Any:
    """Return the method ``name`` for one level; ``exc_info`` is the default of its parameter.

    ``taken`` is what it returns for an event that is taken or whose level is off: None makes it the synchronous
    facade's, an awaitable the asynchronous one's.
    """
    may_await, default_exc_info = taken is not None, exc_info

    def method(  # noqa: C901 - see above
        self: Any,
        message: str,
        /,
        *args: object,
        exc_info: object = default_exc_info,
        stack_info: bool = False,
        **fields: Any,
    ) -> Awaitable[None] | None:
        origin = self._origin
        if origin.level > levelno:
            return taken
        queue = origin.queue
        items = queue.items
        if args or exc_info or stack_info or type(message) is not str or len(items) >= queue.limit:
            return (
                submit_call(origin, levelno, message, args, exc_info, stack_info, fields, self._bound, may_await)
                or taken
            )
        if origin.threshold > levelno:
            return submit_below(origin, levelno, message, fields, self._bound, may_await) or taken
        size = len(message) + 8 * len(fields)
        for value in fields.values():
            kind = type(value)
            if kind is str:
                size += len(value)
            elif kind is float:
                if value - value != 0.0:  # NaN or infinite
                    size = OUT_OF_THE_ORDINARY
                    break
            elif kind is not int and kind is not bool and value is not None:
                size = OUT_OF_THE_ORDINARY
                break
        if size > ORDINARY_BYTES:
            return submit_call(origin, levelno, message, (), None, stack_info, fields, self._bound, may_await) or taken
        scope = current.get()
        span = queue.current_context().get(queue.span_key)
        try:
            ids = None if span is None else span.get_span_context()
        except _SPAN_RAISES:
            return submit_call(origin, levelno, message, (), None, stack_info, fields, self._bound, may_await) or taken
        if scope.notes is not None:
            scope.notes.levels[levelno] += 1
        shared = scope.request.shared
        items.append((time_ns(), levelno, origin, message, fields, self._bound, scope.fields, shared, ids, None))
        return taken

    method.__name__ = method.__qualname__ = name
    method.__doc__ = (AsyncLevelMethod if may_await else LevelMethod).__call__.__doc__
    return method


def make_log_method(taken: Awaitable[None] | None) -> Any:
    """Return the method ``log(level, message, …)``, which takes the level by name or number."""
    may_await = taken is not None

    def log(
        self: Any,
        level: str | int,
        message: str,
        /,
        *args: object,
        exc_info: object = None,
        stack_info: bool = False,
        **fields: Any,
    ) -> Awaitable[None] | None:
        origin = self._origin
        levelno = origin.queue.levels.number(level, "log(level)")
        return (
            submit_call(origin, levelno, message, args, exc_info, stack_info, fields, self._bound, may_await) or taken
        )

    log.__doc__ = (AsyncLogMethod if may_await else LogMethod).__call__.__doc__
    return log
