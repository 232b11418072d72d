"""The queue of an engine that keeps a journal: every record is redacted and kept before it is taken."""

from collections.abc import Awaitable, Callable
from typing import Any

from fapilog.engine.journaling import Journaling
from fapilog.engine.queue import EventQueue, QueueOptions
from fapilog.levels import LevelTable


class JournaledQueue(EventQueue):
    """An :class:`EventQueue` to which log calls never append by themselves."""

    def __init__(
        self,
        options: QueueOptions,
        levels: LevelTable,
        start: Callable[[], bool],
        current_context: Callable[[], Any],
        span_key: str,
        journaling: Journaling,
    ) -> None:
        """Make a stopped queue; see :class:`EventQueue`."""
        self._journaling = journaling
        super().__init__(options, levels, start, current_context, span_key)

    def admit(self, record: tuple[Any, ...], *, may_await: bool) -> Awaitable[None] | None:
        """Keep the record, and then do as the other queue does."""
        kept, reason = (record, "") if self.finalising else self._journaling.keep(record)
        if kept is None:
            with self.lock:
                self.lose(reason, record)
            return None
        return super().admit(kept, may_await=may_await)

    def _drop(self, record: tuple[Any, ...]) -> None:
        super()._drop(record)
        self._journaling.let_go([record])

    def _update_limit(self) -> None:
        """Send every call to :meth:`admit`."""
        self.limit = 0
