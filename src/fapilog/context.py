"""Bound context: fields that every event of a task, thread or request carries without being passed around.

Two layers, because a plain ``ContextVar.set`` in a synchronous FastAPI dependency (which runs in a worker
thread, in a copy of the context) never reaches the endpoint:

    RequestContext   one per request, shared by all its tasks and threads: request id, trace ids from
                     ``traceparent``, what synchronous code of the request bound, and everything that the
                     completion event will carry
    Scope.fields     what this task or thread bound itself; wins over the shared layer

Both layers' dicts are replaced, never written to, so that a log call captures them by reference. Everything
here is thread-safe; a forked child keeps the context that the forking thread had.
"""

import sys
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token, copy_context
from functools import partial, wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from fapilog.coerce import to_plain_fields
from fapilog.diagnostics import attempt
from fapilog.event import IDENTITY_KEYS, Intake

_CO_COROUTINE = 0x80
_CO_GENERATORS = 0x20 | 0x200
_SUPPRESSION = "suppress_instrumentation"
_SUPPRESSION_KEYS = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")
"""Where ``opentelemetry.context`` keeps the names under which newer instrumentations look for the same."""
_MOST_ERRORS = 8
_MOST_RECORDED = 64
_MOST_WORDS = 1_000
P = ParamSpec("P")
T = TypeVar("T")


class SpanNotes:
    """What log calls leave for the span of a request, or of the linked work that it starts.

    Thread-safe as far as the interpreter lock goes: a count is one operation on a dict of integers.

    Args:
        around: Those of the work that this is linked to: what is on a span of the one is not recorded for the other.

    Attributes:
        levels: How many events were logged at each level number.
        errors: Exceptions that were logged at ERROR or above, with the time; at most eight.
        recorded: Type and the first 1 000 characters of the message of the exceptions that are on a span already; at
            most 64.
    """

    __slots__ = ("_told", "errors", "levels", "recorded")

    def __init__(self, around: "SpanNotes | None" = None) -> None:
        """Start with nothing."""
        self.levels: defaultdict[int, int] = defaultdict(int)
        self.errors: list[tuple[BaseException, int]] = []
        self.recorded: set[tuple[str, str]] = set() if around is None else around.recorded
        self._told = False

    def take(self) -> tuple[dict[int, int], list[tuple[BaseException, int]]]:
        """Return the counts and exceptions, and keep none from here on: the span ends."""
        self._told = True
        errors, self.errors = self.errors, []
        return dict(self.levels), errors

    def note_error(self, error: BaseException, time_ns: int) -> None:
        """Keep an exception that was logged; it and its frames live until the span ends."""
        if self._told:
            return
        if len(self.errors) < _MOST_ERRORS and not any(known is error for known, _ in self.errors):
            self.errors.append((error, time_ns))

    def note_recorded(self, key: tuple[str, str]) -> None:
        """Note that an exception is on a span."""
        if len(self.recorded) < _MOST_RECORDED:
            kind, message = key
            self.recorded.add((kind, message[:_MOST_WORDS]))


class RequestContext:
    """What one request shares between its tasks and threads.

    Attributes:
        shared: Fields on every event of the request; replaced as a whole.
        noted: Fields for the completion event; replaced as a whole.
        scrub: Takes the secrets out of a text that goes on a span of the request, or of the work that it starts.
        tracer_provider: Where spans of the work that it starts are made; None for the global one.
        traced: Whether ``shared`` has the ids of the server span, so that those of no other span belong there.
    """

    __slots__ = ("_lock", "noted", "scrub", "shared", "traced", "tracer_provider")

    def __init__(self, identity: Mapping[str, Any]) -> None:
        """Start with the request's identity: ``request_id`` and, from the headers, trace ids."""
        self.shared: dict[str, Any] = dict(identity)
        self.noted: dict[str, Any] = {}
        self.tracer_provider: Any = None
        self.scrub: Callable[[str], str] = str
        self.traced = False
        self._lock = threading.RLock()

    def note(self, fields: Mapping[str, Any]) -> None:
        """Add fields, already plain values, to the completion event."""
        with self._lock:
            self.noted = {**self.noted, **fields}

    def share(self, fields: Mapping[str, Any]) -> None:
        """Add fields, already plain values, to every later event of the request."""
        with self._lock:
            self.shared = {**self.shared, **fields}

    def forget(self, keys: tuple[str, ...]) -> None:
        """Remove fields from both layers."""
        with self._lock:
            self.shared = {key: value for key, value in self.shared.items() if key not in keys}
            self.noted = {key: value for key, value in self.noted.items() if key not in keys}


