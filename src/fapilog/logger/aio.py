"""The asynchronous logger: the event is taken at the call, awaiting only waits for room."""

from collections.abc import Generator

from fapilog.drain_result import DrainResult
from fapilog.levels import CRITICAL, DEBUG, ERROR, INFO, WARNING
from fapilog.logger.facade import Facade
from fapilog.logger.methods import AsyncLevelMethod, AsyncLogMethod, make_level_method, make_log_method


class _Taken:
    """An awaitable that is done; one serves all calls."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        return iter(())  # type: ignore[return-value]


_TAKEN = _Taken()


class AsyncLoggerFacade(Facade):
    """A logger whose methods enqueue at the call and return an awaitable that need not be awaited.

    ``debug info warning error critical exception`` and ``log(level, …)``; see
    :class:`fapilog.logger.methods.LevelMethod` for the arguments. A forgotten ``await`` loses nothing.
    """

    __slots__ = ()

    debug: AsyncLevelMethod = make_level_method("debug", DEBUG, _TAKEN)
    info: AsyncLevelMethod = make_level_method("info", INFO, _TAKEN)
    warning: AsyncLevelMethod = make_level_method("warning", WARNING, _TAKEN)
    error: AsyncLevelMethod = make_level_method("error", ERROR, _TAKEN)
    critical: AsyncLevelMethod = make_level_method("critical", CRITICAL, _TAKEN)
    exception: AsyncLevelMethod = make_level_method("exception", ERROR, _TAKEN, exc_info=True)
    log: AsyncLogMethod = make_log_method(_TAKEN)

    async def flush(self, timeout: float | str | None = None) -> bool:
        """Wait until every event submitted before is with its sinks; return False on time-out.

        Args:
            timeout: Seconds to wait, or such as ``"5s"``; default the engine's shutdown timeout.
        """
        return await self._engine().flush_async(timeout)

    async def drain(self, timeout: float | str | None = None) -> DrainResult:
        """Deliver what is queued, close the sinks, stop the background thread; see ``SyncLoggerFacade.drain``."""
        return await self._engine().drain_async(timeout)
