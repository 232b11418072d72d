"""``LoggerBuilder`` and ``AsyncLoggerBuilder``: options filled by method calls, ended by ``build()``."""

from fapilog import _runtime
from fapilog.config.builder import OptionsBuilder
from fapilog.logger.aio import AsyncLoggerFacade
from fapilog.logger.sync import SyncLoggerFacade


class LoggerBuilder(OptionsBuilder):
    """Builds a synchronous logger: ``LoggerBuilder().with_level("DEBUG").add_file("app.log").build()``."""

    def build(self) -> SyncLoggerFacade:
        """Return a logger on an engine of its own; the first one built in a process becomes the default engine.

        No thread starts before the first event.

        Raises:
            ConfigError: If a value cannot be used.
        """
        return _runtime.build_logger(self.options())


class AsyncLoggerBuilder(OptionsBuilder):
    """Builds an asynchronous logger: ``await AsyncLoggerBuilder().with_preset("production").build()``."""

    async def build(self) -> AsyncLoggerFacade:
        """Return a logger on an engine of its own; see :meth:`LoggerBuilder.build`."""
        return _runtime.build_async_logger(self.options())
