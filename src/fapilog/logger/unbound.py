"""Where the events of loggers go that lead to no engine yet."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fapilog.event import Origin
from fapilog.levels import LevelTable


class Unbound:
    """The intake of loggers that have no engine yet: the first event asks for the default one, which builds it.

    Args:
        levels: The process's level names.
        engine: Returns the default engine.
    """

    def __init__(self, levels: LevelTable, engine: Callable[[], Any]) -> None:
        """Hold nothing, and never will."""
        self.items: deque[Any] = deque()
        self.limit = 0
        self.span_key = ""
        self.levels = levels
        self._engine = engine

    def current_context(self) -> dict[str, Any]:
        """Return nothing: the context is read once there is an engine."""
        return {}

    def copy_fields(self, fields: Mapping[str, Any]) -> None:
        """Leave it: the copy is made once there is an engine."""

    def bind(self, origin: Origin) -> None:
        """Lead an origin to the default engine."""
        self._engine().adopt([origin])

    def admit(self, record: tuple[Any, ...], *, may_await: bool) -> Awaitable[None] | None:
        """Pass a record on to the default engine."""
        admitted: Awaitable[None] | None = self._engine().queue.admit(record, may_await=may_await)
        return admitted
