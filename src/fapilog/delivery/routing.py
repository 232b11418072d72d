"""Which events go to which sinks.

    event ─► every route whose conditions all hold ─► the sinks they name ─┐
      └─ no route matches ─► the fallback sinks; without any it is         ├─► each sink gets it once
         counted as filtered, under ``no_route``                          ─┘

Routes are looked at after the stages: what a predicate sees is redacted. At a sink that an event was not routed to it counts
as filtered, under ``routing``; for the engine it is delivered when every sink it was routed to has taken it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from fapilog.checks import texts
from fapilog.diagnostics import Diagnostics
from fapilog.errors import ConfigError
from fapilog.event import EventDict

NO_ROUTE = "no_route"
_ORIGIN = 2


def _listed(value: Any, where: str) -> tuple[str, ...]:
    return texts((value,) if isinstance(value, str) else value, where)


@dataclass(frozen=True)
class Route:
    """Where some events go. All conditions that are given have to hold; one without any matches every event.

    Attributes:
        to: The name of a sink, or several.
        levels: Names of levels, or one.
        logger: A logger's name; it and all below it.
        when: Takes the redacted event as a flat dict and returns whether it goes there. One that raises is reported, and
            counts as False.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # settings read routes of the environment with pydantic

    to: str | Sequence[str]
    levels: str | Iterable[str] | None = None
    logger: str | None = None
    when: Callable[[EventDict], bool] | None = None

    def __post_init__(self) -> None:
        """Check everything that does not need the sinks.

        Raises:
            ConfigError: If a value cannot be used.
        """
        object.__setattr__(self, "to", _listed(self.to, "Route(to)"))
        if not self.to:
            raise ConfigError.wrong("Route(to)", self.to, "the name of at least one sink")
        if self.levels is not None:
            levels = frozenset(level.upper() for level in _listed(self.levels, "Route(levels)"))
            object.__setattr__(self, "levels", levels)
        if self.logger is not None and (not isinstance(self.logger, str) or not self.logger):
            raise ConfigError.wrong("Route(logger)", self.logger, "a logger's name")
        if self.when is not None and not callable(self.when):
            raise ConfigError.wrong("Route(when)", self.when, "something that takes an event and returns True or False")


@dataclass(frozen=True)
class RoutingOptions:
    """All routes.

    Attributes:
        routes: An event goes to the sinks of every one that matches. From the environment as JSON:
            ``[{"to": "errors", "levels": ["ERROR", "CRITICAL"]}]``.
        fallback: The sinks of an event that no route matches; without any it is filtered, counted as ``no_route``.
    """

    routes: tuple[Route, ...] = ()
    fallback: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the types.

        Raises:
            ConfigError: If a value cannot be used.
        """
        if isinstance(self.routes, Mapping | str) or not isinstance(self.routes, Iterable):
            raise ConfigError.wrong("with_routing(routes)", self.routes, "a list of Route(…)")
        object.__setattr__(self, "routes", tuple(_route(route) for route in self.routes))
        object.__setattr__(self, "fallback", _listed(self.fallback, "with_routing(fallback)"))


def _route(given: Any) -> Route:
    if isinstance(given, Route):
        return given
    if not isinstance(given, Mapping):
        raise ConfigError.wrong("with_routing(routes)", given, "a Route(…), or its options by name")
    known = ("to", "levels", "logger", "when")
    for name in given:
        if name not in known:
            raise ConfigError.unknown("with_routing(routes)", name, known)
    if "to" not in given:
        raise ConfigError.wrong("with_routing(routes)", dict(given), 'options of a route with "to" among them')
    return Route(**given)


class Routed(NamedTuple):
    """Events of a slice, and for each sink which of them it gets."""

    events: list[Any]
    levels: list[int]
    places: list[list[int]]


class _Rule(NamedTuple):
    levels: frozenset[int] | None
    logger: str
    below: str
    when: Callable[[EventDict], bool] | None
    to: tuple[int, ...]


class Router:
    """Decides for each event. Used by the worker alone.

    Args:
        options: The routes.
        sinks: The names of the sinks, in the order of the places it returns.
        names: Names the levels.
        diagnostics: Where a predicate that raises is reported.

    Raises:
        ConfigError: If a route names a sink or a level that does not exist, or no event can ever reach some sink.
    """

    def __init__(
        self, options: RoutingOptions, sinks: Sequence[str], names: Callable[[str, str], int], diagnostics: Diagnostics
    ) -> None:
        """Look the sinks and levels up once."""
        self._diagnostics = diagnostics
        self._count = len(sinks)
        numbers = {name: number for number, name in enumerate(sinks)}
        self._rules = [_rule(route, numbers, names) for route in options.routes]
        self._fallback = _numbers(options.fallback, numbers, "with_routing(fallback)")
        reached = {number for rule in self._rules for number in rule.to} | set(self._fallback)
        for name, number in numbers.items():
            if number not in reached:
                allowed = "a sink that some route or the fallback names"
                raise ConfigError.wrong("with_routing()", name, f"{allowed}: no event could ever reach this one")

    def route(
        self, events: Sequence[Any], levels: Sequence[int], to_events: Callable[[Sequence[Any]], list[EventDict]]
    ) -> Routed:
        """Return the events that go somewhere, and where.

        Args:
            events: Captured records or flat dicts.
            levels: The level of each.
            to_events: Makes dicts of records; only called if a route has a predicate.
        """
        kept: list[Any] = []
        kept_levels: list[int] = []
        places: list[list[int]] = [[] for _ in range(self._count)]
        for event, level in zip(events, levels, strict=True):
            targets = self._targets(event, level, to_events)
            for number in targets:
                places[number].append(len(kept))
            if targets:
                kept.append(event)
                kept_levels.append(level)
        return Routed(kept, kept_levels, places)

    def _targets(
        self, event: Any, level: int, to_events: Callable[[Sequence[Any]], list[EventDict]]
    ) -> Iterable[int]:
        logger = event.get("logger", "") if type(event) is dict else event[_ORIGIN].name
        flat: EventDict | None = event if type(event) is dict else None
        found: set[int] = set()
        for rule in self._rules:
            if rule.levels is not None and level not in rule.levels:
                continue
            if rule.logger and logger != rule.logger and not str(logger).startswith(rule.below):
                continue
            if rule.when is not None:
                flat = to_events([event])[0] if flat is None else flat
                verdict, error = self._diagnostics.guard_private("routing", rule.when, flat)
                if error is not None or not verdict:
                    continue
            found.update(rule.to)
        return found or self._fallback


def _rule(route: Route, numbers: Mapping[str, int], level_number: Callable[[str, str], int]) -> _Rule:
    levels = None
    if route.levels is not None:
        levels = frozenset(level_number(level, "Route(levels)") for level in route.levels)
    logger = route.logger or ""
    return _Rule(levels, logger, f"{logger}.", route.when, _numbers(route.to, numbers, "Route(to)"))


def _numbers(names: Iterable[str], numbers: Mapping[str, int], where: str) -> tuple[int, ...]:
    for name in names:
        if name not in numbers:
            raise ConfigError.unknown(where, name, numbers)
    return tuple(dict.fromkeys(numbers[name] for name in names))
