"""What an engine shows of itself as plain values: the figures, the queue, the levels, the diagnostics. No secrets."""

from collections.abc import Iterable, Mapping
from typing import Any

from fapilog.delivery.accounts import Accounts
from fapilog.diagnostics import Diagnostics, attempt
from fapilog.engine.journaling import Journaling
from fapilog.engine.levels import LevelRules
from fapilog.engine.queue import EventQueue


def snapshot_of(
    queue: EventQueue,
    accounts: Accounts,
    levels: LevelRules,
    diagnostics: Diagnostics,
    sinks: Iterable[Any],
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
    own = own_figures(sinks)
    rows = {name: {**row, "own": own[name]} for name, row in figures.pop("sinks").items()}
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


def own_figures(sinks: Iterable[Any]) -> dict[str, dict[str, float]]:
    """Return by name what sinks count themselves: the numbers in their ``figures``, if they have such a mapping."""
    return {sink.name: attempt(_numbers, sink)[0] or {} for sink in sinks}


def _numbers(sink: Any) -> dict[str, float]:
    figures = getattr(sink, "figures", None)
    # Numbers alone: a text could hold a secret.
    pairs = dict(figures).items() if isinstance(figures, Mapping) else ()
    return {name: value for name, value in pairs if type(name) is str and type(value) in (int, float)}
