"""The server span of a request, and how long requests take; ``docs/otel.md`` tells how."""
