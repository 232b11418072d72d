"""Events wait on disk until the receiver has taken them, over restarts, in order, and each is counted."""

import asyncio
import errno
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fapilog.delivery.accounts import DELIVERED, DROPPED, FAILED, SPOOLED
from fapilog.delivery.buffer import BatchOptions
from fapilog.delivery.identity import Numbered
from fapilog.delivery.limits import Limits
from fapilog.delivery.retry import Retry, RetryOptions
from fapilog.delivery.splitting import Splitting
from fapilog.delivery.spool.options import SpoolOptions
from fapilog.delivery.spool.store import SpoolStore
from fapilog.delivery.spooling import SPOOL_DAMAGED, SPOOL_FULL, Spooling
from fapilog.delivery.wrapping import Honest
from fapilog.errors import SinkError
from fapilog.levels import LevelTable
from fapilog.protocols import Batch
from fapilog.serializers.json import JsonFormat
from tests.delivery.receivers import Receiver, batch_of

pytestmark = pytest.mark.asyncio
FORM = JsonFormat(LevelTable(), {})


class Spooled:
    """A receiver behind a spool, and what became of its events."""

    def __init__(self, directory: Path, receiver: Receiver, **options: Any) -> None:
        self.counts: Counter[str] = Counter()
        self.said: list[str] = []
        self.receiver = receiver
        self.store = SpoolStore(SpoolOptions(directory, **options), receiver.name)
        retry = Retry(Splitting(Honest(receiver)), RetryOptions(first_seconds=0.001, max_seconds=0.002), endless=True)
        self.sink = Spooling(retry, self.store, Numbered(FORM), FORM, self.said.append)
        self.sink.attach(self._keep, Limits.of(BatchOptions(max_events=10)), self.said.append)

    def _keep(self, outcome: str, count: int, reason: str) -> None:
        self.counts[f"{outcome} {reason}".strip()] += count

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.001)


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def is_down(_: Batch) -> Exception:
    return SinkError("down", retryable=True)


async def test_everything_arrives_in_order(tmp_path: Path) -> None:
    """Through the disk, in batches of the channel's size; nothing is left behind."""
    spooled = Spooled(tmp_path, Receiver())
    await spooled.sink.open()
    for start in range(0, 100, 25):
        await spooled.sink.write(batch_of(range(start, start + 25)))
    await spooled.sink.close()

    assert spooled.receiver.numbers == list(range(100))
    assert max(spooled.receiver.writes) == 10
    assert spooled.counts == {SPOOLED: 100, DELIVERED: 100}
    assert spooled.receiver.opened == spooled.receiver.closed == 1
    assert _files(tmp_path) == []


async def test_a_write_returns_while_the_receiver_is_down(tmp_path: Path) -> None:
    """And the end does not wait for it: the next start delivers what is there."""
    first = Spooled(tmp_path, Receiver(answer=is_down))
    await first.sink.open()
    await first.sink.write(batch_of(range(30)))
    await first.until(lambda: first.sink.health() == {} and bool(first.receiver.writes))
    await first.sink.close()
    assert first.counts == {SPOOLED: 30}

    second = Spooled(tmp_path, Receiver())
    await second.sink.open()
    await second.sink.write(batch_of(range(30, 40)))
    await second.sink.close()

    assert second.receiver.numbers == list(range(40))
    assert second.counts == {SPOOLED: 10, DELIVERED: 10}, "the others are in the accounts of a process that is gone"


async def test_the_same_sink_opened_again_counts_what_it_left(tmp_path: Path) -> None:
    """A drain is not death: a second lifespan delivers the first one's events, and they are delivered then."""
    spooled = Spooled(tmp_path, Receiver(answer=is_down))
    await spooled.sink.open()
    await spooled.sink.write(batch_of(range(30)))
    await spooled.sink.close()
    spooled.receiver._answer = None
    await spooled.sink.open()
    await spooled.until(lambda: len(spooled.receiver.numbers) == 30)
    await spooled.sink.close()

    assert spooled.counts == {SPOOLED: 30, DELIVERED: 30}


