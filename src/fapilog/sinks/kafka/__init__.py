"""Events to a Kafka topic: the road to a fleet, with one request in order in one partition.

    batch ─► thread: produce × n ─► librdkafka: partitions by key ─► brokers write, acks=all
                flush                     ╰ tries again by itself, until message.timeout.ms
             n delivery reports  ◄─────────────────────────────────────╯
             all good: acknowledged · some failed: these are named · too late: all that is left is purged

options.py    what can be chosen, checked
settings.py   the same as librdkafka's configuration
producer.py   the calls that block, for one thread: finding the topic, delivering a batch
codes.py      librdkafka's own error codes
errors.py     what error codes mean for the events
sink.py       KafkaSink: life cycle, messages of a batch, what delivery is told

The producer is idempotent: what it sends again by itself is there once and in order. What a batch sends again after a
failure is a new message, with the same ``event_id``. What is lost: what the topic's retention removes, and what the
brokers forget (``min.insync.replicas``). Configuration: https://docs.confluent.io/platform/current/clients/librdkafka/html/md_CONFIGURATION.html.
"""
