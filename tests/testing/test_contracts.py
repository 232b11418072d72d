"""The checks for sinks: a good one passes, and each kind of bad one is told what is wrong."""

import re
from pathlib import Path
from typing import Any

import pytest

from fapilog.protocols import Batch
from fapilog.testing import SINK_CHECKS, RecordingSink, SinkTarget, check_sink, make_batch, make_events


class GoodSink:
    """Appends to a file; the smallest sink there is."""

    name = "good"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: Any = None

    async def open(self) -> None:
        self.file = self.path.open("ab")

    def write(self, batch: Batch) -> None:
        self.file.write(batch.lines)

    async def close(self) -> None:
        self.file.close()


class GoodAsyncSink(GoodSink):
    async def write(self, batch: Batch) -> None:  # type: ignore[override]
        GoodSink.write(self, batch)


class Nameless(GoodSink):
    name = ""


class Formless(GoodSink):
    format = "xml"


class Blocking(GoodSink):
    def open(self) -> None:  # type: ignore[override]
        pass


class Truncating(GoodSink):
    async def open(self) -> None:
        self.file = self.path.open("wb")


class Doubling(GoodSink):
    def write(self, batch: Batch) -> None:
        self.file.write(batch.lines * 2)


class Reversing(GoodSink):
    def write(self, batch: Batch) -> None:
        self.file.write(b"".join(batch.line(index) for index in reversed(range(len(batch)))))


class Changing(GoodSink):
    def write(self, batch: Batch) -> None:
        for event in batch.events:
            event["nested"] = None
        super().write(batch)


class ClosingOnce(GoodSink):
    async def close(self) -> None:
        self.file.close()
        self.file = None


class Tearing(GoodSink):
    def write(self, batch: Batch) -> None:
        self.file.write(batch.lines.decode().replace("\u2028", "\n").encode())


class Talkative(GoodSink):
    def write(self, batch: Batch) -> int:  # type: ignore[override]
        return self.file.write(batch.lines)


def target(kind: type[GoodSink], path: Path) -> SinkTarget:
    path.touch()
    return SinkTarget(lambda: kind(path), lambda: path.read_bytes().splitlines(keepends=True))


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", [GoodSink, GoodAsyncSink])
@pytest.mark.asyncio
async def test_good_sink_passes(check: Any, kind: type[GoodSink], tmp_path: Path) -> None:
    """A sink that does its work holds to every point."""
    await check(target(kind, tmp_path / "out"))


@pytest.mark.asyncio
async def test_sink_that_cannot_be_read_passes() -> None:
    """Without a way to read the target the checks see less, and say nothing wrong."""
    await check_sink(SinkTarget(RecordingSink))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Nameless, "name is ''"),
        (Formless, "format is 'xml'"),
        (Blocking, "open is not an `async def`"),
        (Truncating, "10 events were written, [0-9] lines arrived"),
        (Doubling, "1 events were written, 2 lines arrived|510 events were written, 1020 lines arrived"),
        (Reversing, "line 1 is"),
        (Changing, "changed the events"),
        (ClosingOnce, "NoneType"),
        (Tearing, "4 events were written"),
        (Talkative, "write\\(\\) returned"),
    ],
)
@pytest.mark.asyncio
async def test_bad_sink_is_told_what_is_wrong(kind: type[GoodSink], said: str, tmp_path: Path) -> None:
    """Each point is missed by somebody, and the check says how."""
    with pytest.raises((AssertionError, AttributeError), match=said):
        await check_sink(target(kind, tmp_path / "out"))


def test_events_are_numbered_and_in_wire_order() -> None:
    """Made events look like those of an engine."""
    first, second = make_events(2, start=3, extra=1)

    assert list(first) == ["timestamp", "level", "logger", "message", "n", "extra"]
    assert (first["n"], second["n"]) == (3, 4)
    assert re.fullmatch(r"2026-01-01T00:00:00\.00000[0-9]Z", first["timestamp"])


def test_batch_is_made_as_by_an_engine() -> None:
    """Lines, ends and events of a batch agree."""
    batch = make_batch(make_events(3))

    assert len(batch) == len(batch.events) == 3
    assert batch.lines == b"".join(batch.line(index) for index in range(3))
