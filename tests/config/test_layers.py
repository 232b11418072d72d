"""Which of preset, variables, settings and methods wins, and what becomes of sinks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fapilog
from fapilog.config.layers import Layer, layered
from fapilog.config.options import Options
from fapilog.config.parts import FileOptions, StdoutOptions
from fapilog.config.settings import Settings
from fapilog.engine.queue import QueueOptions
from fapilog.errors import ConfigError
from fapilog.redaction.options import RedactionOptions
from fapilog.sinks.memory import MemorySink


def names(options: Options) -> list[str]:
    return [sink.name for sink in options.sinks]


def test_code_wins_over_settings_over_variables_over_the_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Option by option, also inside a part."""
    monkeypatch.setenv("FAPILOG_QUEUE__CAPACITY", "1")
    monkeypatch.setenv("FAPILOG_QUEUE__RESERVE", "2")
    monkeypatch.setenv("FAPILOG_LEVEL", "ERROR")
    settings = Settings(preset="production", queue={"reserve": 3, "max_bytes": "3 MB"})
    options = fapilog.LoggerBuilder().with_settings(settings).with_queue(max_bytes="4 MB").options()

    assert options.queue == QueueOptions(1, 3, "4 MB", "wait", 0.05)
    assert (options.level, options.preset) == ("ERROR", "production")
    assert (
        fapilog.LoggerBuilder().with_settings(settings).with_preset("dev").with_level("INFO").options().level == "INFO"
    )


