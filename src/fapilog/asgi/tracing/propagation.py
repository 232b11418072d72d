"""From a request's headers to OpenTelemetry's context: remote span, tracestate, baggage."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import baggage, propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter

from fapilog.asgi.headers import Headers
from fapilog.coerce import cut_text

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


def joined(headers: Headers, wanted: frozenset[bytes]) -> dict[str, str]:
    """Return the wanted headers by their lower-case names, repeated ones joined by commas."""
    found: dict[str, str] = {}
    for raw, value in headers:
        if raw in wanted:
            name, text = raw.decode("latin-1"), value.decode("latin-1")
            found[name] = f"{found[name]},{text}" if name in found else text
    return found


def remote_context(carrier: Mapping[str, str]) -> Context:
    """Return the context that the headers carry, by the propagators in force; empty if there is nothing in them.

    What is current where the server was started is not the caller's, and is left out.
    """
    return propagate.extract(carrier, Context(), _OneValue())


def propagation_headers() -> frozenset[bytes]:
    """Return the names of the headers that the propagators in force read."""
    return frozenset(name.lower().encode("latin-1") for name in propagate.get_global_textmap().fields)


def chosen_baggage(context: Context, keys: Sequence[str]) -> dict[str, Any]:
    """Return the chosen entries of the baggage as fields: texts of at most 1 024 characters."""
    entries = baggage.get_all(context)
    return {key: cut_text(str(entries[key]), MAX_BAGGAGE_TEXT) for key in keys if key in entries}
