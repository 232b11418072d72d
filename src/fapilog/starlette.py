"""Starlette: a builder that returns a lifespan, and the route template of a request.

The documented form::

    app = Starlette(routes=…, lifespan=StarletteBuilder().with_preset("fastapi").build())
"""

import inspect
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

from starlette.routing import BaseRoute, Host, Mount

from fapilog.asgi.routes import RouteOf
from fapilog.errors import ConfigError
from fapilog.hosting import EdgeBuilder

__all__ = ["StarletteBuilder"]

_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*(:[A-Za-z_][A-Za-z0-9_]*)?\}")
_REST = "{path:path}"
_DEEPEST = 20


Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


class StarletteBuilder(EdgeBuilder):
    """Builds the lifespan that puts fapilog in front of a Starlette application.

    ``Starlette(lifespan=StarletteBuilder().with_preset("fastapi").build())``. While the lifespan runs the middleware
    stands outermost, the engine is the process's default, and the server's loggers are taken over. Where no
    lifespan runs (``lifespan="off"``, a test client that was not entered) nothing is installed; for that there is
    ``FapilogMiddleware``.
    """

    def build(self, lifespan: Lifespan | None = None) -> Lifespan:
        """Return the lifespan. It may run again after it has ended.

        Args:
            lifespan: The application's own, which runs inside: what it yields becomes the state, what it raises goes
                on unchanged, and the drain comes after its end in any case.

        Raises:
            ConfigError: If any value cannot be used.
        """
        own = _checked(lifespan)
        edge = self.edge("middleware_stack", self._route_of)

        @asynccontextmanager
        async def fapilog_lifespan(app: Any) -> AsyncIterator[Any]:
            if app.middleware_stack is None:
                # Called by hand, not through the application, which would have built it for its lifespan scope.
                app.middleware_stack = app.build_middleware_stack()
            async with edge.serve(app):
                if own is None:
                    yield None
                else:
                    async with own(app) as state:
                        yield state

        return fapilog_lifespan

    @staticmethod
    def _route_of(app: Any) -> RouteOf:
        return RouteTemplates(app)


class _Place(NamedTuple):
    """Where an endpoint stands in the tree of routes."""

    template: str
    pattern: re.Pattern[str]
    answers: bool
    redirects: bool


