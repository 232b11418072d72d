"""A second application, mounted below the shop: its events carry the request id of the outer one."""

from fastapi import FastAPI

from fapilog import get_logger

log = get_logger(__name__)
backoffice = FastAPI(title="Back office")


@backoffice.get("/health")
async def health() -> dict[str, str]:
    """Say that the back office is there."""
    log.info("Back office asked for its health")
    return {"status": "ok"}


@backoffice.post("/orders/{order_id}/ship", status_code=202)
async def ship_order(order_id: int) -> dict[str, int]:
    """Hand an order to the warehouse."""
    log.info("Order handed to the warehouse", order_id=order_id)
    return {"order_id": order_id}
