"""What goes over the wire."""

from typing import Literal

from pydantic import BaseModel, Field


class Product(BaseModel):
    """Something the shop sells."""

    id: int
    name: str
    price_cents: int
    stock: int


class OrderItem(BaseModel):
    """How many of one product."""

    product_id: int = Field(gt=0)
    quantity: int = Field(gt=0, le=20)


class NewOrder(BaseModel):
    """What a customer sends. The address is for the receipt; where it is logged, redaction masks it."""

    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=200)
    items: list[OrderItem] = Field(min_length=1, max_length=20)


class Order(BaseModel):
    """An order that was taken."""

    id: int
    customer: str
    total_cents: int
    status: Literal["placed", "shipped"]


class OrderUpdate(BaseModel):
    """What the websocket sends for each order."""

    order_id: int
    status: Literal["placed", "shipped"]
