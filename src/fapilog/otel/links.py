"""Work that a request starts and does not wait for, as a trace of its own that points back at what caused it.

the request's span ◄── link ── the job's span, root of a new trace
        │                          │
    its events                 its events: trace_id, span_id of the job,
                                           linked_trace_id, linked_span_id of the request
"""

import os
import re
from collections.abc import Callable, Mapping
from contextvars import Token
from functools import partial, wraps
from types import TracebackType
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from opentelemetry.context import _RUNTIME_CONTEXT, Context, attach
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
    get_current_span,
    get_tracer_provider,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceFlags
from opentelemetry.util.types import AttributeValue

from fapilog._version import __version__
from fapilog.context import SpanNotes, context_scope, current, is_coroutine_function, note_for
from fapilog.diagnostics import attempt, class_name
from fapilog.event import IDENTITY_KEYS
from fapilog.otel.exceptions import record_once
from fapilog.otel.semconv import SCHEMA_URL, conventions

P = ParamSpec("P")
T = TypeVar("T")
_SCOPE = "fapilog"
_UNNAMED = "linked work"
_MARK = "__fapilog_linked__"
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_FLAGS = re.compile(r"[0-9a-f]{2}")


class _Entered(NamedTuple):
    """What a block has to undo at its end."""

    span: Span
    token: Token[Context]
    fields: context_scope
    notes: SpanNotes


class span_link:  # noqa: N801 - used like a function, as in contextlib
    """Run a ``with`` block as a new trace, linked to the span that is active when it begins.

    Also a decorator for functions and coroutine functions; not for generators, whose body runs later. Without an
    active span it is linked to the ids of the request's ``traceparent``; where there are none either, to nothing.
    Events in the block carry the new trace's ids, and as ``linked_trace_id`` and ``linked_span_id`` those of what
    caused it. Request id, bound fields and baggage stay. Without an SDK there is no span, and the events carry random
    ids all the same.

    The span is of kind INTERNAL and the value of ``with``. An exception that leaves the block sets its status and is
    put on it: redacted where the request has a span of ``with_tracing()``, elsewhere as the SDK would put it there.

    One instance may be used again, and inside itself, but not by several tasks or threads at a time; a decorated
    function may.

    Args:
        name: The span's; default that of the decorated function.
        attributes: The span's.
        tracer_provider: Where the span is made; default that of the request's ``with_tracing()``, else the global one
            of when the block begins.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        attributes: Mapping[str, AttributeValue] | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        """Start nothing.

        Raises:
            TypeError: If the name is no text, as in ``@span_link`` without parentheses, or the provider is none.
        """
        if name is not None and not isinstance(name, str):
            message = f"span_link(name) is {type(name).__name__}, not str; a decorator is written @span_link()"
            raise TypeError(message)
        if tracer_provider is not None and (
            isinstance(tracer_provider, type) or not callable(getattr(tracer_provider, "get_tracer", None))
        ):
            message = f"span_link(tracer_provider) is {type(tracer_provider).__name__}, not a provider of tracers"
            raise TypeError(message)
        self._name = name
        self._attributes = None if attributes is None else dict(attributes)
        self._provider = tracer_provider
        self._entered: list[_Entered] = []

    def __enter__(self) -> Span:
        """Start the span and make it the active one."""
        cause = _cause()
        span, error = attempt(self._started, cause)
        if error is not None or not span.get_span_context().is_valid:
            span = NonRecordingSpan(_new_context(cause))
        fields = context_scope() if cause is None else context_scope(**_linked(cause))
        token = attach(set_span_in_context(span))
        fields.__enter__()
        # Left again with the fields.
        notes = SpanNotes(current.get().notes)
        note_for(notes)
        self._entered.append(_Entered(span, token, fields, notes))
        return cast("Span", span)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore what was active, and end the span."""
        span, token, fields, notes = self._entered.pop()
        fields.__exit__()
        # In another copy of the context, where a generator dependency may be closed, there is nothing to restore.
        attempt(_RUNTIME_CONTEXT.detach, token)
        if span.is_recording():
            attempt(_tell, span, notes, error if isinstance(error, Exception) else None)
        attempt(span.end)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Return ``function`` so that each call is a trace of its own."""
        new = partial(
            span_link,
            self._name if self._name is not None else _name_of(function),
            attributes=self._attributes,
            tracer_provider=self._provider,
        )
        if is_coroutine_function(function):

            @wraps(function)
            async def linked_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with new():
                    return await cast("Any", function(*args, **kwargs))

            return cast("Callable[P, T]", _marked(linked_coroutine))

        @wraps(function)
        def linked(*args: P.args, **kwargs: P.kwargs) -> T:
            with new():
                return function(*args, **kwargs)

        return cast("Callable[P, T]", _marked(linked))

    def _started(self, cause: SpanContext | None) -> Span:
        # A context without a span makes a root of it; the rest of it, such as the baggage, is there to be looked at.
        return tracer_of(self._provider or current.get().request.tracer_provider).start_span(
            _UNNAMED if self._name is None else self._name,
            context=set_span_in_context(INVALID_SPAN),
            attributes=self._attributes,
            links=None if cause is None else [Link(cause)],
        )


def links_itself(function: Any) -> bool:
    """Tell whether a function was made by :class:`span_link`: a call of it is a trace of its own already."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, _MARK, False) is True


