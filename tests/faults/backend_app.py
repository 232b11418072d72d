"""An application that logs to one remote sink behind a spool, for ``test_backends.py``; it tells how far it is.

    python -m tests.faults.backend_app <kind> <options as JSON> <events> <spool> <seconds for the drain>

Writes a JSON object a line: ``{"delivered": …}`` while it goes on, and the whole result at the end.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

from fapilog import LoggerBuilder

PATIENCE_SECONDS = 0.02


def main() -> None:
    """Log, tell, drain, tell."""
    kind, options, count, spool, seconds = sys.argv[1:]
    builder = (
        LoggerBuilder()
        .with_backpressure("wait", None)
        .with_retry(first_seconds=0.05, max_seconds=0.5)
        .with_circuit_breaker(reset_seconds=0.5)
        .with_spool(spool)
    )
    logger = getattr(builder, f"add_{kind}")(**json.loads(options)).build()
    for number in range(int(count)):
        logger.info("endurance", sequence=number)
    figures = _figures()
    done = threading.Event()
    deadline = float(seconds)
    while figures()["spooled"] + figures()["in_flight"] and deadline > 0:
        _tell({"delivered": figures()["delivered"]})
        done.wait(PATIENCE_SECONDS)
        deadline -= PATIENCE_SECONDS
    result = logger.drain(10)
    _tell({**result._asdict(), "peak_bytes": _peak_bytes()})


def _figures() -> Any:
    from fapilog import _runtime

    (engine,) = _runtime._state.engines
    return engine.figures


def _tell(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def _peak_bytes() -> int:
    # Not getrusage: that one begins with what the parent held when it forked.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
