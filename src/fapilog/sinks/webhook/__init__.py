"""Events of a level and above as signed calls to a URL, for people and their tools rather than for storage.

options.py    WebhookOptions: what can be chosen, checked; needs no httpx
sink.py       WebhookSink: which events are sent, one or all of a batch in a call
signing.py    the signature, and `verify` for receivers; needs the standard library alone

    batch ─► below min_level? ── counted, done
                │
                ╰► one call an event, in order, or one for all of them ─► signed: id.timestamp.body ─► POST ─► 2xx
"""
