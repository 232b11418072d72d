"""The default engine: bound late, replaced on purpose, lent to a lifespan, and never two at once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import fapilog
from fapilog import _runtime
from fapilog.errors import ConfigError
from tests.engine.sinks import Keeping


@pytest.fixture(autouse=True)
def fresh_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a process state of its own, and drain what it leaves."""
    state = _runtime._State()
    monkeypatch.setattr(_runtime, "_state", state)
    yield
    for engine in list(state.engines):
        engine.drain()


def messages(sink: Keeping) -> list[str]:
    return [event["message"] for event in sink.events]


def test_a_logger_made_at_import_follows_a_later_configuration() -> None:
    """A module-level logger needs no configuration to exist, and leads to whatever is configured afterwards."""
    logger = fapilog.get_logger("module").bind(a=1)
    sink = Keeping()
    built = fapilog.LoggerBuilder().add_sink(sink).build()
    logger.info("through the module")
    built.info("through the builder")
    built.drain()
    assert messages(sink) == ["through the module", "through the builder"]


def test_without_configuration_events_go_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """The default is ``minimal``: INFO and above as JSON where there is no terminal."""
    logger = fapilog.get_logger("script")
    logger.debug("not this")
    logger.info("this")
    result = logger.drain()
    out = capfd.readouterr().out
    assert (result.submitted, out.count("\n")) == (1, 1)
    assert '"message":"this"' in out


def test_the_first_builder_is_the_default_and_the_second_an_engine_of_its_own() -> None:
    """Two engines in one process do not disturb each other."""
    first, second = Keeping("first"), Keeping("second")
    one = fapilog.LoggerBuilder().add_sink(first).build()
    two = fapilog.LoggerBuilder().with_name("other").add_sink(second).build()
    fapilog.get_logger("late").info("default")
    one.info("one")
    two.info("two")
    one.drain()
    two.drain()
    assert (messages(first), messages(second)) == (["default", "one"], ["two"])
    assert second.events[0]["logger"] == "other"


def test_configure_replaces_the_default_and_no_event_falls_between() -> None:
    """Loggers obtained before follow at once; the former engine delivers what it has."""
    former, latter = Keeping("former"), Keeping("latter")
    fapilog.configure(fapilog.LoggerBuilder().add_sink(former))
    logger = fapilog.get_logger("app")
    for number in range(100):
        logger.info("event", number=number)
    fapilog.configure(builder=fapilog.LoggerBuilder().add_sink(latter))
    for number in range(100, 200):
        logger.info("event", number=number)
    logger.drain()
    for engine in list(_runtime._state.engines):
        engine.drain()
    assert [event["number"] for event in former.events + latter.events] == list(range(200))
    assert len(former.events) == 100


def test_a_lifespans_engine_is_the_default_while_it_runs() -> None:
    """And the former one after it, in whatever order they end."""
    base, lent, inner = Keeping("base"), Keeping("lent"), Keeping("inner")
    fapilog.LoggerBuilder().add_sink(base).build()
    logger = fapilog.get_logger("app")
    engines = [_runtime.build_engine(fapilog.LoggerBuilder().add_sink(sink).options()) for sink in (lent, inner)]
    logger.info("1")
    _runtime.push_default(engines[0])
    logger.info("2")
    _runtime.push_default(engines[1])
    logger.info("3")
    _runtime.pop_default(engines[0])
    logger.info("4")
    _runtime.pop_default(engines[1])
    logger.info("5")
    for engine in list(_runtime._state.engines):
        engine.drain()
    assert (messages(base), messages(lent), messages(inner)) == (["1", "5"], ["2"], ["3", "4"])


def test_the_same_preset_is_the_same_engine(capfd: pytest.CaptureFixture[str]) -> None:
    """Modules that each ask for the preset do not make an engine each."""
    one, two = fapilog.get_logger("one", preset="production"), fapilog.get_logger("two", preset="production")
    one.info("event")
    two.info("event")
    assert one.drain().submitted == 2
    assert capfd.readouterr().out.count("\n") == 2


def test_runtime_yields_a_logger_and_drains() -> None:
    """Both context managers leave nothing queued, and may be used again."""
    sink = Keeping()
    fapilog.LoggerBuilder().add_sink(sink).build()
    for number in range(2):
        with fapilog.runtime("job") as logger:
            logger.info(f"sync {number}")
        assert len(sink.events) == 2 * number + 1

        async def main(number: int = number) -> None:
            async with fapilog.runtime_async("job") as logger:
                await logger.info(f"async {number}")

        asyncio.run(main())
        assert len(sink.events) == 2 * number + 2


