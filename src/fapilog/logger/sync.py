"""The synchronous logger: for scripts, threads, Django, Flask, and inside coroutines as well."""

from fapilog.drain_result import DrainResult
from fapilog.levels import CRITICAL, DEBUG, ERROR, INFO, WARNING
from fapilog.logger.facade import Facade
from fapilog.logger.methods import LevelMethod, LogMethod, make_level_method, make_log_method


class SyncLoggerFacade(Facade):
    """A logger whose methods return at once; see :class:`fapilog.logger.methods.LevelMethod` for their arguments.

    ``debug info warning error critical exception`` and ``log(level, …)``; ``exception`` is ``error`` with
    ``exc_info=True``.
    """

    __slots__ = ()

    debug: LevelMethod = make_level_method("debug", DEBUG, None)
    info: LevelMethod = make_level_method("info", INFO, None)
    warning: LevelMethod = make_level_method("warning", WARNING, None)
    error: LevelMethod = make_level_method("error", ERROR, None)
    critical: LevelMethod = make_level_method("critical", CRITICAL, None)
    exception: LevelMethod = make_level_method("exception", ERROR, None, exc_info=True)
    log: LogMethod = make_log_method(None)

    def flush(self, timeout: float | str | None = None) -> bool:
        """Block until every event submitted before is with its sinks; return False on time-out.

        Args:
            timeout: Seconds to wait, or such as ``"5s"``; default the engine's shutdown timeout.

        In a thread whose event loop is running this stalls the loop: use the asynchronous logger there.
        """
        return self._engine().flush(timeout)

    def drain(self, timeout: float | str | None = None) -> DrainResult:
        """Deliver what is queued, close the sinks, stop the background thread, and tell what became of everything.

        The next event starts the engine again.

        Args:
            timeout: Seconds, or such as ``"5s"``, that it may take; default the engine's shutdown timeout (5). What
                is left then is counted as dropped with reason ``shutdown_timeout``.
        """
        return self._engine().drain(timeout)

    async def stop_and_drain(self, timeout: float | str | None = None) -> DrainResult:
        """Do the same as :meth:`drain` without blocking the running event loop."""
        return await self._engine().drain_async(timeout)
