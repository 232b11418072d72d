"""fapilog: structured, correlated logs for ASGI applications, on an engine that never slows a request.

The names below are the public ones. Those that need pydantic or the engine are loaded when first used, so that
``import fapilog`` stays cheap.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fapilog._runtime import (
    configure,
    get_async_logger,
    get_logger,
    register_level,
    runtime,
    runtime_async,
    set_level,
)
from fapilog._version import __version__
from fapilog.carry import carry_context
from fapilog.coerce import Sensitive
from fapilog.context import bind_context, clear_context, context_scope, unbind_context
from fapilog.drain_result import DrainResult
from fapilog.logger.aio import AsyncLoggerFacade
from fapilog.logger.sync import SyncLoggerFacade

if TYPE_CHECKING:
    from fapilog.builders import AsyncLoggerBuilder, LoggerBuilder
    from fapilog.config.presets import list_presets
    from fapilog.config.settings import Settings
    from fapilog.jobs import recorder
    from fapilog.otel.links import span_link

__all__ = [
    "AsyncLoggerBuilder",
    "AsyncLoggerFacade",
    "DrainResult",
    "LoggerBuilder",
    "Sensitive",
    "Settings",
    "SyncLoggerFacade",
    "__version__",
    "bind_context",
    "carry_context",
    "clear_context",
    "configure",
    "context_scope",
    "get_async_logger",
    "get_logger",
    "list_presets",
    "recorder",
    "register_level",
    "runtime",
    "runtime_async",
    "set_level",
    "span_link",
    "unbind_context",
]

_LATE = {
    "AsyncLoggerBuilder": "fapilog.builders",
    "LoggerBuilder": "fapilog.builders",
    "Settings": "fapilog.config.settings",
    "list_presets": "fapilog.config.presets",
    "recorder": "fapilog.jobs",
    "span_link": "fapilog.otel.links",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    message = f"module 'fapilog' has no attribute {name!r}"
    raise AttributeError(message)
