"""What options become: stages in their order, redacted process fields, formats, sinks by name."""

import json
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog import LoggerBuilder
from fapilog.config.options import Options
from fapilog.delivery import Route
from fapilog.errors import ConfigError
from fapilog.protocols import Batch
from fapilog.sinks.memory import MemorySink
from fapilog.testing import FailingSink, RecordingSink

TOKEN = "4f8a9c2e7b1d4f8a9c2e7b1d"


def logged(builder: fapilog.LoggerBuilder, **fields: Any) -> list[dict[str, Any]]:
    """Return the events of one log call, as the builder's engine delivers them."""
    sink = MemorySink(name="caught")
    logger = builder.add_sink(sink).build()
    logger.info("message", **fields)
    logger.drain()
    return sink.events


def test_stages_run_in_their_order() -> None:
    """Filters, enrichers, redactors, processors, and of each kind in the order they were given."""
    ran: list[str] = []

    def stage(name: str, result: Any) -> Any:
        def run(event: dict[str, Any]) -> Any:
            ran.append(name)
            return event if result is ... else result

        return run

    builder = (
        fapilog.LoggerBuilder()
        .with_processor(stage("processor", ...))
        .with_redactor(stage("redactor", ...))
        .with_enricher(stage("enricher", {"more": 1}))
        .with_filter(stage("filter 1", True), stage("filter 2", True))
    )
    (event,) = logged(builder)

    assert ran == ["filter 1", "filter 2", "enricher", "redactor", "processor"]
    assert event["more"] == 1


def test_built_in_filters_run_before_the_users() -> None:
    """In the order sampling, rate limit, first seen, dedupe; each counts what it held back, dedupe sums up."""
    asked: list[str] = []
    sink = MemorySink()
    builder = (
        fapilog.LoggerBuilder()
        .with_filter(lambda event: asked.append(event["message"]) or True)
        .with_dedupe(key=["kind"])
        .with_first_seen(key=["message"])
        .with_rate_limit(0.001, burst=4, key=["logger"])
        .with_sampling(0, exempt="WARNING")
        .add_sink(sink)
    )
    logger = builder.build()
    logger.info("sampled out")
    for message, kind in (("a", 1), ("a", 2), ("b", 1), ("c", 3), ("d", 4)):
        logger.warning(message, kind=kind)
    result = logger.drain()

    assert asked[:2] == ["a", "c"]
    assert result.sinks["memory"]["filtered"] == {"sampling": 1, "rate_limit": 1, "first_seen": 1, "dedupe": 1}
    assert {"events repeated", "events rate limited"} <= {event["message"] for event in sink.events}
    assert result.submitted == result.delivered + result.filtered


def test_level_directives_set_thresholds_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Along each road; a later ``set_level(None, name)`` goes back to what was configured."""
    for road in ("method", "FAPILOG_LEVEL", "LOG_LEVEL"):
        with monkeypatch.context() as patched:
            builder = fapilog.LoggerBuilder()
            if road == "method":
                builder.with_level("warning,app.db=debug,httpx=error")
            else:
                patched.setenv(road, "warning,app.db=debug,httpx=error")
            fapilog.configure(builder=builder.add_sink(MemorySink()))
            on = {name: fapilog.get_logger(name).is_enabled_for("INFO") for name in ("app", "app.db.pool", "httpx")}
            assert on == {"app": False, "app.db.pool": True, "httpx": False}
    fapilog.set_level("CRITICAL", "app.db")
    assert not fapilog.get_logger("app.db").is_enabled_for("ERROR")
    fapilog.set_level(None, "app.db")
    assert fapilog.get_logger("app.db").is_enabled_for("DEBUG")


@pytest.mark.parametrize("said", ["info,app=loud", "loud", "info,warning", "app=", "=info", "info,app=debug,app=info"])
def test_wrong_directives_name_where_they_were_said(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The method, or the variable."""
    with pytest.raises(ConfigError, match=r"^with_level\(level\): "):
        fapilog.LoggerBuilder().with_level(said).build()
    for variable in ("LOG_LEVEL", "FAPILOG_LEVEL"):
        monkeypatch.setenv(variable, said)
        with pytest.raises(ConfigError, match=f"^{variable}: "):
            fapilog.LoggerBuilder().build()


