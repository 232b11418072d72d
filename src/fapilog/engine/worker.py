"""The background thread: takes slices from the queue, runs the stages, and hands the rest to the channels.

    open channels ─► ┌ take a slice ─► stages ─► channels ┐ ─► queue empty and a stop asked for ─► close channels
                     └───────────── pause ◄───────────────┘

Nothing wakes it: it looks every 5 ms while events came within the last second, and every 50 ms after that, so that
a log call makes no system call and takes no lock. A drain or flush does wake it. A slice is small enough that the
interpreter lock is held for about 100 µs, and larger only when much waits. It ends by itself when a stop was asked
for and all that was submitted before that is settled.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from fapilog.clock import Clock
from fapilog.context import OWN_WORK
from fapilog.delivery.accounts import Accounts
from fapilog.delivery.routing import NO_ROUTE, Routed
from fapilog.delivery.slices import Slice
from fapilog.diagnostics import Diagnostics, attempt
from fapilog.engine.channels import Outlets
from fapilog.engine.journaling import Journaling, Replay
from fapilog.engine.notices import Notices
from fapilog.engine.pressure import TICK_SECONDS, tick_all
from fapilog.engine.queue import RECURSION, EventQueue
from fapilog.engine.stages import HeldBack, Stages
from fapilog.engine.watching import Watching
from fapilog.event import EventDict, Origin
from fapilog.offload import DaemonExecutor

BUSY_PAUSE_SECONDS = 0.005
IDLE_PAUSE_SECONDS = 0.05
IDLE_AFTER_SECONDS = 1.0
SLICE_EVENTS = 64
LARGE_SLICE_EVENTS = 512
_LARGE_BACKLOG = 2_048
_LOOP_TURN_SECONDS = 0.002
_SLOW_SECONDS = 0.02
_LEVEL, _SHARED = 1, 7
_MOST_ECHOES = 10_000
_POLL_SECONDS = 0.001
_GRACE_SECONDS = 0.05
_LAST_WORDS = 3


class Worker:
    """One run of the background thread, from its start to its end."""

    def __init__(
        self,
        queue: EventQueue,
        accounts: Accounts,
        outlets: Outlets,
        stages: Stages,
        journaling: Journaling | None,
        to_events: Callable[[Sequence[Any]], list[EventDict]],
        clock: Clock,
        notices: Notices,
        diagnostics: Diagnostics,
        watching: Watching | None = None,
    ) -> None:
        """Make a run; :meth:`run` is the thread's body.

        Args:
            queue: Where records come from.
            accounts: The engine's books.
            outlets: The channels of the sinks, and what leads to them.
            stages: What happens to an event.
            journaling: Keeps records until they are settled, if somebody asked for that.
            to_events: Makes flat dicts of records.
            clock: For the pauses.
            notices: What the engine itself has to say.
            diagnostics: Where it is said if no slice can be made.
            watching: Keeps the last events, if somebody asked for that.
        """
        self._queue = queue
        self._accounts = accounts
        self._channels = outlets.channels
        self._sink_accounts = [channel.books.account for channel in outlets.channels]
        self._stages = stages
        self._router = outlets.router
        self._journaling = journaling
        self._replay: Replay | None = None
        self._leave = False
        self._to_events = to_events
        self._clock = clock
        self._notices = notices
        self._words_left = _LAST_WORDS
        self._diagnostics = diagnostics
        self._watching = watching
        self._pressures = list(outlets.pressures.values())
        self._tick_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sleeper: asyncio.Future[None] | None = None
        self._held = False
        self._slow = False
        self._echoes_left = 0
        self.stop_asked = False
        self.given_up = False
        self.stop_at = 0
        self._passed_at = 0.0
        self.hurried = 0

    async def run(self) -> None:
        """Work until a stop is asked for and what was submitted before that is settled."""
        await self._open()
        last_event = last_turn = self._clock.monotonic()
        while True:
            enough = self._enough(self._clock.monotonic())
            taken = 0 if enough else self._step()
            taken += self._tend()
            for channel in self._channels:
                await channel.caught_up()
            now = self._clock.monotonic()
            if self._pressures and now >= self._tick_at:
                self._tick_at = now + TICK_SECONDS
                tick_all(self._pressures, len(self._queue.items) / self._queue.options.capacity, now)
            if not self.stop_asked or self.given_up:
                # After that only the last words: one that always has something to say would start the next run.
                self._notices.between_slices()
            if taken:
                last_event = now
                if now - last_turn < _LOOP_TURN_SECONDS:
                    # Let the application's threads in; writing did so too, but not every slice is written here.
                    time.sleep(0)  # noqa: ASYNC251 - a yield of the interpreter lock, not of the loop
                    continue
                last_turn = now
                await asyncio.sleep(0)
            elif self.stop_asked and self._replay is None and self._settled() and (self._queue.close() or enough):
                break
            else:
                await self._pause(now - last_event)
                last_turn = self._clock.monotonic()
        await asyncio.gather(*(channel.close() for channel in self._channels))
        if self._journaling is not None:
            # What was settled last is not to be found again, however the process ends from here on.
            self._journaling.tend(self._queue)
        # asyncio.run would start a thread to shut the executor down, which has nothing to shut down; some versions of
        # CPython (3.12.1) refuse one at the interpreter's exit. Loops of others may not have it by this name.
        attempt(setattr, self._loop, "_default_executor", None)

    async def _open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(DaemonExecutor())
        self._queue.hold(False)  # noqa: FBT003 - the one argument is the state
        for channel in self._channels:
            await channel.open()
        if self._journaling is not None:
            self._replay = self._journaling.recover()

    def stop(self) -> None:
        """Ask for the end of the run, once all that is in the queue or in line for it now is settled. Thread-safe.

        What comes later is still taken for 50 ms, so that sinks may log while they are drained, and then left for
        the next run, or a program that never stops logging would never be drained.
        """
        self.stop_at = self._queue.position()
        self.stop_asked = True
        self.given_up = False
        self.wake()

    def give_up(self) -> None:
        """Note that nobody waits for the end any more, because a sink hangs. Thread-safe.

        The other sinks go on getting what is logged. The run ends when the hung sink has come back and all is settled.
        """
        self.given_up = self._leave = True

    def wake(self) -> None:
        """End a pause early. Thread-safe; does nothing if the loop is gone."""
        if self._loop is not None:
            # The loop may be closing right now, which is as good as awake.
            attempt(self._loop.call_soon_threadsafe, self._end_pause)

    def _step(self) -> int:
        backlog = len(self._queue.items)
        records: list[tuple[Any, ...]] = []
        if backlog or self._queue.waiting():
            large = self._slow or backlog > _LARGE_BACKLOG
            records = self._first_echoes(self._queue.take(LARGE_SLICE_EVENTS if large else SLICE_EVENTS))
        if records:
            began = self._clock.monotonic()
            self._account_for(records)
            # A sink that takes its time for each batch gets few large ones.
            self._slow = self._clock.monotonic() - began > _SLOW_SECONDS
        held = any([channel.pressed(was=self._held) for channel in self._channels])  # noqa: C419 - each has to look
        if held != self._held:
            # Callers wait while a sink has too much, and no longer.
            self._held = held
            self._queue.hold(held)
        return len(records)

    def _first_echoes(self, records: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Leave out what sinks and stages log, but for one record for each that came from elsewhere.

        A sink that logs something about every event is given that event, too, and logs again, without end.
        """
        own = OWN_WORK.shared
        echoes = sum([record[_SHARED] is own for record in records])
        self._echoes_left = min(self._echoes_left + len(records) - echoes, _MOST_ECHOES)
        if echoes <= self._echoes_left:
            self._echoes_left -= echoes
            return records
        kept, left_out = [], []
        for record in records:
            if record[_SHARED] is not own:
                kept.append(record)
            elif self._echoes_left:
                self._echoes_left -= 1
                kept.append(record)
            else:
                left_out.append(record)
        self._queue.suppress(left_out)
        if self._journaling is not None:
            self._journaling.let_go(left_out)
        self._diagnostics.report(
            RECURSION, "a sink or stage logs about every event; what it logs about that is left out"
        )
        return kept

    def _account_for(self, records: list[tuple[Any, ...]]) -> None:
        """Hand records to the channels; whatever happens on the way, each is counted and the thread goes on."""
        held_back = HeldBack()
        claim = None if self._journaling is None else self._journaling.claim(records)
        piece: Slice | None = None
        reason = "interrupted"
        try:
            piece, error = self._diagnostics.guard("engine", self._slice, records, held_back)
            reason = type(error).__name__
        finally:
            # In a finally because a stage may raise what no one may catch.
            if piece is None:
                self._accounts.write_off(_levels(records), reason, self._sink_accounts)
                if claim is not None:
                    claim.settle()
        if piece is not None:
            piece.claim = claim
            self._hand_over(piece, len(records), held_back)

    def _hand_over(self, piece: Slice, taken: int, held_back: HeldBack) -> None:
        if self._watching is not None:
            # Before the sinks, which may take their time.
            self._diagnostics.guard("console", self._watching.note, piece)
        self._accounts.open_slice(
            piece, taken, held_back.filtered, self._sink_accounts, held_back.dropped, held_back.levels
        )
        try:
            self._offer(piece)
        finally:
            self._accounts.close_slice()

    def _tend(self) -> int:
        """Tend the journal, and deliver the next of what dead processes have left; return how many events that was."""
        if self._journaling is None:
            return 0
        self._journaling.tend(self._queue)
        if self._leave and self._replay is not None:
            # Of what was abandoned nobody will say that it is settled: it is the next start's, like the rest.
            self._replay.close()
            self._replay = None
        if self._replay is None or any(channel.pressed(was=True) for channel in self._channels):
            # A full buffer would drop what has been kept for so long.
            return 0
        found = self._replay.read()
        if found is None:
            self._notices.recovered(self._replay.events, self._replay.damaged)
            self._replay = None
            if self.stop_asked:
                self.stop_at = self._queue.position()
            # Something, or what has just been said would be left to the next run.
            return 1
        events, levels = found
        if not events:
            for channel in self._channels:
                channel.hurry()
            return 0
        origins = [Origin(str(event.get("logger")), self._queue) for event in events]
        records = [(0, level, origin) for level, origin in zip(levels, origins, strict=True)]
        held_back = HeldBack()
        piece = self._routed(events, records, held_back)
        piece.claim = self._replay
        self._queue.replay(len(events))
        self._hand_over(piece, 0, held_back)
        return len(events)

    def _offer(self, piece: Slice) -> None:
        everything: Sequence[int] = range(len(piece))
        for number, channel in enumerate(self._channels):
            indexes = everything if piece.places is None else piece.places[number]
            if indexes:
                _, error = attempt(channel.offer, piece, indexes)
                if error is not None:
                    channel.books.settle([(piece, indexes)], error)

    def _slice(self, records: Sequence[Any], held_back: HeldBack) -> Slice:
        if not self._stages.raw:
            events, kept = self._staged(records, held_back)
            return self._routed(events, kept, held_back)
        redacted = self._stages.redact(records, held_back)
        if self._router is None:
            return Slice(redacted, None, _levels(redacted), self._to_events)
        routed = self._router.route(redacted, redacted, self._to_events)
        piece = Slice(routed.events, None, routed.levels, self._to_events)
        return _placed(piece, routed, redacted, held_back)

    def _routed(self, events: list[EventDict], records: Sequence[Any], held_back: HeldBack) -> Slice:
        """Return a slice of flat dicts; of the record of each only level and origin are read."""
        if self._router is None:
            return Slice(None, events, _levels(records), self._to_events)
        routed = self._router.route(events, records, None)
        piece = Slice(None, routed.events, routed.levels, self._to_events)
        return _placed(piece, routed, records, held_back)

    def _enough(self, now: float) -> bool:
        """Tell whether no more is taken although more may wait: a run that was asked to stop leaves it to the next."""
        if not self.stop_asked or self.given_up or self._queue.gone() < self.stop_at:
            self._passed_at = now
            return False
        if self._words_left and self._notices.last_words():
            # More than once, for what filters hold back meanwhile; not for ever, as a sink may log about each.
            self._words_left -= 1
            self.stop_at = self._queue.position()
            return False
        return now - self._passed_at > _GRACE_SECONDS

    def _staged(self, records: Sequence[Any], held_back: HeldBack) -> tuple[list[EventDict], list[Any]]:
        """Return what the stages leave of the events, and the record of each."""
        events: list[EventDict] = []
        kept: list[Any] = []
        for record, event in zip(records, self._to_events(records), strict=True):
            left = self._stages.apply(event, held_back, record[_LEVEL])
            if left is not None:
                events.append(left)
                kept.append(record)
        return events, kept

    def _settled(self) -> bool:
        for channel in self._channels:
            channel.hurry()
        return all(account.settled == account.offered for account in self._sink_accounts)

    async def _pause(self, idle_seconds: float) -> None:
        if (self.stop_asked and not self.given_up) or self.hurried or self._held:
            seconds = _POLL_SECONDS
        else:
            seconds = BUSY_PAUSE_SECONDS if idle_seconds < IDLE_AFTER_SECONDS else IDLE_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        self._sleeper = loop.create_future()
        timer = loop.call_later(seconds, self._end_pause)
        await self._sleeper
        timer.cancel()
        if self.hurried:
            for channel in self._channels:
                channel.hurry()

    def _end_pause(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)


def _levels(records: Sequence[Any]) -> list[int]:
    return [record[_LEVEL] for record in records]


def _placed(piece: Slice, routed: Routed, before: Sequence[Any], held_back: HeldBack) -> Slice:
    """Note on a slice where its events go; what goes nowhere is counted, by the records of all of them."""
    if len(piece) < len(before):
        for level in (Counter(_levels(before)) - Counter(routed.levels)).elements():
            held_back.filter(NO_ROUTE, level)
    piece.places, piece.shares = routed.places, routed.shares
    return piece
