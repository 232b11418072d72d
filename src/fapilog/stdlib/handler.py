"""The handler that hands records of ``logging`` to fapilog.

    logger.info("…")  ─►  handle(record)
                            ├─ a server's second traceback, a level that is off ─────────► nothing
                            ├─ one that came so far because others are turned up ────────► nothing
                            ├─ a record made while we take one apart ─► one, then counted as ``recursion``
                            ├─ on a thread of fapilog's own ──────────► one, then counted as ``recursion``
                            └─ anything else ─► capture.submit, at the call, by value

On a thread of fapilog's own means: a sink uses a library that logs (an HTTP client its request line, say). That
record is delivered by the same sink, which makes the library log again. So one such record is taken, and the next
only after somebody else has logged.
"""

import logging
import sys
import threading
from types import FrameType
from typing import Any

from fapilog import _runtime
from fapilog.context import OWN_WORK, current
from fapilog.diagnostics import attempt, describe
from fapilog.event import Origin
from fapilog.levels import STANDARD_LEVELS
from fapilog.logger.capture import submit, wanted
from fapilog.stdlib.louder import Louder
from fapilog.stdlib.otel_handlers import OtelHandlers, exports_otlp
from fapilog.stdlib.records import is_last_line, level_of, name_of, read, was_reported

RECURSION = "recursion"
_DEEPEST = 2
_FLUSH_SECONDS = 1.0
_STANDARD_LEVELS = frozenset(STANDARD_LEVELS.values())
_CONFIGURERS = (("logging.config", "dictConfig"), ("logging.config", "fileConfig"), ("logging", "basicConfig"))


