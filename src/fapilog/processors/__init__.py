"""Processors: what changes the shape of an event, after redaction.

    redacted event ─► the user's processors ─► SizeGuard ─► a schema ─► serialiser
                                               size_guard.py   schema.py

    size_guard.py   cuts an event that would make too long a line
    cutting.py      cuts one JSON value to a number of bytes
    schema.py       the schemas by name; one module each: grouped.py ecs.py otel.py gcp.py datadog.py
    parts.py        what the schemas share: reading the parts of a flat event, severities, names without clashes

A processor is a callable on the flat event dict (schema ``fapilog/1``) that returns the event to go on with, or None
to drop it; :data:`fapilog.protocols.Processor`. A schema is one that comes last: it returns a new dict, leaves the
flat one as it is, loses nothing and raises nothing, whatever an event holds. No processor writes into the containers
in an event, because other events may share them.
"""
