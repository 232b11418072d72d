"""Plug-ins: sinks and stages that other distributions offer, used by their names.

A distribution offers a factory as an entry point; what is named in the configuration is imported, nothing else is.

    pyproject.toml of the plug-in                     FAPILOG_PLUGINS__FILTERS='{"quiet": {"loggers": ["app.health"]}}'
    [project.entry-points."fapilog.filters"]                     │
    quiet = "fapilog_quiet:quiet"                                ▼
              │                          denied? not allowed? ──► ConfigError
              ▼                                                  │
    importlib.metadata ──► one that is called so ──► import ──► quiet(loggers=["app.health"]) ──► a filter

Everything happens when a logger is built, and whatever goes wrong is a :class:`fapilog.errors.ConfigError` then: no
plug-in is quietly left out.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from fapilog import checks
from fapilog.diagnostics import attempt, describe, type_name
from fapilog.errors import ConfigError
from fapilog.protocols import Sink

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

GROUPS = ("sinks", "filters", "enrichers", "redactors", "processors")
PREFIX = "fapilog."
_NAME = re.compile(r"\w[\w.-]*")
_WHERE = "with_plugins({})"
_ALLOWED = 'names such as "quiet,loud", a list of them, or a mapping of names to options'

PluginsGiven = str | Sequence[str] | Mapping[str, Mapping[str, Any]]
"""What names plug-ins: ``"quiet,loud"``, ``["quiet", "loud"]``, ``{"quiet": {"loggers": ["app.health"]}}``, or the last
two as JSON."""


@dataclass(frozen=True)
class PluginChoice:
    """A plug-in that the configuration names, and the keyword arguments of its factory, which may hold secrets."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, repr=False)