class FapilogHandler(logging.Handler):
    """Sends the records of the loggers it is attached to through the process's default engine.

    Usually attached by :func:`fapilog.stdlib.capture_stdlib`; may also be named in a ``dictConfig``. Message and
    fields are captured by value at the call. It takes no lock of its own, raises nothing into the caller, and the
    record is left as it is. Under ``policy="wait"`` on a full queue a call blocks as that of a fapilog logger does.
    After the last line of uvicorn it waits up to a second until all is written: the process may be gone behind it.
    Thread- and fork-safe.

    Args:
        level: Records below it are not taken, unless the console turns their logger up; a number or a name that
            ``logging`` knows. Default: all. The level of the fapilog logger of the same name applies too.
        source: Put the place of the call on each event, as ``code.file.path``, ``code.line.number`` and
            ``code.function.name``. Default False.

    Attributes:
        placements: By logger name what has to be undone when the handler leaves (``stdlib/placement.py``).
        otel_handlers: Keeps OpenTelemetry's handlers from exporting the same records once more.
        louder: Which loggers are turned up for a while, and the handler's level for all others.
    """

    def __init__(self, level: int | str = logging.NOTSET, *, source: bool = False) -> None:
        """Make a handler that is attached to nothing."""
        super().__init__(level)
        self.source = source
        self.placements: dict[str, Any] = {}
        self.otel_handlers = OtelHandlers(self.placements, _exports_otlp, _report_otel)
        self.louder = Louder(self.level)
        self._depth = threading.local()
        self._fed_at = -1
        self._fed = 0

    def setLevel(self, level: int | str) -> None:  # noqa: N802 - logging's name
        """Set the handler's own level; what is turned up for a while stays so."""
        super().setLevel(level)
        self.louder.own = self.level
        self.level = self.louder.lowest()

    def turn_up(self, owner: object, logger: logging.Logger, level: int | None) -> None:
        """Turn a logger up as :meth:`Louder.wish` says, and let through as much as is needed for it."""
        ours = self.level == self.louder.lowest()
        self.louder.wish(owner, logger, level)
        self._fit(ours=ours)

    def leave(self, holder: logging.Logger) -> None:
        """Take back all that is turned up of what comes by ``holder``, which is about to lose this handler."""
        ours = self.level == self.louder.lowest()
        self.louder.leave(holder)
        self._fit(ours=ours)

    def _fit(self, *, ours: bool) -> None:
        """Have the level that is needed, unless somebody has written another one to ``level``: that is our own then."""
        if not ours:
            self.louder.own = self.level
        self.level = self.louder.lowest()
        self.louder.tidy()

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record, without the handler's lock; always True."""
        if self.louder.levels and level_of(record) < self.louder.threshold(name_of(record)):
            return True
        depth = getattr(self._depth, "value", 0)
        if depth >= _DEEPEST:
            self._suppress(name_of(record))
            return True
        self._depth.value = depth + 1
        try:
            _, error = attempt(self.emit, record)
            if error is not None:
                attempt(_report, "stdlib", describe(error))
        finally:
            self._depth.value = depth
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one record to the engine, if filters and levels let it through."""
        kept = self.filter(record)
        if isinstance(kept, logging.LogRecord):
            record = kept
        origin = _runtime.origin(name_of(record))
        origin.queue.bind(origin)
        levelno = level_of(record)
        if not (kept and wanted(origin, levelno)):
            return
        self.otel_handlers.note(record, origin.queue)
        if was_reported(record):
            return
        own_thread = current.get().request is OWN_WORK
        if own_thread and levelno < logging.WARNING and origin.name == "asyncio":
            # Our own event loop says which selector it uses: nobody asked for that.
            return
        if own_thread and not self._may_feed(origin.queue):
            self._suppress(origin.name)
            return
        message, fields, exc_info, stack, time_ns = read(record, source=self.source)
        _name_level(origin, levelno, record, fields)
        # A thread that empties the queue must not wait for room in it: it leaves its record in line.
        submit(origin, levelno, message, fields, exc_info=exc_info, stack=stack, time_ns=time_ns, may_await=own_thread)
        if is_last_line(record):
            _runtime.default_engine().flush(_FLUSH_SECONDS)

    def close(self) -> None:
        """Let go. Said in diagnostics if it happens because ``logging`` is being configured anew around us."""
        super().close()
        place = _reconfigured_by(sys._getframe(1)) if self.placements else None  # noqa: SLF001 - the way to a frame
        if place:
            attempt(
                _report,
                "stdlib",
                f"logging was configured anew by {place}; what was captured of {', '.join(sorted(self.placements))} "
                "may be lost: call capture_stdlib() after it, and give it disable_existing_loggers=False",
            )

    def _may_feed(self, queue: Any) -> bool:
        """Tell whether somebody else has logged since the last record from a thread of fapilog's own."""
        others = queue.submitted() - self._fed
        if others == self._fed_at:
            return False
        self._fed_at = others
        self._fed += 1
        return True

    def _suppress(self, name: str) -> None:
        attempt(_report, RECURSION, f"a record of {name!r}, logged while fapilog was at work on others, is left out")


def _name_level(origin: Origin, levelno: int, record: logging.LogRecord, fields: dict[str, object]) -> None:
    """Keep the name of a level that ``logging`` knows and fapilog does not."""
    name = vars(record).get("levelname")
    if levelno not in _STANDARD_LEVELS and isinstance(name, str) and origin.queue.levels.name(levelno) != name:
        fields.setdefault("level_name", name)


def _exports_otlp() -> bool:
    options, error = attempt(_runtime.default_options)
    return error is None and exports_otlp(tuple(options.sinks))


def _report_otel(text: str) -> None:
    attempt(_report, "stdlib", text)


def _report(kind: str, text: str) -> None:
    _runtime.default_engine().diagnostics.report(kind, text)


def _reconfigured_by(frame: FrameType | None) -> str | None:
    """Return which function of ``logging`` is configuring it, and who called that, if this is what goes on."""
    while frame is not None:
        found = (frame.f_globals.get("__name__"), frame.f_code.co_name) in _CONFIGURERS
        caller = frame.f_back
        if found:
            place = f" at {caller.f_code.co_filename}:{caller.f_lineno}" if caller else ""
            return f"{frame.f_code.co_name}(){place}"
        frame = caller
    return None
