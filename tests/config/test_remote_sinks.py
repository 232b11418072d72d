"""Every remote sink can be said by a method, by ``Settings`` and by variables, and hides what is secret."""

import asyncio
import inspect
import json
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fapilog import LoggerBuilder, Settings
from fapilog.config.environment import variable_of
from fapilog.config.options import missing
from fapilog.config.parts import KINDS
from fapilog.config.sink_parts import make_sink
from fapilog.delivery.batches import batch_of
from fapilog.delivery.wrapping import finished
from fapilog.errors import ConfigError
from fapilog.levels import LevelTable
from fapilog.sinks.sqlite import query
from fapilog.sinks.sqlite.options import SqliteOptions
from fapilog.sinks.webhook.options import WebhookOptions

CANARY = "s3cr3t-canary"
REMOTE = [kind for kind in KINDS if kind not in ("stdout", "file")]
for _kind in REMOTE:
    # Here, because some of their libraries leave handlers of ``logging`` behind, which no test may.
    import_module(f"fapilog.sinks.{_kind}.sink")
GIVEN: dict[str, dict[str, Any]] = {
    "http": {
        "url": "https://logs.example.com/in",
        "bearer": CANARY,
        "headers": {"X-Team": CANARY},
        "compression": "gzip",
    },
    "webhook": {"url": "https://hooks.example.com/in", "secret": CANARY + CANARY + CANARY, "min_level": "ERROR"},
    "loki": {"url": "https://loki.example.com", "labels": {"app": "shop"}, "tenant": "t1", "bearer": CANARY},
    "cloudwatch": {
        "group": "/shop",
        "region": "eu-west-1",
        "access_key_id": "AKIA" + CANARY,
        "secret_access_key": CANARY,
    },
    "postgres": {"dsn": f"postgresql://app:{CANARY}@db.example.com/logs", "table": "audit.logs"},
    "sqlite": {"path": "logs.db", "max_age": "30d"},
    "otlp": {"endpoint": "https://otel.example.com:4318", "headers": {"api-key": CANARY}, "compression": "gzip"},
    "kafka": {"servers": ["a.example.com:9092", "b.example.com:9092"], "topic": "logs"},
    "redis": {"url": "rediss://cache.example.com/0", "password": CANARY, "key": "logs"},
}
"""For each kind what it cannot do without, and some of the rest; secrets are the canary."""


@pytest.mark.parametrize("kind", REMOTE)
def test_three_roads_say_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same options, whoever said them."""
    given = GIVEN[kind]
    by_method = getattr(LoggerBuilder(), f"add_{kind}")(**given).options().sinks
    by_settings = Settings(**{kind: given}).options().sinks
    for option, value in given.items():
        monkeypatch.setenv(variable_of(kind, option), value if isinstance(value, str) else json.dumps(value))
    by_variables = LoggerBuilder().options().sinks

    assert by_settings == by_method
    assert by_variables == by_method


@pytest.mark.parametrize("kind", REMOTE)
def test_the_method_has_every_option_with_its_default(kind: str) -> None:
    """In the order of the options, those that are needed first."""
    method = inspect.signature(getattr(LoggerBuilder, f"add_{kind}"))
    options = {
        item.name: inspect.Parameter.empty if item.default is item.default_factory is MISSING else _default(item)
        for item in fields(KINDS[kind])
    }

    assert set(method.parameters) - {"self"} == set(options)
    for name, default in options.items():
        shown = method.parameters[name].default
        assert shown == default or (not shown and not default), name


def _default(item: Any) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()


@pytest.mark.parametrize("kind", REMOTE)
def test_no_secret_is_shown(kind: str) -> None:
    """Neither by the options nor by the settings nor by the sink."""
    options = KINDS[kind](**GIVEN[kind])
    sink = make_sink(options, {}, LevelTable())

    for value in (options, Settings(**{kind: GIVEN[kind]}), sink, LoggerBuilder().with_settings(Settings()).options()):
        assert CANARY not in repr(value)
        assert CANARY not in str(value)


@pytest.mark.parametrize("kind", REMOTE)
def test_a_missing_library_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    if kind == "sqlite":
        return

    def missing(name: str) -> Any:
        raise ModuleNotFoundError("no", name="the-library")

    monkeypatch.setattr("fapilog.config.sink_parts.import_module", missing)

    with pytest.raises(ConfigError, match=rf"add_{kind}\(\): needs the-library.*pip install 'fapilog\[{kind}\]'"):
        make_sink(KINDS[kind](**GIVEN[kind]), {}, LevelTable())


@pytest.mark.parametrize("kind", REMOTE)
def test_importing_the_options_needs_no_library(kind: str) -> None:
    """A program that uses one sink does not pay for the others."""
    assert KINDS[kind].__module__ == f"fapilog.sinks.{kind}.options"


WEBHOOK = {"url": "https://hooks.example.com", "secret": CANARY + CANARY}


def test_the_level_of_a_webhook_is_looked_up_where_it_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only when the sink is made are all names of levels known."""
    said = {**WEBHOOK, "min_level": "LOUD"}
    with pytest.raises(ConfigError, match=r"^add_webhook\(min_level\): 'LOUD' is not known"):
        LoggerBuilder().add_webhook(**said).build()
    with pytest.raises(ConfigError, match=r"^Settings\(webhook\.min_level\): 'LOUD' is not known"):
        LoggerBuilder().with_settings(Settings(webhook=said)).build()
    monkeypatch.setenv("FAPILOG_WEBHOOK", json.dumps(said))
    with pytest.raises(ConfigError, match=r"^FAPILOG_WEBHOOK: min_level: 'LOUD' is not known"):
        LoggerBuilder().build()
    monkeypatch.setenv("FAPILOG_WEBHOOK__MIN_LEVEL", "LOUDER")
    with pytest.raises(ConfigError, match=r"^FAPILOG_WEBHOOK__MIN_LEVEL: 'LOUDER' is not known"):
        LoggerBuilder().build()


