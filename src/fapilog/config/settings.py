"""Settings from the environment: ``FAPILOG_LEVEL=DEBUG``, ``FAPILOG_QUEUE__CAPACITY=50000``."""

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fapilog.config import environment
from fapilog.config.environment import Said
from fapilog.config.explaining import explain
from fapilog.config.layers import Layer, layered, standard_level
from fapilog.config.options import ADDING, IN_CODE_ONLY, Options, added, check_names, missing, part_of, sink_name
from fapilog.config.parts import KINDS, FileOptions, SinkChoice, StdoutOptions, kind_of
from fapilog.config.showing import show
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
from fapilog.processors.size_guard import SizeGuardOptions
from fapilog.protocols import Enricher, Filter, Processor, Redactor
from fapilog.redaction.options import RedactionOptions
from fapilog.sinks.cloudwatch.options import CloudwatchOptions
from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.kafka.options import KafkaOptions
from fapilog.sinks.loki.options import LokiOptions
from fapilog.sinks.otlp.options import OtlpOptions
from fapilog.sinks.postgres.options import PostgresOptions
from fapilog.sinks.redis.options import RedisOptions
from fapilog.sinks.sqlite.options import SqliteOptions
from fapilog.sinks.webhook.options import WebhookOptions

with warnings.catch_warnings():
    # pydantic still has a deprecated method of this name.
    warnings.filterwarnings("ignore", 'Field name "schema"')

    class _Schema(BaseSettings):
        """The one setting whose name pydantic warns of."""

        schema: Literal["grouped", "ecs", "otel", "gcp", "datadog"] | None = None  # type: ignore[assignment]


class Settings(_Schema):
    """What can be said by environment variables, or given as ``get_logger(settings=Settings(level="DEBUG"))``.

    A variable is ``FAPILOG_`` and the option's name in capitals; the options of a part follow after two underscores:
    ``FAPILOG_QUEUE__POLICY=wait``, in code ``Settings(queue={"policy": "wait"})``. What is given in code wins over
    the variable; what neither says comes from the preset. Its ``repr`` shows no text that could be a secret.

    Raises:
        ConfigError: If a value cannot be used; it names the variable or setting, what was given, and what is allowed.
    """

    model_config = SettingsConfigDict(extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)

    preset: str | None = None
    name: str = "root"
    level: str | int = "INFO"
    service: ServiceOptions = ServiceOptions()
    kubernetes: KubernetesOptions | None = None
    queue: QueueOptions = QueueOptions()
    batch: BatchOptions = BatchOptions()
    stdout: StdoutOptions | None = None
    file: FileOptions | None = None
    http: HttpOptions | None = None
    webhook: WebhookOptions | None = None
    loki: LokiOptions | None = None
    cloudwatch: CloudwatchOptions | None = None
    postgres: PostgresOptions | None = None
    sqlite: SqliteOptions | None = None
    otlp: OtlpOptions | None = None
    kafka: KafkaOptions | None = None
    redis: RedisOptions | None = None
    sinks: tuple[SinkChoice, ...] = ()
    context: Mapping[str, Any] = {}
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

    _places: dict[str, str] = PrivateAttr(default_factory=dict)
    _named: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    def __init__(self, **values: Any) -> None:
        """Read the environment, with ``values`` on top."""
        parts = parts_of_settings()
        for name in values:
            if name not in type(self).model_fields:
                raise ConfigError.unknown("Settings", name, type(self).model_fields)
        said = environment.read(os.environ, hints_of_settings(), parts)
        for name in KINDS:
            if name in said.values and said.values[name] is None:
                raise ConfigError.wrong(said.places[name], "off", "a JSON object of its options, or on")
        _put_on_top(said, values, parts)
        problem = None
        try:
            super().__init__(**said.values)
        except ValidationError as error:
            problem = explain(error, said, parts)
        if problem is not None:
            raise problem  # here, so that pydantic's error, which holds the values, is not its context
        self._places = said.places
        # A part given as a value of its class is taken as a whole; else only what was named, the preset says the rest.
        self._named = {
            name: tuple(given) for name, given in said.values.items() if name in parts and isinstance(given, Mapping)
        }
        layered([self.layer()])

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the hook's signature
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read variables by :mod:`fapilog.config.environment` alone: it remembers which variable said what."""
        return (init_settings,)

    def layer(self) -> Layer:
        """Return what was said, as the layers take it."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        preset = given.pop("preset", None) or None  # an empty variable names none
        for name in given.keys() & self._named.keys() - KINDS.keys():
            given[name] = {option: getattr(given[name], option) for option in self._named[name]}
        own = [sink for name in KINDS if (sink := given.pop(name, None)) is not None]
        sinks = (*own, *given.pop("sinks", ()))
        places = dict(self._places)
        if sinks:
            given["sinks"] = sinks
        for sink in own:
            kind = str(kind_of(sink))
            places[f"sinks.{sink_name(sink)}"] = _place_of(kind, places)
        return Layer(given, places, preset)

    def options(self) -> Options:
        """Return the whole configuration: the preset with what was set on top.

        Raises:
            ConfigError: If a value cannot be used.
        """
        return layered([*standard_level(os.environ), self.layer()])

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Yield what was set, without any text that could be a secret."""
        for name, info in type(self).model_fields.items():
            if name in self.model_fields_set:
                value = getattr(self, name)
                yield name, value if name == "preset" else _Shown(show(value, info.annotation))


class _Shown(str):
    """A text that is its own ``repr``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _place_of(kind: str, places: Mapping[str, str]) -> str:
    """Return where a sink came from as a whole, else where what it cannot do without came from."""
    needed = [f"{kind}.{option}" for option in missing(KINDS[kind], {})]
    inside = [key for key in places if key.startswith(f"{kind}.")]
    return next((places[key] for key in (kind, *needed, *inside) if key in places), f"Settings({kind})")


def parts_of_settings() -> dict[str, type]:
    """Return the settings that have options of their own, with their classes."""
    found = {name: part_of(info.annotation) for name, info in Settings.model_fields.items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def hints_of_settings() -> dict[str, Any]:
    """Return the types of the other settings that a variable can say."""
    parts = parts_of_settings()
    fields = Settings.model_fields
    return {name: fields[name].annotation for name in fields if name not in parts and name not in IN_CODE_ONLY}


def _put_on_top(said: Said, values: Mapping[str, Any], parts: Mapping[str, type]) -> None:
    """Put what code gives over what the variables say; of a part, option by option."""
    for name, value in values.items():
        place = f"Settings({name})"
        below = said.values.get(name)
        if name in parts and isinstance(value, Mapping):
            check_names(parts[name], value, place)
            below = below if isinstance(below, Mapping) else {}
            if name in ADDING:
                value = {option: added(below.get(option), it) for option, it in value.items()}  # noqa: PLW2901
            said.values[name] = {**below, **value}
            said.places.update({f"{name}.{option}": f"Settings({name}.{option})" for option in value})
            said.places.setdefault(name, place)
        else:
            said.values[name] = value
            said.places[name] = place
            for option in [key for key in said.places if key.startswith(f"{name}.")]:
                del said.places[option]
