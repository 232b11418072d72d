"""Makes the sinks that options name. The libraries of remote ones are imported when one is asked for."""

from collections.abc import Callable, Mapping
from typing import Any

from fapilog.config.parts import FileOptions, SinkChoice, StdoutOptions
from fapilog.errors import ConfigError
from fapilog.protocols import Sink
from fapilog.sinks.file.sink import FileSink
from fapilog.sinks.stdout import StdoutSink

_REMOTE: Mapping[type, Callable[[Any], Sink]] = {}
KINDS: Mapping[type, str] = {StdoutOptions: "stdout", FileOptions: "file"}


def make_sink(choice: SinkChoice, sources: Mapping[str, str]) -> Sink:
    """Return the sink that was chosen; nothing is open yet.

    Raises:
        ConfigError: If its options cannot be used here, or its library is missing.
    """
    if isinstance(choice, StdoutOptions):
        return StdoutSink(choice.format, choice.name)
    if isinstance(choice, FileOptions):
        make: Callable[[Any], Sink] = _file
    elif type(choice) in _REMOTE:
        make = _REMOTE[type(choice)]
    else:
        return choice  # the user's own
    try:
        return make(choice)
    except ConfigError as error:
        # Its options were checked before; what is left is the place on the disk, or what is installed here.
        raise error.at(sources.get(f"sinks.{choice.name}", error.where)) from error.__cause__
    except ModuleNotFoundError as error:
        kind = KINDS[type(choice)]
        text = f"needs {error.name}, which is not installed; pip install 'fapilog[{kind}]' does it."
        raise ConfigError(f"{sources.get(f'sinks.{choice.name}', f'add_{kind}()')}: {text}") from error


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
