"""``/debug/logging`` and what is below it, answered in front of the application.

    server ─► DebugRoute ──below the path──► Guard ──► 401 403 421 429
                  │                            └─────► handler ─► answer
                  └──────everything else─► FapilogMiddleware ─► application

Standing outermost it is reachable although the application has a catch-all route, appears in no OpenAPI document, and
is not logged: whoever polls it does not fill the log.
"""

from collections.abc import Iterable, Mapping

from fapilog.asgi.debug import levels, louder, page, requests, session, status, tail
from fapilog.asgi.debug.answers import HEADERS, Answer, BadRequestError, refuse
from fapilog.asgi.debug.console import Console
from fapilog.asgi.debug.login import prefers_html
from fapilog.asgi.debug.request import Handler, Request, query_of
from fapilog.asgi.types import App, Receive, Scope, Send


async def _front(request: Request) -> Answer | None:
    """Answer the page to a browser, and JSON to everybody else."""
    return await (page.page if prefers_html(request.scope["headers"]) else status.status)(request)


_PLAIN: Mapping[str, Mapping[str, Handler]] = {
    "": {"GET": _front},
    "health": {"GET": status.health},
    "history": {"GET": status.history},
    "levels": {"GET": levels.get_levels, "PUT": levels.put_levels},
    "louder": {"GET": louder.get_louder, "PUT": louder.put_louder},
    "metrics": {"GET": status.metrics},
    "openapi.json": {"GET": status.openapi},
    "requests": {"GET": requests.requests},
    "session": {"POST": session.session},
    "tail": {"GET": tail.tail},
}
_BELOW: Mapping[str, Handler] = {
    "requests/": requests.request,
    "static/": page.static,
    "traces/": requests.trace,
}
"""What answers everything that begins so."""


class DebugRoute:
    """An ASGI application around another one that answers the console's paths itself. Holds no state of a request.

    Args:
        app: The application behind it; also the attribute ``app``, so that instrumentation finds its way in.
        console: What is shown and changed. Its path is taken relative to the application's root path, in exactly this
            spelling: encoded, doubled or slash-ended variants go to the application.
    """

    def __init__(self, app: App, console: Console) -> None:
        """Check nothing: the options did."""
        self.app = app
        self.console = console
        self._path = console.options.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is the console's; pass on everything else untouched, at the first time after telling the link."""
        console = self.console
        if not console.options.announced:
            console.options.announce(scope.get("root_path", ""))
        if scope["type"] == "http":
            console.spans()
            rest = _rest_of(scope, self._path) if self._path in scope["path"] else None
            if rest is not None:
                await self._serve(scope, receive, send, rest)
                return
        await self.app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, rest: str) -> None:
        console, client = self.console, self.console.client_of(scope)
        admission = await console.guard.admit(scope, path=rest, client=client)
        answer = admission.refusal
        if answer is None:
            query = query_of(scope["query_string"])
            answer = await _handled(Request(console, scope, receive, send, rest, query, admission.access, client))
        if answer is not None:
            await _send(send, answer, admission.headers, head=scope["method"] == "HEAD")


async def _handled(request: Request) -> Answer | None:
    """Find who answers a request that was let in, and have it answered."""
    method = request.scope["method"]
    handlers = _PLAIN.get(request.rest)
    if handlers is None:
        below = next((handler for prefix, handler in _BELOW.items() if request.rest.startswith(prefix)), None)
        if below is None:
            return refuse(404, "there is nothing of this name")
        handlers = {"GET": below}
    handler = handlers.get("GET" if method == "HEAD" else method)
    if handler is None:
        allowed = ", ".join([*handlers, "HEAD"] if "GET" in handlers else handlers)
        return refuse(405, f"only {allowed}", ((b"allow", allowed.encode("ascii")),))
    try:
        return await handler(request)
    except BadRequestError as error:
        return error.answer


def _rest_of(scope: Scope, path: str) -> str | None:
    """Return what follows the console's path, ``""`` for the path itself; None if the request is not for it."""
    root = scope.get("root_path", "").rstrip("/")
    for prefix in (root + path, path):
        rest = scope["path"].removeprefix(prefix)
        if rest is not scope["path"] and (not rest or (rest[0] == "/" and rest != "/")):
            return str(rest[1:]) if _is_spelled(scope, rest, (root + path, path)) else None
    return None


def _is_spelled(scope: Scope, rest: str, prefixes: Iterable[str]) -> bool:
    """Tell whether the raw path is spelled as the path is; behind those that end with an id the id may be encoded."""
    raw = scope.get("raw_path")
    if raw is None:
        return True
    raw = raw.split(b"?", 1)[0]
    begins = [(each + below).encode("utf-8", "replace") for each in prefixes for below in _spelled_parts(rest)]
    return raw in begins if rest[1:] in _PLAIN else raw.startswith(tuple(begins))


def _spelled_parts(rest: str) -> Iterable[str]:
    """Return how the part of a path below the console's has to begin."""
    return [f"/{prefix}" for prefix in _BELOW if rest[1:].startswith(prefix)] or [rest]


async def _send(send: Send, answer: Answer, more: Iterable[tuple[bytes, bytes]], *, head: bool) -> None:
    headers = {**HEADERS, b"content-type": answer.content_type, **dict(answer.headers)}
    headers[b"content-length"] = str(len(answer.body)).encode("ascii")
    await send({"type": "http.response.start", "status": answer.status, "headers": [*headers.items(), *more]})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