def test_set_level_reaches_loggers_bound_before() -> None:
    """A level change is for every logger of the default engine, now."""
    sink = Keeping()
    fapilog.LoggerBuilder().add_sink(sink).build()
    logger = fapilog.get_logger("app.db").bind(a=1)
    logger.debug("off")
    fapilog.set_level("DEBUG", "app")
    logger.debug("on")
    fapilog.set_level(None, "app")
    logger.debug("off again")
    logger.drain()
    assert messages(sink) == ["on"]


def test_a_registered_level_can_be_logged() -> None:
    """By name in any case; an unknown one is an error at the call."""
    sink = Keeping()
    fapilog.register_level("NOTICE", 25)
    logger = fapilog.LoggerBuilder().add_sink(sink).build()
    logger.log("notice", "event")
    assert logger.is_enabled_for("NOTICE")
    with pytest.raises(ConfigError, match=r"log\(level\): 'NOTISE' is not known; .*NOTICE.*Did you mean"):
        logger.log("NOTISE", "event")
    logger.drain()
    assert sink.events[0]["level"] == "NOTICE"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda: fapilog.get_logger(preset="prodution"),
            r"get_logger\(preset\): 'prodution' is not known; .*production",
        ),
        (lambda: fapilog.get_logger(""), r"get_logger\(name\)"),
        (fapilog.configure, "exactly one"),
        (lambda: fapilog.configure(42), r"configure\(\): 42"),  # type: ignore[arg-type]
        (lambda: fapilog.LoggerBuilder().with_level("LOUD").build(), r"with_level\(level\): 'LOUD' is not known"),
        (lambda: fapilog.LoggerBuilder().with_queue(capacity=0).build(), r"with_queue\(capacity\): 0 .*at least 1"),
        (
            lambda: fapilog.LoggerBuilder().with_queue(max_bytes="64 megs").build(),
            r"with_queue\(max_bytes\): '64 megs'",
        ),
        (lambda: fapilog.LoggerBuilder().with_backpressure("block").build(), r"with_backpressure\(policy\): 'block'"),
        (lambda: fapilog.LoggerBuilder().with_shutdown_timeout("soon").build(), r"with_shutdown_timeout"),
        (lambda: fapilog.LoggerBuilder().with_batch(max_events=-1).build(), r"with_batch\(max_events\): -1"),
        (lambda: fapilog.LoggerBuilder().add_stdout("xml"), r"add_stdout\(format\): 'xml' .*json"),
        (lambda: fapilog.LoggerBuilder().add_sink(print), r"add_sink\(sink\)"),
        (lambda: fapilog.LoggerBuilder().with_filter("no").build(), r"with_filter\(\*filters\): 'no'"),
        (lambda: fapilog.LoggerBuilder().add_sink(Keeping()).add_sink(Keeping()).build(), r"add_sink\(sink.name\)"),
    ],
)
def test_bad_input_is_a_clear_error_at_build_time(wrong: Any, said: str) -> None:
    """It says where it came from, what was given, and what is allowed."""
    with pytest.raises(ConfigError, match=said):
        wrong()


def test_the_environment_configures_what_code_leaves_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code wins over ``FAPILOG_…``, which wins over the preset; a wrong variable is named."""
    monkeypatch.setenv("FAPILOG_LEVEL", "WARNING")
    monkeypatch.setenv("FAPILOG_QUEUE__CAPACITY", "77")
    monkeypatch.setenv("FAPILOG_SERVICE__NAME", "from-env")
    options = fapilog.LoggerBuilder().with_preset("production").options()
    assert (options.level, options.queue.capacity, options.queue.policy) == ("WARNING", 77, "wait")
    assert options.service.name == "from-env"
    assert fapilog.LoggerBuilder().with_level("DEBUG").options().level == "DEBUG"
    monkeypatch.setenv("FAPILOG_QUEUE__CAPACITY", "many")
    with pytest.raises(ConfigError, match="FAPILOG_QUEUE__CAPACITY"):
        fapilog.LoggerBuilder().options()


def test_sinks_of_the_environment_come_on_top_of_a_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beside the preset's standard output; a part may also be one variable as a whole."""
    monkeypatch.setenv("FAPILOG_FILE__PATH", "app.log")
    monkeypatch.setenv("FAPILOG_QUEUE", '{"capacity": 7}')
    options = fapilog.LoggerBuilder().with_preset("production").options()
    assert [type(sink).__name__ for sink in options.sinks] == ["StdoutOptions", "FileOptions"]
    assert options.queue.capacity == 7
    monkeypatch.setenv("FAPILOG_STDOUT__FORMAT", "logfmt")
    options = fapilog.LoggerBuilder().with_preset("production").options()
    assert [getattr(sink, "format", None) for sink in options.sinks] == ["logfmt", None]


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is nearly ours is named with the right spelling; one that is not is somebody else's."""
    monkeypatch.setenv("FAPILOG_REQUIRE_SERVICES", "1")
    fapilog.LoggerBuilder().options()
    monkeypatch.setenv("FAPILOG_QUEUE__CAPASITY", "5")
    with pytest.raises(ConfigError, match=r"'FAPILOG_QUEUE__CAPASITY' is not known; .*mean 'FAPILOG_QUEUE__CAPACITY'"):
        fapilog.LoggerBuilder().options()


