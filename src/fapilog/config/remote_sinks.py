"""The builders' methods for sinks that send events elsewhere; each takes the options of its sink."""

from fapilog.config.base import Filling


class RemoteSinkMethods(Filling):
    """One method for each kind of sink. Each needs the extra of its name, such as ``pip install 'fapilog[http]'``."""

    # --- http
    # --- webhook
    # --- loki
    # --- cloudwatch
    # --- postgres
    # --- sqlite
    # --- otlp
    # --- kafka
    # --- redis