class RouteTemplates:
    """Finds ``/shops/{shop}/orders/{order}`` for a request that has been routed.

    The tree of routes is read at the first request and again when the application has more routes than then. What
    routing leaves in the scope is the endpoint, so that is the key; only where one endpoint stands in several
    places does the path decide. Thread-safe: the index is replaced as a whole.

    Args:
        app: The application, anything with ``routes``.
        flatten: Turns a list of routes into one without included routers.
    """

    def __init__(self, app: Any, flatten: Callable[[Any], Iterable[Any]] = list) -> None:
        """Read nothing yet: routes may still be added."""
        self._app = app
        self._router = getattr(app, "router", app)
        self._flatten = flatten
        self._index: dict[int, list[_Place]] = {}
        self._only: dict[int, str] = {}
        self._held: list[Any] = []
        self._count = -1

    def __call__(self, scope: Any) -> str | None:
        """Return the template with the root path in front, or None: nothing has matched, or nobody can know.

        Asked after routing. 405 and 422 have the template of the route; a redirect that only adds or removes the
        last slash has that of its target; a 404 has none. Below an application that shows no routes (static
        files) it ends in ``{path}``.
        """
        if self._count != len(self._router.routes):
            self._read()
        root = scope.get("app_root_path", scope.get("root_path"))
        root = root.rstrip("/") if root else ""
        endpoint = scope.get("endpoint")
        template = self._only.get(id(endpoint)) or self._search(scope, root, endpoint)
        return root + template if template is not None else None

    def _search(self, scope: Any, root: str, endpoint: Any) -> str | None:
        """Find the template where the endpoint alone does not tell it."""
        path = scope["path"]
        if root and path.startswith(root + "/"):
            path = path[len(root) :]
        if endpoint is None or id(endpoint) in self._index:
            answering = [place for place in self._index.get(id(endpoint), ()) if place.answers]
            if answering:
                return _first(answering, path)
            return self._redirected(path) if scope["type"] == "http" else None
        return _unknown(scope, root)

    def _redirected(self, path: str) -> str | None:
        """Return the route that differs from ``path`` by the last slash, where its router redirects there."""
        if path == "/":
            return None
        other = path.rstrip("/") if path.endswith("/") else path + "/"
        return _first((place for places in self._index.values() for place in places if place.redirects), other)

    def _read(self) -> None:
        count = len(self._router.routes)
        index: dict[int, list[_Place]] = {}
        held: list[Any] = []
        for endpoint, place in self._places(self._app, "", 0):
            index.setdefault(id(endpoint), []).append(place)
            held.append(endpoint)
        # The endpoints are kept alive, so that no other object can come to have the id of one.
        single = {key: places[0] for key, places in index.items() if len(places) == 1}
        self._only = {key: place.template for key, place in single.items() if place.answers}
        self._index, self._held, self._count = index, held, count

    def _places(self, app: Any, prefix: str, depth: int) -> Iterator[tuple[Any, _Place]]:
        redirects = bool(getattr(getattr(app, "router", app), "redirect_slashes", False))
        for route in self._flatten(app.routes):
            kind = getattr(route, "original_route", route)
            if isinstance(kind, Mount | Host):
                below = prefix + (route.path if isinstance(kind, Mount) else "")
                inner = _with_routes(route.app)
                yield route.app, _place(f"{below}/{_REST}", answers=inner is None, redirects=False)
                if inner is not None and depth < _DEEPEST:
                    yield from self._places(inner, below, depth + 1)
            elif getattr(route, "endpoint", None) is not None and isinstance(kind, BaseRoute):
                yield route.endpoint, _place(prefix + route.path, answers=True, redirects=redirects)


def _place(path: str, *, answers: bool, redirects: bool) -> _Place:
    """Return the place of a path as the routes spell it, converters included."""
    parts, template, end = [], [], 0
    for match in _PARAMETER.finditer(path):
        literal = path[end : match.start()]
        parts += [re.escape(literal), ".*" if match[1] == ":path" else "[^/]+"]
        template += [literal, match[0].partition(":")[0].rstrip("}"), "}"]
        end = match.end()
    template.append(path[end:])
    return _Place("".join(template), re.compile("".join([*parts, re.escape(path[end:])])), answers, redirects)


def _first(places: Iterable[_Place], path: str) -> str | None:
    return next((place.template for place in places if place.pattern.fullmatch(path)), None)


def _with_routes(app: Any) -> Any:
    """Return the application behind middleware that has routes to read, or None."""
    for _ in range(_DEEPEST):
        if isinstance(getattr(app, "routes", None), list):
            return app
        app = getattr(app, "app", None)
    return None


def _unknown(scope: Any, root: str) -> str | None:
    """Return the template of an endpoint that the tree does not show: its application hides behind a closure.

    Where it is mounted is then known only as the path that was asked for, which may hold a parameter's value, so
    there is an answer only if it is mounted nowhere.
    """
    route = scope.get("route")
    template = getattr(route, "path_format", None)
    nowhere = scope.get("root_path", "").rstrip("/") == root
    return template if isinstance(template, str) and nowhere else None


def _checked(lifespan: Any) -> Lifespan | None:
    """Return the user's lifespan as a context manager factory.

    Raises:
        ConfigError: If it is something else.
    """
    if lifespan is None:
        return None
    if inspect.isasyncgenfunction(lifespan):
        return asynccontextmanager(lifespan)
    if not callable(lifespan) or inspect.iscoroutinefunction(lifespan) or inspect.isgeneratorfunction(lifespan):
        raise ConfigError.wrong("build(lifespan)", lifespan, "a function decorated with @asynccontextmanager")
    return lifespan  # type: ignore[no-any-return]
