"""Products and orders in one SQLite file.

This module stands for a library that knows nothing of fapilog: it logs through ``logging``, and its records still
carry the request id.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from example_app.models import Order, OrderItem, Product

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS product (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL, stock INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS placed_order (
    id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total_cents INTEGER NOT NULL, status TEXT NOT NULL,
    day TEXT NOT NULL DEFAULT (date()));
CREATE TABLE IF NOT EXISTS order_item (
    order_id INTEGER NOT NULL REFERENCES placed_order, product_id INTEGER NOT NULL REFERENCES product,
    quantity INTEGER NOT NULL);
"""
SEED = [
    (1, "Kettle", 3900, 10_000),
    (2, "Tea pot", 2450, 10_000),
    (3, "Cup", 690, 10_000),
    (4, "Darjeeling 250 g", 1290, 10_000),
    (5, "Last tin of matcha", 4900, 3),
]
LOW_STOCK = 3
WAIT_FOR_LOCK_SECONDS = 10.0


class UnknownProductError(Exception):
    """There is no such product."""


class OutOfStockError(Exception):
    """There are fewer left than were asked for."""

    def __init__(self, product_id: int, left: int) -> None:
        """Keep what the answer tells the customer."""
        super().__init__(f"only {left} of product {product_id} left")
        self.product_id = product_id
        self.left = left


class Store:
    """All access to the database. Each call opens a connection of its own, so any thread and any process may call."""

    def __init__(self, path: Path) -> None:
        """Create the tables and the seed where they are missing."""
        self._path = path
        with self._connection() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(SCHEMA)
            db.executemany("INSERT OR IGNORE INTO product VALUES (?, ?, ?, ?)", SEED)

    def products(self) -> list[Product]:
        """Return all products."""
        with self._connection() as db:
            return [_product(row) for row in db.execute("SELECT id, name, price_cents, stock FROM product ORDER BY id")]

    def product(self, product_id: int) -> Product:
        """Return one product.

        Raises:
            UnknownProductError: If there is none with this id.
        """
        with self._connection() as db:
            return _find_product(db, product_id)

    def place_order(self, customer: str, items: Sequence[OrderItem]) -> Order:
        """Take the items from the stock and keep the order, both or neither.

        Raises:
            UnknownProductError: If an item names a product that does not exist.
            OutOfStockError: If there are not enough left of one.
        """
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            total_cents = sum(_reserve(db, item) for item in items)
            cursor = db.execute(
                "INSERT INTO placed_order (customer, total_cents, status) VALUES (?, ?, 'placed')",
                (customer, total_cents),
            )
            order_id = cursor.lastrowid or 0
            db.executemany(
                "INSERT INTO order_item VALUES (?, ?, ?)",
                [(order_id, item.product_id, item.quantity) for item in items],
            )
        return Order(id=order_id, customer=customer, total_cents=total_cents, status="placed")

    def order(self, order_id: int) -> Order | None:
        """Return one order, or None."""
        with self._connection() as db:
            row = db.execute(
                "SELECT id, customer, total_cents, status FROM placed_order WHERE id = ?", (order_id,)
            ).fetchone()
        return None if row is None else Order(id=row[0], customer=row[1], total_cents=row[2], status=row[3])

    def order_items(self, order_id: int) -> list[OrderItem]:
        """Return what was ordered; empty for an unknown order."""
        with self._connection() as db:
            rows = db.execute("SELECT product_id, quantity FROM order_item WHERE order_id = ?", (order_id,))
            return [OrderItem(product_id=row[0], quantity=row[1]) for row in rows]

    def day_totals(self, day: str) -> tuple[int, int]:
        """Return how many orders a day had, and their sum in cents."""
        with self._connection() as db:
            count, total = db.execute(
                "SELECT count(*), coalesce(sum(total_cents), 0) FROM placed_order WHERE day = ?", (day,)
            ).fetchone()
        return count, total

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=WAIT_FOR_LOCK_SECONDS)) as db, db:
            yield db


def _find_product(db: sqlite3.Connection, product_id: int) -> Product:
    row = db.execute("SELECT id, name, price_cents, stock FROM product WHERE id = ?", (product_id,)).fetchone()
    if row is None:
        raise UnknownProductError(product_id)
    return _product(row)


def _product(row: Sequence[int | str]) -> Product:
    return Product.model_validate(dict(zip(("id", "name", "price_cents", "stock"), row, strict=True)))


def _reserve(db: sqlite3.Connection, item: OrderItem) -> int:
    product = _find_product(db, item.product_id)
    left = product.stock - item.quantity
    if left < 0:
        raise OutOfStockError(product.id, product.stock)
    db.execute("UPDATE product SET stock = ? WHERE id = ?", (left, product.id))
    log.debug("Reserved %d of %s", item.quantity, product.name, extra={"product_id": product.id, "stock_left": left})
    if left < LOW_STOCK:
        log.warning("Only %d left of %s", left, product.name, extra={"product_id": product.id, "stock_left": left})
    return product.price_cents * item.quantity
