"""Finding the events that are to blame for a batch that a receiver refuses as a whole.

    ████████ refused ─► ████ taken
                        ████ refused ─► ██ taken
                                        ██ refused ─► █ taken
                                                      █ refused: this one

A batch that is too large gets through by this, too, in parts. It costs at most twice as many writes as events.
"""

from collections import deque

from fapilog.delivery.wrapping import FailedPart, Wrapper, finished
from fapilog.errors import SinkError
from fapilog.protocols import Batch, Sink


class Splitting(Wrapper):
    """Halves a batch that is refused without a word about which events are meant, and writes the halves in order."""

    def __init__(self, inner: Sink) -> None:
        """Hold the sink."""
        super().__init__(inner)
        self.figures = {"split_batches": 0, "rejected": 0}

    async def write(self, batch: Batch) -> None:
        """Write the batch, in as many parts as it takes.

        Raises:
            SinkError: If the sink has an error that may pass; it names everything that was not taken.
            RejectedError: For the events that are refused, when all others are taken.
        """
        whole = FailedPart(len(batch))
        parts: deque[list[int]] = deque([whole.left])
        while parts:
            places = parts.popleft()
            part = FailedPart(len(batch))
            part.left = places
            try:
                await finished(self.inner.write(part.part(batch)))
            except SinkError as error:
                if not error.retryable and error.failed_indexes is None and len(places) > 1:
                    self.figures["split_batches"] += 1
                    half = len(places) // 2
                    parts.extendleft((places[half:], places[:half]))
                    continue
                part.note(error)
                whole.take_over(part)
                if part.left:
                    whole.left = sorted([*part.left, *(place for rest in parts for place in rest)])
                    self.figures["rejected"] += len(whole.rejected)
                    raise whole.given_up(error) from error
        self.figures["rejected"] += len(whole.rejected)
        whole.raise_rejected()
