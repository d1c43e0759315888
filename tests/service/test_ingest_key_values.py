"""KeyValueService over a real channel: every kind of JSON, and what it was before."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from mnema.v1 import key_value_service_pb2 as pb
from services.contract.json_values import python_of, value_of
from tests.conftest import TestDatabase
from tests.service.ingest_world import USER, World, a_world, reason_of

NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
KINDS = [
    None, True, False, 0, -1, 3, 2**53, 0.1, -2.5e-300, 1.7e308, "", "Zoë ☕ \\ \" \n", [], {},
    [1, [None, {"a": []}]], {"": 1, "b": {"c": [True, None, 2.5]}},
]  # fmt: skip


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[World]:
    async with a_world(test_database) as made:
        yield made


async def set_value(world: World, key: str, value: Any, **fields: Any) -> pb.KeyValue:
    request = pb.SetValueRequest(
        user_id=USER, namespace="prefs", key=key, value=value_of(value), **fields
    )
    stored: pb.KeyValue = (await world.call(world.key_values.SetValue, request)).key_value
    return stored


async def get_value(world: World, key: str, as_of: Timestamp | None = None) -> pb.KeyValue:
    request = pb.GetValueRequest(user_id=USER, namespace="prefs", key=key, as_of=as_of)
    found: pb.KeyValue = (await world.call(world.key_values.GetValue, request)).key_value
    return found


async def keys_of(world: World, **fields: Any) -> list[str]:
    """All keys of the namespace, over as many pages as there are."""
    request = pb.ListValuesRequest(user_id=USER, namespace="prefs", **fields)
    keys: list[str] = []
    while True:
        page = await world.call(world.key_values.ListValues, request)
        keys += [each.key for each in page.key_values]
        if not page.next_page_token:
            return keys
        request.page_token = page.next_page_token


async def test_every_kind_of_json_comes_back(world: World) -> None:
    for n, value in enumerate(KINDS):
        stored = await set_value(world, f"k{n}", value)
        assert stored.value == value_of(value)
        found = await get_value(world, f"k{n}")
        assert found == stored
        assert python_of(found.value) == value
    rows = await world.fetch("SELECT value::text AS text FROM key_values ORDER BY recorded_at")
    texts = [row["text"] for row in rows]
    assert texts[0] == "null"
    assert texts[5] == "3"  # a whole number is stored as one
    request = pb.SetValueRequest(user_id=USER, namespace="prefs", key="none")
    failed = await reason_of(world.call(world.key_values.SetValue, request))
    assert failed == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_REQUIRED")


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_json_survives_the_way_through_protobuf(value: Any) -> None:
    parsed = Value.FromString(value_of(value).SerializeToString())
    assert python_of(parsed) == value


def test_a_whole_number_is_an_int_as_far_as_doubles_are_exact() -> None:
    assert type(python_of(Value(number_value=3.0))) is int
    assert type(python_of(Value(number_value=2.0**60))) is float
    assert math.isclose(python_of(Value(number_value=0.5)), 0.5)


async def test_a_value_is_read_as_it_stood(world: World) -> None:
    first = await set_value(world, "diet", "vegan")
    second = await set_value(world, "diet", None)
    request = pb.DeleteValueRequest(user_id=USER, namespace="prefs", key="diet")
    assert (await world.call(world.key_values.DeleteValue, request)).deleted
    assert not (await world.call(world.key_values.DeleteValue, request)).deleted
    assert await reason_of(get_value(world, "diet")) == NOT_FOUND
    third = await set_value(world, "diet", "kosher")
    assert await get_value(world, "diet") == third
    assert await get_value(world, "diet", first.updated_at) == first
    assert await get_value(world, "diet", second.updated_at) == second
    before = Timestamp(seconds=first.updated_at.seconds - 60)
    assert await reason_of(get_value(world, "diet", before)) == NOT_FOUND
    assert await keys_of(world, as_of=second.updated_at) == ["diet"]
    assert await keys_of(world, as_of=before) == []
    revisions = await world.fetch("SELECT revision FROM key_values ORDER BY revision")
    assert [row["revision"] for row in revisions] == [1, 2, 3]


async def test_concurrent_writers_leave_one_present_value(world: World) -> None:
    await asyncio.gather(*(set_value(world, "counter", n) for n in range(12)))
    rows = await world.fetch("SELECT revision, retracted_at FROM key_values ORDER BY revision")
    assert [row["revision"] for row in rows] == list(range(1, 13))
    assert [row["retracted_at"] is None for row in rows] == [False] * 11 + [True]
    overlapping = await world.fetch(
        "SELECT FROM key_values a JOIN key_values b ON b.revision = a.revision + 1"
        " WHERE b.recorded_at IS DISTINCT FROM a.retracted_at"
    )
    assert overlapping == []


async def test_values_are_listed_by_key_prefix_and_page(world: World) -> None:
    keys = ["a", "a.b", "a.c", "a_d", "B", "ä", "z%", "z_", "zz"]
    request = pb.BatchSetValuesRequest(user_id=USER, namespace="prefs")
    for key in keys:
        request.values[key].number_value = 1
    assert (await world.call(world.key_values.BatchSetValues, request)).stored == len(keys)
    now = (await get_value(world, "a")).updated_at
    for as_of in (None, now):
        assert await keys_of(world, page_size=2, as_of=as_of) == sorted(keys)
        assert await keys_of(world, prefix="a.", as_of=as_of) == ["a.b", "a.c"]
        assert await keys_of(world, prefix="z%", as_of=as_of) == ["z%"]
        assert await keys_of(world, prefix="A", as_of=as_of) == []
    other = pb.ListValuesRequest(user_id=USER, namespace="other")
    assert not (await world.call(world.key_values.ListValues, other)).key_values


async def test_a_batch_is_stored_whole_or_not_at_all(world: World) -> None:
    request = pb.BatchSetValuesRequest(user_id=USER, namespace="prefs", request_id=str(uuid4()))
    request.values["good"].string_value = "x"
    request.values[""].string_value = "y"
    failed = await reason_of(world.call(world.key_values.BatchSetValues, request))
    assert failed[0] == grpc.StatusCode.INVALID_ARGUMENT
    assert await keys_of(world) == []
    del request.values[""]
    request.request_id = str(uuid4())
    assert (await world.call(world.key_values.BatchSetValues, request)).stored == 1
    assert (await world.call(world.key_values.BatchSetValues, request)).stored == 1
    assert await world.count("key_values") == 1


async def test_a_repeated_set_is_one_revision(world: World) -> None:
    request_id = str(uuid4())
    first = await set_value(world, "k", 1, request_id=request_id)
    assert await set_value(world, "k", 1, request_id=request_id) == first
    assert await world.count("key_values") == 1
    failed = await reason_of(set_value(world, "k", 2, request_id=request_id))
    assert failed == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_another_user_has_values_of_their_own(world: World) -> None:
    await set_value(world, "k", "mine")
    request = pb.GetValueRequest(user_id="bob", namespace="prefs", key="k")
    assert await reason_of(world.call(world.key_values.GetValue, request)) == NOT_FOUND
    delete = pb.DeleteValueRequest(user_id="bob", namespace="prefs", key="k")
    assert not (await world.call(world.key_values.DeleteValue, delete)).deleted
