"""The loggers: capture at the call, by value, in about a microsecond.

``methods`` is the fast path, ``capture`` everything else, ``tracebacks`` takes exceptions apart, ``sync`` and ``aio``
are the two facades and differ only in how they wait.
"""
