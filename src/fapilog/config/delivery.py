"""The builders' methods that say how events are delivered."""

import os
from typing import Literal, Self

from fapilog.config.base import Filling


class DeliveryMethods(Filling):
    """One method for each wrapper of a sink; what each does, and in which order, is in ``docs/delivery.md``."""

    def with_retry(
        self,
        *,
        first_seconds: float | str | None = None,
        max_seconds: float | str | None = None,
        budget_seconds: float | str | None = None,
    ) -> Self:
        """Say how often asynchronous sinks are asked again; errors that cannot pass are not retried.

        Args:
            first_seconds: The most that the first wait may take; it doubles from one to the next. Default 0.5.
            max_seconds: The most that any wait may take, unless the receiver asks for more. Default 30.
            budget_seconds: For how long a batch is tried; 0 tries once. With a spool without end. Default 5 minutes.
        """
        return self._part("retry", first_seconds=first_seconds, max_seconds=max_seconds, budget_seconds=budget_seconds)

    def with_circuit_breaker(self, failures: int | None = None, *, reset_seconds: float | str | None = None) -> Self:
        """Leave a sink alone that keeps failing.

        Args:
            failures: So many failures in a row open the circuit. Default 5.
            reset_seconds: After so long one batch is let through as a probe. Default 10.
        """
        return self._part("circuit_breaker", failures=failures, reset_seconds=reset_seconds)

    def with_spool(
        self,
        directory: str | os.PathLike[str],
        *,
        max_bytes: int | str | None = None,
        full: Literal["drop_oldest", "refuse"] | None = None,
        segment_bytes: int | str | None = None,
        sync: Literal["never", "interval", "always"] | None = None,
        sync_seconds: float | str | None = None,
    ) -> Self:
        """Let events wait on disk, not in memory, until the receivers of asynchronous sinks have taken them.

        Args:
            directory: Where, on a local file system; each sink and process has its own below it.
            max_bytes: How much may wait for one sink. Default 256 MB.
            full: What happens over that: ``"drop_oldest"`` (default) or ``"refuse"`` what comes, both counted.
            segment_bytes: The size of one file. Default 8 MB.
            sync: When data is forced to the disk: ``"never"``, every ``sync_seconds`` (``"interval"``, the default), or
                with every batch (``"always"``). A killed process loses nothing either way, a power failure does.
            sync_seconds: Default 1.
        """
        place = os.fspath(directory) if isinstance(directory, os.PathLike) else directory
        self._put("spool", directory=place)
        return self._part(
            "spool",
            max_bytes=max_bytes,
            full=full,
            segment_bytes=segment_bytes,
            sync=sync,
            sync_seconds=sync_seconds,
        )

    def with_dead_letters(self, path: str | os.PathLike[str], *, max_bytes: int | str | None = None) -> Self:
        """Keep the events that a receiver refuses for good in a file, with the reason of each.

        Args:
            path: The file; one for all sinks.
            max_bytes: Once it is so large, nothing more is written to it, counted. Default 64 MB.
        """
        place = os.fspath(path) if isinstance(path, os.PathLike) else path
        self._put("dead_letters", path=place)
        return self._part("dead_letters", max_bytes=max_bytes)

    def with_fallback(self, to: str) -> Self:
        """Give what the sinks could not deliver to another sink, redacted like everything else.

        Args:
            to: The name of a sink that was added, which then gets nothing else; or a file such as
                ``"logs/undelivered.log"``, told by the slash, with rotation.
        """
        return self._put("fallback", to=to)

    def with_adaptive(
        self, *, max_batch: int | None = None, max_in_flight: int | None = None, shed: str | None = None
    ) -> Self:
        """Let batches grow, and at last low levels be shed, while more comes than the sinks take.

        Args:
            max_batch: How many times larger batches may become. Default 8.
            max_in_flight: How many batches a sink may be given at once then; above 1 they may overtake. Default 4.
            shed: Under critical pressure events up to this level are dropped, counted. Default ``"DEBUG"``.
        """
        return self._part("adaptive", max_batch=max_batch, max_in_flight=max_in_flight, shed=shed)
