"""The standard library's ``logging``, and the servers that use it, through fapilog.

    from fapilog.stdlib import capture_stdlib

    undo = capture_stdlib()          # every record of `logging` is an event from now on
    undo()

``records`` takes a record apart, ``handler`` hands it in, ``placement`` attaches and undoes, ``capture`` and
``servers`` say to which loggers.
"""

from fapilog.stdlib.capture import capture_stdlib
from fapilog.stdlib.handler import FapilogHandler
from fapilog.stdlib.placement import Capture
from fapilog.stdlib.servers import take_over_servers, uvicorn_log_config

__all__ = ["Capture", "FapilogHandler", "capture_stdlib", "take_over_servers", "uvicorn_log_config"]
