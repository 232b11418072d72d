"""The spool's options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.units import parse_duration, parse_size

LEAST_BYTES = 100_000
LEAST_SEGMENT = 4_096
_LARGEST_SHARE = 4
_FULL = ("drop_oldest", "refuse")
_SYNC = ("never", "interval", "always")


@dataclass(frozen=True)
class SpoolOptions:
    """Where events wait on disk, and how many may.

    Attributes:
        directory: Where, on a local file system; made if it is missing. Each sink has a directory below it, and in
            that each process its own, private one; what dead processes have left there is delivered, too.
        max_bytes: How much may wait for one sink in one process, what it took over from dead ones included. Default
            256 MB, at least 100 KB.
        full: What happens over that: ``"drop_oldest"`` or ``"refuse"`` what comes, both counted. Default
            ``"drop_oldest"``.
        segment_bytes: The size of one file, and so how much is dropped at once; at most a quarter of ``max_bytes`` is
            used. Default 8 MB, at least 4 KB.
        sync: When data is forced to the disk: ``"never"``, every ``sync_seconds`` (``"interval"``), or with every batch
            (``"always"``). A killed process loses nothing either way, a power failure does. Default ``"interval"``.
        sync_seconds: How much a power failure may cost with ``"interval"``. Default 1.
    """

    directory: str | Path
    max_bytes: int | str = "256 MB"
    full: Literal["drop_oldest", "refuse"] = "drop_oldest"
    segment_bytes: int | str = "8 MB"
    sync: Literal["never", "interval", "always"] = "interval"
    sync_seconds: float | str = 1.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        if not isinstance(self.directory, Path):
            checks.text(self.directory, "with_spool(directory)")
        if "\0" in str(self.directory):
            raise ConfigError.wrong("with_spool(directory)", self.directory, "a path")
        if self.total_size < LEAST_BYTES:
            raise ConfigError.wrong("with_spool(max_bytes)", self.max_bytes, 'a size of at least "100 KB"')
        if parse_size(self.segment_bytes, "with_spool(segment_bytes)") < LEAST_SEGMENT:
            raise ConfigError.wrong("with_spool(segment_bytes)", self.segment_bytes, 'a size of at least "4 KiB"')
        if self.full not in _FULL:
            raise ConfigError.unknown("with_spool(full)", self.full, _FULL)
        if self.sync not in _SYNC:
            raise ConfigError.unknown("with_spool(sync)", self.sync, _SYNC)
        parse_duration(self.sync_seconds, "with_spool(sync_seconds)")

    @property
    def total_size(self) -> int:
        """``max_bytes`` as a number."""
        return parse_size(self.max_bytes, "with_spool(max_bytes)")

    @property
    def segment_size(self) -> int:
        """How large a segment may become, in bytes."""
        return min(parse_size(self.segment_bytes, "with_spool(segment_bytes)"), self.total_size // _LARGEST_SHARE)

    @property
    def sync_every(self) -> float:
        """``sync_seconds`` as a number."""
        return parse_duration(self.sync_seconds, "with_spool(sync_seconds)")
