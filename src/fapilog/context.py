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

import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from fapilog.coerce import to_plain_fields
from fapilog.event import IDENTITY_KEYS

P = ParamSpec("P")
T = TypeVar("T")


class RequestContext:
    """What one request shares between its tasks and threads.

    Attributes:
        shared: Fields on every event of the request; replaced as a whole.
        noted: Fields for the completion event; replaced as a whole.
    """

    __slots__ = ("_lock", "noted", "shared")

    def __init__(self, identity: Mapping[str, Any]) -> None:
        """Start with the request's identity: ``request_id`` and, from the headers, trace ids."""
        self.shared: dict[str, Any] = dict(identity)
        self.noted: dict[str, Any] = {}
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


class Scope:
    """One immutable state of the context variable."""

    __slots__ = ("fields", "request")

    def __init__(self, fields: dict[str, Any], request: RequestContext) -> None:
        """Hold what was bound here, and the request it belongs to."""
        self.fields = fields
        self.request = request


OUTSIDE = RequestContext({})
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
    if scope.request is not OUTSIDE:
        scope.request.note(plain)
        if not _in_task():
            scope.request.share(plain)
    current.set(Scope({**scope.fields, **plain}, scope.request))


def unbind_context(*keys: str) -> None:
    """Remove fields from this task's or thread's context and from the request's shared one."""
    scope = current.get()
    if scope.request is not OUTSIDE:
        scope.request.forget(keys)
    current.set(Scope({key: value for key, value in scope.fields.items() if key not in keys}, scope.request))


def clear_context() -> None:
    """Remove all bound fields; a request keeps its request id and trace ids."""
    scope = current.get()
    if scope.request is not OUTSIDE:
        scope.request.forget(tuple(key for key in scope.request.shared if key not in IDENTITY_KEYS))
    current.set(Scope(_EMPTY, scope.request))


@contextmanager
def context_scope(**fields: Any) -> Iterator[None]:
    """Bind fields for a ``with`` block, or as a decorator for a function, and restore what was there before.

    They stay in this task or thread and do not reach the completion event.
    """
    scope = current.get()
    token = current.set(Scope({**scope.fields, **to_plain_fields(fields)}, scope.request))
    try:
        yield
    finally:
        _reset(token)


@contextmanager
def request_scope(request: RequestContext) -> Iterator[None]:
    """Make ``request`` the current one for a block; for edges such as the ASGI middleware."""
    token = current.set(Scope(_EMPTY, request))
    try:
        yield
    finally:
        _reset(token)


def carry_context(function: Callable[P, T]) -> Callable[P, T]:
    """Return ``function`` so that it runs in the context of now: bound fields, request and active span.

    For executors, threads and callbacks, which start with an empty context:
    ``pool.submit(carry_context(work), item)``. Coroutine functions are carried too. The wrapper holds the
    context, and so the request's objects, for as long as it lives; it may be called often and concurrently.
    """
    captured = copy_context()
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def carried_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
            tokens = [(variable, variable.set(value)) for variable, value in captured.items()]
            try:
                return await function(*args, **kwargs)
            finally:
                for variable, token in reversed(tokens):
                    variable.reset(token)

        return cast("Callable[P, T]", carried_coroutine)

    @wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        return captured.copy().run(function, *args, **kwargs)

    return carried


def _reset(token: Any) -> None:
    try:
        current.reset(token)
    except ValueError:
        # A generator dependency may be closed in another copy of the context; there is nothing to restore in it.
        return


def _in_task() -> bool:
    """Tell whether an event loop runs in this thread, without importing asyncio for programs that have none."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - documented, and answers None
