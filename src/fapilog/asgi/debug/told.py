"""What the console has to say in the log: who was refused, and who changed what."""

from collections.abc import Mapping
from typing import Any

from fapilog.event import Origin
from fapilog.logger.capture import submit

LOGGER = "fapilog.console"


def tell(engine: Any, levelno: int, message: str, fields: Mapping[str, Any]) -> None:
    """Log an event of the console on an engine; no level keeps it from coming out, not even one that was just set."""
    # The engine does not know this origin, and so writes no threshold on it.
    submit(Origin(LOGGER, engine.queue), levelno, message, fields)
