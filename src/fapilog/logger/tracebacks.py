"""Exceptions taken apart at the log call and rendered by the worker.

At the call only names, line numbers and the message are read (no source file is opened, no frame is kept, no
local variable is looked at); the worker reads the source lines and writes the text. Chains, groups and frames
are bounded, cycles are cut.
"""

import linecache
import sys
from types import FrameType, TracebackType
from typing import Any

from fapilog.coerce import MAX_REPR, cut_text, to_text
from fapilog.diagnostics import attempt, class_name

MAX_EXCEPTIONS = 30
MAX_FRAMES = 60
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"
_MESSAGE_LIMIT = 10_000
_NESTED = "  "

_Frame = tuple[str, int, str]


class CapturedError:
    """One exception with its cause and, for a group, its members."""

    __slots__ = ("cause", "explicit", "frames", "group", "message", "notes", "omitted", "type_name")

    def __init__(self, error: BaseException, traceback: TracebackType | None) -> None:
        """Read what will not be the same later; see :func:`capture_exception` for the chain."""
        self.type_name = class_name(error)
        self.message = cut_text(to_text(error), _MESSAGE_LIMIT)
        notes = getattr(error, "__notes__", None)
        self.notes = [cut_text(to_text(note), MAX_REPR) for note in notes] if isinstance(notes, list) else []
        self.frames, self.omitted = _frames(traceback)
        self.cause: CapturedError | None = None
        self.explicit = False
        self.group: list[CapturedError] = []

    def render(self) -> dict[str, Any]:
        """Return the ``exception`` object of the event: type, message, stacktrace, frames, cause, group."""
        rendered = self._render()
        rendered["stacktrace"] = "".join(self._text())
        return rendered

    def _render(self) -> dict[str, Any]:
        frames = [
            {"file": file, "line": line, "function": function, "code": linecache.getline(file, line).strip()}
            for file, line, function in self.frames
        ]
        rendered: dict[str, Any] = {"type": self.type_name, "message": self.message, "stacktrace": "", "frames": frames}
        if self.cause is not None:
            rendered["cause"] = self.cause._render()  # noqa: SLF001 - the same class
            del rendered["cause"]["stacktrace"]
        if self.group:
            rendered["group"] = [member._render() for member in self.group]  # noqa: SLF001
            for member in rendered["group"]:
                del member["stacktrace"]
        return rendered

    def _text(self) -> list[str]:
        """Return the lines of the traceback as the interpreter prints them, members of a group indented."""
        lines: list[str] = []
        if self.cause is not None:
            lines += self.cause._text()  # noqa: SLF001
            lines.append(_CAUSE if self.explicit else _CONTEXT)
        if self.frames:
            lines.append("Traceback (most recent call last):\n")
        for index, (file, line, function) in enumerate(self.frames):
            if self.omitted and index == MAX_FRAMES // 2:
                lines.append(f"  [{self.omitted} frames omitted]\n")
            lines.append(_frame_text(file, line, function))
        lines.append(f"{self.type_name}: {self.message}\n" if self.message else f"{self.type_name}\n")
        lines += [f"{note}\n" for note in self.notes]
        for number, member in enumerate(self.group, 1):
            lines.append(f"{_NESTED}+---------------- {number} ----------------\n")
            text = "".join(member._text())  # noqa: SLF001
            lines += [f"{_NESTED}| {line}\n" for line in text.splitlines()]
        return lines


def capture_exception(exc_info: object) -> CapturedError | None:
    """Return what ``exc_info`` of a log call stands for, or None if there is no exception.

    Args:
        exc_info: An exception, a ``sys.exc_info()`` triple, or anything true for the one being handled.
    """
    error = raised(exc_info)
    if error is None:
        return None
    given = exc_info[2] if isinstance(exc_info, tuple) else None
    captured, _ = attempt(_chain, error, given if isinstance(given, TracebackType) else error.__traceback__)
    return captured if isinstance(captured, CapturedError) else None


def raised(exc_info: object) -> BaseException | None:
    """Return the exception that ``exc_info`` of a log call stands for; see :func:`capture_exception`."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        error = exc_info[1] if len(exc_info) == 3 else None  # noqa: PLR2004 - what sys.exc_info() returns
        return error if isinstance(error, BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def render_stack(frame: FrameType | None) -> str:
    """Return the stack that ends in ``frame``, outermost first, as the interpreter prints it; the last 60 frames."""
    lines: list[str] = []
    while frame is not None and len(lines) < MAX_FRAMES:
        lines.append(_frame_text(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return "".join(reversed(lines))


def _frame_text(file: str, line: int, function: str) -> str:
    code = linecache.getline(file, line).strip()
    return f'  File "{file}", line {line}, in {function}\n' + (f"    {code}\n" if code else "")


def _chain(error: BaseException, traceback: TracebackType | None) -> CapturedError:
    """Capture ``error`` and, without recursion, everything it hangs on; at most ``MAX_EXCEPTIONS`` in all."""
    first = CapturedError(error, traceback)
    seen = {id(error)}
    waiting = [(error, first)]
    while waiting:
        source, captured = waiting.pop(0)
        explicit = source.__cause__ is not None
        cause = source.__cause__ if explicit or source.__suppress_context__ else source.__context__
        if cause is not None and id(cause) not in seen and len(seen) < MAX_EXCEPTIONS:
            seen.add(id(cause))
            captured.cause, captured.explicit = CapturedError(cause, cause.__traceback__), explicit
            waiting.append((cause, captured.cause))
        for member in source.exceptions if isinstance(source, BaseExceptionGroup) else ():
            if id(member) not in seen and len(seen) < MAX_EXCEPTIONS:
                seen.add(id(member))
                captured.group.append(CapturedError(member, member.__traceback__))
                waiting.append((member, captured.group[-1]))
    return first


def _frames(traceback: TracebackType | None) -> tuple[list[_Frame], int]:
    """Return file, line and function of each frame, the middle left out if there are many, and how many were."""
    frames: list[_Frame] = []
    last: list[_Frame] = []
    count = 0
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frame = (code.co_filename, traceback.tb_lineno, code.co_name)
        if len(frames) < MAX_FRAMES // 2:
            frames.append(frame)
        else:
            last.append(frame)
            if len(last) > MAX_FRAMES // 2:
                del last[0]
        count += 1
        traceback = traceback.tb_next
    return frames + last, count - len(frames) - len(last)
