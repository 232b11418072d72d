"""Litestar 2: a plug-in that puts fapilog in front of the application.

    app = Litestar(route_handlers=[…], plugins=[FapilogPlugin().with_preset("fastapi")])

Litestar routes before it runs the middleware of route handlers, so that middleware sees neither a 404 nor a 405, and it
answers every exception itself, so that nobody outside sees one:

    Litestar ─► _Answered ─► DebugRoute ─► RequestMiddleware ─► _Reraise ─► Litestar's own handler ─► routes
                 swallows what ◄──────────── reports ◄────────── raises what Litestar
                 was answered                                     has answered with a 500
"""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any

from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.plugins import InitPlugin
from litestar.types import Scope as LitestarScope

from fapilog import _runtime
from fapilog.asgi.stack import Stack
from fapilog.hosting import Edge, EdgeBuilder
from fapilog.logger.aio import AsyncLoggerFacade

__all__ = ["FapilogPlugin"]

_ERROR = "fapilog.error"
_PARAMETER = re.compile(r"\\\{[^}]*\\\}")
_SERVER_ERROR = 500


class FapilogPlugin(EdgeBuilder, InitPlugin):
    """Structured logs for a Litestar application: ``Litestar(…, plugins=[FapilogPlugin()])``.

    It is a builder: ``FapilogPlugin().with_preset("fastapi").skip_paths("/health")``. While the application's lifespan
    runs the middleware stands outermost, the engine is the process's default, and the server's loggers are taken
    over; the drain comes after the application's own ``on_shutdown``. A handler that asks for the dependency
    ``logger`` gets the logger of its module, unless the application provides one of that name.

    Args:
        preset: The name of a preset, as ``with_preset`` takes it.
    """

    def __init__(self, preset: str | None = None) -> None:
        """Start like every builder."""
        super().__init__()
        if preset is not None:
            self.with_preset(preset)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Take part in the application's lifespan; Litestar calls it once for each application.

        Raises:
            ConfigError: If any value said before cannot be used.
        """
        hosted = _Hosted(self.edge("asgi_handler", _Templates, _LitestarEdge))
        app_config.lifespan.insert(0, hosted.start)
        app_config.on_shutdown.append(hosted.stop)
        app_config.after_exception.append(_keep)
        app_config.dependencies.setdefault("logger", Provide(_provide_logger, sync_to_thread=False))
        return app_config


class _Hosted:
    """One application's lifespan: begun before everything of its own, ended after its ``on_shutdown``."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._serving: list[AbstractAsyncContextManager[None]] = []

    @asynccontextmanager
    async def start(self, app: Litestar) -> AsyncIterator[None]:
        serving = self._edge.serve(app)
        await serving.__aenter__()
        self._serving.append(serving)
        yield

    async def stop(self) -> None:
        if self._serving:
            await self._serving.pop().__aexit__(None, None, None)


class _LitestarEdge(Edge):
    """Makes the exceptions that Litestar answers visible to the middleware."""

    def wrap(self, app: Any, inner: Any) -> Stack:
        stack = super().wrap(app, _Reraise(inner))
        return stack._replace(app=_Answered(stack.app))


class _Reraise:
    """Raises again, after the answer, what Litestar has answered with a 500: so Starlette's applications do it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        if _ERROR in scope:
            raise scope[_ERROR]


class _Answered:
    """Keeps an exception that was answered from the server, which would report it a second time."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with _Swallow(scope):
            await self.app(scope, receive, send)


class _Swallow:
    """Ends the one exception that :class:`_Reraise` has raised."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        answered = self._scope.pop(_ERROR, None)
        return error is not None and error is answered


class _Templates:
    """Finds the route template: Litestar's own, and that of a path whose method is not allowed.

    Litestar leaves ``path_template`` once a request is routed; a 405 is not. Its route is the one whose path fits and
    whose methods do not hold the request's.
    """

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._routes: list[tuple[re.Pattern[str], str, Any]] = []
        self._count = -1

    def __call__(self, scope: Any) -> str | None:
        root = scope.get("root_path", "").rstrip("/")
        handler = scope.get("route_handler")
        if getattr(handler, "is_mount", False):
            paths = sorted(handler.paths)
            return f"{root}{paths[0].rstrip('/')}/{{path}}" if len(paths) == 1 else None
        found = scope.get("path_template")
        if found is None and handler is None and scope["type"] == "http":
            found = self._not_allowed(scope["path"].removeprefix(root).rstrip("/") or "/", scope["method"])
        return root + found if found else None

    def _not_allowed(self, path: str, method: str) -> str | None:
        if self._count != len(self._app.routes):
            routes = [route for route in self._app.routes if getattr(route, "methods", None)]
            self._routes = [(_pattern(route.path_format), route.path_format, route.methods) for route in routes]
            self._count = len(self._app.routes)
        for pattern, template, methods in self._routes:
            if method not in methods and pattern.fullmatch(path):
                return template
        return None


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(_PARAMETER.sub("[^/]+", re.escape(template)))


async def _keep(error: Exception, scope: Any) -> None:
    """Remember an exception that nobody has a handler for; Litestar calls this before it answers."""
    if isinstance(error, HTTPException) or getattr(error, "status_code", _SERVER_ERROR) < _SERVER_ERROR:
        return
    handler = scope.get("route_handler")
    handlers = handler.resolve_exception_handlers() if handler is not None else scope["litestar_app"].exception_handlers
    if not any(kind in handlers for kind in type(error).__mro__ if kind is not Exception):
        scope[_ERROR] = error


def _provide_logger(scope: LitestarScope) -> AsyncLoggerFacade:
    """Return the logger of the module that defines the handler."""
    function = getattr(scope.get("route_handler"), "fn", None)
    function = getattr(function, "func", function)  # a synchronous handler is wrapped to run in a thread
    return AsyncLoggerFacade(
        _runtime.origin(getattr(function, "__module__", None) or __name__), _runtime.default_engine
    )
