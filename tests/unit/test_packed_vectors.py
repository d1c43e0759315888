"""Vectors as bytes are what Protocol Buffers make of lists of numbers."""

import numpy as np
import pytest

from mnema.v1.vector_service_pb2 import Embedding
from services.contract.packed_vectors import embedding_of, vector_of


@pytest.mark.parametrize("dims", [0, 1, 31, 32, 384, 4096, 16_000])
def test_a_packed_vector_is_the_message_that_a_list_makes(dims: int) -> None:
    vector = np.random.default_rng(dims).standard_normal(dims).astype(np.float32)
    by_list = Embedding(values=vector.tolist())

    packed = embedding_of(vector)

    assert packed == by_list
    assert packed.SerializeToString() == by_list.SerializeToString()
    for message in (packed, by_list, Embedding.FromString(packed.SerializeToString())):
        read = vector_of(message)
        assert read.dtype == np.float32
        assert np.array_equal(read, vector)


def test_a_column_of_an_array_is_packed_as_well() -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4)

    assert list(embedding_of(vectors[:, 1]).values) == [1.0, 5.0, 9.0]


def test_what_a_newer_server_adds_does_no_harm() -> None:
    newer = Embedding.FromString(
        embedding_of(np.ones(3, dtype=np.float32)).SerializeToString() + b"\x10\x07"
    )

    assert vector_of(newer).tolist() == [1.0, 1.0, 1.0]