class Below(Protocol):
    """Takes events that are below the level of their logger, of one request or job alone.

    Attributes:
        level: The lowest level that it wants to see.
    """

    level: int

    def take(
        self,
        record: tuple[Any, ...],
        size_bytes: int,
        queue: Intake,
        may_await: bool,  # noqa: FBT001 - the log call passes on what it got
    ) -> Awaitable[None] | None:
        """Hand the record in (``queue.admit``), keep it, or forget it. Any thread, at the log call; raises nothing.

        Args:
            record: A captured event, as :class:`fapilog.event.Record` has it.
            size_bytes: Roughly what it holds.
            queue: The queue it belongs into.
            may_await: Whether what is returned may be something to await.
        """
        ...


class Scope:
    """One immutable state of the context variable.

    Attributes:
        fields: What was bound here.
        request: The request it belongs to.
        notes: What log calls leave for a span; None where nobody asks.
        below: Takes events below the level of their logger; None where nobody wants them.
    """

    __slots__ = ("below", "fields", "notes", "request")

    def __init__(
        self,
        fields: dict[str, Any],
        request: RequestContext,
        notes: SpanNotes | None = None,
        below: Below | None = None,
    ) -> None:
        """Hold them."""
        self.fields = fields
        self.request = request
        self.notes = notes
        self.below = below

    def binding(self, fields: dict[str, Any]) -> "Scope":
        """Return the same with other bound fields."""
        return Scope(fields, self.request, self.notes, self.below)


class _NoRequest(RequestContext):
    """Stands where there is no request; nothing is noted or shared there."""

    __slots__ = ()

    def note(self, fields: Mapping[str, Any]) -> None:
        """Do nothing."""

    def share(self, fields: Mapping[str, Any]) -> None:
        """Do nothing."""

    def forget(self, keys: tuple[str, ...]) -> None:
        """Do nothing."""


OUTSIDE = _NoRequest({})
OWN_WORK = _NoRequest({})
"""The request of the threads of an engine and of its sinks, and of the threads and tasks that those start."""
_EMPTY: dict[str, Any] = {}
current: ContextVar[Scope] = ContextVar("fapilog", default=Scope(_EMPTY, OUTSIDE))  # noqa: B039 - never written to


def bind_context(**fields: Any) -> None:
    """Bind fields to every later event of this task or thread, by value.

    Inside a request they also go on its completion event; bound by synchronous code of the request (a sync
    dependency or endpoint) they are on every later event of the request. Tasks started later inherit them;
    what a task binds stays its own. ``request_id`` may be set, and, where no span is active, the trace ids.
    """
    plain = to_plain_fields(fields)
    scope = current.get()
    scope.request.note(plain)
    if not in_task():
        scope.request.share(plain)
    current.set(scope.binding({**scope.fields, **plain}))


def unbind_context(*keys: str) -> None:
    """Remove fields from this task's or thread's context and from the request's shared one."""
    scope = current.get()
    scope.request.forget(keys)
    current.set(scope.binding({key: value for key, value in scope.fields.items() if key not in keys}))


def clear_context() -> None:
    """Remove all bound fields; a request keeps its request id and trace ids."""
    scope = current.get()
    bound = {**scope.request.shared, **scope.fields}
    scope.request.forget(tuple(key for key in bound if key not in IDENTITY_KEYS))
    current.set(scope.binding(_EMPTY))


