"""Drives the shop like a few hundred customers and counts every event: ``python -m example_app.demo``."""
