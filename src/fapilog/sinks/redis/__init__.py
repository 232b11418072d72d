"""Events to a Redis stream: a fleet's common buffer, which any number of consumers read.

    batch ─► one pipeline:  MULTI                                             ─► +OK
                            XADD key * event {…} event_id … level …   × n     ─► +QUEUED × n
                            XTRIM key MAXLEN ~ 1000000                        ─► +QUEUED
                            EXEC                                              ─► n entry ids: acknowledged

options.py   what can be chosen, checked
sink.py      RedisSink: life cycle, one transaction a batch, forks
errors.py    what the server's and the network's errors mean for the events

A transaction is applied as a whole or, if the connection breaks before ``EXEC`` arrives, not at all; if it breaks after
that, the batch may be there and is sent again with the same ids. What is lost: what trimming removes, and what the
server forgets (``appendfsync``, a failover to a replica that lags). Commands: https://redis.io/docs/latest/commands/xadd/,
https://redis.io/docs/latest/develop/interact/transactions/.
"""
