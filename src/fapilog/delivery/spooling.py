"""Events wait on disk, not in memory, until the receiver has taken them.

    write ─► append to the spool ─► returns: the batch is safe          (order kept, in segments, within a quota)
                     │
                     ▼
    _feed:    read the oldest ─► the sink inside, as often as it takes ─► acknowledge ─► its segment is deleted

Every batch goes this way, also while the receiver is well, so that there is one order and one way to recover. A batch
that was sent and not acknowledged yet when the process ended is sent again at the next start: at least once, and each
event has the same ``event_id`` both times.
"""

import asyncio
import errno
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

import orjson

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.delivery.accounts import DELIVERED, DROPPED, FAILED, SPOOLED
from fapilog.delivery.batches import batch_of
from fapilog.delivery.buffer import BatchOptions
from fapilog.delivery.identity import Numbered
from fapilog.delivery.limits import Limits
from fapilog.delivery.loop_channel import first_of
from fapilog.delivery.plugin import MISCONFIGURED_SECONDS, REOPEN_SECONDS, outcome
from fapilog.delivery.spool.store import Chunk, SpoolFullError, SpoolStore
from fapilog.delivery.wrapping import Wrapper, finished, health_of
from fapilog.diagnostics import describe
from fapilog.errors import SinkError
from fapilog.offload import Offload
from fapilog.protocols import Batch, Format, Sink

SPOOL_FULL = "spool_full"
SPOOL_DAMAGED = "spool_damaged"
_PATIENCE_SECONDS = 2.0
_AGAIN_SECONDS = 1.0

Timer = Callable[[float, int], object]
"""Told how many seconds the receiver had a batch, and of how many events."""
Keeper = Callable[[str, int, str], None]
"""Told what became of events after ``write`` returned: the outcome, how many, and the reason."""


