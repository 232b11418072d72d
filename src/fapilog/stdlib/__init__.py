"""The standard library's ``logging``, and the servers that use it, through fapilog.

    from fapilog.stdlib import capture_stdlib

    undo = capture_stdlib()          # every record of `logging` is an event from now on
    undo()

``records`` takes a record apart, ``handler`` hands it in, ``otel_handlers`` keeps OpenTelemetry's own handlers from
exporting it once more, ``placement`` attaches and undoes, ``capture`` and ``servers`` say to which loggers.
"""

from fapilog.stdlib.capture import capture_stdlib
from fapilog.stdlib.handler import FapilogHandler
from fapilog.stdlib.servers import uvicorn_log_config

__all__ = ["FapilogHandler", "capture_stdlib", "uvicorn_log_config"]
