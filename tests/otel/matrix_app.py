"""One FastAPI application with an endpoint for each row of the matrix, and what is to be seen of each."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from opentelemetry.trace import Tracer
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from fapilog import get_logger
from tests.asgi.driver import Message, Server, http_scope, websocket_scope

LOGGER = "shop"
shop = get_logger(LOGGER)


class Case(NamedTuple):
    """One kind of request.

    Attributes:
        route: The template; the request asks for it with 7 as the item.
        status: Of the answer; None for a WebSocket.
        before: What the application logs before the last body byte, in order.
        after: What it logs after it.
        completion: The message of the completion event.
        error: The exception that the application raises.
    """

    route: str
    status: int | None
    before: tuple[str, ...]
    after: tuple[str, ...] = ()
    completion: str = "request_completed"
    error: str | None = None

    @property
    def path(self) -> str:
        """What the client asks for."""
        return self.route.replace("{item}", "7")

    @property
    def logged(self) -> set[str]:
        """All messages of the request."""
        opened = {"websocket_opened"} if self.status is None else set()
        return {*self.before, *self.after, *opened, self.completion}

    @property
    def infos(self) -> int:
        """How many INFO events there are before the last body byte, those of the middleware included."""
        return len(self.before) - self.warnings + (self.status is None)

    @property
    def warnings(self) -> int:
        """How many WARNING events."""
        return "refused" in self.before


CASES = {
    "ok": Case("/items/{item}", 200, ("dependency", "endpoint", "inside", "thread")),
    "handled 4xx": Case("/missing/{item}", 404, ("dependency", "inside", "refused")),
    "unhandled 500": Case(
        "/broken/{item}", 500, ("dependency", "inside"), completion="request_failed", error="RuntimeError"
    ),
    "streaming": Case("/stream/{item}", 200, ("dependency", "inside", "chunk 1", "chunk 2", "last")),
    "websocket": Case("/live/{item}", None, ("dependency", "inside", "message"), completion="websocket_closed"),
    "background task": Case("/later/{item}", 200, ("dependency", "inside"), ("later", "later still")),
    "sync endpoint": Case("/sync/{item}", 200, ("dependency", "endpoint", "inside")),
}
FAILING_BACKGROUND = Case(
    "/too-late/{item}", 200, ("dependency", "inside"), ("later",), completion="request_failed", error="KeyError"
)


class Watch(Server):
    """The server's part, which looks at the server spans that have ended whenever something happens.

    Attributes:
        seen: How many had ended when a thing happened, by the name of the thing.
        shown: How many have ended; set by the test.
    """

    def __init__(self, *messages: Message, shown: Callable[[], int] = lambda: 0) -> None:
        super().__init__(*messages)
        self.seen: dict[str, int] = {}
        self._shown = shown

    def look(self, what: str) -> None:
        """Note how many have ended."""
        self.seen[what] = self._shown()

    async def send(self, message: Message) -> None:
        """Keep a message of the application."""
        await super().send(message)
        self.look("last byte" if message["type"] == "http.response.body" and not message.get("more_body") else "sent")


def application(tracer: Tracer, **options: Any) -> FastAPI:
    """Return the application; each endpoint logs within a span of its own, too."""
    app = FastAPI(**options)
    app.state.watch = Watch()

    def work() -> None:
        with tracer.start_as_current_span("work"):
            shop.info("inside")

    def watched(message: str) -> None:
        app.state.watch.look(message)
        shop.info(message)

    router = APIRouter(dependencies=[Depends(_dependency)])
    _add_plain(router, work)
    _add_long(router, work, watched)
    _add_background(router, work, watched)
    app.include_router(router)
    return app


def _dependency() -> None:
    shop.info("dependency")


def _add_plain(app: APIRouter, work: Callable[[], None]) -> None:
    @app.get("/items/{item}")
    async def show(item: int) -> int:
        shop.info("endpoint")
        work()
        await run_in_threadpool(shop.info, "thread")
        return item

    @app.get("/sync/{item}")
    def sync(item: int) -> int:
        shop.info("endpoint")
        work()
        return item

    @app.get("/missing/{item}")
    async def missing(item: int) -> None:
        work()
        shop.warning("refused")
        raise HTTPException(404, f"no item {item}")

    @app.get("/broken/{item}")
    async def broken(item: int) -> None:
        work()
        raise RuntimeError(f"item {item} is broken")


def _add_long(app: APIRouter, work: Callable[[], None], watched: Callable[[str], None]) -> None:
    @app.get("/stream/{item}")
    async def stream(item: int) -> StreamingResponse:
        work()

        async def chunks() -> AsyncIterator[bytes]:
            watched("chunk 1")
            yield b"a"
            watched("chunk 2")
            yield b"b"
            watched("last")

        return StreamingResponse(chunks())

    @app.websocket("/live/{item}")
    async def live(socket: WebSocket, item: int) -> None:
        await socket.accept()
        work()
        text = await socket.receive_text()
        watched("message")
        await socket.send_text(f"{text} {item}")
        await socket.close(1000)


def _add_background(app: APIRouter, work: Callable[[], None], watched: Callable[[str], None]) -> None:
    @app.get("/later/{item}")
    async def later(item: int, tasks: BackgroundTasks) -> int:
        work()
        tasks.add_task(run_in_threadpool, watched, "later")
        tasks.add_task(_as_task, watched, "later still")
        return item

    @app.get("/too-late/{item}")
    async def too_late(item: int, tasks: BackgroundTasks) -> int:
        work()

        async def fail() -> None:
            watched("later")
            raise KeyError(item)

        tasks.add_task(fail)
        return item


async def _as_task(watched: Callable[[str], None], message: str) -> None:
    """Log in a task that the background task starts."""

    async def log() -> None:
        watched(message)

    await asyncio.create_task(log())


async def ask(app: Any, case: Case, watch: Watch, headers: Any = ()) -> BaseException | None:
    """Send one request; return what the application raised. The answer is in ``watch``."""
    make = http_scope if case.status is not None else websocket_scope
    try:
        await watch.run(app, make(case.path, headers=headers))
    except Exception as error:  # noqa: BLE001 - handed back
        return error
    return None


def messages_of(case: Case) -> list[Message]:
    """Return what the client sends."""
    if case.status is not None:
        return []
    return [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """Run the application's lifespan around a block, as a server does."""
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    task = asyncio.create_task(app(scope, to_app.get, from_app.put))
    for phase in ("startup", "shutdown"):
        await to_app.put({"type": f"lifespan.{phase}"})
        assert await from_app.get() == {"type": f"lifespan.{phase}.complete"}
        if phase == "startup":
            yield
    await task
