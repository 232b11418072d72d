"""Litestar 2: a plug-in that puts fapilog in front of the application.

    app = Litestar(route_handlers=[…], plugins=[FapilogPlugin().with_preset("fastapi")])

Litestar routes before it runs the middleware of route handlers, so that middleware sees neither a 404 nor a 405, and it
answers every exception itself, so that nobody outside sees one:

    Litestar ─► _Answered ─► DebugRoute ─► RequestMiddleware ─► _Reraise ─► Litestar's own handler ─► routes
                 swallows what ◄──────────── reports ◄────────── raises what Litestar
                 was answered                                     has answered with a 500
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any

from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.plugins import InitPlugin

from fapilog import _runtime
from fapilog.asgi.routes import RouteOf
from fapilog.hosting import Edge, EdgeBuilder
from fapilog.logger.sync import SyncLoggerFacade

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
        hosted = _Hosted(self.edge("asgi_handler", _make_route_of))
        app_config.lifespan.insert(0, hosted.start)
        app_config.on_shutdown.append(hosted.stop)
        app_config.after_exception.append(_keep)
        app_config.dependencies.setdefault("logger", Provide(_provide_logger, sync_to_thread=False))
        return app_config
