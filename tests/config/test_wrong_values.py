"""Every option along every road: a wrong value names the variable, setting or method, and what is allowed."""

import os
import re
from typing import Any

import pytest

import fapilog
from fapilog import _runtime
from fapilog.asgi import FapilogMiddleware
from fapilog.config.settings import Settings
from fapilog.errors import ConfigError
from fapilog.fastapi import FastAPIBuilder
from tests.config import roads


class Wrong:
    """What no option takes."""


WRONG_TEXTS = {
    "path": "", "token": "with blanks", "name": "", "request_id_header": "no header",
    "http.password": "two\nlines", "loki.password": "two\nlines",
}  # fmt: skip


def refused(error: ConfigError, where: str) -> None:
    """Check the form that all errors have."""
    assert str(error).startswith(f"{where}: "), error
    assert re.search(r"allowed: \S|cannot do without it", str(error)), error


@pytest.mark.parametrize("line", [it for it in roads.LINES if it.option != "context"], ids=roads.name_of)
def test_a_value_of_the_wrong_type_given_to_a_method(line: Any) -> None:
    """Names the method and its parameter, never by a TypeError."""
    with pytest.raises(ConfigError) as caught:
        roads.by_method(line, Wrong()).build()

    refused(caught.value, line.method)


@pytest.mark.parametrize("line", roads.LINES, ids=roads.name_of)
def test_a_value_of_the_wrong_type_given_to_settings(line: Any) -> None:
    """Names the setting."""
    with pytest.raises(ConfigError) as caught:
        roads.in_settings(line, Wrong())

    refused(caught.value, roads.place_in_settings(line))


@pytest.mark.parametrize("line", roads.LINES, ids=roads.name_of)
@pytest.mark.parametrize("value", [None, True, -1, 3.7, "no such thing", "", [], {}, b"x"], ids=repr)
def test_any_value_is_taken_or_refused_as_a_wrong_one(line: Any, value: object) -> None:
    """On the roads of code: a ``ConfigError`` that names where it came from, or nothing."""
    if value is None and line.option in ("target_per_second", "sasl_mechanism"):
        return  # says nothing, and then what is missing or too much is another option
    for road, where in ((roads.by_method, line.method), (roads.in_settings, roads.place_in_settings(line))):
        try:
            road(line, value)
        except ConfigError as error:
            refused(error, where)