def test_levels_of_the_users_own_are_known_to_the_sinks(tmp_path: Path) -> None:
    """A webhook's least level may be one, and a database is asked for one by its name."""
    levels = LevelTable()
    levels.register("LOUD", 45)
    webhook = make_sink(WebhookOptions(**WEBHOOK, min_level="LOUD"), {}, levels)
    database = tmp_path / "logs.db"
    sink = make_sink(SqliteOptions(str(database)), {}, levels)

    event = {"timestamp": "2026-11-21T09:00:00Z", "level": "LOUD", "message": "x"}

    async def write() -> None:
        await finished(sink.open())
        await finished(sink.write(batch_of([event], None)))
        await finished(sink.close())

    asyncio.run(write())

    assert webhook.name == "webhook"
    assert [event["message"] for event in query(database, level=44)] == ["x"]


def test_a_library_that_a_variable_asked_for_and_that_is_missing_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one that the sink cannot do without, whichever others were said."""

    def absent(name: str) -> Any:
        raise ModuleNotFoundError("no", name="httpx")

    monkeypatch.setattr("fapilog.config.sink_parts.import_module", absent)
    monkeypatch.setenv("FAPILOG_HTTP__BEARER", CANARY)
    monkeypatch.setenv("FAPILOG_HTTP__URL", "https://logs.example.com")

    with pytest.raises(ConfigError, match=r"^FAPILOG_HTTP__URL: needs httpx"):
        LoggerBuilder().build()


@pytest.mark.parametrize("kind", [kind for kind in REMOTE if len(missing(KINDS[kind], {})) > 1])
def test_of_two_options_that_are_needed_the_wrong_one_is_named(kind: str) -> None:
    """And what is said about it is about it, even if both are wrong."""
    for option in missing(KINDS[kind], {}):
        for others in (GIVEN[kind], dict.fromkeys(missing(KINDS[kind], {}), "\n")):
            with pytest.raises(ConfigError) as caught:
                Settings(**{kind: {**others, option: object()}})

            assert str(caught.value).startswith(f"Settings({kind}.{option}): a value of type object cannot be used")


def test_a_wrong_variable_of_opentelemetry_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not one of ours that is wrong."""
    monkeypatch.setenv("FAPILOG_OTLP", "on")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "smoke")

    with pytest.raises(ConfigError, match=r"^OTEL_EXPORTER_OTLP_PROTOCOL: 'smoke' is not known"):
        LoggerBuilder().build()
