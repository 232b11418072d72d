"""What an engine is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.delivery.books import OnDelivery
from fapilog.delivery.buffer import BatchOptions
from fapilog.delivery.routing import RoutingOptions
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Output
from fapilog.engine.journaling import JournalParts
from fapilog.engine.pressure import AdaptiveOptions
from fapilog.engine.queue import QueueOptions
from fapilog.engine.stages import FailMode
from fapilog.engine.watching import WatchParts
from fapilog.levels import LevelTable


@dataclass(frozen=True)
class EngineParts:
    """What an engine is made of; put together by ``config/assemble.py``.

    Attributes:
        levels: The process's level names.
        level: The default threshold.
        level_overrides: Those of some logger names and all below them.
        outputs: The sinks; names are unique.
        queue: The queue's bounds and policy.
        batch: How batches are made.
        resource: Fields about the process on every event: service, env, version, host, pid.
        shutdown_timeout_seconds: How long a drain may take by default.
        filters, enrichers, redactors, processors: The stages, in order.
        journal: Keeps events until they are settled, for the case of a kill; None: nobody does.
        routing: Which sinks get an event; None: all of them.
        fail: What is left of an event whose redaction fails: ``"mask_all"`` or ``"drop"``.
        diagnostics: Where the engine says what goes wrong.
        adaptive: How batches grow and low levels are shed under pressure; None: they do not.
        clock: For pauses, ages and windows.
        name: What its metrics are labelled with.
        at_look: Redact what is no event and is looked at in the running process; None: it is withheld.
        watch: What is kept for whoever looks at the running process; None: nothing.
        on_delivery: Told of each batch: the sink's name, how many seconds it took, and how many events it held; in the
            thread that delivers. What it raises changes nothing.
        recorded: Whether a flight recorder is configured: then its metrics are there before it has kept anything.
    """

    levels: LevelTable
    level: int
    outputs: Sequence[Output]
    queue: QueueOptions = QueueOptions()
    batch: BatchOptions = BatchOptions()
    resource: dict[str, Any] = field(default_factory=dict)
    shutdown_timeout_seconds: float = 5.0
    filters: Sequence[Any] = ()
    enrichers: Sequence[Any] = ()
    redactors: Sequence[Any] = ()
    processors: Sequence[Any] = ()
    level_overrides: Mapping[str, int] = field(default_factory=dict)
    fail: FailMode = "mask_all"
    routing: RoutingOptions | None = None
    journal: JournalParts | None = None
    adaptive: AdaptiveOptions | None = None
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    clock: Clock = SYSTEM_CLOCK
    name: str = "root"
    at_look: Sequence[Any] | None = None
    watch: WatchParts | None = None
    on_delivery: OnDelivery | None = None
    recorded: bool = False
