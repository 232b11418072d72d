"""What the answer of a receiver means for the delivery of a batch.

status                              delivery
408 409 421 423 425 429 5xx         the same batch later; Retry-After is honoured
401 402 403 407                     the same batch in 30 s: the credentials can be put right, events wait
413 400 422 and the others          some event is to blame: split
404 405 406 410 411 415 … and 3xx   the whole batch is refused: no event is to blame, the configuration is
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from fapilog.diagnostics import one_line
from fapilog.errors import SinkError

LONGEST_WAIT_SECONDS = 300.0
LOGIN_WAIT_SECONDS = 30.0
_LATER = frozenset({408, 425, 429})
_LOGIN = frozenset({401, 402, 403, 407})
_SPLIT = frozenset({400, 413, 422})
_NUMBERS = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?(?:\s*,\s*-?[0-9]{1,300}(?:\.[0-9]{1,300})?)*", re.ASCII)
_SHOWN = 200


class Answer(NamedTuple):
    """What a receiver answered.

    Attributes:
        status: The status code.
        headers: The headers by their names in lower case; repeated ones joined by ``", "``.
        text: The body, at most 64 KiB of it, credentials of the request hidden in it.
        content: The same as it came, with nothing hidden: for protocols whose answers are binary.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    content: bytes = b""


def is_taken(answer: Answer) -> bool:
    """Tell whether the receiver has acknowledged the request: 2xx."""
    return 200 <= answer.status < 300  # noqa: PLR2004


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return how many seconds a receiver asks to wait (RFC 9110 §10.2.3), from 0 to 300; None for what is neither.

    Of a header that was sent several times with seconds the longest counts.

    Args:
        value: The header's value: seconds, or a date.
        now: The wall clock, seconds since the epoch.
    """
    text = (value or "").strip()
    if _NUMBERS.fullmatch(text):
        seconds = max(float(part) for part in text.split(","))
    else:
        try:
            date = parsedate_to_datetime(text)
            seconds = (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def refusal(answer: Answer, what: str, now: float, count: int) -> SinkError:
    """Return the error for an answer that is not 2xx.

    Args:
        answer: The answer.
        what: Who answered, as the text begins: ``"https://logs.example.com"``.
        now: The wall clock, seconds since the epoch; for a ``Retry-After`` that is a date.
        count: How many events were in the request.
    """
    status = answer.status
    wait = parse_retry_after(answer.headers.get("retry-after"), now)
    said = one_line(answer.text[:_SHOWN])
    text = f"{what} answered {status}{f': {said}' if said else ''}"
    if status in _LATER or 500 <= status < 600:  # noqa: PLR2004
        return SinkError(text, retryable=True, retry_after=wait)
    if status in _LOGIN:
        text = f"{what} refused the credentials ({status}); events wait until they are put right"
        return SinkError(text, retryable=True, retry_after=LOGIN_WAIT_SECONDS if wait is None else wait)
    if status in _SPLIT:
        return SinkError(text, retryable=False)
    if 300 <= status < 400:  # noqa: PLR2004
        text = f"{what} answered with a redirect ({status}), which is not followed; the URL must be the final one"
    return SinkError(text, retryable=False, failed_indexes=range(count))
