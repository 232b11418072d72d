"""Makes the formats that sinks ask for by name, each once."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from fapilog.errors import ConfigError
from fapilog.levels import LevelTable
from fapilog.processors.schema import Schema
from fapilog.protocols import Format
from fapilog.serializers.events import EventsFormat
from fapilog.serializers.json import JsonFormat
from fapilog.serializers.logfmt import LogfmtFormat
from fapilog.serializers.pretty import PrettyFormat, choose_color


class Formats:
    """The formats by name, each made once."""

    def __init__(self, levels: LevelTable, resource: Mapping[str, Any], reshape: Schema | None) -> None:
        """Make none yet."""
        self._made: dict[str, Format] = {}
        self._parts = (levels, resource, reshape)

    def named(self, name: str) -> Format:
        """Return a format.

        Raises:
            ConfigError: If there is none of this name.
        """
        if name not in self._made:
            self._made[name] = _format(name, *self._parts)
        return self._made[name]


def _format(name: str, levels: LevelTable, resource: Mapping[str, Any], reshape: Schema | None) -> Format:
    if name == "json":
        return JsonFormat(levels, resource, reshape)
    if name == "events":
        return EventsFormat(reshape)
    if name == "logfmt":
        return LogfmtFormat(levels, resource)
    if name == "pretty":
        tty = sys.stdout is not None and sys.stdout.isatty()
        return PrettyFormat(levels, resource, color=choose_color(tty, os.environ))
    raise ConfigError.unknown("sink.format", name, ("json", "pretty", "logfmt", "events"))
