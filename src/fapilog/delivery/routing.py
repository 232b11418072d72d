"""Which events go to which sinks.

    event ─► every route whose conditions all hold ─► the sinks they name ─┐
      └─ no route matches ─► the fallback sinks; without any it is         ├─► each sink gets it once
         counted as filtered, under ``no_route``                          ─┘

Decided once a slice, after the stages, so that a predicate sees what is redacted; a channel is then given the slice and
the indexes of what is its sink's. What level and logger alone decide is decided once for each of them. An event counts
as filtered, under ``routing``, at a sink that it was not routed to; for the engine it is delivered when every sink it
was routed to has taken it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from fapilog.checks import text, texts
from fapilog.diagnostics import Diagnostics
from fapilog.errors import ConfigError
from fapilog.event import EventDict

NO_ROUTE = "no_route"
_LEVEL, _ORIGIN = 1, 2
_MOST_KNOWN = 4_096


def _listed(value: Any, where: str) -> tuple[str, ...]:
    return texts((value,) if isinstance(value, str) else value, where)


@dataclass(frozen=True)
class Route:
    """Where some events go. All conditions that are given have to hold; one without any matches every event.

    Attributes:
        to: The name of a sink, or several.
        levels: Names of levels, or one.
        logger: A logger's name; it and all below it.
        when: Takes the redacted event as a flat dict, which it must not change, and returns whether it goes there.
            Asked only where that matters. One that raises is reported, and counts as False.
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
            levels = frozenset(level.strip().upper() for level in _listed(self.levels, "Route(levels)"))
            object.__setattr__(self, "levels", levels)
            if not levels:
                raise ConfigError.wrong("Route(levels)", (), "the name of at least one level; None for all of them")
        if self.logger is not None:
            text(self.logger, "Route(logger)")
        if self.when is not None and not callable(self.when):
            raise ConfigError.hidden(
                "Route(when)", self.when, "something that takes an event and returns True or False"
            )


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
            raise ConfigError.hidden("with_routing(routes)", self.routes, "a list of Route(…)")
        object.__setattr__(self, "routes", tuple(_route(route) for route in self.routes))
        object.__setattr__(self, "fallback", _listed(self.fallback, "with_routing(fallback)"))


def _route(given: Any) -> Route:
    if isinstance(given, Route):
        return given
    if not isinstance(given, Mapping):
        raise ConfigError.hidden("with_routing(routes)", given, "a Route(…), or its options by name")
    known = ("to", "levels", "logger", "when")
    for name in given:
        if name not in known:
            raise ConfigError.unknown("with_routing(routes)", name, known)
    if "to" not in given:
        raise ConfigError.wrong("with_routing(routes)", sorted(given), 'options of a route with "to" among them')
    return Route(**given)


def check(options: RoutingOptions, sinks: Sequence[str]) -> None:
    """Check that routes and fallback lead to sinks that exist, and that some event can reach each of the sinks.

    Args:
        options: The routes and the fallback.
        sinks: The names of all sinks.

    Raises:
        ConfigError: If it is not so.
    """
    routed = {name for route in options.routes for name in route.to}
    for where, names in (("Route(to)", routed), ("with_routing(fallback)", options.fallback)):
        for name in names:
            if name not in sinks:
                raise ConfigError.unknown(where, name, sinks)
    everything = any((route.levels, route.logger, route.when) == (None, None, None) for route in options.routes)
    for name in sinks:
        if name not in routed and name not in options.fallback:
            allowed = "a sink that some route or the fallback names"
            raise ConfigError.wrong("with_routing()", name, f"{allowed}: no event could ever reach this one")
        if name not in routed and everything:
            allowed = "no fallback beside a route without conditions"
            raise ConfigError.wrong("with_routing(fallback)", name, f"{allowed}: no event could ever reach this sink")


class Routed(NamedTuple):
    """What is left of a slice, and where it goes.

    Attributes:
        events: The events that go somewhere.
        levels: The level of each.
        places: For each sink the indexes of the events it gets.
        shares: For each format, by name, the indexes of the events that some sink of that format gets.
    """

    events: list[Any]
    levels: list[int]
    places: list[list[int]]
    shares: dict[str, list[int]]


class _Rule(NamedTuple):
    """A route, its names looked up; the sinks are bits of a number."""

    levels: frozenset[int] | None
    logger: str
    when: Callable[[EventDict], bool] | None
    kind: str
    sinks: int


