"""The contenders. Each module has the same two functions and does the same work.

``start(directory)`` logs JSON lines into a file there: time, level, logger, message, the four fields of the
call, two bound context fields, and the ids of the active span (the published fapilog has no such ids: it does
less). ``start_slow(seconds, capacity)`` logs into a sink of the contender's own kind that takes ``seconds``
for each thing it is given.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from benchmarks.harness import Emit


class Running(NamedTuple):
    """A logger that is set up, with the context bound in the current thread."""

    emit: Emit
    """One INFO event with four scalar fields, the number given among them."""
    quiet: Emit
    """The same at DEBUG, which is off."""
    stop: Callable[[], object]
    """Write everything that is queued, then close."""
    nested: Emit | None = None
    """One INFO event with the 30 values of ``harness.order``, where a scenario asks for it."""
    secret: Emit | None = None
    """The same with a secret among them."""


class Contender(Protocol):
    """What a module in this package offers."""

    DISTRIBUTION: str | None
    SETUP: str

    def start(self, directory: Path) -> Running:
        """Log into a file."""
        ...

    def start_slow(self, seconds: float, capacity: int) -> Running:
        """Log into a slow sink, behind a queue of ``capacity`` where the contender has a bounded one."""
        ...


def load(name: str) -> Contender:
    """Import one contender, and no other."""
    return cast("Contender", importlib.import_module(f"benchmarks.contenders.{name}"))
