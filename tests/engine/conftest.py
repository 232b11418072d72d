"""What the engine's tests share: an engine of given sinks, drained at the end of the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.levels import LevelTable
from fapilog.logger.sync import SyncLoggerFacade
from fapilog.serializers.json import JsonFormat

MakeEngine = Callable[..., Engine]


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    engines: list[Engine] = []

    def make(*sinks: Any, **parts: Any) -> Engine:
        levels = LevelTable()
        form = JsonFormat(levels, {})
        outputs = [Output(sink, form if getattr(sink, "format", "json") else None) for sink in sinks]
        engine = Engine(EngineParts(levels=levels, level=parts.pop("level", 20), outputs=outputs, **parts))
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        for output in engine.parts.outputs:
            getattr(output.sink, "release", lambda: None)()
        engine.drain(10)


def logger_of(engine: Engine, name: str = "test") -> SyncLoggerFacade:
    return SyncLoggerFacade(engine.origin(name), lambda: engine)