def test_a_wrong_exempt_level_names_where_it_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the process's table of levels knows it."""
    with pytest.raises(ConfigError, match=r"^with_sampling\(exempt\): 'LOUD'"):
        fapilog.LoggerBuilder().with_sampling(0.5, exempt="LOUD").build()
    monkeypatch.setenv("FAPILOG_SAMPLING__RATE", "0.5")
    monkeypatch.setenv("FAPILOG_SAMPLING__EXEMPT", "LOUD")
    with pytest.raises(ConfigError, match=r"^FAPILOG_SAMPLING__EXEMPT: 'LOUD'"):
        fapilog.LoggerBuilder().build()


def test_the_built_in_redactor_has_the_last_look() -> None:
    """A redactor of the user's and an enricher may put in a secret; neither gets it past."""
    builder = (
        fapilog.LoggerBuilder()
        .with_enricher(lambda _: {"api_key": TOKEN})
        .with_redactor(lambda event: {**event, "note": f"Bearer {TOKEN}"})
    )
    (event,) = logged(builder)

    assert (event["api_key"], event["note"]) == ("***", "Bearer ***")


def test_redaction_is_on_without_a_word_and_can_be_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every preset, and without one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in (None, *fapilog.list_presets()):
        builder = fapilog.LoggerBuilder() if name is None else fapilog.LoggerBuilder().with_preset(name)
        assert logged(builder, password="hunter2")[0]["password"] == "***"
    assert logged(fapilog.LoggerBuilder().with_redaction(enabled=False), password="p")[0]["password"] == "p"


def test_a_processor_cannot_put_a_secret_behind_redaction() -> None:
    """Nor can an asynchronous stage pass for one that says yes."""
    builder = fapilog.LoggerBuilder().with_processor(lambda event: {**event, "password": TOKEN})

    async def keep(event: dict[str, Any]) -> bool:
        return False

    assert logged(builder)[0]["password"] == "***"
    with pytest.raises(ConfigError, match=r"with_filter\(\*filters\): .*not asynchronous"):
        fapilog.LoggerBuilder().with_filter(keep)  # type: ignore[arg-type]


def test_the_fields_of_the_process_are_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of ``with_context``, the service and the pod; the process's own names stay."""
    monkeypatch.setenv("POD_NAME", f"pod-Bearer {TOKEN}")
    builder = (
        fapilog.LoggerBuilder()
        .with_context(password="hunter2", url="https://u:p4ss@host/", region="eu")
        .with_service("shop", version=f"Bearer {TOKEN}")
        .with_kubernetes(enabled=True)
    )
    (event,) = logged(builder)

    assert TOKEN not in json.dumps(event)
    assert (event["password"], event["region"], event["service"]) == ("***", "eu", "shop")
    assert "p4ss" not in event["url"]
    assert isinstance(event["pid"], int)


@pytest.mark.parametrize(("fail", "expected"), [("mask_all", ["event withheld: a redactor failed"]), ("drop", [])])
def test_a_redactor_that_raises_fails_closed(fail: Any, expected: list[str]) -> None:
    """By the mode that was asked for, never open; what it said is not repeated."""

    def broken(event: dict[str, Any]) -> dict[str, Any]:
        raise ValueError(event["password"])

    events = logged(fapilog.LoggerBuilder().with_redactor(broken).with_redaction(fail=fail), password="hunter2")

    assert [event["message"] for event in events] == expected
    assert "hunter2" not in json.dumps(events)


def test_what_a_sink_says_is_scrubbed(capfd: pytest.CaptureFixture[str]) -> None:
    """A driver may put its connection string into an error."""
    failing = FailingSink(lambda: RuntimeError(f"cannot reach postgres://u:{TOKEN}@db/logs"))
    fapilog.LoggerBuilder().add_sink(failing).with_level("INFO").build().info("event")
    fapilog.get_logger().drain()
    err = capfd.readouterr().err

    assert "cannot reach postgres://" in err
    assert TOKEN not in err


def test_the_size_guard_measures_what_is_left_after_all_others() -> None:
    """A processor of the user's may make an event long."""
    builder = (
        fapilog.LoggerBuilder().with_size_guard("2 KB").with_processor(lambda event: {**event, "blob": "x" * 9_000})
    )
    (event,) = logged(builder)

    assert "size_guard" in event
    assert len(json.dumps(event)) < 2_500


def test_a_schema_shapes_json_lines() -> None:
    """Of each JSON sink; a word that is none is refused."""
    recording = RecordingSink()
    logged(fapilog.LoggerBuilder().with_schema("ecs").add_sink(recording), order=7)
    (line,) = recording.lines

    assert json.loads(line)["log.level"] == "INFO"
    with pytest.raises(ConfigError, match=r"^with_schema\(name\): 'esc' is not known; .*mean 'ecs'"):
        fapilog.LoggerBuilder().with_schema("esc")  # type: ignore[arg-type]


