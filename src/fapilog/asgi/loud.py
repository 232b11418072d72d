"""One request louder: which events below the levels of their loggers come out all the same.

    logger.debug("…")   the level is off, and this request wants more (``context.Scope.below``)
        └─► Loud.take ─┬─ a grant of this level, not over, for the request or for the user bound to it ─► the queue
                       └─ none ─► whoever else wants the event (the flight recorder), or nobody

A grant is what a signed header or a rule of the console gives. It ends by the clock, in the middle of a request too:
what a request starts may go on for as long as the process lives.
"""

import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fapilog.context import Below, RequestContext
from fapilog.event import Intake

LOG_LEVEL = "log_level"
USER_KEYS = ("user_id", "user", "user.id", "enduser.id")
"""Which bound fields say whose request it is; the last two are OpenTelemetry's names."""
_ABOVE_ALL = 1_001
_LEVELNO, _BOUND, _LOCAL, _SHARED = 1, 5, 6, 7


class Grant:
    """A level for some requests until some time. Thread-safe.

    Attributes:
        level: The lowest level that comes out.
        name: Its name.
        deadline: When it ends, on the monotonic clock.
        user: Only requests to which this user is bound, from then on; None for whole requests.
        matched: How many requests it made louder.
    """

    __slots__ = ("_lock", "deadline", "level", "matched", "name", "user")

    def __init__(self, level: int, name: str, deadline: float, user: str | None = None) -> None:
        """Match nothing yet."""
        self.level = level
        self.name = name
        self.deadline = deadline
        self.user = user
        self.matched = 0
        self._lock = threading.Lock()

    def count(self) -> None:
        """Note one more request."""
        with self._lock:
            self.matched += 1

    def is_of(self, *fields: Mapping[str, Any]) -> bool:
        """Tell whether one of the mappings has the user; a number counts as its text."""
        return any(_says(each.get(key), self.user) for each in fields if each for key in USER_KEYS)


class Loud:
    """Takes the events of one request that its grants let through, and leaves the others to somebody else.

    Lives as long as anything has the request's context: its tasks and threads, the tasks that they have started.
    Thread-safe.

    Attributes:
        level: The lowest level that anybody wants to see here.
    """

    __slots__ = ("__weakref__", "_close", "_context", "_grants", "_inner", "_matched", "_monotonic", "level")

    def __init__(
        self,
        grants: Sequence[Grant],
        inner: Below | None,
        context: RequestContext,
        monotonic: Callable[[], float],
    ) -> None:
        """Note the level of the grants for all on the completion event.

        Args:
            grants: At least one.
            inner: Who gets what no grant lets through.
            context: The request's.
            monotonic: The clock of the grants' deadlines.
        """
        self._grants = tuple(grants)
        self._inner = inner
        self._context = context
        self._monotonic = monotonic
        self._close: Callable[[], Any] = _nothing
        self._matched: set[Grant] = set()
        self.level = min(grant.level for grant in grants)
        if inner is not None:
            self.level = min(self.level, inner.level)
        for grant in grants:
            if grant.user is None:
                self._match(grant)

    def close_at_end(self, close: Callable[[], Any]) -> None:
        """Have ``close`` called when it is seen that all grants are over; it may be called by others, too."""
        self._close = close

    def take(
        self,
        record: tuple[Any, ...],
        size_bytes: int,
        queue: Intake,
        may_await: bool,  # noqa: FBT001 - as the protocol has it
    ) -> Awaitable[None] | None:
        """Hand the record in if a grant lets it through."""
        return self.take_or(self._inner, record, size_bytes, queue, may_await)

    def over(self, inner: Below) -> Below:
        """Return the same with another ``inner``, for a block of the request: ``with recorder():``."""
        return _Over(self, inner)

    def take_or(
        self,
        inner: Below | None,
        record: tuple[Any, ...],
        size_bytes: int,
        queue: Intake,
        may_await: bool,  # noqa: FBT001 - as the protocol has it
    ) -> Awaitable[None] | None:
        """Do as :meth:`take`, and give ``inner`` what no grant lets through."""
        levelno = record[_LEVELNO]
        now = self._monotonic()
        over = True
        for grant in self._grants:
            if now >= grant.deadline:
                continue
            over = False
            if grant.level <= levelno and self._holds(grant, record[_BOUND], record[_LOCAL], record[_SHARED]):
                return queue.admit(record, may_await=may_await)
        if over:
            self.level = _ABOVE_ALL if self._inner is None else self._inner.level
            self._close()
        return None if inner is None or inner.level > levelno else inner.take(record, size_bytes, queue, may_await)

    def is_on(self) -> bool:
        """Tell whether the request was louder than others at any time, or would be now: its user may be known late."""
        now = self._monotonic()
        for grant in self._grants:
            if now < grant.deadline:
                self._holds(grant)
        return bool(self._matched)

    def _holds(self, grant: Grant, *fields: Mapping[str, Any]) -> bool:
        """Tell whether a grant is for this request, as far as one knows by now."""
        if grant in self._matched:
            return True
        context = self._context
        if not grant.is_of(context.noted, context.shared, *fields):
            return False
        self._match(grant)
        return True

    def _match(self, grant: Grant) -> None:
        if grant not in self._matched:
            self._matched.add(grant)
            grant.count()
            lowest = min(self._matched, key=_level_of)
            self._context.note({LOG_LEVEL: lowest.name})


class _Over:
    """A louder request's grants around a block that has somebody of its own for what none lets through."""

    __slots__ = ("_inner", "_loud", "level")

    def __init__(self, loud: Loud, inner: Below) -> None:
        self._loud = loud
        self._inner = inner
        self.level = min(loud.level, inner.level)

    def over(self, inner: Below) -> Below:
        """Return the same for a block within the block."""
        return _Over(self._loud, inner)

    def take(
        self,
        record: tuple[Any, ...],
        size_bytes: int,
        queue: Intake,
        may_await: bool,  # noqa: FBT001 - as the protocol has it
    ) -> Awaitable[None] | None:
        """Hand the record in if a grant lets it through."""
        return self._loud.take_or(self._inner, record, size_bytes, queue, may_await)


def _says(value: object, user: str | None) -> bool:
    return value == user if type(value) is str else type(value) is int and str(value) == user


def _level_of(grant: Grant) -> int:
    return grant.level


def _nothing() -> None:
    """Do nothing."""
