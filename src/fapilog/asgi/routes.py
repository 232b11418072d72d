"""The route template of a request, read from what frameworks leave in the scope. No framework is imported."""

from collections.abc import Callable, Mapping
from typing import Any

RouteOf = Callable[[Any], str | None]
"""Takes the scope after routing, returns the template, or None where there is none or nobody can know."""


def route_of(scope: Mapping[str, Any]) -> str | None:
    """Return the template with the root path in front, such as ``/shops/{shop}``, or None if there is none.

    In this order: what FastAPI's telemetry has found, the route context of an included router (FastAPI), the
    ``path_template`` that Litestar leaves, and ``scope["route"]`` of Starlette and FastAPI. A 404 has none. Below a
    mount the prefix is known only as it was asked for, so a mount with parameters has none either: the host modules
    (``fapilog.fastapi`` …) know more.
    """
    found = getattr(scope.get("fastapi.telemetry"), "route", None) or scope.get("path_template")
    if found is not None and _is_template(found):
        return f"{_root(scope)}{found}"
    own = scope.get("fastapi")
    context = own.get("effective_route_context") if isinstance(own, Mapping) else None
    for route in (context, scope.get("route")):
        template = _template_of(route) if route is not None else None
        if template is not None:
            root = _root(scope)
            mount = scope.get("root_path", "").rstrip("/").removeprefix(root)
            return None if _holds_parameter(mount, scope, template) else f"{root}{mount}{template}"
    return None


def _root(scope: Mapping[str, Any]) -> str:
    root: str = scope.get("app_root_path", scope.get("root_path", ""))
    return root.rstrip("/")


def _template_of(route: Any) -> str | None:
    """Return the path of a route that has an endpoint; a mount has none, and if it is the last, nothing matched."""
    if getattr(route, "endpoint", None) is None:
        return None
    for name in ("path_format", "path"):
        found = getattr(route, name, None)
        if _is_template(found):
            return str(found)
    return None


def _holds_parameter(mount: str, scope: Mapping[str, Any], template: str) -> bool:
    parameters = scope.get("path_params") or {}
    return bool(mount) and any("{" + name not in template for name in parameters)


def _is_template(found: object) -> bool:
    return isinstance(found, str) and found.startswith("/")
