"""``GET /debug/logging/metrics``: the figures as Prometheus reads them, of all engines and requests of the process."""

from collections.abc import Iterable
from typing import NamedTuple

from fapilog import _runtime
from fapilog.asgi.debug.turns import Turns

MISSING = "prometheus-client is not installed; pip install 'fapilog[prometheus]' does that"


class Exposition(NamedTuple):
    """What is answered."""

    text: bytes
    content_type: str


async def exposition(headers: Iterable[tuple[bytes, bytes]], turns: Turns) -> Exposition | None:
    """Return the figures in the format that a request accepts; None if the library that writes it is missing.

    Written on a thread of its own: a hundred routes take 14 ms and two thousand 0.4 s, which no request is to wait for.

    Args:
        headers: The request's raw headers.
        turns: Has the thread.
    """
    accept = b", ".join(value for name, value in headers if name.lower() == b"accept")
    return await turns.call(_written, accept.decode("latin-1"))


def _written(accept: str) -> Exposition | None:
    try:
        from fapilog.metrics.prometheus import render  # noqa: PLC0415 - it needs the library of an extra
    except ModuleNotFoundError:
        return None
    return Exposition(*render(_runtime.metrics(), accept))
