"""Makes the sinks that options name. The libraries of remote ones are imported when one is asked for."""

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from fapilog.config.parts import FileOptions, SinkChoice, StdoutOptions, kind_of
from fapilog.errors import ConfigError
from fapilog.levels import LevelTable
from fapilog.protocols import Sink
from fapilog.sinks.file.sink import FileSink
from fapilog.sinks.stdout import StdoutSink

_OPTION = re.compile(r"\w+\((\w+)\)(?:\[.*\])?", re.DOTALL)
_KNOWS_LEVELS = frozenset({"sqlite", "webhook"})
"""Which sinks ask for the numbers of levels, those of the user's own included."""


def make_sink(choice: SinkChoice, sources: Mapping[str, str], levels: LevelTable) -> Sink:
    """Return the sink that was chosen; nothing is open yet.

    Raises:
        ConfigError: If its options cannot be used here, or its library is missing.
    """
    kind = kind_of(choice)
    if kind is None:
        return cast("Sink", choice)
    try:
        if isinstance(choice, StdoutOptions):
            return StdoutSink(choice.format, choice.name)
        if isinstance(choice, FileOptions):
            return _file(choice)
        return _load(kind)(choice, **({"levels": levels} if kind in _KNOWS_LEVELS else {}))
    except ConfigError as error:
        # Its options were checked before; what is left is the place on the disk, or what else only shows here.
        raise error.at(_place(error.where, kind, choice.name, sources)) from error.__cause__
    except ModuleNotFoundError as error:
        where = sources.get(f"sinks.{choice.name}", f"add_{kind}()")
        text = f"needs {error.name}, which is not installed; pip install 'fapilog[{kind}]' does that."
        raise ConfigError(f"{where}: {text}") from error


def _place(where: str, kind: str, name: str, sources: Mapping[str, str]) -> str:
    """Return the variable or setting that said what an error is about; the method if it was a method.

    What is about no option of the sink, such as a variable of OpenTelemetry, is left as it is.
    """
    of_sink = sources.get(f"sinks.{name}")
    option = _OPTION.fullmatch(where)
    if of_sink is None or option is None:
        return where
    as_a_whole = f"{of_sink}: {option[1]}" if sources.get(kind) == of_sink else of_sink
    return sources.get(f"{kind}.{option[1]}", as_a_whole)


def _load(kind: str) -> Callable[..., Sink]:
    """Return the class of a remote sink; its module imports a library that may be missing."""
    module = import_module(f"fapilog.sinks.{kind}.sink")
    made: Callable[..., Sink] = getattr(module, f"{kind.capitalize()}Sink")
    return made


def _file(choice: FileOptions) -> Sink:
    return FileSink(
        choice.path,
        max_bytes=choice.max_bytes,
        interval=choice.interval,
        max_files=choice.max_files,
        max_total_bytes=choice.max_total_bytes,
        compress=choice.compress,
        name=choice.name,
    )
