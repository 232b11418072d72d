"""What an engine shows of itself as plain values: the figures, the queue, the sinks, the diagnostics. No secrets."""

from collections.abc import Iterable, Mapping
from typing import Any

from fapilog.clock import Clock
from fapilog.delivery.accounts import Accounts
from fapilog.delivery.wrapping import figures_of, health_of
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Outlets
from fapilog.engine.journaling import Journaling
from fapilog.engine.pressure import LEVELS, Pressure
from fapilog.engine.queue import EventQueue
from fapilog.event import timestamp

_NS = 1_000_000_000
_STATUSES = ("ok", "failing", "closed")
_CIRCUITS = ("closed", "open", "half-open")


def snapshot_of(
    name: str,
    queue: EventQueue,
    accounts: Accounts,
    diagnostics: Diagnostics,
    outlets: Outlets,
    clock: Clock,
    journaling: Journaling | None = None,
) -> dict[str, Any]:
    """Return what ``/debug/logging`` shows of an engine made of these parts; ``journal`` is None if it keeps none."""
    options = queue.options
    with accounts.lock, queue.lock:
        figures = accounts.figures(queue.submitted(), queue.dropped)
        depth = {
            "depth": len(queue.items),
            "capacity": options.capacity,
            "reserve": options.reserve,
            "bytes": queue.size_bytes(),
            "max_bytes": queue.max_bytes,
            "high_watermark": max(queue.high_watermark, len(queue.items)),
            "policy": options.policy,
        }
        latest = {sink: list(account.latest) for sink, account in accounts.sinks.items()}
        failing = {sink for sink, account in accounts.sinks.items() if account.failing}
    by_name = {channel.books.sink.name: channel.books.sink for channel in outlets.channels}
    rows = {
        sink: {
            **row,
            **_wrapped(by_name[sink], row, diagnostics, "failing" if sink in failing else "ok"),
            "latency": _latency(latest[sink]),
            "pressure": _pressure(outlets.pressures.get(sink), clock),
        }
        for sink, row in figures.pop("sinks").items()
    }
    return {
        "name": name,
        "state": "running" if queue.running else "stopped",
        "queue": depth,
        **figures,
        "sinks": rows,
        "journal": None if journaling is None else {**journaling.figures(), "replayed": queue.replayed},
        "diagnostics": {
            "counts": diagnostics.counts(),
            "recent": [report._asdict() for report in diagnostics.recent()],
        },
    }


def totals_of(queue: EventQueue, accounts: Accounts) -> tuple[dict[str, int], int]:
    """Return what became of all events so far, and how many are in the queue.

    "Submitted" is what the worker has taken or the queue has dropped; what waits in the queue is told beside it.
    """
    with accounts.lock, queue.lock:
        waiting = queue.submitted() - queue.taken - queue.replayed - queue.dropped.total()
        figures = accounts.figures(queue.submitted(), queue.dropped)
    totals = {
        "submitted": accounts.passed + queue.replayed + queue.dropped.total(),
        "delivered": figures["delivered"],
        **{outcome: sum(figures[outcome].values()) for outcome in ("filtered", "dropped", "failed")},
    }
    return totals, waiting


def _wrapped(sink: Any, row: Mapping[str, Any], diagnostics: Diagnostics, judged: str) -> dict[str, Any]:
    """Return what a sink and its wrappers tell of themselves, without the secrets in it; ``judged`` if they do not."""
    own = figures_of(sink)
    told = {"status": judged, **health_of(sink)}
    health = {name: diagnostics.scrubbed(value) if isinstance(value, str) else value for name, value in told.items()}
    spool = {"events": row["spooled"], "bytes": own["pending_bytes"]} if "pending_bytes" in own else None
    return {
        # A sink of the user's may tell anything under these names; all of it is under ``health``.
        "status": told["status"] if told["status"] in _STATUSES else judged,
        "circuit": told["circuit"] if told.get("circuit") in _CIRCUITS else None,
        "retried": own.get("retries", 0),
        "spool": spool,
        "own": own,
        "health": health,
    }


def _latency(latest: Iterable[float]) -> dict[str, Any] | None:
    """Return how long the last batches took, at most ``LATEST_BATCHES`` of them; None if there was none."""
    seconds = sorted(latest)
    if not seconds:
        return None
    last = len(seconds) - 1
    return {
        "p50_ms": round(seconds[last // 2] * 1_000, 3),
        "p99_ms": round(seconds[-(-last * 99 // 100)] * 1_000, 3),
        "batches": len(seconds),
    }


def _pressure(pressure: Pressure | None, clock: Clock) -> dict[str, Any] | None:
    if pressure is None:
        return None
    now, time_ns = clock.monotonic(), clock.time_ns()
    history = [
        {"time": timestamp(time_ns - round((now - at) * _NS)), "from": LEVELS[before], "to": LEVELS[after]}
        for at, before, after in list(pressure.history)
    ]
    return {**pressure.describe(), "history": history}
