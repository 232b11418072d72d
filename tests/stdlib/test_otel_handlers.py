"""OpenTelemetry's handler on the root logger, and an OTLP sink: the collector gets each record once."""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter, SimpleLogRecordProcessor

from fapilog import LoggerBuilder
from fapilog.stdlib import capture_stdlib
from fapilog.stdlib.otel_handlers import is_otel
from fapilog.testing import CapturedLogs
from tests.services.otlp import OtlpServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from opentelemetry.sdk._logs import LoggingHandler

# They put handlers on loggers of their own when they are imported, which is not to be a test's doing.
for each in ("fapilog.sinks.otlp.sink", "requests", "urllib3"):
    import_module(each)


def otel_handler(provider: LoggerProvider) -> logging.Handler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return LoggingHandler(logger_provider=provider)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtlpServer]:
    with OtlpServer(tmp_path_factory.mktemp("otlp")) as server:
        yield server


@pytest.fixture
def exported() -> Iterator[tuple[logging.Handler, InMemoryLogRecordExporter]]:
    """OpenTelemetry's handler, and what it has exported."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    yield otel_handler(provider), exporter
    provider.shutdown()


def bodies(exporter: InMemoryLogRecordExporter) -> list[object]:
    return [each.log_record.body for each in exporter.get_finished_logs()]


@pytest.mark.parametrize("late", [False, True], ids=["attached before", "attached after"])
def test_a_collector_gets_each_record_once(late: bool, tmp_path: Path, logger: logging.Logger) -> None:
    """Both ways lead to one collector; each record arrives once, what ours does not take too."""
    root = logging.getLogger()
    with OtlpServer(tmp_path) as server:
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(server.url)))
        handler = otel_handler(provider)
        engine = LoggerBuilder().add_otlp(server.url).build()
        if not late:
            root.addHandler(handler)
        with capture_stdlib(level="INFO"):
            if late:
                root.addHandler(handler)
            for number in range(3):
                logger.warning("library %s", number)
            engine.info("ours")
            logger.setLevel(logging.DEBUG)
            logger.debug("too low for us")
        root.removeHandler(handler)
        engine.drain()
        provider.shutdown()
        found = Counter(event["message"] for event in server.received())
    assert found == {"library 0": 1, "library 1": 1, "library 2": 1, "ours": 1, "too low for us": 1}


def test_without_an_otlp_sink_the_handler_gets_everything(
    exported: tuple[logging.Handler, InMemoryLogRecordExporter], logger: logging.Logger, logs: CapturedLogs
) -> None:
    """What fapilog writes elsewhere is OpenTelemetry's to export."""
    handler, exporter = exported
    logging.getLogger().addHandler(handler)
    with capture_stdlib():
        logger.warning("both")
    assert (logs.messages, bodies(exporter)) == (["both"], ["both"])
    assert handler.filters == []


def test_undone_the_handler_is_as_it_was(
    exported: tuple[logging.Handler, InMemoryLogRecordExporter],
    logger: logging.Logger,
    collector: OtlpServer,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The filter goes with the capture; it is told once, whatever is logged."""
    handler, exporter = exported
    engine = LoggerBuilder().add_otlp(collector.url).with_diagnostics().build()
    logging.getLogger().addHandler(handler)
    with capture_stdlib():
        logger.warning("captured")
        logger.warning("captured")
    logger.warning("undone")
    engine.drain()
    assert bodies(exporter) == ["undone"]
    assert handler.filters == []
    assert capfd.readouterr().err.count("OpenTelemetry's own handler") == 1


def test_a_handler_of_the_users_own_is_left_alone(
    exported: tuple[logging.Handler, InMemoryLogRecordExporter], logger: logging.Logger, collector: OtlpServer
) -> None:
    """A subclass of OpenTelemetry's handler may export to anywhere: it keeps its records."""

    class Mine(LoggingHandler):  # type: ignore[misc]
        pass

    _, exporter = exported
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    engine = LoggerBuilder().add_otlp(collector.url).build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        logging.getLogger().addHandler(Mine(logger_provider=provider))
    with capture_stdlib():
        logger.warning("both")
    engine.drain()
    assert bodies(exporter) == ["both"]


def test_the_handler_of_the_instrumentation_is_known_too() -> None:
    """That of `opentelemetry-instrumentation-logging` has the same name in a module of its own."""
    theirs = type("LoggingHandler", (logging.Handler,), {"__module__": "opentelemetry.instrumentation.logging.handler"})
    assert is_otel(theirs())
    assert not is_otel(type("LoggingHandler", (logging.Handler,), {"__module__": "mine"})())
    assert not is_otel(logging.NullHandler())


def test_the_ids_that_instrumentation_puts_on_records_are_no_fields(logger: logging.Logger, logs: CapturedLogs) -> None:
    """`otelTraceID` and its like say what the event says itself; other extras stay."""
    extra = {"otelTraceID": "0", "otelSpanID": "0", "otelTraceSampled": False, "otelServiceName": "x", "otelMine": 1}
    with capture_stdlib():
        logger.warning("m", extra=extra)
    [event] = logs.events
    assert [name for name in event if name.startswith("otel")] == ["otelMine"]
