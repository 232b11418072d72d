"""Formats: how events become lines.

    json.py     one JSON object a line, schema ``fapilog/1``: the wire
    logfmt.py   ``key=value`` on one line
    pretty.py   for people at a terminal
    text.py     what the two text formats escape, and how they write numbers

A format is made by ``Format(names, resource)``: the process's level table, and the fields about the process that
every event carries. It has a ``name`` and two methods, :class:`fapilog.protocols.Format`: ``encode_records`` for the
records of log calls and ``encode_events`` for flat dicts that have been through a user's stage. Both return one
line for each event, newline included. Neither raises for what an event holds, and an event that cannot be
rendered never costs its neighbours theirs. An instance belongs to one worker and is not thread-safe.
"""
