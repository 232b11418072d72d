"""The three roads by which an option is said, for tests that take every option along each."""

import inspect
import re
from typing import Any

from fapilog.config.options import IN_CODE_ONLY
from fapilog.config.settings import Settings
from fapilog.config.table import EXAMPLES, Line, lines
from fapilog.fastapi import FastAPIBuilder

LINES = lines()
SAID_BY_VARIABLE = [line for line in LINES if line.variable]
_METHOD = re.compile(r"(\w+)\((\*{0,2})(\w+)\)")


def name_of(line: Line) -> str:
    """Return a test's name for an option."""
    return f"{line.part}.{line.option}" if line.part else line.option


def in_settings(line: Line, value: Any) -> Settings:
    """Say an option in code, with what its part cannot do without."""
    if not line.part:
        return Settings(**{line.option: value})
    return Settings(**{line.part: {**needed(line), line.option: value}})


def place_in_settings(line: Line) -> str:
    """Return how an error names it."""
    return f"Settings({name_of(line)})"


def by_method(line: Line, value: Any) -> FastAPIBuilder:
    """Say an option by the method that the table names; a tuple for a method that takes several is spread."""
    builder = FastAPIBuilder()
    found = _METHOD.fullmatch(line.method)
    assert found, line
    method, stars, parameter = getattr(builder, found[1]), found[2], found[3]
    signature = inspect.signature(method)
    variadic = (
        parameter in signature.parameters and signature.parameters[parameter].kind is inspect.Parameter.VAR_POSITIONAL
    )
    if stars == "*" or variadic:
        method(*value if isinstance(value, tuple) else (value,))
    elif stars == "**":
        method(key=value)
    else:
        assert parameter in signature.parameters, line
        others = {
            name: _need(line.part, name)
            for name, it in signature.parameters.items()
            if name != parameter
            and it.default is inspect.Parameter.empty
            and it.kind in (it.POSITIONAL_OR_KEYWORD, it.KEYWORD_ONLY)
        }
        method(**{**others, **PARTNERS.get(name_of(line), {}), parameter: value})
    return builder


PARTNERS: dict[str, dict[str, Any]] = {
    **{f"sampling.{option}": {"rate": 0.5} for option in ("by", "exempt")},
    **{f"{part}.password": {"username": "user"} for part in ("http", "loki")},
    **{f"{part}.client_key": {"client_cert": "client.pem"} for part in ("http", "loki", "otlp")},
    "cloudwatch.access_key_id": {"secret_access_key": "of-the-key"},
    "cloudwatch.secret_access_key": {"access_key_id": "key"},
    "cloudwatch.session_token": {"access_key_id": "key", "secret_access_key": "of-the-key"},
    "postgres.keep": {"partition": "day"},
    "kafka.ca_file": {"tls": True},
    "kafka.sasl_mechanism": {"sasl_username": "user", "sasl_password": "password"},
    "kafka.sasl_username": {"sasl_mechanism": "PLAIN", "sasl_password": "password"},
    "kafka.sasl_password": {"sasl_mechanism": "PLAIN", "sasl_username": "user"},
    "redis.username": {"password": "password"},
    "redis.ca_file": {"url": "rediss://localhost"},
}
"""What an option does not do without, although its partners have defaults of their own."""
NEEDED: dict[str, Any] = {
    "path": "app.log", "policy": "wait", "per_second": 5, "rate": 0.5, "directory": "spool", "to": "logs/other.log",
    "group": "logs", "servers": "localhost:9092", "topic": "logs",
}  # fmt: skip


def _need(part: str, option: str) -> Any:
    return EXAMPLES.get(f"{part}.{option}", NEEDED.get(option))


def needed(line: Line) -> dict[str, Any]:
    """Return values for the options that a part cannot do without, but for this one."""
    others = {
        other.option: _need(other.part, other.option)
        for other in LINES
        if other.part == line.part and other.default == "needed" and other.option != line.option
    }
    return {**others, **PARTNERS.get(name_of(line), {})}


def variables_of(line: Line, text: str) -> dict[str, str]:
    """Return the variables that say an option and what its part cannot do without."""
    others = {
        other.variable: str(_need(other.part, other.option))
        for other in LINES
        if other.part and other.part == line.part and other.default == "needed"
    }
    others |= {f"FAPILOG_{line.part}__{name}".upper(): str(value) for name, value in needed(line).items()}
    return {**others, line.variable: text}


def is_text(line: Line) -> bool:
    """Tell whether any text will do for it."""
    return line.unit == "text" and line.option != "preset"


CODE_ONLY = IN_CODE_ONLY