class Spooling(Wrapper):
    """Appends batches to a spool and feeds the sink inside from it, one batch at a time.

    Args:
        inner: The sink, which never gives up by itself.
        store: The spool; used by a thread of its own.
        form: Makes the sink's lines; None if it reads dicts only.
        record_form: Makes the records: JSON lines of schema ``fapilog/1``.
        say: Is told what goes wrong with the disk.
        clock: Times the batches.

    Attributes:
        figures: What the store counts, and ``spool_paused``: how often a batch had to wait because the disk was full.
    """

    def __init__(
        self,
        inner: Sink,
        store: SpoolStore,
        form: Format | None,
        record_form: Format,
        say: Callable[[str], object] = str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Open nothing."""
        super().__init__(inner)
        self._store = store
        self._form = form
        self._record_form = record_form
        self._limits = Limits.of(BatchOptions())
        self._say = say
        self._keeper: Keeper = _nobody
        self._timed: Timer = _nobody
        self._clock = clock
        self._report = say
        self._finishing: asyncio.Future[None] | None = None
        self._pid = os.getpid()
        self._paused = 0
        self._owed = self._left_behind = 0
        self._failing = False
        self._offload = Offload(f"fapilog-{self.name}-spool")
        self._more = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._syncer: asyncio.Task[None] | None = None
        self._opened = False
        self._idle = False
        self._chunk: Chunk | None = None

    @property
    def figures(self) -> dict[str, float]:
        """Return what the store counts."""
        return {**self._store.figures, "spool_paused": self._paused}

    def attach(
        self, keeper: Keeper, limits: Limits, report: Callable[[str], object], timed: Timer | None = None
    ) -> None:
        """Tell somebody from now on what becomes of the events, and send as much at once as the channel may.

        Args:
            keeper: Told what becomes of events.
            limits: The channel's.
            report: Told what the sink inside has against them.
            timed: Told how long each batch took.
        """
        self._keeper = keeper
        self._timed = timed or _nobody
        self._report = report
        self._limits = limits

    def after_fork(self) -> None:
        """Leave the parent's spool to the parent, or to whoever comes after it; nothing happens in the parent."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._owed = self._left_behind = 0
            self._store.abandon_after_fork()

    async def open(self) -> None:
        """Open the spool, which holds what was left by earlier processes; the sink inside is opened behind its back.

        Raises:
            SinkError: If the directory cannot be used.
        """
        self.after_fork()
        self._offload = Offload(f"fapilog-{self.name}-spool")
        self._more = asyncio.Event()
        self._opened = self._idle = False
        self._chunk = None
        try:
            await self._offload.run(self._store.open)
        except OSError as error:
            raise SinkError(f"the spool cannot be opened: {error.strerror or error}", retryable=True) from error
        self._pump = asyncio.get_running_loop().create_task(self._run())
        self._syncer = asyncio.get_running_loop().create_task(self._sync())

    async def write(self, batch: Batch) -> None:
        """Append the batch; if the disk is full, wait for room, as nothing is lost by that.

        Raises:
            SinkError: If the quota is used up and its policy is to refuse, counted as ``spool_full``.
        """
        parts = deque(_parts(self._records(batch), self._store.append_bytes))
        refused: list[int] = []
        done = 0
        why = ""
        while parts:
            records = parts.popleft()
            try:
                await asyncio.shield(asyncio.ensure_future(self._append(records)))
            except SpoolFullError as error:
                refused += range(done, done + len(records))
                why = str(error)
            except OSError as error:
                half = len(records) // 2
                if error.errno == errno.EFBIG and half:
                    # No room for all of it in one file, whatever is freed.
                    parts.extendleft((records[half:], records[:half]))
                    continue
                parts.appendleft(records)
                self._paused += 1
                self._say(f"the spool cannot be written to, events wait in memory: {error.strerror or error}")
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            done += len(records)
        if refused:
            raised = SinkError(why, failed_indexes=refused)
            raised.reason = SPOOL_FULL
            raise raised

    async def _append(self, records: Sequence[bytes]) -> None:
        """Append, and take note of it; not to be cancelled in between, or it would be there and not be counted."""
        appended = await self._offload.run(self._store.append, records)
        self._owed += len(records)
        self._keeper(SPOOLED, len(records), "")
        if gone := appended.removed + appended.recovered_removed:
            self._settle(DROPPED, appended.removed + self._of_mine(appended.recovered_removed), SPOOL_FULL)
            self._say(f"the quota is used up: the oldest {gone} events are dropped")
        self._idle = False
        self._more.set()

    async def close(self) -> None:
        """Deliver what is there as long as the receiver takes it, two seconds at most; the rest stays on disk."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE_SECONDS
        pump = self._pump
        while pump is not None and not self._idle and self._well() and loop.time() < until:
            # The pump may be in the middle of a write that hangs, so there is nothing to wait for but time.
            await asyncio.wait({pump}, timeout=0.005)
        tasks = [task for task in (pump, self._syncer) if task is not None]
        self._pump = self._syncer = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        if self._finishing is not None:
            await asyncio.wait({self._finishing}, timeout=1.0)
        await self._offload.run(self._store.close)
        self._left_behind = self._owed
        self._offload.close()
        if self._opened:
            self._opened = False
            await super().close()

    def health(self) -> dict[str, str]:
        """Tell whether the disk can be written to and the sink inside takes events."""
        return {"status": "failing"} if self._failing else {}

    async def _sync(self) -> None:
        """Have what was written forced to the disk in time, also while the receiver hangs and nothing new comes."""
        while True:
            await asyncio.sleep(_AGAIN_SECONDS)
            await self._offload.run(self._store.tend)

    def _well(self) -> bool:
        return self._opened and not self._failing and health_of(self.inner).get("status") != "failing"

    async def _run(self) -> None:
        """Feed the sink, whatever happens on the way: what was read and not acknowledged is delivered next."""
        while True:
            error = await outcome(self._feed())
            self._failing = True
            self._say(f"the spool's feeder is started again: {'ended' if error is None else describe(error)}")
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _feed(self) -> None:
        if not self._opened:
            await self._open_inner()
        while True:
            self._more.clear()
            if self._chunk is None:
                limits = self._limits
                self._chunk = await self._offload.run(self._store.read, limits.max_events, limits.max_bytes)
            if self._chunk is None:
                self._idle = True
                self._miss()
                # Not for ever: what could not be read may be readable later.
                await first_of(self._more, _AGAIN_SECONDS, lambda: False)
                continue
            await self._deliver(self._chunk)
            self._chunk = None
            self._failing = False

    def _miss(self) -> None:
        """Count what was put on disk and is not there any more, when nothing is left to be read."""
        if self._owed > 0 and not self._store.figures["pending_events"]:
            lost = self._owed
            self._left_behind = 0
            self._settle(FAILED, lost, SPOOL_DAMAGED)
            self._say(f"{lost} events are missing on the disk or cannot be read")

    async def _open_inner(self) -> None:
        while True:
            try:
                await super().open()
            except SinkError as error:
                self._failing = True
                self._report(f"cannot be opened, events wait on disk: {error}")
                await asyncio.sleep(REOPEN_SECONDS if error.retryable else MISCONFIGURED_SECONDS)
                continue
            self._opened, self._failing = True, False
            return

    async def _deliver(self, chunk: Chunk) -> None:
        batch = self._batch(chunk.records)
        failed: dict[str, int] = {}
        began = self._clock.monotonic()
        try:
            await finished(self.inner.write(batch))
        except SinkError as error:
            count = len(batch) if error.failed_indexes is None else len(error.failed_indexes)
            failed = {error.reason: count}
            self._report(str(error))
        self._timed(self._clock.monotonic() - began, len(batch))
        self._finishing = asyncio.ensure_future(self._acknowledge(chunk, failed))
        await asyncio.shield(self._finishing)

    async def _acknowledge(self, chunk: Chunk, failed: Mapping[str, int]) -> None:
        """Let go of a batch, and count it; not to be cancelled in between, or it would be gone and not be counted."""
        await self._offload.run(self._store.acknowledge, chunk.token)
        mine = self._of_mine(len(chunk.records)) if chunk.recovered else len(chunk.records)
        for reason, count in failed.items():
            self._settle(FAILED, min(count, mine), reason)
            mine -= min(count, mine)
        self._settle(DELIVERED, mine, "")

    def _settle(self, outcome: str, count: int, reason: str) -> None:
        self._owed -= count
        self._keeper(outcome, count, reason)

    def _of_mine(self, count: int) -> int:
        """Return how many of some recovered events this process counts as waiting, since before it was last closed.

        The others are of processes that have died, whose accounts are gone.
        """
        mine = min(count, self._left_behind)
        self._left_behind -= mine
        return mine

    def _records(self, batch: Batch) -> list[bytes]:
        if self._holds_records():
            return [batch.line(index) for index in range(len(batch))]
        return self._record_form.encode_events(batch.flat)

    def _batch(self, records: Sequence[bytes]) -> Batch:
        if self._holds_records():
            return Batch(records, lambda: [orjson.loads(record) for record in records], len(records))
        return batch_of([orjson.loads(record) for record in records], self._form)

    def _holds_records(self) -> bool:
        """Tell whether the sink's own lines are what is kept on disk."""
        form = self._form.base if isinstance(self._form, Numbered) else self._form
        return form is not None and form.name == self._record_form.name and form.reshape is None


def _parts(records: Sequence[bytes], most: int) -> Iterator[Sequence[bytes]]:
    """Yield records in parts of at most so many bytes, a larger one alone."""
    begin = size = 0
    for index, record in enumerate(records):
        if size + len(record) > most and index > begin:
            yield records[begin:index]
            begin, size = index, 0
        size += len(record)
    yield records[begin:]


def _nobody(*_: object) -> None:
    """Tell nobody."""