class _Verdict(NamedTuple):
    """What the routes say of all events of one level and logger: sinks, and whom to ask about more of them."""

    sinks: int
    ask: tuple[_Rule, ...]


class Router:
    """Decides for each event. Used by the worker alone.

    Args:
        options: The routes.
        sinks: The name of each sink and that of its format, in the order of the channels.
        level_number: Returns the number of a level's name; see :meth:`fapilog.levels.LevelTable.number`.
        diagnostics: Where a predicate that raises is reported.

    Raises:
        ConfigError: If a route names a sink or a level that does not exist, or no event can ever reach some sink.
    """

    def __init__(
        self,
        options: RoutingOptions,
        sinks: Sequence[tuple[str, str]],
        level_number: Callable[[str, str], int],
        diagnostics: Diagnostics,
    ) -> None:
        """Look the sinks and levels up once."""
        check(options, [name for name, _ in sinks])
        self._diagnostics = diagnostics
        bits = {name: 1 << place for place, (name, _) in enumerate(sinks)}
        self._bits = list(bits.values())
        self._forms: dict[str, int] = {}
        for name, form in sinks:
            self._forms[form] = self._forms.get(form, 0) | bits[name]
        self._rules = [_rule(route, bits, level_number) for route in options.routes]
        self._fallback = _sum(options.fallback, bits)
        self._known: dict[tuple[int, str], _Verdict] = {}

    def route(
        self,
        events: Sequence[Any],
        records: Sequence[Any],
        to_events: Callable[[Sequence[Any]], list[EventDict]] | None,
    ) -> Routed:
        """Return the events that go somewhere, and where. Level and logger are those of the log call.

        Args:
            events: What the stages left: flat dicts, or captured records.
            records: The record of each.
            to_events: Makes dicts of records, for predicates; None if the events are dicts.
        """
        masks: list[int] = []
        known = self._known
        for index, record in enumerate(records):
            verdict = known.get((record[_LEVEL], record[_ORIGIN].name)) or self._verdict(record)
            sinks = verdict.sinks
            if verdict.ask:
                event = events[index]
                sinks |= self._asked(verdict.ask, event if to_events is None else to_events([event])[0])
            masks.append(sinks or self._fallback)
        kept = [index for index, mask in enumerate(masks) if mask]
        masks = [masks[index] for index in kept]
        return Routed(
            [events[index] for index in kept],
            [records[index][_LEVEL] for index in kept],
            [_where(masks, bit) for bit in self._bits],
            {form: _where(masks, bits) for form, bits in self._forms.items()},
        )

    def _verdict(self, record: Sequence[Any]) -> _Verdict:
        level, logger = record[_LEVEL], record[_ORIGIN].name
        rules = [
            rule
            for rule in self._rules
            if (rule.levels is None or level in rule.levels)
            and (not rule.logger or logger == rule.logger or logger.startswith(f"{rule.logger}."))
        ]
        sinks = 0
        for rule in rules:
            sinks |= rule.sinks if rule.when is None else 0
        # A predicate is asked only where its route could add a sink.
        verdict = _Verdict(sinks, tuple(rule for rule in rules if rule.when is not None and rule.sinks & ~sinks))
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[level, logger] = verdict
        return verdict

    def _asked(self, rules: Iterable[_Rule], event: EventDict) -> int:
        sinks = 0
        for rule in rules:
            matches, _ = self._diagnostics.guard_private(rule.kind, _truth, rule.when, event)
            sinks |= rule.sinks if matches else 0
        return sinks


def _rule(route: Route, bits: Mapping[str, int], level_number: Callable[[str, str], int]) -> _Rule:
    levels = None
    if route.levels is not None:
        levels = frozenset(level_number(level, "Route(levels)") for level in route.levels)
    return _Rule(levels, route.logger or "", route.when, f"route to {', '.join(route.to)}", _sum(route.to, bits))


def _sum(names: Iterable[str], bits: Mapping[str, int]) -> int:
    return sum({bits[name] for name in names})


def _truth(when: Callable[[EventDict], bool], event: EventDict) -> bool:
    return bool(when(event))


def _where(masks: Sequence[int], bits: int) -> list[int]:
    """Return the indexes of those that have one of the bits."""
    return [index for index, mask in enumerate(masks) if mask & bits]
