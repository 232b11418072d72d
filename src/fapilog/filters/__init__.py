"""Filters: which events go on, and how many.

    level.py       thresholds by logger name, from directives such as ``info,app.db=debug``
    sampling.py    a share of the events, of the traces, or as many a second as are wanted
    rate_limit.py  a token bucket for each kind of event
    first_seen.py  the first of each kind in a while
    dedupe.py      the first of each kind at once, and a summary of its repetitions
    keys.py        what a kind is
    bucket.py      a burst at once, and then so many a second
    shares.py      who is exempt, and how a share is picked

    event ─► sampling ─► rate limit ─► first seen ─► dedupe ─► the user's own ─► on to the enrichers
                └────────────┴──────────────┴───────────┴─► held back: counted under the filter's name

Contract: a filter is a callable on the flat event and returns whether it goes on. It has a ``name``, under which the
events that it holds back are counted. It may have ``due``, which returns summaries of them. It is used by one thread
at a time, its state is bounded, and it never holds back what the logger ``fapilog`` says: those are the summaries.

Each is made of ``(options, number, clock)``, where ``number`` looks a level up: ``LevelTable.number``.

Thresholds are not among the stages: a call below its logger's threshold makes no event at all.
"""