async def test_a_receiver_that_cannot_be_opened_leaves_events_on_disk(tmp_path: Path) -> None:
    """The spool is open all the same, and says why."""
    spooled = Spooled(tmp_path, Receiver())
    spooled.receiver.open_error = SinkError("no route", retryable=True)
    await spooled.sink.open()
    await spooled.sink.write(batch_of(range(3)))
    await spooled.until(lambda: bool(spooled.said))
    await spooled.sink.close()

    assert "no route" in spooled.said[0]
    assert spooled.sink.health() == {"status": "failing"}
    assert spooled.counts == {SPOOLED: 3}


async def test_refused_events_are_counted_as_failed(tmp_path: Path) -> None:
    """The others are delivered, and none comes again."""

    def refuse(batch: Batch) -> Exception | None:
        return SinkError("bad") if any(event["number"] == 7 for event in batch.events) else None

    spooled = Spooled(tmp_path, Receiver(answer=refuse))
    await spooled.sink.open()
    await spooled.sink.write(batch_of(range(20)))
    await spooled.sink.close()

    assert spooled.receiver.numbers == [number for number in range(20) if number != 7]
    assert spooled.counts == {SPOOLED: 20, DELIVERED: 19, f"{FAILED} RejectedError": 1}


async def test_over_the_quota_the_oldest_go_counted(tmp_path: Path) -> None:
    """``drop_oldest``: what is left arrives in order, and the sum is right."""
    spooled = Spooled(tmp_path, Receiver(answer=is_down), max_bytes=100_000, segment_bytes=10_000)
    await spooled.sink.open()
    for start in range(0, 5000, 50):
        await spooled.sink.write(batch_of(range(start, start + 50)))
    spooled.receiver._answer = None
    await spooled.until(lambda: spooled.counts[DELIVERED] + spooled.counts[f"{DROPPED} {SPOOL_FULL}"] == 5000)
    await spooled.sink.close()

    assert spooled.counts[f"{DROPPED} {SPOOL_FULL}"] > 0
    assert spooled.receiver.numbers == sorted(spooled.receiver.numbers)
    assert len(spooled.receiver.numbers) == spooled.counts[DELIVERED]
    assert spooled.receiver.numbers[-1] == 4999


async def test_over_the_quota_what_comes_is_refused(tmp_path: Path) -> None:
    """``refuse``: the write fails, for all of the batch, under a name of its own."""
    spooled = Spooled(tmp_path, Receiver(answer=is_down), max_bytes=100_000, full="refuse")
    await spooled.sink.open()
    with pytest.raises(SinkError) as caught:
        for _ in range(1000):
            await spooled.sink.write(batch_of(range(50)))
    await spooled.sink.close()

    assert caught.value.reason == SPOOL_FULL
    assert caught.value.failed_indexes == set(range(50))


