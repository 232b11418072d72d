"""Error codes of librdkafka's own, which its Python client keeps under names that begin with an underscore.

``RD_KAFKA_RESP_ERR__…`` in https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka.h.
"""

AUTHENTICATION = -169
MSG_TIMED_OUT = -192
PURGE_INFLIGHT = -151
PURGE_QUEUE = -152
QUEUE_FULL = -184
SSL = -181
STATE = -172
TIMED_OUT = -185
TRANSPORT = -195
UNKNOWN_PARTITION = -190
UNKNOWN_TOPIC = -188
UNSUPPORTED_FEATURE = -165
