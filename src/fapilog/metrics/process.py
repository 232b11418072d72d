"""The figures of a process: of its engines, and of the HTTP requests it answers."""

import weakref
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from fapilog.metrics.catalogue import Metric
from fapilog.metrics.http import HttpDurations
from fapilog.metrics.points import Family, Point


class Measured(Protocol):
    """An engine, as far as its figures go."""

    def metrics(self) -> list[Family]:
        """Return the figures of now."""
        ...


class _Member(NamedTuple):
    engine: "weakref.ref[Measured]"
    name: str


class ProcessMetrics:
    """Which engines there are, by which name, and what they and the requests come to.

    Adding one is for one thread at a time. Everything else may be called from any thread and takes no lock: a
    collector calls from within those of its library. An engine is not kept alive, and one that is gone is told no more.

    Args:
        engines: Those that count at all.
        options: What each was built with.

    Attributes:
        http: The durations of requests.
    """

    def __init__(self, engines: Container[Measured], options: Mapping[Any, Any]) -> None:
        """Start without any."""
        self.http = HttpDurations()
        self._engines = engines
        self._options = options
        self._members: tuple[_Member, ...] = ()

    def free_name(self, wanted: str) -> str:
        """Return a name that no engine of the process has: ``root``, ``root-2``, … ."""
        taken = {member.name for member, _ in self._alive()}
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}-{number}"
        return name

    def add(self, engine: Measured, name: str) -> None:
        """Tell the figures of an engine from now on.

        Args:
            engine: The engine; it puts the name into its figures itself.
            name: From :meth:`free_name`.
        """
        alive = [member for member, _ in self._alive()]
        self._members = (*alive, _Member(weakref.ref(engine), name))

    def families(self) -> list[Family]:
        """Return the figures of all engines that publish any, of all if none does, and the durations of requests."""
        asked = any(self._options[engine].metrics is not None for _, engine in self._alive())
        engines = self.of_engines(lambda options: options.metrics is not None or not asked)
        return [*engines, *self.of_requests()]

    def of_engines(self, chosen: Callable[[Any], bool]) -> list[Family]:
        """Return the figures of some engines.

        Args:
            chosen: Tells by its options whether an engine is one of them.
        """
        merged: dict[Metric, list[Point]] = {}
        for _, engine in self._alive():
            if chosen(self._options[engine]):
                for metric, points in engine.metrics():
                    merged.setdefault(metric, []).extend(points)
        return list(merged.items())

    def of_requests(self) -> list[Family]:
        """Return the durations of requests; nothing if none was recorded."""
        family = self.http.family()
        return [family] if family[1] else []

    def after_fork(self) -> None:
        """Forget the parent's requests; the engines have forgotten theirs."""
        self.http.reset()

    def _alive(self) -> Iterator[tuple[_Member, Measured]]:
        for member in self._members:
            engine = member.engine()
            if engine is not None and engine in self._engines:
                yield member, engine
