"""The table of limits and the validators compiled from the contract."""

import importlib
import math
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import struct_pb2, timestamp_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

import mnema.v1
from mnema.v1 import (
    file_service_pb2,
    graph_service_pb2,
    ingest_service_pb2,
    key_value_service_pb2,
    memory_service_pb2,
    recall_service_pb2,
    types_pb2,
    vector_service_pb2,
)
from services.runtime import limits
from services.runtime.errors import InvalidArgument
from services.runtime.validation import rule_of, validate
from tests.patience import function_calls

ZERO = "0001-01-01T00:00:00Z"
UUID = "0199d1c2-0000-7000-8000-000000000000"


def ingest(**fields: Any) -> Message:
    values = {"user_id": "caroline", "role": "user", "content": "hello"} | fields
    return ingest_service_pb2.IngestRequest(**values)


def at(text: str) -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromJsonString(text)
    return stamp


def nested(depth: int) -> struct_pb2.Struct:
    outer = struct_pb2.Struct()
    inner = outer
    for _ in range(depth):
        inner = inner.get_or_create_struct("a")
    return outer


def listed(depth: int) -> struct_pb2.Value:
    outer = struct_pb2.Value()
    inner = outer
    for _ in range(depth):
        inner = inner.list_value.values.add()
    inner.bool_value = True
    return outer


def struct_of(**values: Any) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(values)
    return made


def recall(**fields: Any) -> Message:
    return recall_service_pb2.RecallRequest(**({"user_id": "u", "query": "q"} | fields))


def value_of(value: struct_pb2.Value) -> Message:
    return key_value_service_pb2.SetValueRequest(user_id="u", namespace="n", key="k", value=value)


def unknown_enum() -> Message:
    request = recall_service_pb2.RecallRequest(user_id="u", query="q")
    request.memory_types.append(99)  # type: ignore[arg-type]  # what an old server sees
    return request


