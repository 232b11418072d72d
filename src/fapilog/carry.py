"""Taking the context of now to where it would not get by itself: executors, threads, callbacks."""

from collections.abc import Callable
from contextvars import copy_context
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, cast, overload

from fapilog.context import is_coroutine_function, reset

P = ParamSpec("P")
T = TypeVar("T")


@overload
def carry_context(function: Callable[P, T], *, link: bool = False) -> Callable[P, T]: ...
@overload
def carry_context(*, link: bool = False) -> Callable[[Callable[P, T]], Callable[P, T]]: ...


def carry_context(function: Any = None, *, link: bool = False) -> Any:
    """Return ``function`` so that it runs in the context of now: bound fields, request and active span.

    For executors, threads and callbacks, which start with an empty context:
    ``pool.submit(carry_context(work), item)``. Coroutine functions are carried too. The wrapper holds the
    context, and so the request's objects, for as long as it lives; it may be called often and concurrently.
    The body of a generator is not carried: it runs later, where it is iterated.

    Args:
        function: What is to run. Without it, a decorator is returned; it is the context of when that is used.
        link: For work that goes on after the request, or is none of its parts: each call is a new trace, of a span
            named after the function and linked to the span that is active now; see :class:`fapilog.span_link`. A
            function that was made by ``span_link`` is one already.

    Raises:
        TypeError: If the function cannot be called, such as a coroutine.
    """
    if function is None:
        return partial(carry_context, link=link)
    if not callable(function):
        # Here, and not in the pool: a coroutine, say, was made by a call that should have been left to us.
        message = f"carry_context(function) is {type(function).__name__}, which cannot be called"
        raise TypeError(message)
    if not link:
        return _carried(function)
    from fapilog.otel.links import links_itself, span_link  # noqa: PLC0415 - `import fapilog` stays cheap

    return _carried(function if links_itself(function) else span_link()(function))


def _carried(function: Callable[P, T]) -> Callable[P, T]:
    captured = copy_context()
    if is_coroutine_function(function):

        @wraps(function)
        async def carried_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
            tokens = [(variable, variable.set(value)) for variable, value in captured.items()]
            try:
                return await cast("Any", function(*args, **kwargs))
            finally:
                for variable, token in reversed(tokens):
                    reset(variable, token)

        return cast("Callable[P, T]", carried_coroutine)

    @wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        return captured.copy().run(function, *args, **kwargs)

    return carried
