"""Orders: a transaction, a background e-mail, a websocket, and a router inside this router."""

import asyncio

from fastapi import APIRouter, BackgroundTasks, HTTPException, WebSocket, WebSocketDisconnect

from example_app.dependencies import CustomerDep, LoggerDep, StoreDep, UpdatesDep
from example_app.models import NewOrder, Order, OrderItem, OrderUpdate
from fapilog import carry_context, get_logger
from fapilog.asgi import annotate

router = APIRouter(prefix="/orders", tags=["orders"])
items = APIRouter(prefix="/{order_id}/items")
log = get_logger(__name__)

MAIL_SERVER_SECONDS = 0.05
SHOP_CLOSES = 1001


@router.post("", status_code=201)
async def create_order(
    order: NewOrder,
    customer: CustomerDep,
    store: StoreDep,
    updates: UpdatesDep,
    logger: LoggerDep,
    background: BackgroundTasks,
) -> Order:
    """Take an order; the receipt goes out after the answer, in a trace of its own that is linked to this one."""
    await logger.debug("Order received", items=[item.model_dump() for item in order.items])
    placed = await asyncio.to_thread(store.place_order, customer, order.items)
    listeners = updates.publish(OrderUpdate(order_id=placed.id, status="placed"))
    annotate(order_id=placed.id, total_cents=placed.total_cents)
    await logger.info("Order placed", order_id=placed.id, items=len(order.items), listeners=listeners)
    background.add_task(carry_context(send_receipt, link=True), placed.id, order.email)
    return placed


@router.get("/{order_id}")
async def get_order(order_id: int, store: StoreDep, logger: LoggerDep) -> Order:
    """Show one order."""
    order = await asyncio.to_thread(store.order, order_id)
    if order is None:
        await logger.warning("Order not found", order_id=order_id)
        raise HTTPException(404, f"There is no order {order_id}")
    await logger.info("Order viewed", order_id=order.id, status=order.status)
    return order


@items.get("")
async def get_order_items(order_id: int, store: StoreDep, logger: LoggerDep) -> list[OrderItem]:
    """Show what was ordered; its route template has three prefixes."""
    found = await asyncio.to_thread(store.order_items, order_id)
    await logger.info("Order items viewed", order_id=order_id, count=len(found))
    return found


@router.websocket("/updates")
async def order_updates(websocket: WebSocket, updates: UpdatesDep) -> None:
    """Send every order of this worker as it is placed, until the client goes."""
    await websocket.accept()
    listener = updates.subscribe()
    try:
        await _send_until_closed(websocket, listener)
    finally:
        updates.unsubscribe(listener)


async def send_receipt(order_id: int, email: str) -> None:
    """Stand in for a mail server. The address is logged as ``***``, whoever forgets that it should not be."""
    await asyncio.sleep(MAIL_SERVER_SECONDS)
    log.info("Receipt sent", order_id=order_id, email=email)


async def _send_until_closed(websocket: WebSocket, listener: asyncio.Queue[OrderUpdate]) -> None:
    async def send_updates() -> None:
        while True:
            update = await listener.get()
            await websocket.send_json(update.model_dump())
            log.info("Order update sent", order_id=update.order_id)

    sender = asyncio.create_task(send_updates())
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect as closed:
        log.info("Listener left", code=closed.code)
    finally:
        sender.cancel()


router.include_router(items)
