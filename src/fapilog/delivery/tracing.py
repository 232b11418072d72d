"""A span for each batch that a sink is given, however often it has to be asked."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from fapilog.delivery.wrapping import Wrapper, finished
from fapilog.protocols import Batch, Sink

Spans = Callable[[str, Batch], AbstractContextManager[None]]
"""Starts a span for a batch of a sink; it ends with the block, which is told of the error. It raises nothing itself."""


class Traced(Wrapper):
    """Gives each batch to the sink inside within a span.

    Inside the spool, so that it is the delivery that has the span and not the writing to disk; outside the retries,
    so that there is one for all attempts.

    Args:
        inner: The sink.
        spans: Starts the spans; used by the tasks of the engine's loop.
    """

    def __init__(self, inner: Sink, spans: Spans) -> None:
        """Hold both."""
        super().__init__(inner)
        self._spans = spans

    async def write(self, batch: Batch) -> None:
        """Write within a span."""
        with self._spans(self.name, batch):
            await finished(self.inner.write(batch))
