"""The route template, from what frameworks leave in the scope."""

from types import SimpleNamespace

import pytest

from fapilog.asgi import FapilogMiddleware
from fapilog.asgi.routes import route_of
from tests.asgi.driver import Server, http_scope, reply, websocket_scope


def route(path, **more):
    return SimpleNamespace(endpoint=print, path_format=path, path=path.replace("}", ":int}"), **more)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ({}, None),
        ({"route": route("/items/{id}")}, "/items/{id}"),
        ({"route": SimpleNamespace(endpoint=print, path="/items/{id:int}")}, "/items/{id:int}"),
        ({"route": SimpleNamespace(path="/mount")}, None),
        ({"route": object()}, None),
        ({"path_template": "/litestar/{id}"}, "/litestar/{id}"),
        ({"path_template": ""}, None),
        ({"path_template": 3}, None),
        ({"fastapi.telemetry": SimpleNamespace(route="/told/{id}"), "route": route("/{id}")}, "/told/{id}"),
        ({"fastapi.telemetry": None, "route": route("/{id}")}, "/{id}"),
        ({"fastapi": {"effective_route_context": route("/prefix/{id}")}, "route": route("/{id}")}, "/prefix/{id}"),
        ({"fastapi": {}, "route": route("/{id}")}, "/{id}"),
        ({"root_path": "/api", "route": route("/{id}")}, "/api/{id}"),
        ({"root_path": "/sub", "app_root_path": "", "route": route("/{id}")}, "/sub/{id}"),
        ({"root_path": "/api/sub", "app_root_path": "/api", "route": route("/{id}")}, "/api/sub/{id}"),
        (
            {
                "root_path": "/shops/7",
                "app_root_path": "",
                "path_params": {"shop": 7, "id": 1},
                "route": route("/{id}"),
            },
            None,
        ),
    ],
)
def test_the_template_is_read_where_frameworks_leave_it(left, expected):
    """A template, or nothing: never the raw path, never a parameter's value."""
    assert route_of(http_scope("/items/7", **left)) == expected


@pytest.mark.asyncio
async def test_it_is_read_after_routing(log):
    """Routing writes into the scope while the application runs."""

    async def app(scope, receive, send):
        scope["route"] = route("/items/{id}")
        await reply(send)

    await Server().run(FapilogMiddleware(app), http_scope("/items/7"))

    assert log.request["http_route"] == "/items/{id}"


@pytest.mark.asyncio
async def test_a_websocket_has_it_from_the_first_event_on(log):
    """It is routed before it is accepted."""

    async def app(scope, receive, send):
        scope["route"] = route("/rooms/{id}")
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    await Server().run(FapilogMiddleware(app), websocket_scope("/rooms/1"))

    assert [event["http_route"] for event in log.requests] == ["/rooms/{id}", "/rooms/{id}"]


@pytest.mark.asyncio
async def test_a_starlette_application_needs_nothing_more(log):
    """Routes, converters, mounts, 404, 405 and slash redirects of the real thing."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    def thing(request):
        return PlainTextResponse("x")

    app = Starlette(routes=[
        Route("/items/{id:int}", thing),
        Mount("/sub", routes=[Route("/deep/{name}", thing)]),
    ])  # fmt: skip
    middleware = FapilogMiddleware(app)
    asked = [("GET", "/items/7"), ("GET", "/sub/deep/a"), ("POST", "/items/7"), ("GET", "/no"), ("GET", "/sub/no")]
    for method, path in asked:
        await Server().run(middleware, http_scope(path, method=method))

    seen = [(event["status_code"], event.get("http_route")) for event in log.requests]
    assert seen == [(200, "/items/{id}"), (200, "/sub/deep/{name}"), (405, "/items/{id}"), (404, None), (404, None)]


@pytest.mark.asyncio
async def test_a_fastapi_application_needs_nothing_more(log):
    """Prefixes of included routers are not lost."""
    from fastapi import APIRouter, FastAPI

    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")

    @inner.get("/items/{item_id}")
    async def item(item_id: int):
        return {}

    outer.include_router(inner)
    app = FastAPI()
    app.include_router(outer, prefix="/v1")
    middleware = FapilogMiddleware(app)
    for method, path in [("GET", "/v1/outer/inner/items/7"), ("POST", "/v1/outer/inner/items/7"), ("GET", "/no"),
                         ("GET", "/v1/outer/inner/items/x")]:  # fmt: skip
        await Server().run(middleware, http_scope(path, method=method))

    template = "/v1/outer/inner/items/{item_id}"
    seen = [(event["status_code"], event.get("http_route")) for event in log.requests]
    assert seen == [(200, template), (405, template), (404, None), (422, template)]
