"""Settings from the environment: ``FAPILOG_LEVEL=DEBUG``, ``FAPILOG_QUEUE__CAPACITY=50000``."""

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from pydantic import PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from fapilog.config.options import FileOptions, Options, ServiceOptions, StdoutOptions, merge
from fapilog.config.presets import preset as preset_options
from fapilog.delivery.buffer import BatchOptions
from fapilog.engine.queue import QueueOptions
from fapilog.errors import ConfigError

_PARTS: dict[str, type] = {
    "service": ServiceOptions,
    "queue": QueueOptions,
    "batch": BatchOptions,
    "stdout": StdoutOptions,
    "file": FileOptions,
}
_OPTION = re.compile(r"\w+\((\w+)\)")


class Settings(BaseSettings):
    """What can be said by environment variables, or given as ``get_logger(settings=Settings(level="DEBUG"))``.

    A variable is ``FAPILOG_`` and the option's name in capitals; the options of a part follow after two underscores:
    ``FAPILOG_QUEUE__POLICY=wait``. What is not set comes from the preset.

    Raises:
        ConfigError: If a value cannot be used; it names the variable, what was given, and what is allowed.
    """

    model_config = SettingsConfigDict(
        env_prefix="FAPILOG_", env_nested_delimiter="__", extra="forbid", arbitrary_types_allowed=True
    )

    preset: str | None = None
    name: str = "root"
    level: str | int = "INFO"
    service: ServiceOptions = ServiceOptions()
    queue: QueueOptions = QueueOptions()
    batch: BatchOptions = BatchOptions()
    stdout: StdoutOptions | None = None
    file: FileOptions | None = None
    shutdown_timeout: float | str = 5.0
    diagnostics: bool = True

    _in_code: frozenset[str] = PrivateAttr(default=frozenset())

    def __init__(self, **values: Any) -> None:
        """Read the environment, with ``values`` on top."""
        _check_spelling(os.environ)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _clear(error) from None
        self._in_code = frozenset(values)

    def changes(self) -> dict[str, Any]:
        """Return what was set, by option name, as ``options.merge`` takes it; and the preset.

        A part given in code is taken as a whole; of one in the environment only the options that have a variable, so
        that the preset keeps its say in the others.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        variables = {name.upper() for name in os.environ}
        for name in ("service", "queue", "batch"):
            # `FAPILOG_QUEUE={"capacity": 7}` is the part as a whole, too.
            if name in given and name not in self._in_code and f"FAPILOG_{name}".upper() not in variables:
                part = given[name]
                named = [f.name for f in fields(part) if f"FAPILOG_{name}__{f.name}".upper() in variables]
                given[name] = {option: getattr(part, option) for option in named}
        sinks = tuple(part for part in (given.pop("stdout", None), given.pop("file", None)) if part is not None)
        if sinks:
            given["sinks"] = sinks
        return given

    def options(self) -> Options:
        """Return the whole configuration: the preset with what was set on top."""
        changes = self.changes()
        return merge(preset_options(changes.pop("preset", None) or "minimal"), changes)


def _check_spelling(environ: Mapping[str, str]) -> None:
    """Refuse a variable that is nearly one of ours; others that begin like ours may be somebody else's.

    Raises:
        ConfigError: If there is one.
    """
    known = {f"FAPILOG_{name}".upper() for name in Settings.model_fields}
    for part, kind in _PARTS.items():
        known |= {f"FAPILOG_{part}__{option.name}".upper() for option in fields(kind)}
    for variable in environ:
        name = variable.upper()
        if name.startswith("FAPILOG_") and name not in known and get_close_matches(name, known, n=1, cutoff=0.85):
            raise ConfigError.unknown("environment", variable, known)


def _clear(error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    where = "FAPILOG_" + "__".join(str(part) for part in first["loc"]).upper()
    cause = first.get("ctx", {}).get("error")
    option = _OPTION.match(str(cause))
    if option and len(first["loc"]) == 1 and first["loc"][0] in _PARTS:
        where += f"__{option[1]}".upper()
    if isinstance(cause, ConfigError):
        return ConfigError(f"{where}: {cause}")
    return ConfigError.wrong(where, first.get("input"), first["msg"])