@pytest.mark.parametrize(("said", "meant"), [("none", None), ("0", 0), ("20ms", 0.02)])
def test_a_variable_can_say_how_long_to_wait(monkeypatch: pytest.MonkeyPatch, said: str, meant: float | None) -> None:
    """Without limit, not at all, or a duration; a wrong one is named with its option."""
    monkeypatch.setenv("FAPILOG_QUEUE__WAIT_SECONDS", said)
    assert fapilog.LoggerBuilder().options().queue.wait_seconds == meant
    monkeypatch.setenv("FAPILOG_QUEUE__WAIT_SECONDS", "soon")
    with pytest.raises(ConfigError, match="FAPILOG_QUEUE__WAIT_SECONDS"):
        fapilog.LoggerBuilder().options()


def test_settings_configure_a_logger() -> None:
    """``Settings`` takes what the environment takes."""
    logger = fapilog.get_logger("s", settings=fapilog.Settings(level="ERROR", preset="production"))
    assert not logger.is_enabled_for("WARNING")
    assert logger.is_enabled_for("ERROR")


def test_standard_variables_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """LOG_LEVEL and the OpenTelemetry resource variables need no prefix."""
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=1.2,deployment.environment.name=a%20b,x=y")
    sink = Keeping()
    logger = fapilog.LoggerBuilder().add_sink(sink).build()
    logger.warning("off")
    logger.error("on")
    logger.drain()
    (event,) = sink.events
    assert (event["service"], event["version"], event["env"]) == ("shop", "1.2", "a b")


@pytest.mark.parametrize(
    ("prefixed", "enabled"), [({}, False), ({"FAPILOG_NAME": "x"}, False), ({"FAPILOG_LEVEL": "INFO"}, True)]
)
def test_the_standard_level_counts_unless_ours_is_set(
    monkeypatch: pytest.MonkeyPatch, prefixed: dict[str, str], enabled: bool
) -> None:
    """FAPILOG_LEVEL wins over LOG_LEVEL; any other variable of ours leaves it its say."""
    for variable, value in {"LOG_LEVEL": "ERROR", **prefixed}.items():
        monkeypatch.setenv(variable, value)

    assert fapilog.LoggerBuilder().add_sink(Keeping()).build().is_enabled_for("WARNING") is enabled


@pytest.mark.parametrize(
    ("variable", "value"), [("FAPILOG_LEVEL", "NOPE"), ("LOG_LEVEL", "loud"), ("FAPILOG_QUEUE__CAPACITY", "many")]
)
def test_a_wrong_variable_never_raises_out_of_a_log_call(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    """Nothing was built by anybody, so it is said on standard error, and the event is written as without it."""
    monkeypatch.setenv(variable, value)
    logger = fapilog.get_logger("app")
    logger.info("event")
    assert logger.drain().delivered == 1
    out, err = capfd.readouterr()
    assert '"message":"event"' in out
    assert f"{variable}: '{value}'" in err


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FAPILOG_PRESET", "prod"),
        ("FAPILOG_NAME", ""),
        ("FAPILOG_LEVEL", "loud"),
        ("LOG_LEVEL", "loud"),
        ("FAPILOG_SHUTDOWN_TIMEOUT", "soon"),
        ("FAPILOG_QUEUE__POLICY", "block"),
    ],
)
def test_a_wrong_variable_is_named_at_build_time(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """Whoever set it has to find it."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=rf"^{variable}: .*'{value}'"):
        fapilog.LoggerBuilder().build()


@pytest.mark.parametrize("name", ["", 5, None])
def test_a_wrong_name_is_refused_with_a_preset_too(name: Any) -> None:
    """It would be on the wire."""
    with pytest.raises(ConfigError, match=r"get_logger\(name\)"):
        fapilog.get_logger(name, preset="minimal")


def test_the_preset_that_was_configured_is_the_same_engine() -> None:
    """``get_logger(preset=…)`` in a library finds the engine of the program, and not the one before it."""
    fapilog.configure("production")
    fapilog.configure("production")
    fapilog.get_logger("app", preset="production").info("event")
    assert fapilog.get_logger("other").drain().submitted == 1
