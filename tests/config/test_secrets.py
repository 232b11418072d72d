"""Options may hold secrets: they show in no ``repr``, no error and no traceback, whichever road they took."""

import json
import traceback
from typing import Any

import pytest

import fapilog
from fapilog.config.settings import Settings
from fapilog.errors import ConfigError
from fapilog.fastapi import FastAPIBuilder
from tests.config import roads

CANARY = "s3cr3t-canary-7f3a"
VALID: dict[str, Any] = {
    "path": f"/{CANARY}",
    "skip_paths": (f"/{CANARY}",),
    "include_headers": (CANARY,),
    "loggers": (CANARY,),
    "context": {"password": CANARY},
    "headers": {"X-Team": CANARY},
    "http.url": f"https://user:{CANARY}@localhost/{CANARY}?token={CANARY}",
    "webhook.url": f"https://user:{CANARY}@localhost/{CANARY}?token={CANARY}",
    "loki.url": f"https://user:{CANARY}@localhost/{CANARY}?token={CANARY}",
    "loki.labels": {"team": CANARY},
    "cloudwatch.endpoint_url": f"https://localhost/{CANARY}",
    "postgres.dsn": f"postgresql://user:{CANARY}@localhost/{CANARY}",
    "otlp.resource": {"team": CANARY},
    "kafka.config": {"client.id": CANARY},
    "redis.url": f"redis://user:{CANARY}@localhost",
    "debug_route.trace_url": f"https://localhost/{CANARY}/{{trace_id}}",
}
"""What an option takes that a text alone is not."""
CLOSED = frozenset({"preset", "presets", "routes", "trusted_proxies", "sinks", "label_fields", "on"})
"""What takes no text of one's own: names of a list, networks, objects."""


def free_text() -> list[Any]:
    return [it for it in roads.LINES if it.unit in ("text", "list", "JSON object") and it.option not in CLOSED]


TEXTS = [it for it in free_text() if it.variable]


def value_of(line: Any) -> Any:
    found = VALID.get(roads.name_of(line), VALID.get(line.option))
    return found or ((CANARY,) if line.unit == "list" else CANARY)


def text_of(line: Any) -> str:
    value = value_of(line)
    if isinstance(value, dict):
        return json.dumps(value)
    return ",".join(value) if isinstance(value, tuple) else value


def told(*values: object) -> str:
    return " ".join(f"{value!r} {value} {value:}" for value in values)


def said_by(error: BaseException) -> str:
    """Return all that an error tells, those behind it included, however a reporter shows them."""
    texts = []
    seen: BaseException | None = error
    while seen is not None:
        texts += [str(seen), repr(seen), *traceback.format_exception(seen)]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(texts)


@pytest.mark.parametrize("line", TEXTS, ids=roads.name_of)
def test_no_repr_shows_a_text(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of settings, options and builders, filled along each road."""
    settings = roads.in_settings(line, value_of(line))
    builder = roads.by_method(line, value_of(line))
    shown = [told(settings, settings.options(), builder, builder.options())]
    for name, value in roads.variables_of(line, text_of(line)).items():
        monkeypatch.setenv(name, value)
    by_variable = Settings()
    shown.append(told(by_variable, by_variable.options(), FastAPIBuilder().options()))

    assert CANARY not in " ".join(shown)
    assert by_variable.layer().values


@pytest.mark.parametrize("line", TEXTS, ids=roads.name_of)
def test_an_error_about_something_else_shows_no_text(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its message nor the errors behind it, which pydantic would fill with all that was given."""
    others = [it for it in roads.SAID_BY_VARIABLE if it.unit not in ("text", "list", "JSON object", "level")]
    wrong = next((it for it in others if it.part == line.part), others[0])
    values: dict[str, Any] = {wrong.option: "{wrong]"}
    if line.part:
        values = {line.part: {**roads.needed(line), **values}} if wrong.part else values
        values.setdefault(line.part, roads.needed(line))[line.option] = value_of(line)
    else:
        values[line.option] = value_of(line)
    with pytest.raises(ConfigError) as in_code:
        Settings(**values)
    for name, value in {**roads.variables_of(line, text_of(line)), wrong.variable: "{wrong]"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as by_variable:
        fapilog.LoggerBuilder().options()

    assert CANARY not in said_by(in_code.value) + said_by(by_variable.value)
    assert wrong.option in said_by(in_code.value)


@pytest.mark.parametrize("line", [it for it in TEXTS if it.option != "context"], ids=roads.name_of)
@pytest.mark.parametrize("wrap", [lambda it: [[it]], lambda it: {1: it}], ids=["list", "dict"])
def test_a_secret_of_the_wrong_type_is_not_shown(line: Any, wrap: Any) -> None:
    """Of a text, or a list of texts, that is none only the type is told."""
    for road in (roads.in_settings, roads.by_method):
        with pytest.raises(ConfigError) as caught:
            road(line, wrap(CANARY))

        assert CANARY not in said_by(caught.value)


@pytest.mark.parametrize(
    "variables",
    [
        {"FAPILOG_DEBUG_ROUTE__TOKEN": f"{CANARY} \n"},
        {"FAPILOG_DEBUG_ROUTE": f'{{"token": "{CANARY}'},
        {"FAPILOG_DEBUG_ROUTE": f'{{"token": ["{CANARY}"]}}'},
        {"FAPILOG_DEBUG_ROUTE": f'["{CANARY}"]'},
        {"FAPILOG_CONTEXT": f'{{"password": "{CANARY}"'},
        {"FAPILOG_CONTEXT": f"password={CANARY}"},
        {"FAPILOG_ASGI__SKIP_PATHS": f'["/{CANARY}"'},
        {"FAPILOG_DEBUG_ROUTE__TOKNE": CANARY},
    ],
    ids=str,
)
def test_a_malformed_variable_is_not_shown(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A token with a stray newline, JSON with a bracket too few, a misspelt name."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as caught:
        fapilog.LoggerBuilder().options()

    assert next(iter(variables)) in str(caught.value)
    assert CANARY not in said_by(caught.value)


def test_a_wrong_token_given_to_the_method_is_not_shown() -> None:
    """Nor one of the wrong type."""
    for token in (f"{CANARY}\n", [CANARY], {CANARY: 1}, ""):
        with pytest.raises(ConfigError) as caught:
            FastAPIBuilder().with_debug_route(token=token)  # type: ignore[arg-type]

        assert CANARY not in said_by(caught.value)
        assert str(caught.value).startswith("with_debug_route(token): ")
