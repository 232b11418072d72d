"""A log file that is rotated, by size and by the clock, and may be shared by several processes.

sink.py       FileSink: options and life cycle
live.py       the live file: writing, noticing that it was moved, rotating it
opening.py    opening it, locked, and giving it up
names.py      what rotated files are called, and finding them
archive.py    what becomes of rotated files: compressing and removing
locks.py      advisory locks, where the system has them
"""

from fapilog.sinks.file.sink import FileSink

__all__ = ["FileSink"]
