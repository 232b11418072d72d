"""What an engine shows of itself as plain values: the figures, the queue, the levels, the diagnostics. No secrets."""

from collections.abc import Mapping
from typing import Any

from fapilog.delivery.accounts import Accounts
from fapilog.delivery.wrapping import figures_of, health_of
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Outlets
from fapilog.engine.journaling import Journaling
from fapilog.engine.levels import LevelRules
from fapilog.engine.queue import EventQueue


def snapshot_of(
    queue: EventQueue,
    accounts: Accounts,
    levels: LevelRules,
    diagnostics: Diagnostics,
    outlets: Outlets,
    journaling: Journaling | None = None,
) -> dict[str, Any]:
    """Return everything that ``/debug/logging`` shows of an engine made of these parts; ``journal`` if it keeps one."""
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
    kept = {} if journaling is None else {"journal": {**journaling.figures(), "replayed": queue.replayed}}
    by_name = {channel.books.sink.name: channel.books.sink for channel in outlets.channels}
    pressures = outlets.pressures
    rows = {
        name: {
            **row,
            "own": figures_of(by_name[name]),
            "health": _health(by_name[name], row, diagnostics),
            **({"pressure": pressures[name].describe()} if name in pressures else {}),
        }
        for name, row in figures.pop("sinks").items()
    }
    return {
        "state": "running" if queue.running else "stopped",
        "queue": depth,
        **figures,
        "sinks": rows,
        **kept,
        "levels": levels.describe(),
        "diagnostics": {
            "counts": diagnostics.counts(),
            "recent": [report._asdict() for report in diagnostics.recent()],
        },
    }


def _health(sink: Any, row: Mapping[str, Any], diagnostics: Diagnostics) -> dict[str, Any]:
    """Return how a sink is: what it tells itself, without the secrets in it, or whether anything went wrong so far."""
    told = {"status": "failing" if row["last_error"] else "ok", **health_of(sink)}
    return {name: diagnostics.scrubbed(value) if isinstance(value, str) else value for name, value in told.items()}
