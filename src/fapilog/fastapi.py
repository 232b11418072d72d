"""FastAPI: a builder that returns a lifespan, and the request's logger as a dependency.

The documented form::

    app = FastAPI(lifespan=FastAPIBuilder().with_preset("fastapi").build())

    @app.get("/orders/{order}")
    async def order(order: int, logger: AsyncLoggerFacade = Depends(get_request_logger)) -> …:
        await logger.info("order shown", order=order)
"""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import routing
from starlette.requests import HTTPConnection

from fapilog import _runtime
from fapilog.asgi.routes import RouteOf
from fapilog.logger.aio import AsyncLoggerFacade
from fapilog.starlette import RouteTemplates, StarletteBuilder

__all__ = ["FastAPIBuilder", "get_request_logger"]


class FastAPIBuilder(StarletteBuilder):
    """Builds the lifespan that puts fapilog in front of a FastAPI application; see :class:`StarletteBuilder`.

    ``FastAPI(lifespan=FastAPIBuilder().with_preset("fastapi").build())``; an application with a lifespan of its own
    passes it on: ``build(lifespan=own)``.
    """

    @staticmethod
    def _route_of(app: Any) -> RouteOf:
        # Before FastAPI 0.137.2 the routes of an included router were copied into the router's own list.
        flatten: Callable[[Any], Iterable[Any]] = getattr(routing, "iter_route_contexts", list)
        return RouteTemplates(app, flatten)


async def get_request_logger(connection: HTTPConnection) -> AsyncLoggerFacade:
    """Return the logger of the request's endpoint, as a dependency: ``logger = Depends(get_request_logger)``.

    Its name is that of the module that defines the endpoint, as if the module had called ``get_logger(__name__)``, so
    that levels set by name apply; ``fapilog.fastapi`` where there is no endpoint. It carries the request's id and
    what is bound, as every logger does within a request. For HTTP and WebSocket endpoints, asynchronous or not: an
    event is taken at the call, which may be awaited or not.
    """
    endpoint = connection.scope.get("endpoint")
    name = getattr(endpoint, "__module__", None) or __name__
    return AsyncLoggerFacade(_runtime.origin(name), _runtime.default_engine)
