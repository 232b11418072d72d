"""What goes to the SDK, kept in memory: providers that are given by parameter, for the tests share one process."""

from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id


class Signals:
    """Providers of the SDK for all three signals, and what has come to their exporters."""

    def __init__(self) -> None:
        self._spans, self._records, self.reader = InMemorySpanExporter(), InMemoryLogRecordExporter(), None
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self._records))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in the order of their ends."""
        return list(self._spans.get_finished_spans())

    @property
    def server_spans(self) -> list[ReadableSpan]:
        """Those of kind SERVER."""
        return [span for span in self.spans if span.kind is SpanKind.SERVER]

    @property
    def exceptions(self) -> list[str]:
        """The types of the exceptions over all signals: span events and log records."""
        events = [event.attributes for span in self.spans for event in span.events if event.name == "exception"]
        records = [record.log_record.attributes or {} for record in self._records.get_finished_logs()]
        return [str(each["exception.type"]) for each in (*events, *records) if "exception.type" in each]

    def close(self) -> None:
        """Shut the providers down."""
        for provider in (self.tracers, self.loggers, self.meters):
            provider.shutdown()


def trace_id(span: ReadableSpan) -> str:
    """Return a span's trace id as events show it."""
    return format_trace_id(span.context.trace_id)


def span_id(span: ReadableSpan) -> str:
    """Return a span's id as events show it."""
    return format_span_id(span.context.span_id)


def id_of(span: Any) -> str:
    """Return a span's trace id as the console asks for it."""
    return f"{span.get_span_context().trace_id:032x}"


def ended(provider: TracerProvider, name: str = "work", **attributes: Any) -> Any:
    """Return a span that has ended."""
    span = provider.get_tracer("tests").start_span(name, attributes=attributes)
    span.end()
    return span
