"""Amazon CloudWatch Logs: events go by PutLogEvents, each with its JSON line as the message.

    batch ─► too large for an event? ─► rejected, with the reason
         └─► sorted by time, equal times in their order ─► packed by the limits of one call
                call 1 ─► taken, or "too old", "too new", "expired": rejected, with the reason
                call 2 ─► throttled, unreachable, refused: raised; what was not taken is named
                call 3 ─► not made

``options`` what can be chosen, ``packing`` the limits, ``client`` boto3's blocking calls, ``connection`` the thread
that makes them, ``errors`` what an answer means, ``sink`` the sink. Needs ``pip install 'fapilog[cloudwatch]'``.
"""
