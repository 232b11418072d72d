"""Events as filters see them, and counting what goes on."""

from collections.abc import Callable, Iterable
from typing import Any

from fapilog.levels import LevelTable

LEVELS = LevelTable()


def event(message: str = "Order placed", level: str = "INFO", logger: str = "shop", **fields: Any) -> dict[str, Any]:
    return {"timestamp": "2026-01-01T00:00:00Z", "level": level, "logger": logger, "message": message, **fields}


def passed(keep: Callable[[dict[str, Any]], bool], events: Iterable[dict[str, Any]]) -> int:
    return sum(keep(one) for one in events)
