"""Loggers of a test's own, and the tree of ``logging`` as it was before."""

import logging
import uuid
from collections.abc import Iterator

import pytest

from fapilog.testing import CapturedLogs, capture_logs

SERVER_LOGGERS = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "uvicorn.asgi",
    "gunicorn.error",
    "gunicorn.access",
    "hypercorn.error",
    "hypercorn.access",
)


@pytest.fixture
def logs() -> Iterator[CapturedLogs]:
    """What reaches fapilog."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def logger() -> logging.Logger:
    """A logger that no other test has touched."""
    return logging.getLogger(f"test.{uuid.uuid4().hex}")


@pytest.fixture(autouse=True)
def _tree() -> Iterator[None]:
    """Put the root logger and the servers' loggers back, whatever a test did to them."""
    loggers = [logging.getLogger(), *map(logging.getLogger, SERVER_LOGGERS)]
    saved = [(each, each.handlers, list(each.handlers), each.level, each.propagate, each.disabled) for each in loggers]
    yield
    for each, handlers, content, level, propagate, disabled in saved:
        handlers[:] = content
        each.handlers, each.propagate, each.disabled = handlers, propagate, disabled
        each.setLevel(level)
