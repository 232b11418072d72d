"""What the tests of the wrappers write to: a sink whose answers are told, and batches of numbered events."""

from collections.abc import Callable, Iterable
from typing import Any

from fapilog.protocols import Batch

Answer = Callable[[Batch], Exception | None]


class Receiver:
    """Asks ``answer`` about every batch; takes what the error it gets does not name."""

    format = "json"

    def __init__(self, *answers: Exception | None, answer: Answer | None = None, name: str = "receiver") -> None:
        self.name = name
        self.taken: list[dict[str, Any]] = []
        self.writes: list[int] = []
        self.opened = self.closed = 0
        self.open_error: Exception | None = None
        self._answers = list(answers)
        self._answer = answer

    @property
    def numbers(self) -> list[int]:
        return [event["number"] for event in self.taken]

    async def open(self) -> None:
        if self.open_error is not None:
            raise self.open_error
        self.opened += 1

    async def write(self, batch: Batch) -> None:
        self.writes.append(len(batch))
        error = self._answers.pop(0) if self._answers else None
        if self._answer is not None:
            error = self._answer(batch)
        missing = set(range(len(batch))) if error is not None else set()
        if getattr(error, "failed_indexes", None) is not None:
            missing = set(error.failed_indexes)  # type: ignore[union-attr]
        self.taken += [event for index, event in enumerate(batch.events) if index not in missing]
        if error is not None:
            raise error

    async def close(self) -> None:
        self.closed += 1


class PlainReceiver(Receiver):
    """The same with a plain ``write``."""

    def write(self, batch: Batch) -> None:  # type: ignore[override]
        work = Receiver.write(self, batch)
        try:
            work.send(None)
        except StopIteration:
            return


def batch_of(numbers: Iterable[int]) -> Batch:
    events = [{"message": "m", "number": number} for number in numbers]
    return Batch([b'{"message":"m","number":%d}\n' % event["number"] for event in events], lambda: events)


class Sleeper:
    """Takes the place of waiting: notes for how long, and moves a clock."""

    def __init__(self, clock: Any) -> None:
        self.waits: list[float] = []
        self._clock = clock

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._clock.advance(seconds)
