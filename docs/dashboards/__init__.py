"""Dashboards and rules, written from the catalogue of metrics by ``make docs``; ``docs/dashboards.md``."""
