"""Metrics: what there is to measure, what was measured, and how Prometheus reads it; ``docs/metrics.md``."""
