"""Events as rows of a PostgreSQL table, by COPY.

    batch of flat dicts ─► rows.py: text rows ─┬─────────────────────────────► COPY table ─────────────► acknowledged
                                               └─ dedupe ─► BEGIN, COPY staging, INSERT … ON CONFLICT ─► COMMIT

A batch is one transaction: all of it is in the table afterwards, or nothing. Before the first batch of a connection the
table is looked at, or made (schema.py), and before a batch those partitions that its events need (partitions.py).
"""
