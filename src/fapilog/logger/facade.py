"""What the synchronous and the asynchronous logger have in common: name, bound fields, level."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

from fapilog.drain_result import DrainResult
from fapilog.event import Origin
from fapilog.logger.capture import NOTHING, bind_fields, wanted


class Drainable(Protocol):
    """What a logger asks of its engine."""

    def flush(self, timeout: float | str | None = None) -> bool: ...  # noqa: D102 - the engine's own say it
    async def flush_async(self, timeout: float | str | None = None) -> bool: ...  # noqa: D102
    def drain(self, timeout: float | str | None = None) -> DrainResult: ...  # noqa: D102
    async def drain_async(self, timeout: float | str | None = None) -> DrainResult: ...  # noqa: D102


class Facade:
    """A logger: a name, the fields bound to it, and the way to an engine. Immutable, thread- and fork-safe."""

    __slots__ = ("_bound", "_engine", "_origin")

    def __init__(self, origin: Origin, engine: Callable[[], Drainable], bound: Mapping[str, Any] = NOTHING) -> None:
        """Loggers are made by ``get_logger`` and the builders.

        Args:
            origin: Where its events start.
            engine: Returns the engine that the logger leads to now.
            bound: Fields on each of its events, already plain.
        """
        self._origin = origin
        self._engine = engine
        self._bound = bound

    @property
    def name(self) -> str:
        """The logger's name, on the wire as ``logger``."""
        return self._origin.name

    def bind(self, **fields: Any) -> Self:
        """Return a new logger with these fields on each of its events, captured by value."""
        return type(self)(self._origin, self._engine, bind_fields(self._bound, fields))

    def unbind(self, *keys: str) -> Self:
        """Return a new logger without these fields; a key that is not bound is ignored."""
        kept = {key: value for key, value in self._bound.items() if key not in keys}
        return type(self)(self._origin, self._engine, kept)

    def is_enabled_for(self, level: str | int) -> bool:
        """Tell whether an event of this level, by name or number, would be taken.

        Raises:
            ConfigError: If there is no such level.
        """
        self._origin.queue.bind(self._origin)
        return wanted(self._origin, self._origin.queue.levels.number(level, "is_enabled_for(level)"))

    def __repr__(self) -> str:
        """Name the logger and the keys, not the values, of what is bound to it."""
        return f"<{type(self).__name__} {self.name!r} bound={list(self._bound)}>"