async def test_a_full_disk_makes_a_batch_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost by it: said, counted, and gone on with when there is room."""
    monkeypatch.setattr("fapilog.delivery.spooling._AGAIN_SECONDS", 0.001)
    spooled = Spooled(tmp_path, Receiver())
    await spooled.sink.open()
    append, failures = spooled.store.append, [OSError(errno.ENOSPC, "No space left on device")] * 3

    def full(records: Any) -> Any:
        if failures:
            raise failures.pop()
        return append(records)

    monkeypatch.setattr(spooled.store, "append", full)
    await spooled.sink.write(batch_of(range(5)))
    await spooled.sink.close()

    assert spooled.receiver.numbers == list(range(5))
    assert spooled.sink.figures["spool_paused"] == 3
    assert all("No space left" in text for text in spooled.said)


async def test_a_directory_that_cannot_be_used_is_said_at_open(tmp_path: Path) -> None:
    """Retryable: somebody may make room, or give the permission."""
    (tmp_path / "file").write_text("")
    spooled = Spooled(tmp_path / "file", Receiver())

    with pytest.raises(SinkError, match="the spool cannot be opened") as caught:
        await spooled.sink.open()
    await spooled.sink.close()

    assert caught.value.retryable


async def test_a_sink_of_another_form_gets_its_own_back(tmp_path: Path) -> None:
    """On disk there are JSON lines, whatever the sink reads: here dicts alone."""
    spooled = Spooled(tmp_path, Receiver())
    spooled.sink._form = Numbered(None)
    events = [{"message": "m", "number": 1, "event_id": "s-1"}]
    await spooled.sink.open()
    await spooled.sink.write(Batch([], lambda: events, 1))
    await spooled.sink.close()

    assert spooled.receiver.taken == events


async def test_a_feeder_that_breaks_is_started_again_with_the_same_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks it, said; nothing is skipped, and the order stays."""
    monkeypatch.setattr("fapilog.delivery.spooling._AGAIN_SECONDS", 0.001)
    spooled = Spooled(tmp_path, Receiver())
    failures: list[Exception] = [RuntimeError("can't start new thread"), MemoryError()]
    write = spooled.sink.inner.write

    async def broken(batch: Batch) -> None:
        if failures:
            raise failures.pop(0)
        await write(batch)  # type: ignore[misc]

    monkeypatch.setattr(spooled.sink.inner, "write", broken)
    await spooled.sink.open()
    await spooled.sink.write(batch_of(range(30)))
    await spooled.until(lambda: len(spooled.receiver.numbers) == 30)
    await spooled.sink.close()

    assert spooled.receiver.numbers == list(range(30))
    assert "can't start new thread" in spooled.said[0]
    assert "MemoryError" in spooled.said[1]
    assert spooled.counts == {SPOOLED: 30, DELIVERED: 30}


async def test_a_deleted_spool_is_made_anew_and_what_is_gone_is_counted(tmp_path: Path) -> None:
    """Events that were in it and not read yet have failed; those that come are delivered."""
    spooled = Spooled(tmp_path, Receiver(answer=is_down))
    await spooled.sink.open()
    await spooled.sink.write(batch_of(range(50)))
    await spooled.until(lambda: bool(spooled.receiver.writes))
    shutil.rmtree(tmp_path / "receiver")
    spooled.receiver._answer = None
    await spooled.sink.write(batch_of(range(50, 60)))
    await spooled.until(lambda: sum(spooled.counts.values()) == 120)
    await spooled.sink.close()

    assert spooled.receiver.numbers[-10:] == list(range(50, 60))
    assert spooled.counts[f"{FAILED} {SPOOL_DAMAGED}"] == 50 - (len(spooled.receiver.numbers) - 10) > 0
    assert any("missing" in text for text in spooled.said)


async def test_a_small_quota_is_used_to_the_end(tmp_path: Path) -> None:
    """A batch larger than the quota goes to disk in parts: what is left is the newest, not nothing."""
    spooled = Spooled(tmp_path, Receiver(answer=is_down), max_bytes=100_000)
    await spooled.sink.open()
    await spooled.sink.write(batch_of(range(5000)))
    spooled.receiver._answer = None
    await spooled.until(lambda: spooled.counts[DELIVERED] + spooled.counts[f"{DROPPED} {SPOOL_FULL}"] == 5000)
    await spooled.sink.close()

    assert spooled.counts[DELIVERED] > 500
    assert spooled.receiver.numbers[-1] == 4999


async def test_an_event_larger_than_the_quota_is_refused_alone(tmp_path: Path) -> None:
    """Its neighbours are kept."""
    spooled = Spooled(tmp_path, Receiver(), max_bytes=100_000)
    events = [{"message": "x" * (200_000 if number == 3 else 10), "number": number} for number in range(6)]
    await spooled.sink.open()
    with pytest.raises(SinkError) as caught:
        await spooled.sink.write(Batch(FORM.encode_events(events), lambda: events))
    await spooled.sink.close()

    assert caught.value.failed_indexes == {3}
    assert spooled.receiver.numbers == [0, 1, 2, 4, 5]
