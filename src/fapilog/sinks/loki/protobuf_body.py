"""A push as protobuf in a snappy block.

The messages are those of Loki's ``pkg/push/push.proto``, built here because nobody publishes them for Python:

    PushRequest   repeated StreamAdapter streams = 1
    StreamAdapter string labels = 1, repeated EntryAdapter entries = 2
    EntryAdapter  google.protobuf.Timestamp timestamp = 1, string line = 2,
                  repeated LabelPairAdapter structuredMetadata = 3
    LabelPairAdapter string name = 1, string value = 2
"""

from collections.abc import Callable
from typing import Any

import cramjam
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMP_FILE

from fapilog.sinks.loki.labels import text_of
from fapilog.sinks.loki.streams import Streams

CONTENT_TYPE = "application/x-protobuf"
_SECOND = 1_000_000_000
_STRING, _MESSAGE = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_MESSAGE
_ONE, _MANY = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
_MESSAGES = {
    "LabelPairAdapter": (("name", _ONE, ""), ("value", _ONE, "")),
    "EntryAdapter": (
        ("timestamp", _ONE, ".google.protobuf.Timestamp"),
        ("line", _ONE, ""),
        ("structuredMetadata", _MANY, ".logproto.LabelPairAdapter"),
    ),
    "StreamAdapter": (("labels", _ONE, ""), ("entries", _MANY, ".logproto.EntryAdapter")),
    "PushRequest": (("streams", _MANY, ".logproto.StreamAdapter"),),
}


def push_request() -> Any:
    """Return the class of the message ``PushRequest``, in a pool of its own."""
    pool = DescriptorPool()
    pool.AddSerializedFile(TIMESTAMP_FILE.serialized_pb)
    file = FileDescriptorProto(name="push.proto", package="logproto", syntax="proto3", dependency=[TIMESTAMP_FILE.name])
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, label, type_name) in enumerate(fields, 1):
            kind = _MESSAGE if type_name else _STRING
            message.field.add(name=field, number=number, label=label, type=kind, type_name=type_name or None)
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("logproto.PushRequest"))


def encoder() -> Callable[[Streams], bytes]:
    """Return what makes the body of a push out of streams."""
    request_class = push_request()

    def encode(streams: Streams) -> bytes:
        request = request_class()
        for labels, entries in streams.items():
            add = request.streams.add(labels=text_of(labels)).entries.add
            for _, time_ns, line, metadata in entries:
                entry = add(line=line)
                entry.timestamp.seconds, entry.timestamp.nanos = divmod(time_ns, _SECOND)
                for name, value in metadata.items():
                    entry.structuredMetadata.add(name=name, value=value)
        return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))

    return encode
