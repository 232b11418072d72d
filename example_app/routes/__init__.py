"""The shop's endpoints: one file a topic, nested under ``/api``."""

from fastapi import APIRouter

from example_app.routes import orders, products, reports

api = APIRouter(prefix="/api")
api.include_router(products.router)
api.include_router(orders.router)
api.include_router(reports.router)
