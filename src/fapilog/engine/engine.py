"""The engine: starts its thread with the first event, flushes, drains, and begins anew in a forked child.

    stopped ──first event──► running ──drain──► stopped ──next event──► running …

A drain is not death. Only the end of the interpreter is: then the last drain is done by ``fapilog._runtime``, and what
is logged later is counted and said once on standard error.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fapilog.context import do_own_work, enter_own_work
from fapilog.delivery.accounts import SHUTDOWN_TIMEOUT, Accounts
from fapilog.delivery.routing import Router
from fapilog.diagnostics import attempt
from fapilog.drain_result import DrainResult
from fapilog.engine.channels import Outlets, let_go, make_channels, pressures_on
from fapilog.engine.flush import flush_mark
from fapilog.engine.journaled_queue import JournaledQueue
from fapilog.engine.journaling import Journaling
from fapilog.engine.levels import LevelRules
from fapilog.engine.looking import Looking
from fapilog.engine.metering import Meter
from fapilog.engine.notices import Notices
from fapilog.engine.origins import Origins
from fapilog.engine.parts import EngineParts
from fapilog.engine.queue import AFTER_SHUTDOWN, EventQueue
from fapilog.engine.snapshot import snapshot_of, totals_of
from fapilog.engine.spans import SPAN_KEY, context_reader
from fapilog.engine.stages import Stages
from fapilog.engine.watching import Watching
from fapilog.engine.worker import Worker
from fapilog.event import EventDict, Origin, to_events
from fapilog.flight import Ledger
from fapilog.metrics.points import Family
from fapilog.recent import Recent
from fapilog.units import parse_duration

__all__ = ["Engine", "EngineParts"]

_POLL_SECONDS = 0.002


class Engine:
    """A queue, a thread, stages and sinks. All methods are thread-safe."""

    def __init__(self, parts: EngineParts) -> None:
        """Make a stopped engine; no thread runs and no sink is open before the first event."""
        self.parts = parts
        self.options: Any = None
        self.on_start: Callable[[], None] = _nothing
        self.diagnostics = parts.diagnostics
        self.levels = LevelRules(parts.level, parts.levels, parts.level_overrides)
        self._journaling = _journaling(parts)
        self.queue = _queue(parts, self._start, self._journaling)
        self.queue.exit_patience = parts.shutdown_timeout_seconds
        self.redact_fields = Looking(parts.at_look, parts.diagnostics, parts.clock, self._journaling)
        redactors = (self._journaling or self.redact_fields).in_turn(parts.redactors)
        stages = (parts.filters, parts.enrichers, redactors, parts.processors)
        self._stages = Stages(parts.diagnostics, *stages, parts.fail)
        sinks = [(output.sink.name, output.form.name if output.form else "") for output in parts.outputs]
        routing = parts.routing
        self._router = None if routing is None else Router(routing, sinks, parts.levels.number, parts.diagnostics)
        self._origins = Origins(self.queue, self.levels)
        self._own = Origin("fapilog", self.queue)
        self.ledger = Ledger()
        self.watching = None if parts.watch is None else Watching(parts.watch, self._totals, parts.levels, parts.clock)
        self._begin()

    def _begin(self) -> None:
        """Set up all that a forked child must not share with its parent."""
        self.accounts = Accounts()
        parts = self.parts
        self._channels = make_channels(
            parts.outputs,
            self.accounts,
            parts.queue,
            self.queue.max_bytes,
            parts.batch,
            parts.diagnostics,
            parts.clock,
            parts.on_delivery,
        )
        self._meter = Meter(parts)
        self._pressures = pressures_on(self._channels, parts.adaptive, parts.levels.number)
        self._thread: threading.Thread | None = None
        self._worker: Worker | None = None
        self._stopped = threading.Event()
        self._notices = Notices(self.queue, self._own, self._stages, self.parts.clock)

    def after_fork(self) -> None:
        """Forget the parent's events and thread; for the child of a fork, before anything else runs there."""
        self.queue.reset()
        self.diagnostics.reset()
        # What filters held back so far were the parent's events: it is the one to sum them up.
        self._stages.due(final=True)
        if self._journaling is not None:
            self._journaling.after_fork()
        self.redact_fields.after_fork()
        self._origins.reset()
        self.ledger.reset()
        if "pid" in self.parts.resource:
            self.parts.resource["pid"] = os.getpid()
        for output in self.parts.outputs:
            if output.form is not None:
                output.form.reset()
            let_go(output.sink)
        if self.watching is not None:
            self.watching.reset()
        self._begin()

    def origin(self, name: str) -> Origin:
        """Return where the events of a logger name start; one object for each name."""
        return self._origins.get(name)

    def logger_names(self) -> list[str]:
        """Return the names of the loggers that lead here, sorted."""
        return self._origins.names()

    def adopt(self, origins: Iterable[Origin]) -> None:
        """Lead origins here that led elsewhere."""
        self._origins.adopt(origins)

    def release(self) -> None:
        """Let go of the origins that were adopted: they lead elsewhere from now on."""
        self._origins.release()

    def set_level(self, level: str | int | None, logger: str | None = None) -> None:
        """Change the default level, or that of a logger name and those below it; see ``LevelRules.set``.

        Reaches loggers obtained and bound before.
        """
        self._origins.set_level(level, logger)

    def open_floor(self, level: int) -> Callable[[], None]:
        """Let events below the thresholds, from this level on, come to whatever is ``below`` in their scope.

        Returns:
            Call it to take that back; once is as good as often. Any thread.
        """
        return self._origins.open_floor(level)

    def flush(self, timeout: float | str | None = None) -> bool:
        """Block until all events submitted so far are settled at every sink; False if ``timeout`` seconds passed."""
        reached = flush_mark(self.queue, self.accounts)
        deadline = time.monotonic() + self._seconds(timeout)
        with self._hurried():
            while not (done := reached()) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        return done

    async def flush_async(self, timeout: float | str | None = None) -> bool:
        """Do the same as :meth:`flush` without blocking the running loop."""
        reached = flush_mark(self.queue, self.accounts)
        deadline = time.monotonic() + self._seconds(timeout)
        with self._hurried():
            # Thread and loop are not the caller's: an asyncio.Event of this loop could not be set from there.
            while not (done := reached()) and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
        return done

    def drain(self, timeout: float | str | None = None) -> DrainResult:
        """Deliver, close, stop; see ``SyncLoggerFacade.drain``."""
        began, seconds = time.monotonic(), self._seconds(timeout)
        stopped = self._ask_stop()
        if stopped is None:
            return self._result(began, timed_out=False)
        if threading.current_thread() is self._thread:
            # Asked for by a stage or sink: it cannot be waited for there, and happens after it has returned.
            return self._result(began, timed_out=True)
        in_time = stopped.wait(seconds)
        return self._conclude(began, in_time=in_time)

    def begin_drain(self) -> None:
        """Ask for a drain and do not wait for it; for an engine that was replaced."""
        self._ask_stop()

    async def drain_async(self, timeout: float | str | None = None) -> DrainResult:
        """Do the same as :meth:`drain` without blocking the running loop."""
        began, seconds = time.monotonic(), self._seconds(timeout)
        stopped = self._ask_stop()
        if stopped is None:
            return self._result(began, timed_out=False)
        deadline = began + seconds
        while not stopped.is_set() and time.monotonic() < deadline:  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(_POLL_SECONDS)
        return self._conclude(began, in_time=stopped.is_set())

    def finish(self, timeout: float | str | None = None) -> DrainResult:
        """Drain for the last time, because the interpreter ends: later events are counted and said once."""
        if self.queue.items and not self.queue.running:
            # No thread could be started before; it may be too late for one now, so the work is done here.
            with self.queue.lock:
                started = self._start()
            if not started:
                do_own_work(self._run_here)
        self.queue.finalising = True
        result = self.drain(timeout)
        with self.queue.lock:
            self.queue.running = False
            self.queue.abandon(AFTER_SHUTDOWN)
        if self._journaling is not None:
            # Not at every drain: what is logged right after one is in the queue already, and would be found again.
            self._journaling.close()
        return result

    def figures(self) -> dict[str, Any]:
        """Return the accounts: submitted, delivered, filtered, dropped, failed, in_flight, and each sink's."""
        with self.accounts.lock, self.queue.lock:
            return self.accounts.figures(self.queue.submitted(), self.queue.dropped)

    def snapshot(self) -> dict[str, Any]:
        """Return figures, queue, sinks and diagnostics as plain values; for ``/debug/logging``. Holds no secrets."""
        parts = self.parts
        return snapshot_of(
            parts.name, self.queue, self.accounts, self.diagnostics, self._outlets(), parts.clock, self._journaling
        )

    @property
    def recent(self) -> Recent | None:
        """The last events, redacted; None if they are not kept."""
        return None if self.watching is None else self.watching.recent

    def metrics(self) -> list[Family]:
        """Return every metric of ``ENGINE_METRICS`` as it is now; nothing is measured for it before it is asked for."""
        return self._meter.families(self.queue, self.accounts, self._outlets(), self.ledger)

    def _totals(self) -> tuple[dict[str, int], int]:
        return totals_of(self.queue, self.accounts)

    def _outlets(self) -> Outlets:
        return Outlets(self._channels, self._router, self._pressures)

    def _start(self) -> bool:
        """Start the thread; the queue's lock is held. False if the system gives none."""
        if self.queue.finalising:
            self.diagnostics.report("shutdown", "events logged after the last drain are dropped, and counted")
            return False
        self.on_start()
        before, worker, stopped = self._thread, self._new_worker(), threading.Event()
        thread = threading.Thread(target=self._run, args=(worker, before, stopped), name="fapilog-engine", daemon=True)
        # Open before the thread runs: a signal handler that logs in between must not start a second one.
        self._worker, self._thread, self._stopped = worker, thread, stopped
        self.queue.open()
        _, error = attempt(thread.start)
        if error is not None:
            self.diagnostics.report("engine", f"no background thread: {error}")
            self._thread = before
            self.queue.running = False
            self.queue.limit = 0
        return error is None

    def _new_worker(self) -> Worker:
        return Worker(
            self.queue,
            self.accounts,
            self._outlets(),
            self._stages,
            self._journaling,
            self._to_events,
            self.parts.clock,
            self._notices,
            self.diagnostics,
            self.watching,
        )

    def _run(self, worker: Worker, before: threading.Thread | None, stopped: threading.Event) -> None:
        enter_own_work()
        if before is not None:
            before.join()
        ended = False
        try:
            asyncio.run(worker.run())
            ended = True
        finally:
            with self.queue.lock:
                if self._worker is worker:
                    self.queue.running = False
                    self.queue.limit = 0
                    if ended and not self.queue.finalising and (self.queue.items or self.queue.waiting()):
                        # Submitted after the drain that this run ended with: the next run's.
                        self._start()
            stopped.set()

    def _run_here(self) -> None:
        worker = self._new_worker()
        worker.stop()
        attempt(asyncio.run, worker.run())

    def _ask_stop(self) -> threading.Event | None:
        """Ask the thread to stop; return what tells that it has, or None if there is none."""
        with self.queue.lock:
            if not self.queue.running and not (self.queue.items and self._start()):
                return self._stopped if self._thread is not None and self._thread.is_alive() else None
            worker, stopped = self._worker, self._stopped
            if worker is not None:
                worker.stop()
        return stopped

    def _conclude(self, began: float, *, in_time: bool) -> DrainResult:
        if not in_time:
            if self._worker is not None:
                self._worker.give_up()
            self.queue.abandon(SHUTDOWN_TIMEOUT)
            for channel in self._channels:
                channel.abandon(SHUTDOWN_TIMEOUT)
            if self._journaling is not None:
                self._journaling.close()
        result = self._result(began, timed_out=not in_time)
        held = result.in_flight if result.timed_out else 0
        if result.dropped or result.failed or held:
            lost = {"dropped": result.dropped, "failed": result.failed, "in_flight": held}
            text = ", ".join(f"{count} {name}" for name, count in lost.items() if count)
            self.diagnostics.report("drain", f"of {result.submitted} events: {text}{_reasons(result)}")
        return result

    def _result(self, began: float, *, timed_out: bool) -> DrainResult:
        figures = self.figures()
        return DrainResult(
            submitted=figures["submitted"],
            delivered=figures["delivered"],
            filtered=sum(figures["filtered"].values()),
            dropped=sum(figures["dropped"].values()),
            failed=sum(figures["failed"].values()),
            in_flight=figures["in_flight"],
            queue_high_watermark=self.queue.high_watermark,
            duration_seconds=time.monotonic() - began,
            timed_out=timed_out,
            sinks=figures["sinks"],
            spooled=figures["spooled"],
        )

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        """Keep the worker from waiting for more."""
        worker = self._worker
        if worker is None:
            yield
            return
        worker.hurried += 1
        worker.wake()
        try:
            yield
        finally:
            worker.hurried -= 1

    def _seconds(self, timeout: float | str | None) -> float:
        if timeout is None:
            return self.parts.shutdown_timeout_seconds
        return 0.0 if timeout == 0 else parse_duration(timeout, "timeout")

    def _to_events(self, records: Sequence[Any]) -> list[EventDict]:
        return to_events(records, self.parts.levels, self.parts.resource)


def _journaling(parts: EngineParts) -> Journaling | None:
    if parts.journal is None:
        return None
    return Journaling(parts.journal, parts.fail, parts.levels, parts.resource, parts.diagnostics, parts.clock)


def _queue(parts: EngineParts, start: Callable[[], bool], journaling: Journaling | None) -> EventQueue:
    reader = context_reader()
    if journaling is None:
        return EventQueue(parts.queue, parts.levels, start, reader, SPAN_KEY)
    return JournaledQueue(parts.queue, parts.levels, start, reader, SPAN_KEY, journaling)


def _reasons(result: DrainResult) -> str:
    """Return what each sink has lost, and why."""
    lost = [
        f"{name}: {count} {reason}"
        for name, row in result.sinks.items()
        for reason, count in (row["dropped"] | row["failed"]).items()
        if count
    ]
    return f" ({', '.join(lost)})" if lost else ""


def _nothing() -> None:
    """Do nothing."""
