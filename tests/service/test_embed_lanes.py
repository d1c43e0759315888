"""A single text that a caller waits for goes before batches; a service's own work does not."""

from collections.abc import Iterator, Sequence

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from mnema.v1 import vector_service_pb2 as pb
from mnema.v1.vector_service_pb2_grpc import VectorServiceStub
from services.providers.embeddings.settings import EmbeddingSettings
from services.runtime.auth import TENANT
from tests.conftest import TEST_SPACE, TestDatabase
from tests.service.serving import INTERNAL_KEY
from tests.service.vector_world import LOCAL_MODEL, USER, vector_world

ASKED: list[tuple[str, int]] = []
NOTING = EmbeddingSettings(provider=f"{__name__}:Noting", model=LOCAL_MODEL, cache_size=0)


class Noting:
    """An embedding class of a user's that notes how it was asked."""

    dims = TEST_SPACE.dims

    async def embed(self, text: str) -> NDArray[np.float32]:
        ASKED.append(("query", 1))
        return np.full(self.dims, 1 + len(text), dtype=np.float32)

    async def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        ASKED.append(("batch", len(texts)))
        return np.ones((len(texts), self.dims), dtype=np.float32)


@pytest.fixture(autouse=True)
def _nothing_asked() -> Iterator[None]:
    ASKED.clear()
    yield
    ASKED.clear()


async def test_a_callers_single_text_is_a_query(test_database: TestDatabase) -> None:
    async with vector_world(test_database, NOTING) as world:
        await world.vector.Embed(pb.EmbedRequest(texts=["one"]))
        await world.vector.Embed(pb.EmbedRequest(texts=["one", "two"]))
        await world.search("what is one")
        metadata = (
            ("authorization", f"Bearer {INTERNAL_KEY.get_secret_value()}"),
            (TENANT, str(world.tenant_id)),
            ("x-mnema-user", USER),
        )
        async with grpc.aio.insecure_channel(world.address) as channel:
            embed = VectorServiceStub(channel).Embed
            answer = await embed(pb.EmbedRequest(texts=["one"]), metadata=metadata)
    assert ASKED == [("query", 1), ("batch", 2), ("query", 1), ("batch", 1)]
    assert len(answer.embeddings) == 1
    assert len(answer.embeddings[0].values) == TEST_SPACE.dims
