"""To an OpenTelemetry collector over http/protobuf: a receiver that only answers, and parses afterwards."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from benchmarks.harness import BOUND, LOGGER_NAME, MESSAGE
from benchmarks.receiver import receiving
from benchmarks.remote import Sending
from benchmarks.remote.senders import PATIENCE_SECONDS, Ours

QUEUE = 100_000
SETUP = {
    "ours_otlp": "add_otlp, http/protobuf, batches of 500, to a receiver that only answers",
    "otel_sdk": "the SDK's Logger.emit, BatchLogRecordProcessor with a queue that holds all, batches of 500",
}


@contextmanager
def ours(_folder: Path) -> Iterator[Sending]:
    """Send by our sink."""
    with receiving() as remote:
        logger = Ours(lambda builder: builder.add_otlp(f"{remote.url}/v1/logs"))
        yield Sending(logger.emit, logger.settle, remote.sequences)
        logger.stop()


@contextmanager
def sdk(_folder: Path) -> Iterator[Sending]:
    """Send by the SDK: its queue of 2 048 would drop most of a burst, so it is given a larger one."""
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    with receiving() as remote:
        provider = LoggerProvider(resource=Resource({"service.name": "bench"}))
        exporter = OTLPLogExporter(f"{remote.url}/v1/logs")
        provider.add_log_record_processor(
            BatchLogRecordProcessor(exporter, max_queue_size=QUEUE, max_export_batch_size=500)
        )
        logger = provider.get_logger(LOGGER_NAME)

        def emit(seq: int) -> None:
            logger.emit(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body=MESSAGE,
                attributes={**BOUND, "seq": seq, "path": "/orders", "status": 200, "duration_ms": 1.5},
            )

        yield Sending(emit, lambda: provider.force_flush(int(PATIENCE_SECONDS * 1000)), remote.sequences)
        provider.shutdown()


STARTS = {"ours_otlp": ours, "otel_sdk": sdk}
