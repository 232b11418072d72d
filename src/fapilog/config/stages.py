"""The builders' methods that say what happens to an event."""

import re
from collections.abc import Sequence
from typing import Literal, Self

from fapilog.config.base import Filling
from fapilog.config.options import added
from fapilog.plugins import PluginsGiven
from fapilog.protocols import Enricher, Filter, Processor, Redactor
from fapilog.redaction.presets import RedactionPreset

DEDUPE_KEY = ("logger", "level", "message", "exception")


class StageMethods(Filling):
    """Filters, enrichers, redactors, processors: the built-in ones by options, the user's as callables."""

    def with_filter(self, *filters: Filter) -> Self:
        """Add callables that take the event dict and return whether to keep it."""
        return self._add("filters", filters)

    def with_sampling(
        self,
        rate: float | None = None,
        *,
        by: Literal["event", "trace"] | None = None,
        target_per_second: float | None = None,
        exempt: str | int | None = None,
    ) -> Self:
        """Let a share of the events through.

        Args:
            rate: The share, 0 to 1.
            by: ``"event"`` (default) decides for each event, ``"trace"`` once for a trace, honouring its sampled flag.
            target_per_second: Instead of ``rate``: so many events a second, whatever comes.
            exempt: Events of this level and above all go through. Default ERROR.
        """
        return self._part("sampling", rate=rate, by=by, target_per_second=target_per_second, exempt=exempt)

    def with_rate_limit(
        self,
        per_second: float,
        *,
        burst: float | None = None,
        key: Sequence[str] | None = None,
        max_keys: int | None = None,
    ) -> Self:
        """Let so many events of each kind through, errors as well, and sum up the others.

        Args:
            per_second: How many a second in the long run.
            burst: How many at once after a calm; default ``per_second``, at least 1.
            key: Names of the fields that make a kind. Default logger and message.
            max_keys: How many kinds have a limit of their own, default 10 000; the others share one.
        """
        return self._part("rate_limit", per_second=per_second, burst=burst, key=key, max_keys=max_keys)

    def with_first_seen(
        self,
        *,
        key: Sequence[str] | None = None,
        window: float | str | None = None,
        max_keys: int | None = None,
    ) -> Self:
        """Let the first event of each kind through, and the next one when the window is over.

        Args:
            key: Names of the fields that make a kind. Default logger and message.
            window: Seconds, or such as ``"5m"``, the default.
            max_keys: How many kinds are remembered. Default 10 000.
        """
        return self._part("first_seen", key=key, window=window, max_keys=max_keys)

    def with_dedupe(
        self,
        *,
        window: float | str | None = None,
        key: Sequence[str] | None = None,
        max_keys: int | None = None,
    ) -> Self:
        """Let the first event of each kind through at once, and sum its repetitions up when the window is over.

        Args:
            window: Seconds, or such as ``"10s"``, the default.
            key: Names of the fields that make a kind; of an exception only the type counts. Default logger, level,
                message and exception.
            max_keys: How many kinds are watched at a time. Default 10 000.
        """
        return self._part("dedupe", window=window, key=key, max_keys=max_keys)

    def with_enricher(self, *enrichers: Enricher) -> Self:
        """Add callables that take the event dict and return fields to add, never over those it has."""
        return self._add("enrichers", enrichers)

    def with_kubernetes(
        self,
        *,
        enabled: bool | None = None,
        labels: Sequence[str] | None = None,
        annotations: Sequence[str] | None = None,
        path: str | None = None,
    ) -> Self:
        """Put the pod's name, namespace and node on every event, as far as the downward API tells them.

        Args:
            enabled: None (default) looks only in a pod, True everywhere, False nowhere.
            labels: Names of the pod's labels to add. Default none.
            annotations: Names of its annotations to add. Default none.
            path: Where the downward API volume is mounted. Default ``/etc/podinfo``.
        """
        return self._part("kubernetes", enabled=enabled, labels=labels, annotations=annotations, path=path)

    def with_redactor(self, *redactors: Redactor) -> Self:
        """Add callables that take the event dict and return it redacted; if one raises, the event is withheld."""
        return self._add("redactors", redactors)

    def with_redaction(
        self,
        *presets: str | RedactionPreset,
        fields: Sequence[str] = (),
        patterns: Sequence[str | re.Pattern[str]] = (),
        allow: Sequence[str] = (),
        remove: Sequence[str] = (),
        fail: Literal["mask_all", "drop"] | None = None,
        max_text: int | None = None,
        enabled: bool = True,
    ) -> Self:
        """Hide more than the preset does, or say what is harmless. Credentials are hidden without this call.

        What is given comes on top of what the preset, the environment and earlier calls say.

        Args:
            presets: Rule sets by name: ``"PII"``, ``"GDPR_PII"``, ``"CCPA_PII"``, ``"HIPAA_PHI"``, ``"PCI_DSS"``, …
            fields: Names and dotted paths whose value is masked: ``"user.*.email"``.
            patterns: Regular expressions; the match, or its group ``secret``, is masked in every text.
            allow: Names and dotted paths that are harmless, whatever the other rules say.
            remove: Names and dotted paths that are left out.
            fail: What is left of an event whose redaction raises: ``"mask_all"`` (default) time, level, logger and a
                note; ``"drop"`` nothing, counted.
            max_text: Cut texts over so many characters.
            enabled: False for no redaction at all.
        """
        said = {"presets": presets, "fields": fields, "patterns": patterns, "allow": allow, "remove": remove}
        before = self._changes.get("redaction", {})
        lists = {name: added(before.get(name), values) for name, values in said.items() if values != ()}
        self._part("redaction", fail=fail, max_text=max_text)
        return self._put("redaction", **lists, enabled=enabled)

    def with_processor(self, *processors: Processor) -> Self:
        """Add callables that take the event dict and return the one to go on with, or None to hold it back."""
        return self._add("processors", processors)

    def with_size_guard(self, max_bytes: int | str | None = None, *, protected: Sequence[str] | None = None) -> Self:
        """Cut what would make too long a line, and say so in it.

        Args:
            max_bytes: How long a line may be: bytes, or such as ``"256 KB"``, the default.
            protected: Names of fields that are never cut. Default none.
        """
        return self._part("size_guard", max_bytes=max_bytes, protected=protected)

    def with_schema(self, name: Literal["grouped", "ecs", "otel", "gcp", "datadog"] | None) -> Self:
        """Write JSON lines in another shape than fapilog's own; None for that."""
        return self._set(schema=name)

    def with_plugins(
        self,
        *,
        sinks: PluginsGiven = (),
        filters: PluginsGiven = (),
        enrichers: PluginsGiven = (),
        redactors: PluginsGiven = (),
        processors: PluginsGiven = (),
        allow: Sequence[str] = (),
        deny: Sequence[str] = (),
    ) -> Self:
        """Use plug-ins of other distributions, by name; nothing that is not named is imported.

        Each kind is names, ``"quiet,loud"`` or a list, or names with options: ``{"quiet": {"loggers": ["health"]}}``.

        Args:
            sinks: Where events go, beside the other sinks.
            filters: Run after those of code.
            enrichers: Run after those of code.
            redactors: Run after those of code.
            processors: Run after those of code.
            allow: If not empty, only these may be used: ``"quiet"`` or ``"filters:quiet"``.
            deny: These may not be used; wins over ``allow``.
        """
        said = {
            "sinks": sinks, "filters": filters, "enrichers": enrichers, "redactors": redactors,
            "processors": processors, "allow": allow, "deny": deny,
        }  # fmt: skip
        # What is not said here is left to the environment.
        return self._put("plugins", **{name: value for name, value in said.items() if value != ()})
