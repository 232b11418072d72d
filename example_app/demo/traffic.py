"""What the customers do: a tour of one request of each kind, then a crowd."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from example_app.demo.server import DemoFailedError

EMAIL = "ada@example.org"
ORDER = {"email": EMAIL, "items": [{"product_id": 3, "quantity": 2}, {"product_id": 4, "quantity": 1}]}
LAST_TIN = {"email": EMAIL, "items": [{"product_id": 5, "quantity": 1}]}
TOO_MANY = {"email": EMAIL, "items": [{"product_id": 5, "quantity": 9}]}
WEBSOCKET = "updates"
REQUEST_SECONDS = 20.0
CUSTOMERS_AT_ONCE = 20


@dataclass(frozen=True)
class Answer:
    """One request as the client saw it.

    Attributes:
        request_id: What we sent as ``X-Request-ID``, and got back.
        status: The status code; 101 for a websocket.
        left_early: Whether we hung up before the last byte.
    """

    request_id: str
    status: int
    left_early: bool = False


Visit = Callable[[httpx.AsyncClient, str], Coroutine[Any, Any, Answer]]


async def call(
    client: httpx.AsyncClient, request_id: str, *, method: str, path: str, expected: int, **kwargs: Any
) -> Answer:
    """Make one request and check its answer.

    Raises:
        DemoFailedError: If the status or the echoed request id is not what it should be.
    """
    headers = {"X-Request-ID": request_id, **kwargs.pop("headers", {})}
    response = await client.request(method, path, headers=headers, **kwargs)
    _expect(request_id, "status", response.status_code, expected)
    _expect(request_id, "X-Request-ID", response.headers.get_list("x-request-id"), [request_id])
    return Answer(request_id, response.status_code)


async def leave_early(client: httpx.AsyncClient, request_id: str) -> Answer:
    """Ask for a long export and hang up after its first chunk."""
    url, headers = "/api/reports/export.csv?rows=1000000", {"X-Request-ID": request_id}
    async with client.stream("GET", url, headers=headers) as response:
        async for _ in response.aiter_raw():
            break
    return Answer(request_id, response.status_code, left_early=True)


def _visit(method: str, path: str, expected: int, **kwargs: Any) -> Visit:
    return partial(call, method=method, path=path, expected=expected, **kwargs)


_PLACE_ORDER = _visit("POST", "/api/orders", 201, json=ORDER, headers={"X-Customer": "ada"})
_REFUSED_ORDER = _visit("POST", "/api/orders", 409, json=TOO_MANY)
_INVALID_ORDER = _visit("POST", "/api/orders", 422, json={"email": "nobody", "items": []})
# uvicorn closes the connection after an exception; the next request must not be on its way over it by then.
_BUG = _visit("GET", "/api/reports/average-order/1999-12-31", 500, headers={"Connection": "close"})

TOUR: dict[str, Visit] = {  # by request id
    "list": _visit("GET", "/api/products", 200),
    "stock": _visit("GET", "/api/products/3/stock", 200),
    "order": _visit("POST", "/api/orders", 201, json=LAST_TIN, headers={"X-Customer": "ada"}),
    "items": _visit("GET", "/api/orders/1/items", 200),
    "slow": _visit("GET", "/api/reports/slow?seconds=0.2", 200),
    "export": _visit("GET", "/api/reports/export.csv?rows=200", 200),
    "ship": _visit("POST", "/backoffice/orders/1/ship", 202),
    "no-product": _visit("GET", "/api/products/99", 404),
    "no-path": _visit("GET", "/nowhere", 404),
    "invalid": _INVALID_ORDER,
    "refused": _REFUSED_ORDER,
    "left-early": leave_early,
    "bug": _BUG,
}
CROWD: tuple[Visit, ...] = (
    _visit("GET", "/api/products", 200),
    _visit("GET", "/api/products/1", 200),
    _visit("GET", "/api/products/2/stock", 200),
    _PLACE_ORDER,
    _visit("GET", "/api/orders/1", 200),
    _visit("GET", "/api/orders/1/items", 200),
    _visit("GET", "/api/reports/slow?seconds=0.05", 200),
    _visit("GET", "/api/reports/export.csv?rows=200", 200),
    _visit("POST", "/backoffice/orders/1/ship", 202),
    _visit("GET", "/api/products/99", 404),
    _visit("GET", "/api/orders/987654", 404),
    _visit("GET", "/nowhere", 404),
    _INVALID_ORDER,
    _REFUSED_ORDER,
)
BUG_EVERY = 25
LEAVE_EARLY_EVERY = 40


async def take_tour(client: httpx.AsyncClient) -> list[Answer]:
    """Make one request of each kind, one after the other, while a websocket listens for orders."""
    async with order_listener(client, WEBSOCKET) as websocket:
        answers = [await visit(client, name) for name, visit in TOUR.items()]
        update = json.loads(await asyncio.wait_for(websocket.recv(), REQUEST_SECONDS))
        _expect(WEBSOCKET, "update", update, {"order_id": update.get("order_id"), "status": "placed"})
    return [*answers, Answer(WEBSOCKET, 101)]


async def send_crowd(client: httpx.AsyncClient, visits: int) -> list[Answer]:
    """Make ``visits`` requests of all kinds, many at a time."""
    gate = asyncio.Semaphore(CUSTOMERS_AT_ONCE)

    async def one(number: int) -> Answer:
        async with gate:
            return await _crowd_visit(number)(client, f"c{number:04d}")

    return await asyncio.gather(*(one(number) for number in range(visits)))


@asynccontextmanager
async def order_listener(client: httpx.AsyncClient, request_id: str) -> AsyncIterator[ClientConnection]:
    """Hold a websocket open that is told about orders."""
    url = str(client.base_url.copy_with(scheme="ws", path="/api/orders/updates"))
    async with connect(url, additional_headers={"X-Request-ID": request_id}, proxy=None) as websocket:
        yield websocket


def _crowd_visit(number: int) -> Visit:
    if number % BUG_EVERY == BUG_EVERY - 1:
        return _BUG
    if number % LEAVE_EARLY_EVERY == LEAVE_EARLY_EVERY - 1:
        return leave_early
    return CROWD[number % len(CROWD)]


def _expect(request_id: str, what: str, got: object, expected: object) -> None:
    if got != expected:
        raise DemoFailedError(f"{request_id}: {what} should be {expected!r}, but is {got!r}")
