"""Everything that can be chosen about an engine and its edges, as one immutable value.

The options of a part are typed beside the part; this value holds them. It needs no pydantic, so that a program that
configures nothing imports none. Its fields are the list of parts: settings, variables and the table in
``docs/options.md`` are held to them.
"""

import inspect
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from fapilog import checks
from fapilog.config.parts import SinkChoice, StdoutOptions
from fapilog.config.showing import flat_fields, show_fields
from fapilog.delivery.breaker import BreakerOptions
from fapilog.delivery.buffer import BatchOptions
from fapilog.delivery.dead_letters import DeadLetterOptions
from fapilog.delivery.fallback import FallbackOptions
from fapilog.delivery.retry import RetryOptions
from fapilog.delivery.routing import RoutingOptions
from fapilog.delivery.spool.options import SpoolOptions
from fapilog.edge_options import AsgiOptions, DebugRouteOptions, StdlibOptions
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.pressure import AdaptiveOptions
from fapilog.engine.queue import QueueOptions
from fapilog.enrichers.kubernetes import KubernetesOptions
from fapilog.enrichers.runtime import ServiceOptions
from fapilog.errors import ConfigError
from fapilog.filters.dedupe import DedupeOptions
from fapilog.filters.first_seen import FirstSeenOptions
from fapilog.filters.rate_limit import RateLimitOptions
from fapilog.filters.sampling import SamplingOptions
from fapilog.flight_options import FlightRecorderOptions
from fapilog.otel.options import MetricsOptions, TracingOptions
from fapilog.plugins import PluginOptions
from fapilog.processors.schema import schema_named
from fapilog.processors.size_guard import SizeGuardOptions
from fapilog.protocols import Enricher, Filter, Processor, Redactor, Sink
from fapilog.redaction.options import RedactionOptions
from fapilog.units import parse_duration

ADDING = frozenset({"redaction"})
"""Parts whose lists add up: what one layer hides no other shows by accident."""
STAGES = ("filters", "enrichers", "redactors", "processors")
IN_CODE_ONLY = ("sinks", *STAGES, "debug_allow", "tracer_provider", "meter_provider")
"""What no variable can say."""