def _marked(function: Callable[..., Any]) -> Any:
    setattr(function, _MARK, True)
    return function


def tracer_of(provider: TracerProvider | None) -> Tracer:
    """Return our tracer of a provider, or of the one that is the global one now."""
    return (get_tracer_provider() if provider is None else provider).get_tracer(_SCOPE, __version__, SCHEMA_URL)


def span_context_of(ids: Mapping[str, Any], *, is_remote: bool) -> SpanContext | None:
    """Return the span that an event's ids name; None if it has none, or what is there are no ids."""
    if not names_span(ids):
        return None
    trace, span, flags = int(ids["trace_id"], 16), int(ids["span_id"], 16), TraceFlags(flags_of(ids))
    return SpanContext(trace, span, is_remote=is_remote, trace_flags=flags)


def names_span(ids: Mapping[str, Any]) -> bool:
    """Tell whether an event has the ids of a span."""
    return _is(ids.get("trace_id"), _TRACE_ID) and _is(ids.get("span_id"), _SPAN_ID)


def flags_of(ids: Mapping[str, Any]) -> int:
    """Return the trace flags of an event; 0 if it has none."""
    flags = ids.get("trace_flags")
    return int(str(flags), 16) if _is(flags, _FLAGS) else 0


def _is(value: object, form: re.Pattern[str]) -> bool:
    return type(value) is str and form.fullmatch(value) is not None


def _cause() -> SpanContext | None:
    """Return the span whose ids an event that is logged here would carry."""
    active, _ = attempt(get_current_span().get_span_context)
    if isinstance(active, SpanContext) and active.is_valid:
        return active
    scope = current.get()
    context = {**scope.request.shared, **scope.fields}
    return span_context_of({key: context.get(key) for key in IDENTITY_KEYS}, is_remote=True)


def _linked(cause: SpanContext) -> dict[str, str]:
    return {"linked_trace_id": f"{cause.trace_id:032x}", "linked_span_id": f"{cause.span_id:016x}"}


def _new_context(cause: SpanContext | None) -> SpanContext:
    """Return random ids; whether such a trace is sampled is what the one that caused it says."""
    trace, span = (int.from_bytes(os.urandom(size)) or 1 for size in (16, 8))
    flags = TraceFlags(TraceFlags.DEFAULT) if cause is None else cause.trace_flags
    return SpanContext(trace, span, is_remote=False, trace_flags=flags)


def _tell(span: Span, notes: SpanNotes, error: Exception | None) -> None:
    """Put on a span what was logged as an error in it, and that it failed, by the conventions in force."""
    if error is not None:
        span.set_attribute("error.type", class_name(error))
        span.set_status(Status(StatusCode.ERROR))
    _, logged = notes.take()
    if conventions(os.environ).exceptions_on_spans:
        scrub = current.get().request.scrub
        for handled, when in logged:
            record_once(span, notes, handled, scrub, when)
        if error is not None:
            record_once(span, notes, error, scrub)


def _name_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else type(function).__qualname__
