"""Enrichers: fields that nobody wrote into the log call.

What does not change while the process runs is looked up once, when the engine is built, and becomes part of its
resource. A serialiser renders the resource once and puts the same bytes behind every event, so these fields cost an
event nothing. What may change is asked for each event, of the user's own callables.

    runtime.py     service, env, version, host, pid     ─┐  once       resource ──► on every event, from the
    kubernetes.py  k8s.pod.name, k8s.namespace.name, …  ─┘                          first to the last
    with_enricher(callable)                             ──  each event ──► merged, never over a key that is there

The functions here take options and the environment and return a dict. They raise nothing: what cannot be found out is
no field.
"""
