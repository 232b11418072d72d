"""Exceptions on spans: each one once, however many have a hand in it.

logger.exception(…) ─┐
the endpoint raises ─┼─► SpanNotes of the request ─► at the end of the server span: what is on no span yet
a user's own span   ─┘        ▲ RecordedExceptions: what the SDK has put on spans that ended within the request
"""

import traceback
from collections.abc import Callable
from typing import Any

from opentelemetry.trace import Span

from fapilog.coerce import to_text
from fapilog.context import SpanNotes, current
from fapilog.diagnostics import class_name, head_of

# Redacting takes its time, 0.4 µs a character at worst, and an exception may hold what a client has sent.
_MOST_MESSAGE, _MOST_STACK = 2_000, 10_000
_SHORTEST_LIMIT = 16
_EVENT = "exception"
Key = tuple[str, str]
"""What tells exceptions apart on a span: type and message."""


class RecordedExceptions:
    """A span processor that notes which exceptions are on the spans that end within a request.

    It has the methods of ``opentelemetry.sdk.trace.SpanProcessor`` without being one: the SDK is the user's choice.
    Thread-safe; keeps no span.
    """

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Do nothing."""

    def _on_ending(self, span: Any) -> None:
        """Do nothing."""

    def on_end(self, span: Any) -> None:
        """Note the exceptions of a span, if it ended where a request is current."""
        if not span.events:
            return
        notes = current.get().notes
        if notes is None:
            return
        for event in span.events:
            if event.name == _EVENT and event.attributes:
                notes.note_recorded(
                    (str(event.attributes.get("exception.type")), str(event.attributes.get("exception.message")))
                )

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the processors' common form
        """Nothing waits here."""
        return True


def key_of(error: BaseException) -> Key:
    """Return what tells this exception on a span."""
    return class_name(error), to_text(error)


def last_lines(text: str, limit: int) -> str:
    """Return the end of a stack trace, where the error was; whole lines, as half a secret is recognised by nobody."""
    return text if len(text) <= limit else text[text.find("\n", -limit) + 1 :]


def _is_same(known: Key, key: Key) -> bool:
    """Tell whether a span has an exception already, perhaps cut where the SDK's limit for texts is."""
    return all(
        text == whole or (len(text) >= _SHORTEST_LIMIT and whole.startswith(text))
        for text, whole in zip(known, key, strict=True)
    )


def record_once(
    span: Span, notes: SpanNotes, error: BaseException, scrub: Callable[[str], str], time_ns: int | None = None
) -> None:
    """Put an exception on a span, unless it is on a span of this request already. Its texts are redacted.

    Args:
        span: The span.
        notes: What is known of the request.
        error: The exception.
        scrub: Takes the secrets out of a text.
        time_ns: When it was logged; default now.
    """
    key = key_of(error)
    if any(_is_same(known, key) for known in notes.recorded.copy()):
        return
    notes.note_recorded(key)
    stack = "".join(traceback.format_exception(error))
    attributes = {
        "exception.type": key[0],
        "exception.message": scrub(head_of(key[1], _MOST_MESSAGE)),
        "exception.stacktrace": scrub(last_lines(stack, _MOST_STACK)),
    }
    # The event that ``record_exception`` makes; that would ask the exception for its words itself, which may raise.
    span.add_event(_EVENT, attributes, time_ns)