def test_two_sinks_may_not_have_one_name() -> None:
    """A drain's figures, and routes, go by them."""
    builder = fapilog.LoggerBuilder().add_stdout("json").add_stdout("logfmt")
    with pytest.raises(ConfigError, match=r"^add_stdout\(name\): 'stdout' "):
        builder.build()
    builder = fapilog.LoggerBuilder().add_stdout("json").add_stdout("logfmt", name="second")
    assert [sink.name for sink in builder.options().sinks] == ["stdout", "second"]


def test_an_unknown_format_of_a_sink_is_refused() -> None:
    """A sink of the user's names one of ours."""
    with pytest.raises(ConfigError, match=r"^sink.format: 'xml' is not known; allowed: events, json, logfmt, pretty"):
        fapilog.LoggerBuilder().add_sink(RecordingSink(format="xml")).build()


def test_a_plug_in_that_cannot_be_had_names_who_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The method, or the variable."""
    with pytest.raises(ConfigError, match=r"^with_plugins\(filters\): 'nowhere' is not known"):
        fapilog.LoggerBuilder().with_plugins(filters="nowhere").build()
    monkeypatch.setenv("FAPILOG_PLUGINS__SINKS", '{"nowhere": {"token": "s3cr3t"}}')
    with pytest.raises(ConfigError, match=r"^FAPILOG_PLUGINS__SINKS: 'nowhere' is not known") as caught:
        fapilog.LoggerBuilder().build()
    assert "s3cr3t" not in str(caught.value) + repr(fapilog.Settings()) + repr(fapilog.LoggerBuilder().options())


def test_routes_send_events_to_sinks_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """By methods and by variables; calls add up."""
    first, second = MemorySink(name="first"), MemorySink(name="second")
    builder = fapilog.LoggerBuilder().add_sink(first).add_sink(second)
    monkeypatch.setenv("FAPILOG_ROUTING__ROUTES", '[{"to": "first", "levels": ["ERROR"]}]')
    monkeypatch.setenv("FAPILOG_ROUTING__FALLBACK", "second")
    by_variables = builder.build()
    by_variables.info("1")
    by_variables.error("2")
    by_variables.drain()
    builder.with_routing(Route("second", levels="ERROR"), fallback="first").with_routing({"to": "first", "logger": "x"})
    by_methods = builder.build()
    by_methods.info("3")
    by_methods.error("4")
    by_methods.drain()

    assert [event["message"] for event in first.events] == ["2", "3"]
    assert [event["message"] for event in second.events] == ["1", "4"]


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("ROUTES", '[{"to": "nowhere"}]', "'nowhere' is not known"),
        ("ROUTES", '[{"to": "caught", "levels": ["LOUD"]}]', "'LOUD' is not known"),
        ("ROUTES", '[{"to": "caught", "levle": "ERROR"}]', "'levle' is not known"),
        ("ROUTES", '[{"levels": ["ERROR"]}]', ""),
        ("ROUTES", '[{"to": "caught", "when": "always"}]', ""),
        ("ROUTES", "caught", ""),
        ("FALLBACK", "nowhere", "'nowhere' is not known"),
    ],
)
def test_a_wrong_route_of_a_variable_names_the_variable(
    option: str, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only the engine knows the names."""
    monkeypatch.setenv(f"FAPILOG_ROUTING__{option}", text)
    with pytest.raises(ConfigError, match=rf"^FAPILOG_ROUTING__{option}: .*{said}"):
        logged(fapilog.LoggerBuilder())


def test_options_are_a_value() -> None:
    """Equal if they say the same, whichever road they came."""
    assert Options() == Options(sources={"level": "FAPILOG_LEVEL"})
    assert "secret" not in repr(Options(context={"password": "secret"}, name="secret"))


def test_what_is_spooled_has_an_id_whether_the_sink_asks_or_not(tmp_path: Path) -> None:
    """A copy that comes after a restart is told by it; without a spool a sink that does not ask gets none."""

    class Own(RecordingSink):
        async def write(self, batch: Batch) -> None:  # type: ignore[override]
            super().write(batch)

    plain, spooled = Own("plain"), Own("spooled")
    for sink, builder in ((plain, LoggerBuilder()), (spooled, LoggerBuilder().with_spool(tmp_path))):
        logger = builder.add_sink(sink).with_name(sink.name).build()
        logger.info("m")
        logger.drain()

    assert "event_id" not in plain.events[0]
    assert spooled.events[0]["event_id"].endswith("-0")
    assert b'"event_id":' in spooled.lines[0]
