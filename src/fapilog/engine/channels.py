"""Which kind of channel each sink gets."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fapilog.clock import Clock
from fapilog.delivery.accounts import Accounts
from fapilog.delivery.books import Books, OnDelivery
from fapilog.delivery.buffer import BatchOptions, bounds_for
from fapilog.delivery.channel import Channel, InlineChannel, ThreadChannel
from fapilog.delivery.limits import Limits
from fapilog.delivery.loop_channel import LoopChannel
from fapilog.delivery.routing import Router
from fapilog.delivery.spooling import Spooling
from fapilog.delivery.wrapping import layers
from fapilog.diagnostics import Diagnostics
from fapilog.engine.pressure import AdaptiveOptions, Pressure
from fapilog.engine.queue import QueueOptions
from fapilog.protocols import Format, Sink


@dataclass(frozen=True)
class Output:
    """A sink, and the format of the lines it is given; None for a sink that reads dicts only."""

    sink: Sink
    form: Format | None


class Outlets(NamedTuple):
    """The way to the sinks: a channel for each, what decides who gets an event, and by sink the pressure on it."""

    channels: Sequence[Channel]
    router: Router | None
    pressures: Mapping[str, Pressure]


def make_channels(
    outputs: Sequence[Output],
    accounts: Accounts,
    queue: QueueOptions,
    queue_bytes: int,
    batch: BatchOptions,
    diagnostics: Diagnostics,
    clock: Clock,
    on_delivery: OnDelivery | None = None,
) -> list[Channel]:
    """Return a channel for each sink: a task for an asynchronous one, a thread for one that may block others."""
    bounds = bounds_for(queue.capacity, queue.reserve, queue_bytes, wait=queue.policy == "wait")
    channels: list[Channel] = []
    for output in outputs:
        sink = output.sink
        books = Books(sink, accounts, diagnostics, on_delivery)
        if inspect.iscoroutinefunction(sink.write):
            limits = Limits.of(batch)
            for layer in layers(sink):
                if isinstance(layer, Spooling):
                    layer.attach(books.keep, limits, books.say, books.timed)
                    books.spools = True
            channels.append(LoopChannel(books, output.form, limits, bounds, clock))
        elif getattr(sink, "blocks", True) and len(outputs) > 1:
            channels.append(ThreadChannel(books, output.form, batch, bounds, clock))
        else:
            channels.append(InlineChannel(books, output.form, clock))
    return channels


def pressures_on(
    channels: Iterable[Channel], options: AdaptiveOptions | None, number: Callable[[str | int, str], int]
) -> dict[str, Pressure]:
    """Return by sink what watches the pressure on its channel: for those of asynchronous sinks, if anybody asks.

    Raises:
        ConfigError: If there is no such level to shed.
    """
    if options is None:
        return {}
    shed = number(options.shed, "with_adaptive(shed)")
    return {
        channel.books.sink.name: Pressure(channel, options, shed)
        for channel in channels
        if isinstance(channel, LoopChannel)
    }


def let_go(sink: Sink) -> None:
    """Leave in a forked child, before anything else, the parent's spool to the parent."""
    for layer in layers(sink):
        if isinstance(layer, Spooling):
            layer.after_fork()
