"""The journal's options."""

from dataclasses import dataclass
from pathlib import Path

from fapilog.checks import text
from fapilog.errors import ConfigError
from fapilog.units import parse_size

LEAST_BYTES = 1_000_000
LEAST_SEGMENT = 64_000
LARGEST_SEGMENT = 64_000_000
_SHARE = 16
_USUAL_SEGMENT = 4_000_000
_PAGE = 4096


@dataclass(frozen=True)
class JournalOptions:
    """Where the journal is and how large it may grow.

    Attributes:
        directory: A directory of a local file system with room that can be reserved; made if it is missing. Each
            process makes its own, private one in it, and at its start takes over those of processes that have died.
            Services that share a directory deliver each other's events. Default: one for each service under
            ``$XDG_STATE_HOME/fapilog`` (``~/.local/state/fapilog``), which in a container does not outlive it.
        max_bytes: How much may wait for the sinks, from 1 MB. Default 64 MB.
        segment_bytes: The size of one file, 64 KB to 64 MB and at most half of ``max_bytes``; an event that does not
            fit into one is not kept. Default: a sixteenth of ``max_bytes``, at most 4 MB.
    """

    directory: str | Path | None = None
    max_bytes: int | str = "64 MB"
    segment_bytes: int | str | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        if self.directory is not None and not isinstance(self.directory, Path):
            text(self.directory, "with_journal(directory)")
            if "\0" in str(self.directory):
                raise ConfigError.wrong("with_journal(directory)", self.directory, "a path")
        total = parse_size(self.max_bytes, "with_journal(max_bytes)")
        if total < LEAST_BYTES:
            raise ConfigError.wrong("with_journal(max_bytes)", self.max_bytes, 'a size of at least "1 MB"')
        if self.segment_bytes is None:
            return
        most = min(LARGEST_SEGMENT, total // 2)
        if not LEAST_SEGMENT <= parse_size(self.segment_bytes, "with_journal(segment_bytes)") <= most:
            allowed = f'a size from "64 KB" to {most} bytes, half of max_bytes'
            raise ConfigError.wrong("with_journal(segment_bytes)", self.segment_bytes, allowed)

    @property
    def segment_size(self) -> int:
        """The size of a segment's file in bytes, whole pages."""
        if self.segment_bytes is None:
            size = max(LEAST_SEGMENT, min(_USUAL_SEGMENT, self.total_size // _SHARE))
        else:
            size = parse_size(self.segment_bytes, "with_journal(segment_bytes)")
        return size // _PAGE * _PAGE

    @property
    def total_size(self) -> int:
        """``max_bytes`` as a number."""
        return parse_size(self.max_bytes, "with_journal(max_bytes)")

    @property
    def segments(self) -> int:
        """How many segments there may be, at least two."""
        return max(2, self.total_size // self.segment_size)
