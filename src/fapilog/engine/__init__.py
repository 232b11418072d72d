"""The engine: a bounded queue, one background thread, the stages, and a channel for each sink.

    caller ─► queue ─► worker: take a slice ─► stages ─► Slice ─► channels (delivery/)
                │                                                    │
                └──────────────── accounts ◄──────────────────────────┘

``queue`` decides who gets in and who waits, ``worker`` is the thread's loop, ``stages`` runs what the user plugged in,
``engine`` starts, flushes, drains and forks. It knows no concrete stage and no concrete sink.
"""
