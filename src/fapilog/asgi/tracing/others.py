"""Who else opens a server span for a request, and where it is found.

=====================================  ==============================================================================
FastAPI's own telemetry, outside of us  it has left its state in the scope
FastAPI's own telemetry, inside of us   it will: the application says whether it is on, the answer finds the state
contrib's middleware, outside of us     its span is the active one, of kind SERVER, or it was not sampled
contrib's middleware, inside of us      its hook for requests is called with the span
=====================================  ==============================================================================

Nothing of these packages is imported; what they call things is looked up with care, and where it is not found there is
nobody else.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from fapilog.otel.watching import is_configured

FASTAPI_KEY = "fastapi.telemetry"
_CONTRIB = ("opentelemetry.instrumentation.asgi", "OpenTelemetryMiddleware")
_DEEPEST = 50
_ENTERED = "fapilog-request"

Hook = Callable[[Span, dict[str, Any]], None]


class Found(NamedTuple):
    """A server span of somebody else.

    Attributes:
        span: The span.
        reports: Whether whoever opened it reports what the application raises.
    """

    span: Span
    reports: bool


def inner_apps(app: Any) -> Iterator[Any]:
    """Yield an ASGI application and what it is wrapped around, as far as the usual attributes show it."""
    for _ in range(_DEEPEST):
        if app is None:
            return
        yield app
        app = getattr(app, "app", None) or getattr(app, "middleware_stack", None)


def outside(scope: Mapping[str, Any]) -> Found | None:
    """Return the server span that was opened before the request came to us."""
    found = fastapi_span(scope)
    if found is not None:
        return found
    if otel_context.get_value(_ENTERED):
        # Left over from another request: servers start a pipelined one within the answer of the one before it, and an
        # application may call another in its own process.
        return None
    span = trace.get_current_span()
    context = span.get_span_context()
    if not context.is_valid or context.is_remote:
        return None
    if span.is_recording():
        is_servers = getattr(span, "kind", None) is SpanKind.SERVER
    else:
        # One that was sampled has ended long ago, such as one around the start of the server.
        is_servers = not context.trace_flags.sampled
    return Found(span, reports=True) if is_servers else None


def entered(context: Context) -> Context:
    """Return a context that is known to be a request's, so that its span is not taken for that of another one."""
    return otel_context.set_value(_ENTERED, True, context)  # noqa: FBT003 - the API's form


def fastapi_span(scope: Mapping[str, Any]) -> Found | None:
    """Return the span that FastAPI's own telemetry has opened for this request."""
    telemetry = scope.get(FASTAPI_KEY)
    span = getattr(telemetry, "span", None)
    return None if span is None else Found(span, reports=getattr(telemetry, "logger", None) is not None)


def provider_of(scope: Mapping[str, Any]) -> Any:
    """Return the tracer provider that FastAPI's own telemetry was given for this application; None for the global."""
    config = getattr(scope.get("app"), "_telemetry", None)
    return config.get("tracer_provider") if isinstance(config, Mapping) else None


class Inside:
    """What of the application's own layers opens server spans or measures.

    They are read until they have all been built, which frameworks do with the first request at the latest, and again
    when they have been built anew.

    Args:
        app: The application.
        hook: Is told the span that contrib's middleware opens, with the request's scope.
    """

    def __init__(self, app: Any, hook: Hook) -> None:
        """Read nothing yet."""
        self._app = app
        self._hook = hook
        self._layers: tuple[Any, ...] | None = None
        self._stacks: tuple[tuple[Any, Any], ...] = ()

    def traces(self) -> bool:
        """Tell whether somebody further in opens a span for requests."""
        return any(_fastapi_traces(layer) or _is_contrib(layer) for layer in self._read())

    def measures(self) -> bool:
        """Tell whether somebody further in records ``http.server.request.duration``."""
        return any(_measures(layer) for layer in self._read())

    def _read(self) -> tuple[Any, ...]:
        """Return the layers that have to do with spans."""
        if self._layers is not None and all(app.middleware_stack is stack for app, stack in self._stacks):
            return self._layers
        every = list(inner_apps(self._app))
        found = tuple(layer for layer in every if _is_contrib(layer) or hasattr(layer, "_native_telemetry"))
        for layer in found:
            if _is_middleware(layer) and not isinstance(layer.server_request_hook, _Chained):
                # Behind the user's own hook, once.
                layer.server_request_hook = _Chained(layer.server_request_hook, self._hook)
        # Instrumentation that is switched on or off while the application runs makes it build its layers again.
        self._stacks = tuple((layer, layer.middleware_stack) for layer in every if hasattr(layer, "middleware_stack"))
        self._layers = found if all(stack is not None for _, stack in self._stacks) else None
        return found


class _Chained:
    """Calls the user's hook, then ours."""

    def __init__(self, own: Hook | None, ours: Hook) -> None:
        self._own = own
        self._ours = ours

    def __call__(self, span: Span, scope: dict[str, Any]) -> None:
        if self._own is not None:
            self._own(span, scope)
        self._ours(span, scope)


def _is_middleware(app: Any) -> bool:
    return (type(app).__module__, type(app).__name__) == _CONTRIB


def _is_contrib(app: Any) -> bool:
    """Tell contrib's middleware, or an application that will have it once its layers are built."""
    return _is_middleware(app) or (
        getattr(app, "_is_instrumented_by_opentelemetry", False) is True and app.middleware_stack is None
    )


def _fastapi_traces(app: Any) -> bool:
    config = getattr(app, "_telemetry", None)
    if not isinstance(config, Mapping) or not config.get("tracing"):
        return False
    return config.get("tracer_provider") is not None or is_configured(trace.get_tracer_provider())


def _measures(app: Any) -> bool:
    if _is_middleware(app):
        return app.duration_histogram_new is not None
    return fastapi_measures(app)


def fastapi_measures(app: Any) -> bool:
    """Tell whether FastAPI's own telemetry records the duration of this application's requests."""
    return getattr(getattr(app, "_native_telemetry", None), "_duration", None) is not None
