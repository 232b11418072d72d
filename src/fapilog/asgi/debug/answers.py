"""What the console's routes answer."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from fapilog.coerce import json_safe
from fapilog.diagnostics import attempt

JSON = b"application/json"
HEADERS: Mapping[bytes, bytes] = MappingProxyType(
    {
        b"cache-control": b"no-store",
        b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
        b"cross-origin-resource-policy": b"same-origin",
        b"referrer-policy": b"no-referrer",
        b"x-content-type-options": b"nosniff",
    }
)
"""What every answer has, unless it says otherwise."""
_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS


class Answer(NamedTuple):
    """An answer as a whole: the headers that all answers have are added when it is sent.

    Attributes:
        status: The status code.
        body: What is sent; not to a HEAD request.
        content_type: Of the body.
        headers: More headers, names in lower case; one named here takes the place of the one that all have.
    """

    status: int
    body: bytes
    content_type: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def as_json(value: Any, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """Return a value of plain types as an answer; a number or text that orjson does not take as the events have it."""
    body, odd = attempt(_dumped, value)
    return Answer(status, (body if odd is None else _dumped(json_safe(value))) + b"\n", JSON, headers)


def refuse(status: int, error: str, headers: tuple[tuple[bytes, bytes], ...] = (), **more: Any) -> Answer:
    """Return ``{"error": "…"}`` as an answer, with whatever helps to do better."""
    content: Mapping[str, Any] = {"error": error, **more}
    return as_json(content, status, headers)


class BadRequestError(Exception):
    """A request that cannot be understood.

    Attributes:
        answer: What to answer.
    """

    def __init__(self, error: str, status: int = 400) -> None:
        """Say what is wrong with it."""
        super().__init__(error)
        self.answer = refuse(status, error)


def _dumped(value: Any) -> bytes:
    return orjson.dumps(value, option=_OPTIONS)
