"""``/debug/logging/levels``: see the levels, and change one for a while.

    PUT {"logger": "app.db", "level": "DEBUG", "ttl_seconds": 600}
      ├─ engine.set_level                 loggers of fapilog, those obtained and bound before among them
      ├─ StdlibLevels.turn                loggers of ``logging`` whose records come to fapilog
      ├─ an event ``log_level_changed``   who, what, until when
      └─ a timer ─► what was there before, if nobody has set anything else meanwhile; ``log_level_restored``

This process only: with several workers each has its own levels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fapilog.asgi.debug.answers import Answer, BadRequestError, as_json
from fapilog.asgi.debug.request import Request
from fapilog.asgi.debug.timers import CallLater, Timer, on_loop
from fapilog.asgi.debug.told import tell
from fapilog.clock import Clock
from fapilog.coerce import to_text
from fapilog.errors import ConfigError
from fapilog.event import timestamp
from fapilog.levels import INFO
from fapilog.stdlib.levels import StdlibLevels, taken_from, with_own_level

MOST_SECONDS = 86_400
_MOST_CHANGES = 200
_MOST_LOGGERS = 500
_LONGEST_NAME = 200
_KEYS = ("logger", "level", "ttl_seconds")
_SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class _Change:
    """A change that ends by itself, and what was there before it."""

    engine: Any
    logger: str | None
    level: int
    before: int | None
    """The override that was there, None if there was none; of the default level always a number."""
    stdlib_before: int | None
    until: float
    until_ns: int
    who: str
    timer: Timer | None = None


class TemporaryLevels:
    """Changes levels, for a while or until they are reset.

    What ends by itself gives back what was there before the first of an unbroken chain of such changes of the same
    name, unless somebody else has set that name's level since. For the thread of the server's loop. A forked child
    keeps the levels; its own console takes them back at the next look.

    Each change is an event of the logger ``fapilog.console``, at INFO, which comes out whatever the levels are: its
    threshold is nobody's to set. Only a sink's own filter may hold it back.

    Args:
        engine: Returns the engine whose levels are meant, now. A change is taken back on the engine it was made on; if
            that has been replaced meanwhile, without an event.
        clock: For the times that are told, and for what has expired while there was no loop to say so.
        call_later: Calls what is due.
    """

    def __init__(self, engine: Callable[[], Any], clock: Clock, call_later: CallLater = on_loop) -> None:
        """Change nothing."""
        self._engine = engine
        self._clock = clock
        self._call_later = call_later
        self._changes: dict[str | None, _Change] = {}
        self._stdlib = StdlibLevels()

    def set(self, logger: str | None, level: str | int | None, ttl_seconds: float | None, who: str) -> None:
        """Change a level, and tell it.

        Args:
            logger: The name, with all below it that have no level of their own; None for the default level.
            level: By name or number; None takes the name back to what was configured, and ends what is running.
            ttl_seconds: When the change ends by itself; None for one that stays until it is reset.
            who: The address that the event names; ``""`` if nobody knows.

        Raises:
            ConfigError: For a level that does not exist, or if 200 changes are running already.
        """
        self._end_due()
        engine = self._engine()
        number = None if level is None else engine.queue.levels.number(level, "level")
        lasting = number is None or ttl_seconds is None
        if not lasting and logger not in self._changes and len(self._changes) >= _MOST_CHANGES:
            raise ConfigError.wrong("ttl_seconds", ttl_seconds, f"at most {_MOST_CHANGES} changes at a time")
        level_before = _effective(engine, logger)
        running = self._release(logger, engine)
        held = _held(engine, logger)
        stdlib_before = self._stdlib.level(logger) if running is None else running.stdlib_before
        if running is not None and held == running.level:
            held = running.before
        engine.set_level(number, logger)
        self._stdlib.turn(logger, number)
        after = _effective(engine, logger)
        change = None
        if number is not None and ttl_seconds is not None:
            until = self._clock.monotonic() + ttl_seconds
            until_ns = self._clock.time_ns() + int(ttl_seconds * _SECOND_NS)
            change = _Change(engine, logger, number, held, stdlib_before, until, until_ns, who)
            self._changes[logger] = change
            change.timer = self._call_later(ttl_seconds, partial(self._expired, change))
        if number is not None:
            until_text = None if change is None else timestamp(change.until_ns)
            more = {"ttl_seconds": ttl_seconds, "until": until_text}
            self._tell("log_level_changed", engine, logger, level_before, after, who, more)
        elif running is not None or after != level_before:
            self._tell("log_level_restored", engine, logger, level_before, after, who, {"reason": "reset"})

    def look(self) -> dict[str, Any]:
        """Return what ``GET levels`` answers: the default level, the loggers worth a word, the levels there are."""
        self._end_due()
        engine = self._engine()
        name, rules = engine.queue.levels.name, engine.levels
        overridden = sorted({*rules.overrides, *(each for each in self._changes if each is not None)})
        others = sorted({*engine.logger_names(), *with_own_level()}.difference(overridden))
        names = [*overridden, *others][:_MOST_LOGGERS]

        def row(logger: str | None, configured: int | None) -> dict[str, Any]:
            taken = taken_from(logger)
            change = self._changes.get(logger)
            if change is not None and change.engine is not engine:
                change = None
            return {
                "configured": None if configured is None else name(configured),
                "effective": name(_effective(engine, logger)),
                "stdlib": None if taken is None else name(taken),
                "until": None if change is None else timestamp(change.until_ns),
                "seconds_left": None if change is None else round(change.until - self._clock.monotonic(), 1),
            }

        levels = engine.queue.levels.names()
        return {
            "default": row(None, rules.configured),
            "loggers": [{"logger": to_text(each), **row(each, rules.configured_overrides.get(each))} for each in names],
            "available": sorted(levels, key=levels.__getitem__),
        }

    def close(self) -> None:
        """Take back what would have ended by itself; before the engine is drained, for each is an event."""
        for logger in list(self._changes):
            self._take_back(self._changes.pop(logger), "shutdown")

    def _expired(self, change: _Change) -> None:
        self._take_back(self._changes.pop(change.logger), "expired")

    def _end_due(self) -> None:
        """Take back what has expired while there was no loop to say so."""
        now = self._clock.monotonic()
        for change in list(self._changes.values()):
            if change.until <= now:
                self._expired(change)

    def _release(self, logger: str | None, engine: Any) -> _Change | None:
        """Stop the timer of what is running for a name, and return it; what runs on another engine ends there."""
        change = self._changes.pop(logger, None)
        if change is not None and change.engine is not engine:
            self._take_back(change, "replaced")
            return None
        if change is not None and change.timer is not None:
            change.timer.cancel()
        return change

    def _take_back(self, change: _Change, reason: str) -> None:
        if change.timer is not None:
            change.timer.cancel()
        engine, logger = change.engine, change.logger
        before = _effective(engine, logger)
        self._stdlib.turn(logger, change.stdlib_before)
        if _held(engine, logger) != change.level:
            # Somebody else has set it: that is theirs.
            return
        engine.set_level(change.before, logger)
        if engine is self._engine():
            more = {"reason": reason}
            self._tell("log_level_restored", engine, logger, before, _effective(engine, logger), change.who, more)

    def _tell(
        self,
        message: str,
        engine: Any,
        logger: str | None,
        before: int,
        after: int,
        who: str,
        more: Mapping[str, object],
    ) -> None:
        name = engine.queue.levels.name
        levels = {"level_before": name(before), "level_after": name(after)}
        fields = {"client_ip": who or None, "target_logger": logger, **levels, **more}
        tell(engine, INFO, message, fields)


async def get_levels(request: Request) -> Answer:
    """Answer the levels."""
    return as_json(request.console.levels.look())


async def put_levels(request: Request) -> Answer:
    """Change one level and answer all of them.

    Raises:
        BadRequestError: For a body that is not as documented.
    """
    logger, level, ttl_seconds = _checked(await request.json())
    try:
        request.console.levels.set(logger, level, ttl_seconds, request.client)
    except ConfigError as error:
        raise BadRequestError(str(error)) from None
    return as_json(request.console.levels.look())


def _checked(body: Mapping[str, Any]) -> tuple[str | None, str | int | None, float | None]:
    unknown = sorted(set(body).difference(_KEYS))
    if unknown:
        raise BadRequestError(f"unknown: {', '.join(map(repr, unknown))[:_LONGEST_NAME]}; allowed: {', '.join(_KEYS)}")
    if "level" not in body:
        raise BadRequestError("level is missing; null takes a level back to what was configured")
    logger, level, ttl_seconds = (body.get(key) for key in _KEYS)
    if logger is not None and not (
        isinstance(logger, str) and logger.strip() and logger.isprintable() and len(logger) <= _LONGEST_NAME
    ):
        raise BadRequestError(f"logger must be null or a name of at most {_LONGEST_NAME} printable characters")
    if level is not None and (isinstance(level, bool) or not isinstance(level, str | int)):
        raise BadRequestError("level must be the name or number of a level, or null")
    if ttl_seconds is not None:
        if level is None:
            raise BadRequestError("ttl_seconds goes with a level; to take one back at once leave it out")
        number = isinstance(ttl_seconds, int | float) and not isinstance(ttl_seconds, bool)
        if not number or not 0 < ttl_seconds <= MOST_SECONDS:
            raise BadRequestError(f"ttl_seconds must be null or a number above 0 and at most {MOST_SECONDS}")
    return logger, level, ttl_seconds


def _held(engine: Any, logger: str | None) -> int | None:
    """Return what is set for exactly this name, None if nothing is."""
    held: int | None = engine.levels.default if logger is None else engine.levels.overrides.get(logger)
    return held


def _effective(engine: Any, logger: str | None) -> int:
    level: int = engine.levels.default if logger is None else engine.levels.effective(logger)
    return level
