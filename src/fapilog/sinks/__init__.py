"""Where events end: standard output, a file with rotation, memory.

    stdout.py       one write to the descriptor for each batch, whatever standard output is
    file/           a live file, rotated ones beside it, safe with several processes
    memory.py       the last events, for tests and consoles
    descriptor.py   what the first two share: writing to a descriptor until all is written

What every sink holds to (:class:`fapilog.protocols.Sink`):

- ``open`` gets what is needed and may be called again after ``close``, and in a forked child without one: the
  child then lets go of its copies without touching what the parent has.
- ``write`` takes a whole :class:`~fapilog.protocols.Batch`, called by one thread at a time. When it returns, every
  event is where the sink's page says. It raises :class:`~fapilog.errors.SinkError` otherwise:
  ``retryable`` says whether the same events may succeed later, ``failed_indexes`` names those that were not taken
  where the others were. A line is taken whole or not at all.
- ``close`` lets go, is harmless when nothing is open, and never waits for long.
- ``format`` and ``blocks`` are read once, when the engine is built.
- A wrong option is a :class:`~fapilog.errors.ConfigError` from the constructor.

``docs/sinks.md`` has the options, how data runs through each sink, and what is lost when.
"""
