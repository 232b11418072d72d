"""From the worker to the sinks: slices, channels, and the accounts that say what became of each event.

    worker ── Router ──► Slice, and the indexes of each sink ──► Channel ── Batch ──► Sink
                                                                    │
           settles the slice in Accounts: delivered, dropped or failed, with the reason

This folder knows the ``Sink`` protocol and no sink. One sink has one channel; no channel waits for another.
"""

from fapilog.delivery.routing import Route, RoutingOptions

__all__ = ["Route", "RoutingOptions"]
