"""The applications of the ASGI scenario: the same FastAPI endpoint, dressed differently.

Each module has ``build(directory)`` and ``EVENTS_PER_REQUEST``.
"""

import importlib
from pathlib import Path
from typing import Protocol, cast

from fastapi import FastAPI


class Dressing(Protocol):
    """What a module in this package offers."""

    EVENTS_PER_REQUEST: int
    SETUP: str

    def build(self, directory: Path) -> FastAPI:
        """Return the application; its lines go to a file in ``directory``."""
        ...


def load(name: str) -> Dressing:
    """Import one, and no other."""
    return cast("Dressing", importlib.import_module(f"benchmarks.asgi_apps.{name}"))


def order(order_id: int) -> dict[str, object]:
    """Return what every endpoint answers."""
    return {"order_id": order_id, "status": "paid", "total": 12.5}
