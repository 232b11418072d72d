"""Benchmarks: one module a scenario, every contender in a process of its own, run by ``python -m benchmarks.run``."""
