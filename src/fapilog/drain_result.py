"""What a drain tells: the accounting of an engine at its end."""

from typing import Any, NamedTuple


class DrainResult(NamedTuple):
    """What became of every event since the engine was made.

    ``submitted == delivered + sum(filtered) + sum(dropped) + sum(failed) + in_flight`` holds for the engine, where an
    event counts once (delivered when every sink has taken it), and for each sink.

    Attributes:
        submitted: Events whose level was on.
        delivered: Events that every sink they went to has taken.
        filtered: Events a filter or processor held back.
        dropped: Events that found no room or no time; ``sinks`` has the reasons.
        failed: Events that a sink gave up or a stage broke.
        in_flight: Events neither delivered nor lost: held by a sink that did not return in time, logged while the drain
            ran and then delivered after it, or waiting on disk.
        queue_high_watermark: The most events the queue has held.
        duration_seconds: How long the drain took.
        timed_out: Whether the deadline came first.
        sinks: For each sink the same figures, with the reasons of its losses by name.
        spooled: Of those in flight the events that wait on disk, in the fullest of the spools; the next start delivers
            them.
    """

    submitted: int
    delivered: int
    filtered: int
    dropped: int
    failed: int
    in_flight: int
    queue_high_watermark: int
    duration_seconds: float
    timed_out: bool
    sinks: dict[str, dict[str, Any]]
    spooled: int = 0
