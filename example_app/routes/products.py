"""Products: an async list, a synchronous endpoint, a 404."""

import asyncio

from fastapi import APIRouter

from example_app.dependencies import LoggerDep, StoreDep
from example_app.models import Product
from fapilog import get_logger
from fapilog.asgi import annotate

router = APIRouter(prefix="/products", tags=["products"])
log = get_logger(__name__)


@router.get("")
async def list_products(store: StoreDep, logger: LoggerDep) -> list[Product]:
    """List everything the shop sells."""
    products = await asyncio.to_thread(store.products)
    await logger.info("Products listed", count=len(products))
    return products


@router.get("/{product_id}")
async def get_product(product_id: int, store: StoreDep, logger: LoggerDep) -> Product:
    """Show one product."""
    product = await asyncio.to_thread(store.product, product_id)
    await logger.info("Product viewed", product_id=product.id, price_cents=product.price_cents)
    return product


@router.get("/{product_id}/stock")
def get_stock(product_id: int, store: StoreDep) -> int:
    """Say how many are left: a synchronous endpoint, in a worker thread, with a module-level logger."""
    product = store.product(product_id)
    annotate(product_id=product.id)
    log.info("Stock checked", product_id=product.id, stock=product.stock)
    return product.stock
