"""A process state of its own for each test that asks for a console."""

from collections.abc import Iterator

import pytest

from fapilog import _runtime
from tests.asgi.debug.front import MakeFront, make_front


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeFront]:
    """Return what makes a console in front of an application that answers everything."""
    state = _runtime._State()
    monkeypatch.setattr(_runtime, "_state", state)
    yield make_front
    for engine in list(state.engines):
        engine.drain()
