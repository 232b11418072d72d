"""The OTLP sink: its life cycle, figures and health."""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.enrichers.runtime import otel_attributes
from fapilog.errors import SinkError
from fapilog.protocols import Batch
from fapilog.sinks.otlp.answers import Partial
from fapilog.sinks.otlp.exporters import exporter_of
from fapilog.sinks.otlp.options import OtlpOptions
from fapilog.sinks.otlp.records import encode
from fapilog.sinks.otlp.target import target_of


class OtlpSink:
    """Sends events as OpenTelemetry log records.

    A batch is one request, taken when the receiver has answered; a receiver that buffers may still lose what it has
    taken. Events carry their ``event_id`` as ``log.record.uid``, the same one when they are sent again: OTLP itself
    knows no duplicates. Records that a receiver does not keep although it took the request (partial success)
    are not sent again, as OTLP demands; it does not say which they are, so they are counted in ``figures`` and
    told by :meth:`health`, and the events count as delivered; if it keeps none of them, the batch is refused.

    One task at a time may write, on one event loop. Open it anew in a forked child; over gRPC that takes
    ``GRPC_ENABLE_FORK_SUPPORT=1`` if the parent had used gRPC.

    Args:
        options: Where to send and how.
        clock: Where the observed time of the records is read.
        environ: The variables of OpenTelemetry; default the process's.

    Attributes:
        name: The sink's name.
        figures: How many ``requests`` were sent, and ``partial_rejected``: records that were taken and not kept.

    Raises:
        ConfigError: If a variable of the environment cannot be used.
    """

    format = None
    event_ids = True

    def __init__(
        self, options: OtlpOptions, clock: Clock = SYSTEM_CLOCK, environ: Mapping[str, str] | None = None
    ) -> None:
        """Read the environment; connect nothing."""
        environ = os.environ if environ is None else environ
        target = target_of(options, environ)
        self.name = options.name
        self.figures: Counter[str] = Counter(requests=0, partial_rejected=0)
        self._clock = clock
        self._resource = {**otel_attributes(environ), **options.resource}
        self._told = {"protocol": target.protocol, "endpoint": target.shown}
        self._exporter = exporter_of(target, clock)
        self._open = False
        self._status = "closed"
        self._error: str | None = None
        self._warning: str | None = None

    async def open(self) -> None:
        """Get ready; the first write connects.

        Raises:
            SinkError: If a file of the TLS options cannot be used; not retryable.
        """
        try:
            await self._exporter.open()
        except SinkError as error:
            self._status, self._error = "failing", str(error)
            raise
        self._open, self._status, self._error = True, "ok", None

    async def write(self, batch: Batch) -> None:
        """Send the batch as one request.

        Raises:
            SinkError: If it was not taken.
        """
        count = len(batch)
        if not count:
            return
        request = encode(batch.flat, self._resource, self._clock.time_ns())
        self.figures["requests"] += 1
        try:
            self._note(await self._exporter.export(request, count), count)
        except SinkError as error:
            if self._open:
                self._status, self._error = "failing", str(error)
            raise
        if self._open:
            self._status, self._error = "ok", None

    async def close(self) -> None:
        """Drop the connections."""
        self._open, self._status = False, "closed"
        await self._exporter.close()

    def health(self) -> dict[str, Any]:
        """Tell how the sink is, and what the receiver said last beside "taken"."""
        return {"status": self._status, **self._told, "last_error": self._error, "last_warning": self._warning}

    def _note(self, partial: Partial, count: int) -> None:
        if partial.message:
            self._warning = partial.message
        if not partial.rejected:
            return
        self.figures["partial_rejected"] += partial.rejected
        text = f"{self._told['endpoint']} did not keep {partial.rejected} of {count} records"
        self._warning = f"{text}: {partial.message}" if partial.message else text
        if partial.rejected >= count:
            raise SinkError(self._warning, failed_indexes=range(count))
