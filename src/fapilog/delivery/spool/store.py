from dataclasses import dataclass
from typing import Any


class SpoolFullError(OSError): ...


@dataclass
class Appended:
    removed: int
    recovered_removed: int


@dataclass
class Chunk:
    records: list[bytes]
    recovered: bool
    token: Any


class SpoolStore:
    def __init__(self, options, sink_name, clock):
        self.figures = {}

    def open(self): ...
    def append(self, records): ...
    def read(self, a, b): ...
    def acknowledge(self, t): ...
    def close(self): ...
    def abandon_after_fork(self): ...