def enter_own_work() -> None:
    """Mark this thread as one of an engine or a sink: what is logged here cannot feed itself for ever.

    No span is active here from now on, and instrumented libraries make none of what a sink does with them.
    """
    current.set(Scope(_EMPTY, OWN_WORK))
    # The engine has it loaded before its threads start; without it there is nothing that could make spans.
    otel = sys.modules.get("opentelemetry.context")
    if otel is not None:
        # A broken runtime context is not worth the thread.
        attempt(_leave_traces, otel)


def note_for(notes: SpanNotes) -> None:
    """Let the log calls of this task or thread, and of those that it starts, leave their notes here."""
    scope = current.get()
    current.set(Scope(scope.fields, scope.request, notes, scope.below))


def do_own_work(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in this thread, marked as :func:`enter_own_work` does only as long as the call lasts."""

    def marked() -> T:
        enter_own_work()
        return function(*args, **kwargs)

    return copy_context().run(marked)


def _leave_traces(otel: Any) -> None:
    """Make a context current that tells instrumentations to do nothing, under each key that some of them look at."""
    keys = [getattr(otel, name) for name in _SUPPRESSION_KEYS if hasattr(otel, name)]
    otel.attach(otel.Context(dict.fromkeys([_SUPPRESSION, *keys], True)))


class context_scope:  # noqa: N801 - used like a function, as in contextlib
    """Bind fields for a ``with`` block, and restore what was there before.

    Also a decorator for functions and coroutine functions; not for generators, whose body runs later. The fields
    are captured by value when it is made. They stay in this task or thread and do not reach the completion event.
    One instance may be used again, and inside itself, but not by several tasks or threads at a time.
    """

    def __init__(self, **fields: Any) -> None:
        """Capture the fields by value."""
        self._fields = to_plain_fields(fields)
        self._tokens: list[Token[Scope]] = []

    def __enter__(self) -> None:
        """Bind the fields."""
        scope = current.get()
        self._tokens.append(current.set(scope.binding({**scope.fields, **self._fields})))

    def __exit__(self, *_: object) -> None:
        """Restore."""
        reset(current, self._tokens.pop())

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Return ``function`` so that each call runs in a scope of its own."""
        fields = self._fields
        if is_coroutine_function(function):

            @wraps(function)
            async def scoped_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with context_scope(**fields):
                    return await cast("Any", function(*args, **kwargs))

            return cast("Callable[P, T]", scoped_coroutine)

        @wraps(function)
        def scoped(*args: P.args, **kwargs: P.kwargs) -> T:
            with context_scope(**fields):
                return function(*args, **kwargs)

        return scoped


def reset(variable: ContextVar[Any], token: Token[Any]) -> None:
    """Give a context variable the value back that it had."""
    try:
        variable.reset(token)
    except ValueError:
        # A generator dependency, or a coroutine that is thrown away, may be closed in another copy of the context;
        # there is nothing to restore in it.
        return


def is_coroutine_function(function: Any) -> bool:
    """Tell whether calling ``function`` makes a coroutine; also for objects with an ``async def __call__``."""
    return bool(_code_flags(function) & _CO_COROUTINE)


def is_generator_function(function: Any) -> bool:
    """Tell whether calling ``function`` makes a generator, asynchronous or not, whose body runs later."""
    return bool(_code_flags(function) & _CO_GENERATORS)


def _code_flags(function: Any) -> int:
    while isinstance(function, partial):
        function = function.func
    if not hasattr(function, "__code__"):
        function = getattr(type(function), "__call__", None)  # noqa: B004 - it is not asked whether there is one
    # What inspect.iscoroutinefunction looks at; importing inspect would cost a fifth of `import fapilog`.
    code = getattr(function, "__code__", None)
    return 0 if code is None else int(code.co_flags)


def in_task() -> bool:
    """Tell whether an event loop runs in this thread, without importing asyncio for programs that have none."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - documented, and answers None
