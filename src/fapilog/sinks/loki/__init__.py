"""Batches of events as pushes to Grafana Loki: one batch is one push, its events grouped into streams by their labels.

options.py     LokiOptions: what can be chosen, checked; needs neither httpx nor protobuf
labels.py      which stream an event belongs to: static labels, a few fields, a cap on how many streams there are
streams.py     the events of a batch as entries of streams: time in nanoseconds, line, structured metadata
json_body.py   a push as JSON
protobuf_body.py  a push as protobuf in a snappy block; the one module that needs protobuf and cramjam
verdict.py     which entries a 400 of Loki speaks of: it has taken the others
sink.py        LokiSink: the push, and what its answer means

    batch ─► streams {level="info", …}: [ns, line, ids] ─► POST /loki/api/v1/push ─┬─ 204   taken
                          ▲                                                         ├─ 400   entries named? rejected,
                          ╰── the others once more: Loki drops what it has ◄────────┤        else SinkError: split
                                                                                    ╰─ other SinkError
"""
