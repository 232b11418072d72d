"""A small shop API that uses every edge of fapilog; `make demo` drives it, `make serve` keeps it running."""
