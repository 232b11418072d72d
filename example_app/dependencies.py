"""What endpoints ask for."""

from collections.abc import Mapping
from typing import Annotated, cast

from fastapi import Depends, Header
from fastapi.requests import HTTPConnection

from example_app.store import Store
from example_app.updates import OrderUpdates
from fapilog import AsyncLoggerFacade, bind_context
from fapilog.asgi import annotate
from fapilog.fastapi import get_request_logger


def get_store(connection: HTTPConnection) -> Store:
    """Return the store that the lifespan opened."""
    return cast("Mapping[str, Store]", connection.scope["state"])["store"]


def get_updates(connection: HTTPConnection) -> OrderUpdates:
    """Return the hub that the lifespan made."""
    return cast("Mapping[str, OrderUpdates]", connection.scope["state"])["updates"]


def current_customer(x_customer: Annotated[str, Header(pattern=r"^[a-z0-9-]{1,40}$")] = "guest") -> str:
    """Name the customer, and put the name on every later event of this request.

    A synchronous dependency on purpose: it runs in a worker thread, and what it binds still reaches the endpoint and
    the completion event.
    """
    bind_context(customer=x_customer)
    annotate(returning_customer=x_customer != "guest")
    return x_customer


StoreDep = Annotated[Store, Depends(get_store)]
UpdatesDep = Annotated[OrderUpdates, Depends(get_updates)]
CustomerDep = Annotated[str, Depends(current_customer)]
LoggerDep = Annotated[AsyncLoggerFacade, Depends(get_request_logger)]