WRONG: dict[str, tuple[Callable[[], Message], str, str]] = {
    "missing": (lambda: ingest(user_id=""), "user_id", "FIELD_REQUIRED"),
    "blank": (lambda: ingest(content=" \n "), "content", "FIELD_REQUIRED"),
    "long user": (lambda: ingest(user_id="u" * 257), "user_id", "FIELD_TOO_LONG"),
    "control": (lambda: ingest(user_id="a\nb"), "user_id", "FIELD_MALFORMED"),
    "long content": (lambda: ingest(content="é" * 400_001), "content", "FIELD_TOO_LONG"),
    "nul": (lambda: ingest(content="a\0b"), "content", "FIELD_MALFORMED"),
    "role": (lambda: ingest(role="robot"), "role", "FIELD_MALFORMED"),
    "request id": (lambda: ingest(request_id="42"), "request_id", "FIELD_MALFORMED"),
    "metadata": (lambda: ingest(metadata=struct_of(a="x" * 17_000)), "metadata", "FIELD_TOO_LONG"),
    "metadata depth": (lambda: ingest(metadata=nested(17)), "metadata", "FIELD_MALFORMED"),
    "metadata nul": (lambda: ingest(metadata=struct_of(a="\0")), "metadata", "FIELD_MALFORMED"),
    "metadata nan": (lambda: ingest(metadata=struct_of(a=math.nan)), "metadata", "FIELD_MALFORMED"),
    "late": (lambda: ingest(said_at=at("9999-01-01T00:00:00Z")), "said_at", "FIELD_OUT_OF_RANGE"),
    "early": (lambda: ingest(said_at=at("0001-12-31T23:59:59Z")), "said_at", "FIELD_OUT_OF_RANGE"),
    "last": (lambda: recall(as_of=at("9999-12-31T23:59:59Z")), "as_of", "FIELD_OUT_OF_RANGE"),
    "first": (lambda: recall(created_after=at(ZERO)), "created_after", "FIELD_OUT_OF_RANGE"),
    "value depth": (lambda: value_of(listed(17)), "value", "FIELD_MALFORMED"),
    "value of no kind": (lambda: value_of(struct_pb2.Value()), "value", "FIELD_MALFORMED"),
    "enum": (unknown_enum, "memory_types[0]", "ENUM_UNKNOWN"),
    "no type": (lambda: recall(memory_types=[0]), "memory_types[0]", "ENUM_UNKNOWN"),
    "infinite": (
        lambda: recall(query_embedding=[1.0, math.inf]),
        "query_embedding[1]",
        "FIELD_OUT_OF_RANGE",
    ),
    "dimensions": (
        lambda: recall(query_embedding=[0.5] * 4097),
        "query_embedding",
        "TOO_MANY_ITEMS",
    ),
    "page size": (
        lambda: memory_service_pb2.ListMemoriesRequest(user_id="u", page_size=-1),
        "page_size",
        "FIELD_OUT_OF_RANGE",
    ),
    "memory id": (
        lambda: memory_service_pb2.GetMemoryRequest(user_id="u", memory_id="m"),
        "memory_id",
        "FIELD_MALFORMED",
    ),
    "tags": (
        lambda: memory_service_pb2.AddMemoryRequest(
            user_id="u", memory=types_pb2.Memory(content="c", tags=["t"] * 65)
        ),
        "memory.tags",
        "TOO_MANY_ITEMS",
    ),
    "memory content": (
        lambda: memory_service_pb2.AddMemoryRequest(
            user_id="u", memory=types_pb2.Memory(content="c" * 16_385)
        ),
        "memory.content",
        "FIELD_TOO_LONG",
    ),
    "mask": (
        lambda: memory_service_pb2.UpdateMemoryRequest(
            memory=types_pb2.Memory(), update_mask=FieldMask(paths=["a b"])
        ),
        "update_mask",
        "FIELD_MASK_INVALID",
    ),
    "nested": (
        lambda: graph_service_pb2.AddTriplesRequest(
            user_id="u", triples=[graph_service_pb2.Triple(relation=types_pb2.EDGE_TYPE_KNOWS)]
        ),
        "triples[0].subject",
        "FIELD_REQUIRED",
    ),
    "required enum": (
        lambda: graph_service_pb2.GetNodeRequest(user_id="u", node_id="n"),
        "node_type",
        "FIELD_REQUIRED",
    ),
    "texts": (lambda: vector_service_pb2.EmbedRequest(texts=[]), "texts", "FIELD_REQUIRED"),
    "empty text": (
        lambda: vector_service_pb2.EmbedRequest(texts=["a", ""]),
        "texts[1]",
        "FIELD_REQUIRED",
    ),
    "no decay": (lambda: recall(decay_rate={}), "decay_rate", "FIELD_OUT_OF_RANGE"),
    "map key": (
        lambda: key_value_service_pb2.BatchSetValuesRequest(
            user_id="u", namespace="n", values={"k" * 257: struct_pb2.Value(bool_value=True)}
        ),
        f"values['{'k' * 257}']",
        "FIELD_TOO_LONG",
    ),
    "oneof": (
        lambda: file_service_pb2.UploadFileRequest(file=file_service_pb2.NewFile(filename="f")),
        "file.user_id",
        "FIELD_REQUIRED",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_fields_are_named(case: str) -> None:
    make, field, reason = WRONG[case]
    with pytest.raises(InvalidArgument) as caught:
        validate(make())
    assert (field, reason) in [(each.field, each.reason) for each in caught.value.violations]


RIGHT: dict[str, Callable[[], Message]] = {
    "ingest": lambda: ingest(
        user_id="Zoë ☕", content="a\nb\t" + "é" * 399_996, request_id=UUID, metadata=nested(16)
    ),
    "value": lambda: value_of(listed(16)),
    "first time": lambda: ingest(said_at=at("0002-01-01T00:00:00Z")),
    "last time": lambda: recall(as_of=at("9998-12-31T23:59:59.999999Z")),
    "null": lambda: value_of(struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)),
    "page": lambda: memory_service_pb2.ListMemoriesRequest(user_id="u", page_size=100_000),
    "update": lambda: memory_service_pb2.UpdateMemoryRequest(
        memory=types_pb2.Memory(memory_id=UUID), update_mask=FieldMask(paths=["event_at"])
    ),
    "large text": lambda: file_service_pb2.CreateFileFromTextRequest(
        user_id="u", title="t", content="word " * 100_000
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_right_requests_pass(case: str) -> None:
    validate(RIGHT[case]())


def test_a_time_says_which_are_taken_and_an_unset_one_what_it_is() -> None:
    told = []
    for text in ("9999-12-31T23:59:59.999999Z", ZERO):
        with pytest.raises(InvalidArgument) as caught:
            validate(ingest(said_at=at(text)))
        told.append(caught.value.violations[0].description)
    assert told[0] == "must be in the years 2 to 9998"
    assert told[1].startswith(told[0])
    assert "never set (Go, .NET)" in told[1]
    assert "leave the field out" in told[1]


def test_the_range_of_times_is_told_alike_in_seconds_and_in_moments() -> None:
    assert limits.FIRST_MOMENT.timestamp() == limits.FIRST_SECOND
    assert limits.AFTER_LAST_MOMENT.timestamp() == limits.LAST_SECOND + 1
    assert at(ZERO).seconds == limits.ZERO_TIME_SECOND


def test_at_most_sixteen_violations_are_told() -> None:
    request = ingest_service_pb2.IngestBatchRequest(
        user_id="u", messages=[ingest_service_pb2.NewMessage() for _ in range(30)]
    )
    with pytest.raises(InvalidArgument) as caught:
        validate(request)
    assert len(caught.value.violations) == limits.MAX_VIOLATIONS
    assert caught.value.violations[2].field == "messages[1].role"


def test_every_rule_of_the_table_is_of_a_field() -> None:
    fields = [
        field
        for module in pkgutil.iter_modules(mnema.v1.__path__)
        if module.name.endswith("_pb2")
        for message in importlib.import_module(
            f"mnema.v1.{module.name}"
        ).DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
    ]
    assert {f.full_name for f in fields} >= set(limits.BY_FULL_NAME)
    assert all(rule_of(f) is not None for f in fields if f.name in limits.BY_NAME)
    assert set(limits.BY_NAME) <= {f.name for f in fields}


def test_an_ordinary_request_costs_little() -> None:
    request = ingest(content="I moved to Lisbon. " * 20, session_id="s", metadata=struct_of(a=1))
    validate(request)  # compiles what it needs
    assert function_calls(lambda: validate(request)) < 120  # about 60; 6 µs
