"""What the options of HTTP sinks show of themselves, and what the sinks tell about their requests."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from fapilog.sinks.http.endpoint import endpoint_of

HIDDEN = "'***'"


def show_options(options: Any, secrets: frozenset[str]) -> str:
    """Return ``Class(option=value, …)`` with the options that differ from their defaults.

    Of the URL only scheme, host and port are shown, of mappings only the names, of secrets nothing.
    """
    shown = []
    for item in fields(options):
        value = getattr(options, item.name)
        if item.name == "url":
            text = repr(endpoint_of(value, "url").shown)
        elif value == (item.default if item.default_factory is MISSING else item.default_factory()):
            continue
        elif item.name in secrets:
            text = HIDDEN
        else:
            text = repr(dict.fromkeys(value, "***")) if isinstance(value, Mapping) else repr(value)
        shown.append(f"{item.name}={text}")
    return f"{type(options).__name__}({', '.join(shown)})"


class Requests:
    """What a sink has to say about its requests. Changed by the sink's tasks, read by any thread.

    Attributes:
        figures: ``requests``: how many were sent; ``request_bytes``: how long their bodies were, before compression;
            ``refused_requests``: how many were not answered by 2xx, or not at all.
    """

    def __init__(self, shown: str) -> None:
        """Begin closed.

        Args:
            shown: What may be shown of the URL.
        """
        self.figures = {"requests": 0, "request_bytes": 0, "refused_requests": 0}
        self._shown = shown
        self._open = False
        self._last_error: str | None = None

    def opened(self) -> None:
        """Note that the sink is open."""
        self._open = True

    def closed(self) -> None:
        """Note that it is closed; its last error is kept."""
        self._open = False

    def sent(self, size: int) -> None:
        """Count a request."""
        self.figures["requests"] += 1
        self.figures["request_bytes"] += size

    def taken(self) -> None:
        """Note that the last request was acknowledged."""
        self._last_error = None

    def refused(self, error: Exception) -> None:
        """Note that it was not; the error's text is free of secrets."""
        self.figures["refused_requests"] += 1
        self._last_error = str(error)

    def health(self) -> dict[str, Any]:
        """Return how the sink is: ``status``, ``url`` (scheme, host and port), and ``last_error`` if there is one."""
        error = self._last_error
        status = "closed" if not self._open else "ok" if error is None else "failing"
        return {"status": status, "url": self._shown} | ({} if error is None else {"last_error": error})
