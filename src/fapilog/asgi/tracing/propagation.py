"""From a request's headers to OpenTelemetry's context: remote span, tracestate, baggage."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter, TextMapPropagator

from fapilog.asgi.headers import Headers
from fapilog.coerce import cut_text
from fapilog.errors import ConfigError

MAX_BAGGAGE_TEXT = 1_024


class _OneValue(Getter[Mapping[str, str]]):
    """Reads headers whose repeated values are joined by commas.

    A repeated ``traceparent`` is thereby not valid, as one cannot know whose it is; a repeated ``tracestate`` or
    ``baggage`` is the list that it was.
    """

    def get(self, carrier: Mapping[str, str], key: str) -> list[str] | None:
        value = carrier.get(key.lower())
        return None if value is None else [value]

    def keys(self, carrier: Mapping[str, str]) -> list[str]:
        return list(carrier)


class Propagation:
    """Reads what the propagators in force need of a request's headers, and makes a context of it. Thread-safe.

    Args:
        more: Names of other headers that are wanted.

    Raises:
        ConfigError: If ``OTEL_PROPAGATORS`` names one that is not installed. OpenTelemetry says so when its module is
            imported, which is done here: an application that does not trace has nothing to do with it.
    """

    def __init__(self, more: frozenset[bytes]) -> None:
        """Ask for the propagators."""
        try:
            from opentelemetry.propagate import get_global_textmap  # noqa: PLC0415
        except ValueError as error:
            raise ConfigError(f"cannot be used: {error}").at("OTEL_PROPAGATORS") from error
        self._in_force = get_global_textmap
        self._more = more
        self._read(get_global_textmap())

    def _read(self, propagator: TextMapPropagator) -> None:
        self._propagator = propagator
        self._fields = frozenset(name.lower() for name in propagator.fields)
        self._wanted = self._more | {name.encode("latin-1") for name in self._fields}

    def read(self, headers: Headers) -> dict[str, str]:
        """Return the wanted headers by their lower-case names, repeated ones joined by commas."""
        propagator = self._in_force()
        if propagator is not self._propagator:
            self._read(propagator)
        wanted = self._wanted
        found: dict[str, str] = {}
        for raw, value in headers:
            if raw in wanted:
                name, text = raw.decode("latin-1"), value.decode("latin-1")
                found[name] = f"{found[name]},{text}" if name in found else text
        return found

    def context(self, carrier: Mapping[str, str]) -> Context:
        """Return the context that headers carry; empty if there is nothing in them.

        What is current where the server was started is not the caller's, and is left out.
        """
        empty = Context()
        return empty if self._fields.isdisjoint(carrier) else self._propagator.extract(carrier, empty, _OneValue())


def chosen_baggage(context: Context, keys: Sequence[str]) -> dict[str, Any]:
    """Return the chosen entries of the baggage as fields: texts of at most 1 024 characters."""
    entries = baggage.get_all(context)
    return {key: cut_text(str(entries[key]), MAX_BAGGAGE_TEXT) for key in keys if key in entries}
