"""From the arguments of a log call to a record in the queue: the part that is not the fast path.

``logger/methods.py`` holds the fast path; it comes here for everything out of the ordinary: positional arguments,
exceptions, containers, long texts, a full or sleeping queue, a logger that has no engine yet, and events that one
request or job alone wants.
"""

import sys
import time
from collections.abc import Awaitable, Mapping
from typing import Any

from fapilog.coerce import FIELD_BYTES, SCALARS, size_of, to_plain_fields, to_text
from fapilog.context import current
from fapilog.diagnostics import attempt
from fapilog.event import Extra, Intake, Origin, SpanIds
from fapilog.levels import ERROR
from fapilog.logger.tracebacks import capture_exception, raised, render_stack

NOTHING: Mapping[str, Any] = {}
ORDINARY_BYTES = 1024
_OVERHEAD_BYTES = 1024
_SMALL_BYTES = ORDINARY_BYTES + _OVERHEAD_BYTES


def submit(
    origin: Origin,
    levelno: int,
    message: object,
    fields: Mapping[str, Any],
    *,
    bound: Mapping[str, Any] = NOTHING,
    exc_info: object = None,
    stack: str | None = None,
    time_ns: int | None = None,
    may_await: bool = False,
) -> Awaitable[None] | None:
    """Capture one event by value and hand it to the origin's queue, if its level is on.

    Raises nothing that comes from the values. Blocks only under ``policy="wait"`` on a full queue, never in a
    thread whose event loop is running. Thread-safe, re-entrant.

    Args:
        origin: Where the event starts.
        levelno: Its level.
        message: Its message; text is taken as it is, never as a template.
        fields: The call's fields; copied.
        bound: The bound logger's fields, already plain; kept by reference.
        exc_info: As for the standard library's loggers.
        stack: A rendered stack.
        time_ns: When it happened, wall clock; default now.
        may_await: Return something to await instead of blocking.
    """
    queue = origin.queue
    queue.bind(origin)
    queue = origin.queue
    if not wanted(origin, levelno):
        return None
    text = to_text(message)
    copied = queue.copy_fields(fields)
    if copied is None:
        plain = to_plain_fields(fields)
        copied = (plain, size_of(plain))
    plain, size = copied
    size += _OVERHEAD_BYTES + len(text)
    extra = None
    exception = capture_exception(exc_info) if exc_info else None
    if exception is not None or stack is not None:
        size += 4 * _OVERHEAD_BYTES
    if exception is not None or stack is not None or size > _SMALL_BYTES:
        extra = Extra(exception, stack, size)
    scope = current.get()
    now = time.time_ns() if time_ns is None else time_ns
    below = scope.below if levelno < origin.threshold else None
    # What is below the threshold may be kept back and never come out: it is not told on a span.
    notes = None if below is not None else scope.notes
    if notes is not None:
        notes.levels[levelno] += 1
        error = raised(exc_info) if exception is not None and levelno >= ERROR else None
        if error is not None:
            notes.note_error(error, now)
    record = (now, levelno, origin, text, plain, bound, scope.fields, scope.request.shared, active_span(queue), extra)
    return queue.admit(record, may_await=may_await) if below is None else below.take(record, size, queue, may_await)


def wanted(origin: Origin, levelno: int) -> bool:
    """Tell whether an event of this level would be taken here and now."""
    if origin.threshold <= levelno:
        return True
    below = current.get().below
    return below is not None and origin.level <= levelno and below.level <= levelno


def submit_call(
    origin: Origin,
    levelno: int,
    message: object,
    args: tuple[Any, ...],
    exc_info: object,
    stack_info: bool,  # noqa: FBT001 - the level methods pass on what they got
    fields: dict[str, Any],
    bound: Mapping[str, Any],
    may_await: bool,  # noqa: FBT001
) -> Awaitable[None] | None:
    """Do what a level method's fast path could not; the parameters are the method's own."""
    if not wanted(origin, levelno):
        return None
    if args:
        message, fields = interpolate(message, args, fields)
    # The stack is that of the caller: this function's frame and the level method's are left out.
    stack = render_stack(sys._getframe(2)) if stack_info else None  # noqa: SLF001 - documented
    return submit(origin, levelno, message, fields, bound=bound, exc_info=exc_info, stack=stack, may_await=may_await)


def submit_below(
    origin: Origin,
    levelno: int,
    message: str,
    fields: dict[str, Any],
    bound: Mapping[str, Any],
    may_await: bool,  # noqa: FBT001 - the level methods pass on what they got
) -> Awaitable[None] | None:
    """Do as :func:`submit` for an ordinary call below the threshold, and copy nothing that need not be copied.

    ``fields`` is the call's own dict: one that holds scalars only, and little text, is taken as it is.
    """
    scope = current.get()
    below = scope.below
    if below is None or below.level > levelno:
        return None
    queue = origin.queue
    plain, size = fields, len("".join(fields)) + FIELD_BYTES * len(fields)
    for value in fields.values():
        kind = type(value)
        if kind is str:
            size += len(value)
        elif kind not in SCALARS or (kind is float and value - value != 0.0):  # a container, NaN or infinite
            plain, size = queue.copy_fields(fields) or (fields, _SMALL_BYTES)
            break
    size += _OVERHEAD_BYTES + len(message)
    if size > _SMALL_BYTES:
        return submit(origin, levelno, message, fields, bound=bound, may_await=may_await)
    span = active_span(queue)
    record = (time.time_ns(), levelno, origin, message, plain, bound, scope.fields, scope.request.shared, span, None)
    return below.take(record, size, queue, may_await)


def interpolate(message: object, args: tuple[Any, ...], fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return ``message % args``; if that fails, the message as it is, with the arguments kept in ``message_args``.

    As in the standard library a single mapping serves ``%(name)s``.
    """
    values: Any = args[0] if len(args) == 1 and isinstance(args[0], Mapping) and args[0] else args
    template = to_text(message)
    text, error = attempt(template.__mod__, values)
    if error is None and isinstance(text, str):
        return text, fields
    return template, {**fields, "message_args": list(args)}


def active_span(queue: Intake) -> SpanIds | None:
    """Return the ids of the active OpenTelemetry span of this thread or task; None also if the span raises."""
    span = queue.current_context().get(queue.span_key)
    return None if span is None else attempt(_ids_of, span)[0]


def _ids_of(span: Any) -> Any:
    return span.get_span_context()


def bind_fields(bound: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a new bound logger: the old ones with the new ones on top, by value."""
    return {**bound, **to_plain_fields(fields)}
