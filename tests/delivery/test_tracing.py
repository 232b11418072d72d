"""A span for each delivery: where it stands among the wrappers, and what it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fapilog.clock import SYSTEM_CLOCK
from fapilog.delivery.retry import Retry, RetryOptions
from fapilog.delivery.spool.store import SpoolOptions, SpoolStore
from fapilog.delivery.spooling import Spooling
from fapilog.delivery.tracing import Traced
from fapilog.errors import RejectedError, SinkError
from fapilog.levels import LevelTable
from fapilog.protocols import Batch
from fapilog.serializers.json import JsonFormat
from tests.delivery.receivers import Receiver, batch_of

pytestmark = pytest.mark.asyncio


class Spans:
    """Notes what it is asked for, and how it ended."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.ended: list[BaseException | None] = []

    @contextmanager
    def __call__(self, sink: str, batch: Batch) -> Iterator[None]:
        self.begun.append((sink, len(batch)))
        try:
            yield
        except BaseException as error:
            self.ended.append(error)
            raise
        self.ended.append(None)


async def test_a_batch_has_one_span_however_often_the_sink_is_asked() -> None:
    """The attempts are the delivery's own business."""
    down = SinkError("down", retryable=True)
    spans, receiver = Spans(), Receiver(down, down)
    traced = Traced(Retry(receiver, RetryOptions(first_seconds="1ms")), spans)

    await traced.write(batch_of(range(3)))

    assert receiver.writes == [3, 3, 3]
    assert (spans.begun, spans.ended) == ([("receiver", 3)], [None])


async def test_the_span_is_told_what_the_delivery_raised() -> None:
    """And the error goes on as it is."""
    refused = RejectedError("no", failed_indexes=[1], rejected={1: "no"})
    spans = Spans()

    with pytest.raises(RejectedError) as raised:
        await Traced(Receiver(refused), spans).write(batch_of(range(3)))

    assert raised.value is refused
    assert spans.ended == [refused]


async def test_opening_and_closing_have_no_span() -> None:
    """They ship nothing."""
    spans, receiver = Spans(), Receiver()
    traced = Traced(receiver, spans)

    await traced.open()
    await traced.close()

    assert (receiver.opened, receiver.closed, spans.begun) == (1, 1, [])


async def test_what_is_spooled_has_its_span_when_it_is_delivered(tmp_path: Path) -> None:
    """Two batches that were written to disk and delivered as one are one delivery."""
    form = JsonFormat(LevelTable(), {})
    spans, receiver = Spans(), Receiver()
    receiver.open_error = SinkError("not yet", retryable=True)
    store = SpoolStore(SpoolOptions(tmp_path), "receiver", SYSTEM_CLOCK)
    spooling = Spooling(Traced(receiver, spans), store, form, form)
    await spooling.open()
    await spooling.write(batch_of(range(2)))
    await spooling.write(batch_of(range(3)))
    assert spans.begun == []
    await spooling.close()

    receiver.open_error = None
    await spooling.open()
    await spooling.write(batch_of([9]))
    await spooling.close()

    assert sum(count for _, count in spans.begun) == len(receiver.taken) == 6
    assert set(spans.ended) == {None}
