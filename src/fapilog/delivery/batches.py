"""Making a batch of flat dicts, for a sink of another format, or when they come back from disk."""

from collections.abc import Sequence

from fapilog.delivery.identity import EVENT_ID, event_with_id, line_with_id
from fapilog.event import EventDict
from fapilog.protocols import Batch, Format


def batch_of(events: Sequence[EventDict], form: Format | None) -> Batch:
    """Return a batch of flat dicts in a format; None for a sink that reads dicts only.

    An id that an event has is the last key of its line and dict, whatever the schema, as in batches that were not
    made by this.
    """
    flat = list(events)
    if form is None:
        return Batch([], lambda: flat, len(flat))
    reshape = form.reshape
    if reshape is None:
        return Batch(form.encode_events(flat), lambda: flat, len(flat))
    bare = [{key: value for key, value in event.items() if key != EVENT_ID} for event in flat]
    ids = [event.get(EVENT_ID) for event in flat]
    lines = form.encode_events(bare)
    lines = [line if its is None else line_with_id(line, its) for line, its in zip(lines, ids, strict=bool(lines))]
    shaped = [reshape(event) for event in bare]
    dicts = [event if its is None else event_with_id(event, its) for event, its in zip(shaped, ids, strict=True)]
    return Batch(lines, lambda: dicts, len(flat), lambda: flat)