@pytest.mark.parametrize("line", roads.SAID_BY_VARIABLE, ids=roads.name_of)
def test_a_wrong_text_in_a_variable(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names the variable as it was written, and says what is allowed."""
    otherwise = "" if line.unit == "text" else "[not closed"
    text = WRONG_TEXTS.get(roads.name_of(line), WRONG_TEXTS.get(line.option, otherwise))
    variable = line.variable.lower() if os.name == "posix" else line.variable
    for name, value in roads.variables_of(line, text).items():
        monkeypatch.setenv(variable if name == line.variable else name, value)
    if line.option == "preset":
        monkeypatch.setenv(variable, "prodution")

    with pytest.raises(ConfigError) as caught:
        FastAPIBuilder().build()

    refused(caught.value, variable)


@pytest.mark.parametrize("line", roads.SAID_BY_VARIABLE, ids=roads.name_of)
def test_a_misspelt_variable(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused with the right spelling, whichever letter fell out."""
    misspelt = line.variable[:-2] + line.variable[-1]
    monkeypatch.setenv(misspelt, "x")

    with pytest.raises(ConfigError, match=rf"'{misspelt}' is not known; .*Did you mean '{line.variable}'\?"):
        fapilog.LoggerBuilder().options()


@pytest.mark.parametrize("line", roads.LINES, ids=roads.name_of)
def test_a_misspelt_setting(line: Any) -> None:
    """The same in code, also inside a part."""
    misspelt = line.option[:-2] + line.option[-1] if len(line.option) > 3 else line.option + "x"
    values = {line.part: {misspelt: 1}} if line.part else {misspelt: 1}
    where = f"Settings({line.part})" if line.part else "Settings"

    with pytest.raises(ConfigError, match=rf"^{re.escape(where)}: '{misspelt}' is not known; .*mean '{line.option}'"):
        Settings(**values)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: fapilog.LoggerBuilder().with_service(name=3), "with_service(name): 3 "),
        (lambda: fapilog.LoggerBuilder().add_file("a", compress="yes"), "add_file(compress): 'yes' "),
        (lambda: fapilog.LoggerBuilder().add_file(3), "add_file(path): 3 "),
        (lambda: fapilog.LoggerBuilder().add_file("a", max_total_bytes=5), "add_file(max_total_bytes): 5 "),
        (lambda: fapilog.LoggerBuilder().add_memory(0), "add_memory(max_events): 0 "),
        (lambda: fapilog.LoggerBuilder().with_preset([]), "with_preset(name): [] "),
        (lambda: fapilog.LoggerBuilder().with_level(None), "with_level(level): None "),
        (lambda: fapilog.LoggerBuilder().with_diagnostics(enabled="no"), "with_diagnostics(enabled): 'no' "),
        (lambda: fapilog.LoggerBuilder().with_settings({"level": "INFO"}), "with_settings(settings): a value of "),
        (lambda: FastAPIBuilder().skip_paths("/a*b"), "skip_paths(*paths): '/a*b' "),
        (lambda: fapilog.set_level("INFO", 3), "set_level(logger): 3 "),
        (lambda: fapilog.get_logger(preset="dve"), "get_logger(preset): 'dve' "),
        (lambda: fapilog.get_logger(preset=3), "get_logger(): 3 "),
        (lambda: fapilog.get_logger(settings=3), "get_logger(): 3 "),
        (lambda: fapilog.configure("dve"), "configure(preset): 'dve' "),
        (lambda: FapilogMiddleware(None, builder=3), "FapilogMiddleware(): 3 "),
        (lambda: FapilogMiddleware(None, preset="dve"), "FapilogMiddleware(preset): 'dve' "),
        (lambda: Settings(preset="dve"), "Settings(preset): 'dve' "),
        (lambda: Settings(queue=5), "Settings(queue): 5 "),
        (lambda: Settings(queue=None), "Settings(queue): None "),
        (lambda: Settings(file={"max_bytes": 5}), "Settings(file.path): is not set"),
        (
            lambda: Settings(flight_recorder={"on": "slow"}),
            "Settings(flight_recorder.on): a value of type str cannot be used; allowed: a list of texts, not one text",
        ),
    ],
)
def test_wrong_values_that_once_said_something_else(wrong: Any, said: str) -> None:
    """The method or setting that was really used, and what was given."""
    with pytest.raises(ConfigError) as caught:
        wrong()

    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"FAPILOG_FILE__MAX_BYTES": "5 MB"}, "FAPILOG_FILE__PATH: is not set, and FAPILOG_FILE__MAX_BYTES cannot do"),
        ({"FAPILOG_FILE__PATH": "/dev/null/a"}, "FAPILOG_FILE__PATH: '/dev/null/a' cannot be used; allowed: a path"),
        ({"FAPILOG_SAMPLING__RATE": "1", "FAPILOG_SAMPLING__TARGET_PER_SECOND": "5"}, "FAPILOG_SAMPLING__TARGET_PER"),
        ({"FAPILOG_DEDUPE__KEY": ""}, "FAPILOG_DEDUPE__KEY: "),
        ({"FAPILOG_QUEUE": "off"}, "FAPILOG_QUEUE: None "),
        ({"FAPILOG_SINKS": "stdout"}, "named in FAPILOG_PLUGINS__SINKS"),
        ({"FAPILOG_TRACER_PROVIDER": "otlp"}, "can only be given in code"),
        ({"FAPILOG_FILTERS": "x"}, "named in FAPILOG_PLUGINS__FILTERS"),
        ({"FAPILOG_STDOUT": "off"}, "FAPILOG_STDOUT: 'off' "),
        ({"FAPILOG_QUEUE": '{"capasity": 5}'}, "FAPILOG_QUEUE: 'capasity' is not known"),
        ({"FAPILOG_QUEUE": '{"capacity": "x"}'}, "FAPILOG_QUEUE: capacity: 'x' "),
        ({"FAPILOG_ASGI__LEVEL": "LOUD"}, "FAPILOG_ASGI__LEVEL: 'LOUD' is not known"),
        ({"FAPILOG_STDLIB__LEVEL": "LOUD"}, "FAPILOG_STDLIB__LEVEL: 'LOUD' is not known"),
        (
            {"FAPILOG_FILE__PATH": "a", "FAPILOG_FILE__MAX_BYTES": "9", "FAPILOG_FILE__MAX_TOTAL_BYTES": "8"},
            "FAPILOG_FILE__MAX_TOTAL_BYTES",
        ),
        ({"FAPILOG_PRESET": "hardned"}, "FAPILOG_PRESET: 'hardned' is not known"),
        ({"FAPILOG_JOURNAL__MAX_BYTES": "9"}, "FAPILOG_JOURNAL__MAX_BYTES: '9' cannot be used"),
    ],
)
def test_variables_that_are_wrong_in_other_ways(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a variable cannot do without, two that contradict each other, names that only the process knows."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as caught:
        FastAPIBuilder().build()

    assert said in str(caught.value)


def test_a_builders_wrong_level_is_not_blamed_on_a_variable_of_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a variable's not on the method."""
    monkeypatch.setenv("FAPILOG_LEVEL", "LOUD")
    with pytest.raises(ConfigError, match=r"^with_level\(level\): 'LOUD'"):
        fapilog.LoggerBuilder().with_level("LOUD").build()
    with pytest.raises(ConfigError, match=r"^FAPILOG_LEVEL: 'LOUD'"):
        fapilog.LoggerBuilder().build()
    with pytest.raises(ConfigError, match=r"^Settings\(level\): 'LOUD'"):
        fapilog.get_logger(settings=Settings(level="LOUD"))


def test_settings_whose_preset_is_not_said_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty FAPILOG_PRESET is none."""
    monkeypatch.setenv("FAPILOG_PRESET", "")

    assert fapilog.LoggerBuilder().options() == _runtime.options_of("minimal", "configure")
