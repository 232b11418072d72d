"""A SQLite database of events: the place to keep and search them without a server.

    batch ─► rows ─► BEGIN IMMEDIATE ─► INSERT … ON CONFLICT (event_id) DO NOTHING ─► COMMIT ─► retention, a few ms
                          ╰ waits for other processes                                              ╰ oldest first

    query(path, request_id=…, level="ERROR", text="refused") ─► SELECT … ORDER BY time ─► the events as logged

options.py      what can be chosen, checked
sink.py         SqliteSink: life cycle, one transaction a batch, forks
connecting.py   opening the file, and what SQLite's errors mean
schema.py       tables, indexes, version
rows.py         an event as a row
retention.py    what has to go, by age and by size
query.py        reading

Events are as they are in ``fapilog/1``, whichever schema is configured for lines. What is lost: what retention removes,
and with ``synchronous="normal"`` the last moments before a loss of power. Formats: https://www.sqlite.org/fileformat2.html,
https://www.sqlite.org/wal.html, https://www.sqlite.org/fts5.html.
"""

from fapilog.sinks.sqlite.query import query

__all__ = ["query"]