@dataclass(frozen=True, repr=False)
class Options:
    """The whole configuration of one engine and of the edges of its application.

    Attributes:
        name: The name of the logger that a builder returns. Default ``"root"``.
        level: Events below it are not taken; with directives for names and all names below them, such as
            ``"info,app.db=debug"``. Default INFO, or ``LOG_LEVEL``.
        service: What runs here.
        kubernetes: Which fields about the pod are on every event; default none.
        queue: How much may wait, and what a full queue means.
        batch: How much goes to an asynchronous sink at once.
        sinks: Where events go, in order.
        context: Fields on every event, under those of the call and of the bound context.
        shutdown_timeout: How long a drain may take: seconds, or a string such as ``"5s"``. Default 5.
        diagnostics: Whether the engine says on standard error what goes wrong inside it. Default True.
        asgi: What happens for each request.
        debug_route: Where the console of the running process stands; default nowhere.
        debug_allow: Your own say in who may read it, called with the ASGI scope of a request without the token;
            default nobody.
        flight_recorder: Which events below the level are kept per request, to come out if it fails; default none.
        stdlib: Which records of ``logging`` are taken while the application runs; default none.
        servers: Whether the loggers of the server (uvicorn, gunicorn, hypercorn) are taken over. Default True.
        sampling: What share of the events goes on; default all.
        rate_limit: How many events of a kind go on a second; default all.
        first_seen: Whether only the first event of a kind goes on in a while; default no.
        dedupe: Whether repetitions are summed up; default no.
        redaction: What is hidden. Its lists add up from layer to layer: naming more never takes a preset's rules away;
            ``enabled`` does.
        filters, enrichers, redactors, processors: The user's stages, in the order they run.
        size_guard: How long an event's line may be; default as long as it is.
        schema: The shape of JSON lines; default fapilog's own, ``fapilog/1``.
        routing: Which events go to which sinks; default all to each.
        journal: Where events are kept until the sinks have them, for the case of a kill; default nowhere.
        retry: How often an asynchronous sink is asked again.
        circuit_breaker: When a failing sink is left alone; default never.
        dead_letters: Where events go that a receiver refuses for good; default with a spool into its directory, else
            nowhere.
        spool: Where events wait for the receivers of asynchronous sinks; default in memory.
        fallback: Where goes what the sinks could not deliver; default nowhere.
        adaptive: How batches grow and low levels are shed under pressure; default not.
        tracing: How logs and spans point at each other; default each event has the ids of the active span, no more.
        tracer_provider: Where spans are made; default the global one.
        metrics: How the figures are published; default not.
        meter_provider: Where; default the global one.
        plugins: Sinks and stages of other distributions, by name.
        preset: The name of the preset that this began with.
        sources: Which variables or settings the values came from; what is not in it came from code.
    """

    name: str = "root"
    level: str | int = "INFO"
    service: ServiceOptions = ServiceOptions()
    kubernetes: KubernetesOptions | None = None
    queue: QueueOptions = QueueOptions()
    batch: BatchOptions = BatchOptions()
    sinks: tuple[SinkChoice, ...] = (StdoutOptions(),)
    context: Mapping[str, Any] = field(default_factory=dict)
    shutdown_timeout: float | str = 5.0
    diagnostics: bool = True
    asgi: AsgiOptions = AsgiOptions()
    debug_route: DebugRouteOptions | None = None
    flight_recorder: FlightRecorderOptions | None = None
    debug_allow: Any = None
    stdlib: StdlibOptions | None = None
    servers: bool = True
    sampling: SamplingOptions | None = None
    rate_limit: RateLimitOptions | None = None
    first_seen: FirstSeenOptions | None = None
    dedupe: DedupeOptions | None = None
    redaction: RedactionOptions = RedactionOptions()
    filters: tuple[Filter, ...] = ()
    enrichers: tuple[Enricher, ...] = ()
    redactors: tuple[Redactor, ...] = ()
    processors: tuple[Processor, ...] = ()
    size_guard: SizeGuardOptions | None = None
    schema: Literal["grouped", "ecs", "otel", "gcp", "datadog"] | None = None
    routing: RoutingOptions | None = None
    journal: JournalOptions | None = None
    retry: RetryOptions = RetryOptions()
    circuit_breaker: BreakerOptions | None = None
    dead_letters: DeadLetterOptions | None = None
    spool: SpoolOptions | None = None
    fallback: FallbackOptions | None = None
    adaptive: AdaptiveOptions | None = None
    tracing: TracingOptions | None = None
    tracer_provider: Any = None
    metrics: MetricsOptions | None = None
    meter_provider: Any = None
    plugins: PluginOptions = PluginOptions()
    preset: str = "minimal"
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Check what no part checks.

        Raises:
            ConfigError: If a value cannot be used.
        """
        checks.text(self.name, "with_name(name)")
        if isinstance(self.level, bool) or not isinstance(self.level, str | int):
            raise ConfigError.wrong("with_level(level)", self.level, "a level's name or number")
        parse_duration(self.shutdown_timeout, "with_shutdown_timeout(seconds)")
        checks.flag(self.diagnostics, "with_diagnostics(enabled)")
        if self.schema is not None:
            schema_named(self.schema)
        checks.flag(self.servers, "capture_stdlib(servers)")
        if not isinstance(self.context, Mapping) or not all(isinstance(key, str) for key in self.context):
            raise ConfigError.hidden("with_context(**fields)", self.context, "fields by name")
        if self.debug_allow is not None and (not callable(self.debug_allow) or isinstance(self.debug_allow, type)):
            where = "with_debug_route(allow)"
            raise ConfigError.hidden(where, self.debug_allow, "a function of the ASGI scope that returns True or False")
        _check_objects(self)
        _check_providers(self)

    def __repr__(self) -> str:
        """Show what differs from the defaults, without any text that could be a secret."""
        return show_fields(self, hidden=("sources",))

    def shown(self) -> dict[str, Any]:
        """Return all options by name as plain values, without any text that could be a secret."""
        return flat_fields(self, hidden=("sources",))


def part_of(hint: Any) -> type | None:
    """Return the option class in a type such as ``RateLimitOptions | None``, or None if there is none."""
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    single = len(kinds) == 1 and get_origin(hint) in (None, UnionType, Union)
    return kinds[0] if single and isinstance(kinds[0], type) and is_dataclass(kinds[0]) else None


PARTS: Mapping[str, type] = {
    name: part for name, hint in get_type_hints(Options).items() if (part := part_of(hint)) is not None
}
"""The parts of ``Options`` that have options of their own, with their classes."""


def merge(options: Options, changes: Mapping[str, Any]) -> Options:
    """Return ``options`` with changes on top.

    For a part a mapping changes only what it names, a value of its class replaces it, and None switches it off where
    it may be absent.

    Raises:
        ConfigError: If a value cannot be used, or a name is not known.
    """
    known = {item.name for item in fields(options)}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in known:
            raise ConfigError.unknown("Settings", name, known)
        if name in PARTS:
            value = _part(name, getattr(options, name), value)  # noqa: PLW2901
        elif name == "context" and isinstance(value, Mapping):
            value = {**options.context, **value}  # noqa: PLW2901
        values[name] = value
    return replace(options, **values)


def missing(kind: type, given: Mapping[str, Any]) -> list[str]:
    """Return the names of the options that a part must be given and was not."""
    return [
        item.name
        for item in fields(kind)
        if item.default is MISSING and item.default_factory is MISSING and item.name not in given
    ]


def check_names(kind: type, given: Mapping[str, Any], where: str) -> None:
    """Refuse options that a part does not have.

    Raises:
        ConfigError: If there is one.
    """
    known = {item.name for item in fields(kind)}
    for name in given:
        if name not in known:
            raise ConfigError.unknown(where, name, known)


def _check_objects(options: Options) -> None:
    """Check sinks and stages, which only code can give."""
    for kind in ("sinks", *STAGES):
        if not isinstance(getattr(options, kind), list | tuple):
            where = "add_sink(sink)" if kind == "sinks" else f"with_{kind.removesuffix('s')}(*{kind})"
            raise ConfigError.wrong(where, getattr(options, kind), "a list")
    for sink in options.sinks:
        if not isinstance(sink, SinkChoice):
            raise ConfigError.wrong("add_sink(sink)", sink, "an object with name, open, write and close")
    for kind in STAGES:
        for stage in getattr(options, kind):
            if not callable(stage) or inspect.iscoroutinefunction(stage):
                where = f"with_{kind.removesuffix('s')}(*{kind})"
                raise ConfigError.wrong(where, stage, "something that can be called with an event, not asynchronous")


def _check_providers(options: Options) -> None:
    """Check what only code can give: the providers of OpenTelemetry."""
    for name, method, factory in (
        ("tracer_provider", "with_tracing", "get_tracer"),
        ("meter_provider", "with_metrics", "get_meter"),
    ):
        provider = getattr(options, name)
        is_one = callable(getattr(provider, factory, None)) and not isinstance(provider, type)
        if provider is not None and not is_one:
            raise ConfigError.hidden(f"{method}({name})", provider, f"a provider of OpenTelemetry, with {factory}()")


def _part(name: str, present: Any, value: Any) -> Any:
    kind = PARTS[name]
    optional = Options.__dataclass_fields__[name].default is None
    if isinstance(value, kind) or (value is None and optional):
        return value
    if not isinstance(value, Mapping):
        off = (
            "; it is switched off by its option enabled" if any(item.name == "enabled" for item in fields(kind)) else ""
        )
        raise ConfigError.hidden(f"Settings({name})", value, f"options by name, or {kind.__name__}{off}")
    check_names(kind, value, f"Settings({name})")
    if present is not None:
        if name in ADDING:
            value = {option: added(getattr(present, option), it) for option, it in value.items()}
        return replace(present, **value)
    for option in missing(kind, value):
        raise ConfigError(f"Settings({name}.{option}): is not given, and {name} cannot do without it.")
    return kind(**value)


def added(present: Any, value: Any) -> Any:
    """Return a list with what another holds beside it; of anything else the later value."""
    if not isinstance(present, list | tuple) or not isinstance(value, list | tuple):
        return value
    return (*present, *(item for item in value if item not in present))


def sink_name(sink: SinkChoice | Sink) -> str:
    """Return the name under which routes, figures and diagnostics know a sink."""
    return sink.name