@pytest.mark.parametrize(
    ("variable", "value", "say", "read"),
    [
        ("KUBERNETES__LABELS", "team", lambda it: it.with_kubernetes(), lambda it: it.kubernetes.labels == ("team",)),
        ("SIZE_GUARD__MAX_BYTES", "2 KB", lambda b: b.with_size_guard(), lambda it: it.size_guard.max_bytes == "2 KB"),
        ("DEDUPE__WINDOW", "1h", lambda it: it.with_dedupe(), lambda it: it.dedupe.window == "1h"),
        ("RATE_LIMIT__MAX_KEYS", "7", lambda it: it.with_rate_limit(5), lambda it: it.rate_limit.max_keys == 7),
        ("FIRST_SEEN__WINDOW", "1h", lambda it: it.with_first_seen(), lambda it: it.first_seen.window == "1h"),
        ("SAMPLING__EXEMPT", "INFO", lambda it: it.with_sampling(0.5), lambda it: it.sampling.exempt == "INFO"),
        ("SAMPLING__RATE", "0.5", lambda it: it.with_sampling(exempt="INFO"), lambda it: it.sampling.rate == 0.5),
        ("JOURNAL__MAX_BYTES", "2 MB", lambda it: it.with_journal("j"), lambda it: it.journal.max_bytes == "2 MB"),
    ],
)  # fmt: skip
def test_what_a_method_does_not_say_is_left_to_the_environment(
    variable: str, value: str, say: Any, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A default of a method's parameter is not said."""
    monkeypatch.setenv(f"FAPILOG_{variable}", value)

    assert read(say(fapilog.LoggerBuilder()).options())


def test_a_part_given_as_a_value_is_taken_whole() -> None:
    """The preset has no say in the rest of it."""
    whole = Settings(preset="production", queue=QueueOptions(capacity=5)).options()
    named = Settings(preset="production", queue={"capacity": 5}).options()

    assert (whole.queue.policy, named.queue.policy) == ("drop", "wait")


def test_the_standard_level_has_the_least_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """But more than a preset; on the road of settings, too."""
    monkeypatch.setenv("LOG_LEVEL", "ERROR")

    assert fapilog.LoggerBuilder().with_preset("dev").options().level == "ERROR"
    assert Settings().options().level == "ERROR"
    assert Settings(level="INFO").options().level == "INFO"


def test_context_of_all_layers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that two of them name is the later one's."""
    monkeypatch.setenv("FAPILOG_CONTEXT", '{"region": "eu", "team": "a"}')
    options = fapilog.LoggerBuilder().with_context(team="b").options()

    assert options.context == {"region": "eu", "team": "b"}


def test_redaction_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming a rule never takes another away, on no road and between none; switching it off does."""
    monkeypatch.setenv("FAPILOG_REDACTION__FIELDS", "card")
    settings = Settings(preset="production", redaction={"presets": ["PII"], "fields": ["pin"]})
    builder = fapilog.LoggerBuilder().with_settings(settings).with_redaction("PCI_DSS", fields=["note"])
    redaction = builder.with_redaction(fields=("room", "note"), fail="drop").options().redaction

    assert redaction.presets == ("CREDENTIALS", "CONTENT_PATTERNS", "PII", "PCI_DSS")
    assert (redaction.fields, redaction.fail) == (("card", "pin", "note", "room"), "drop")
    assert not builder.with_redaction(enabled=False).options().redaction.enabled
    whole = RedactionOptions((), fields=("card",))
    assert Settings(redaction=whole).options().redaction == whole


def test_sinks_come_on_top_of_a_preset_and_replace_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the same name takes the place of the one below it."""
    memory = MemorySink()
    builder = fapilog.LoggerBuilder().add_sink(memory)
    assert names(builder.options()) == ["memory"]
    assert names(builder.with_preset("production").options()) == ["stdout", "memory"]
    options = builder.add_stdout("logfmt").options()
    assert options.sinks == (memory, StdoutOptions("logfmt"))
    monkeypatch.setenv("FAPILOG_FILE__PATH", "a.log")
    assert names(builder.options()) == ["file", "memory", "stdout"]
    assert names(fapilog.LoggerBuilder().options()) == ["file"]
    options = fapilog.LoggerBuilder().with_preset("dev").add_file("b.log").add_file("c.log", name="second").options()
    assert [getattr(sink, "path", "") for sink in options.sinks] == ["", "b.log", "c.log"]


def test_settings_take_sinks_like_a_builder() -> None:
    """As parts by name, or as objects."""
    memory = MemorySink()
    settings = Settings(preset="dev", stdout={"format": "json"}, file={"path": "a.log"}, sinks=[memory])

    assert settings.options().sinks == (StdoutOptions("json"), FileOptions("a.log"), memory)
    assert Settings(sinks=[memory]).options().sinks == (memory,)


def test_a_part_may_be_switched_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own variable, in any case."""
    monkeypatch.setenv("fapilog_debug_route", "On")
    assert fapilog.LoggerBuilder().options().debug_route is not None
    monkeypatch.setenv("fapilog_debug_route", "off")
    assert fapilog.LoggerBuilder().with_preset("fastapi").options().debug_route is None
    monkeypatch.delenv("fapilog_debug_route")
    assert fapilog.LoggerBuilder().with_preset("fastapi").options().debug_route is not None


def test_the_source_of_a_value_is_that_of_the_layer_that_won() -> None:
    """So that an error found later names the right place."""
    low = Layer({"level": "a", "queue": {"capacity": 1, "reserve": 1}}, {"level": "LOW", "queue.capacity": "CAP"})
    high = Layer({"level": "b", "queue": {"reserve": 2}})

    assert layered([low]).sources == {"level": "LOW", "queue.capacity": "CAP"}
    assert layered([low, high]).sources == {"queue.capacity": "CAP"}


def test_a_contradiction_between_layers_names_the_one_that_brought_it() -> None:
    """Each is right by itself."""
    with pytest.raises(ConfigError, match=r"^VARIABLE: 0 cannot be used"):
        layered([Layer({"queue": {"capacity": 0}}, {"queue.capacity": "VARIABLE"})])


_VALUES = st.fixed_dictionaries({}, optional={
    "capacity": st.integers(1, 9), "reserve": st.integers(0, 9), "policy": st.sampled_from(["drop", "wait"]),
})  # fmt: skip


@given(below=_VALUES, above=_VALUES)
def test_the_later_layer_wins_whatever_the_values(below: dict[str, Any], above: dict[str, Any]) -> None:
    """What neither says is the preset's."""
    options = layered([Layer({}, preset="production"), Layer({"queue": below}), Layer({"queue": above})])

    expected = {"capacity": 10_000, "reserve": 1_000, "policy": "wait", **below, **above}
    assert {name: getattr(options.queue, name) for name in expected} == expected
