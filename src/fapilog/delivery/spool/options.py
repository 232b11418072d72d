from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SpoolOptions:
    directory: str | Path
    max_bytes: int | str = "256 MB"
    full: str = "drop_oldest"
    segment_bytes: int | str = "8 MB"
    sync: str = "interval"
    sync_seconds: float | str = 1.0