class PluginOptions:
    """Which plug-ins are used, and which may be. Nothing that is not named here is imported.

    Each kind is said as names, ``"quiet,loud"`` or a list, or as a mapping of names to the options of each. They are
    kept as tuples of :class:`PluginChoice`; stages run in that order.

    Attributes:
        sinks: Where events go, beside the other sinks.
        filters: Run after the filters of code.
        enrichers: Run after the enrichers of code.
        redactors: Run after the redactors of code.
        processors: Run after the processors of code.
        allow: If not empty, only these may be used: ``"quiet"``, or of one kind ``"filters:quiet"``. Default all.
        deny: These may not be used, in the same form; wins over ``allow``. Default none.
    """

    sinks: PluginsGiven = ()
    filters: PluginsGiven = ()
    enrichers: PluginsGiven = ()
    redactors: PluginsGiven = ()
    processors: PluginsGiven = ()
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check the form and keep it as tuples; what is installed is looked at by :func:`load`.

        Raises:
            ConfigError: If a value cannot be used.
        """
        for group in GROUPS:
            object.__setattr__(self, group, parse_plugins(getattr(self, group), _WHERE.format(group)))
        for option in ("allow", "deny"):
            object.__setattr__(self, option, _rules(getattr(self, option), _WHERE.format(option)))

    def __repr__(self) -> str:
        """Show names, and no option of a plug-in."""
        shown = [f"{group}={[choice.name for choice in self.chosen(group)]}" for group in GROUPS if self.chosen(group)]
        shown += [f"{option}={list(getattr(self, option))}" for option in ("allow", "deny") if getattr(self, option)]
        return f"PluginOptions({', '.join(shown)})"

    def chosen(self, group: str) -> tuple[PluginChoice, ...]:
        """Return the plug-ins of a kind, in order."""
        found: tuple[PluginChoice, ...] = getattr(self, group)
        return found


def parse_plugins(given: object, where: str) -> tuple[PluginChoice, ...]:
    """Return what names plug-ins in the one form it is kept in.

    Args:
        given: See ``PluginsGiven``; what this returned is taken, too.
        where: The method or variable it came from, for the error.

    Raises:
        ConfigError: If it has another form, or names one twice. It shows no option of a plug-in.
    """
    value = _of_text(given, where) if isinstance(given, str) else given
    if isinstance(value, Mapping):
        choices = [_choice(name, options, where) for name, options in value.items()]
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        choices = [item if isinstance(item, PluginChoice) else _choice(item, {}, where) for item in value]
    else:
        raise ConfigError.hidden(where, value, _ALLOWED)
    names = [choice.name for choice in choices]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError.wrong(where, name, "each name once")
    return tuple(choices)


def load(group: str, options: PluginOptions, where: str | None = None) -> list[Any]:
    """Import the plug-ins of a kind that the options name, and return what their factories make, in order.

    Args:
        group: One of ``GROUPS``.
        options: Which ones, and which may be.
        where: The variable that named them, for the error; default the builder's method.

    Raises:
        ConfigError: If one is not permitted, not installed, offered by two distributions, fails to import, refuses its
            options, or makes nothing of that kind.
    """
    place = where or _WHERE.format(group)
    chosen = options.chosen(group)
    for choice in chosen:
        _check_permitted(group, choice.name, options, place)
    offered = _offered(group, place) if chosen else ()
    return [_make(group, choice, _find(group, choice.name, offered, place), place) for choice in chosen]


def _of_text(text: str, where: str) -> Any:
    """Return what a variable says: JSON, or names between commas."""
    if text.lstrip()[:1] not in ("{", "["):
        return [name for part in text.split(",") if (name := part.strip())]
    value, error = attempt(json.loads, text)
    if error is not None:
        # Not raised from it: a JSON error holds what was given.
        raise ConfigError.hidden(where, text, f"{_ALLOWED}, as JSON")
    return value


def _choice(name: object, options: object, where: str) -> PluginChoice:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError.hidden(where, name, _ALLOWED)
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise ConfigError.hidden(f"{where}: {name}", options, "options by name")
    return PluginChoice(name, dict(options))


def _rules(given: Any, where: str) -> tuple[str, ...]:
    """Return the entries of an allow or deny list. One that could never fit would leave open what it was to shut."""
    rules = checks.texts(given, where)
    for rule in rules:
        group, found, name = rule.rpartition(":")
        if found and group not in GROUPS:
            raise ConfigError.unknown(where, rule, (f"{kind}:{name}" for kind in GROUPS))
        if not _NAME.fullmatch(name):
            raise ConfigError.wrong(where, rule, 'a name such as "quiet", or of one kind "filters:quiet"')
    return rules


def _check_permitted(group: str, name: str, options: PluginOptions, where: str) -> None:
    spellings = {name, f"{group}:{name}"}
    if not spellings.isdisjoint(options.deny):
        raise ConfigError.wrong(where, name, f"what {_WHERE.format('deny')} does not name")
    if options.allow and spellings.isdisjoint(options.allow):
        raise ConfigError.wrong(where, name, f"what {_WHERE.format('allow')} names: {', '.join(options.allow)}")


def _offered(group: str, where: str) -> "EntryPoints":
    # Takes longer to import than fapilog itself, and is only needed where a plug-in is named.
    from importlib.metadata import entry_points  # noqa: PLC0415

    found, error = attempt(lambda: entry_points(group=PREFIX + group))
    if error is not None:
        raise ConfigError(f"what is installed cannot be read: {_said(error)}.").at(where) from error
    offered: EntryPoints = found
    return offered


def _find(group: str, name: str, offered: "Iterable[EntryPoint]", where: str) -> "EntryPoint":
    found = [entry for entry in offered if entry.name == name]
    if not found:
        names = {entry.name for entry in offered} or {f"none, for nothing that is installed offers {PREFIX}{group}"}
        raise ConfigError.unknown(where, name, names)
    if len(found) > 1:
        owners = " and ".join(sorted(map(_owner, found)))
        raise ConfigError.wrong(where, name, f"a name that one distribution offers, and not {owners}")
    return found[0]


def _make(group: str, choice: PluginChoice, entry: "EntryPoint", where: str) -> Any:
    called = f"{choice.name!r} of {_owner(entry)}"
    factory, error = attempt(entry.load)
    if error is not None:
        raise ConfigError(f"{called} cannot be imported: {_said(error)}.").at(where) from error
    if not callable(factory):
        raise ConfigError(f"{called} is {type_name(factory)}; allowed: a factory, which can be called.").at(where)
    _check_options(factory, choice, where)
    made, error = attempt(lambda: factory(**choice.options))
    if error is not None:
        # What it says may quote an option, and so would the error behind it.
        quiet = bool(choice.options) and not isinstance(error, ConfigError)
        said = f"{type_name(error)} at {_place(error)}" if quiet else _said(error)
        raise ConfigError(f"{called} cannot be made: {said}.").at(where) from (None if quiet else error)
    expected = _expected(group, made)
    if expected:
        given = f"the class {made.__name__}" if isinstance(made, type) else type_name(made)
        raise ConfigError(f"{called} made {given}; allowed: {expected}.").at(where)
    return made


def _check_options(factory: Callable[..., Any], choice: PluginChoice, where: str) -> None:
    """Refuse options that a factory does not take, by their names, if its signature can be read."""
    signature, error = attempt(inspect.signature, factory)
    if error is not None:
        return
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    known = [name for name, kind in kinds.items() if kind in (kind.KEYWORD_ONLY, kind.POSITIONAL_OR_KEYWORD)]
    if not any(kind is kind.VAR_KEYWORD for kind in kinds.values()):
        for name in choice.options:
            if name not in known:
                raise ConfigError.unknown(f"{where}: {choice.name}", name, known or ("no options",))
    _, error = attempt(lambda: signature.bind(**choice.options))
    if error is not None:
        raise ConfigError(f"{error}; allowed: {', '.join(known) or 'no options'}.").at(f"{where}: {choice.name}")


def _expected(group: str, made: object) -> str:
    """Return what a factory has to make, if this is none; else an empty text."""
    if group == "sinks":
        fits = isinstance(made, Sink) and not isinstance(made, type) and isinstance(made.name, str)
        return "" if fits else "a sink, an object with name, open, write and close"
    fits = callable(made) and not isinstance(made, type) and not inspect.iscoroutinefunction(made)
    return "" if fits else "something that can be called with an event, not asynchronous"


def _owner(entry: "EntryPoint") -> str:
    return "an unknown distribution" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _said(error: BaseException) -> str:
    return describe(error).rstrip(".")


def _place(error: BaseException) -> str:
    """Return file and line where an exception was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        "an unknown place" if trace is None else f"{PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    )
