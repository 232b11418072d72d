"""To an OpenTelemetry collector over http/protobuf: a receiver that only answers, and parses afterwards."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from benchmarks.harness import BOUND, LOGGER_NAME, MESSAGE, Emit
from benchmarks.receiver import receiving
from benchmarks.remote import Sending, Start
from benchmarks.remote.senders import PATIENCE_SECONDS, Ours, handled

QUEUE = 100_000
SETUP = {
    "ours_otlp": "add_otlp, http/protobuf, batches of 500, to a receiver that only answers",
    "otel_sdk": "the SDK's Logger.emit, BatchLogRecordProcessor with a queue that holds all, batches of 500",
    "otel_handler": "logging, the SDK's LoggingHandler, and the same processor",
}


@contextmanager
def ours(_folder: Path) -> Iterator[Sending]:
    """Send by our sink."""
    with receiving() as remote:
        logger = Ours(lambda builder: builder.add_otlp(f"{remote.url}/v1/logs"))
        yield Sending(logger.emit, logger.settle, remote.sequences)
        logger.stop()


def _sdk(make_emit: Callable[[LoggerProvider], Emit]) -> Start:
    @contextmanager
    def start(_folder: Path) -> Iterator[Sending]:
        with receiving() as remote:
            provider = LoggerProvider(resource=Resource({"service.name": "bench"}))
            exporter = OTLPLogExporter(f"{remote.url}/v1/logs")
            # Its queue of 2 048 would drop most of a burst, so it is given a larger one.
            processor = BatchLogRecordProcessor(exporter, max_queue_size=QUEUE, max_export_batch_size=500)
            provider.add_log_record_processor(processor)
            settle = partial(provider.force_flush, int(PATIENCE_SECONDS * 1000))
            yield Sending(make_emit(provider), settle, remote.sequences)
            provider.shutdown()

    return start


def _direct(provider: LoggerProvider) -> Emit:
    logger = provider.get_logger(LOGGER_NAME)

    def emit(seq: int) -> None:
        logger.emit(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body=MESSAGE,
            attributes={**BOUND, "seq": seq, "path": "/orders", "status": 200, "duration_ms": 1.5},
        )

    return emit


def _handler(provider: LoggerProvider) -> Emit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its heir lives in another package, and does the same
        return handled(LoggingHandler(logger_provider=provider), formatted=False)


STARTS = {"ours_otlp": ours, "otel_sdk": _sdk(_direct), "otel_handler": _sdk(_handler)}
