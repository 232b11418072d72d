"""The toolkit's own voice: what went wrong inside fapilog, said once a window on standard error.

:func:`attempt` holds the only broad ``except`` of the code base. Whatever a user's object, stage or sink
raises ends there, is counted by kind, and never reaches the application. ``KeyboardInterrupt`` and
``SystemExit`` are not exceptions of a plug-in and pass through.
"""

import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from fapilog.clock import SYSTEM_CLOCK, Clock

WINDOW_SECONDS = 60.0
_KEPT = 50
_TEXT_LIMIT = 500
_LONGEST_WORD = 256
_SCRUBBED_LIMIT = 20_000
_TYPE_NAME = type.__dict__["__name__"].__get__


def attempt(function: Callable[..., Any], /, *args: Any) -> tuple[Any, Exception | None]:
    """Call ``function(*args)`` and return ``(result, None)``, or ``(None, exception)`` if it raised."""
    try:
        return function(*args), None
    except Exception as error:  # noqa: BLE001 - the one place
        return None, error


class Report(NamedTuple):
    """One thing that went wrong, as ``/debug/logging`` lists it."""

    time_ns: int
    kind: str
    text: str


class Diagnostics:
    """Counts and reports what an engine, or the process, has to say about itself.

    A line is written to standard error at most once in 60 seconds for each kind; the others are counted and
    told with the next line. Thread-safe; re-entrant. A line that cannot be written is counted all the same.

    Args:
        clock: Where the window is read.
        write: Takes one line; default standard error.
        scrub: Returns a text without the secrets in it; what a sink raises may hold some. Default: as it is.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        write: Callable[[str], object] | None = None,
        scrub: Callable[[str], str] | None = None,
    ) -> None:
        """Start with nothing said."""
        self.clock = clock
        self._write = write or _to_stderr
        self._scrub = scrub
        self.reset()

    def reset(self) -> None:
        """Forget everything, with a new lock; for a forked child."""
        self._counts: Counter[str] = Counter()
        self._said: dict[str, tuple[float, int]] = {}
        self._recent: deque[Report] = deque(maxlen=_KEPT)
        self._lock = threading.RLock()

    def guard(self, kind: str, function: Callable[..., Any], /, *args: Any) -> tuple[Any, Exception | None]:
        """Call a plug-in; if it raises, count and report that under ``kind``, and return the exception second."""
        result, error = attempt(function, *args)
        if error is not None:
            self.report(kind, self.describe(error))
        return result, error

    def guard_private(self, kind: str, function: Callable[..., Any], /, *args: Any) -> tuple[Any, Exception | None]:
        """Do the same as :meth:`guard` for a plug-in that sees secrets: only the type and the place are reported."""
        result, error = attempt(function, *args)
        if error is not None:
            self.report(kind, describe_place(error))
        return result, error

    def scrubbed(self, text: str) -> str:
        """Return a text, at most 20 000 characters of it, without the secrets in it; if that fails, nothing of it."""
        if self._scrub is None:
            return text
        clean, error = attempt(self._scrub, text[:_SCRUBBED_LIMIT])
        return clean if error is None else f"<withheld: {type_name(error)}>"

    def describe(self, error: BaseException) -> str:
        """Return ``Type: message`` on one line, without the secrets in it."""
        # Before it is cut and its lines are joined, or a part of a secret that is none by itself would be left.
        return describe(error, self.scrubbed)

    def report(self, kind: str, text: str) -> None:
        """Count one occurrence of ``kind`` and say it scrubbed, unless that kind was said within the window."""
        kind, text = one_line(self.scrubbed(kind)), one_line(self.scrubbed(text))
        now = self.clock.monotonic()
        with self._lock:
            self._counts[kind] += 1
            self._recent.append(Report(self.clock.time_ns(), kind, text))
            last, told = self._said.get(kind, (-WINDOW_SECONDS, 0))
            if now - last < WINDOW_SECONDS:
                return
            count = self._counts[kind]
            self._said[kind] = (now, count)
        more = f" ({count - told} times since last said)" if count - told > 1 else ""
        attempt(self._write, f"fapilog: {kind}: {text}{more}\n")

    def counts(self) -> dict[str, int]:
        """Return how often each kind occurred, a copy."""
        with self._lock:
            return dict(self._counts)

    def recent(self) -> list[Report]:
        """Return the last 50 reports, oldest first, a copy."""
        with self._lock:
            return list(self._recent)


def describe(error: BaseException, scrub: Callable[[str], str] = str.__str__) -> str:
    """Return ``Type: message`` on one line, whatever the exception's ``__str__`` does; the message scrubbed first."""
    text, failed = attempt(str, error)
    if failed is not None:
        return f"{type_name(error)}: <unprintable: {type_name(failed)}>"
    line = one_line(scrub(str.__str__(text)))
    return f"{type_name(error)}: {line}" if line else type_name(error)


def describe_place(error: BaseException) -> str:
    """Return ``Type at file.py:12``: where it was raised, without what it says."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return type_name(error)
    file = os.path.basename(traceback.tb_frame.f_code.co_filename)  # noqa: PTH119 - pathlib is not imported here
    return f"{type_name(error)} at {file}:{traceback.tb_lineno}"


def one_line(text: str) -> str:
    """Return at most 500 characters of a text with every control, bidirectional or line character made a space."""
    return " ".join("".join(c if c.isprintable() else " " for c in head_of(text, _TEXT_LIMIT)).split())


def head_of(text: str, limit: int) -> str:
    """Return the beginning of a text, without the word that the limit goes through if that is not too long.

    Half a word may be half a secret, which nothing would recognise any more.
    """
    head = text[:limit]
    if len(text) <= limit or text[limit].isspace():
        return head
    begin = max(0, limit - _LONGEST_WORD)
    blank = max(head.rfind(" ", begin), head.rfind("\n", begin))
    return head[:blank] if blank > 0 else head


def type_name(value: object) -> str:
    """Return the name of a value's class, also if its metaclass has something else to say."""
    return str(_TYPE_NAME(type(value)))


def class_name(error: BaseException) -> str:
    """Return the name of an exception's class with its module, unless that is the built-in one."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _to_stderr(line: str) -> None:
    """Write without the interpreter's buffers and locks: a fork or a finalising interpreter may hold them."""
    stream = sys.stderr
    if stream is None:
        # No console (pythonw, a daemon): descriptor 2 may by now be the application's socket.
        return
    if stream is sys.__stderr__:
        os.write(2, line.encode("utf-8", "backslashreplace"))
    else:
        stream.write(line)
