"""What every call costs in calls of the models, background work included: never more than this."""

from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

import grpc
import pytest

from tests.e2e.contract import Rpc, public_rpcs
from tests.e2e.llm_stack import DIMENSION, EMBEDDING_MODEL, LlmStack
from tests.e2e.llm_stack import llm_stack as running_llm_stack
from tests.e2e.seeding import Seeds, seed
from tests.e2e.troubled_model import EXTRACTION, INSIGHTS, STATE, TroubledServer
from tests.e2e.valid_requests import ADMIN_ONLY, valid_requests
from tests.e2e.waiting import until

pytestmark = [pytest.mark.feature("N22"), pytest.mark.timeout(600)]

# Calls of the language model and of the embedding model. What is not named here costs none.
INGESTED = (1, 2)  # one extraction; the messages' vectors, and those of what was made of them
BUDGET: dict[str, tuple[int, int]] = {
    "IngestService.Ingest": INGESTED,
    "IngestService.IngestBatch": INGESTED,
    "IngestService.IngestStream": INGESTED,
    "IngestService.StartExtraction": INGESTED,
    "LifecycleService.ImportUserData": (0, 1),
    "RecallService.Recall": (0, 1),
    "ReflectService.Digest": (2, 1),
    "VectorService.Embed": (0, 1),
    "VectorService.Search": (0, 1),
    "MemoryService.AddMemory": (0, 1),
    "MemoryService.UpdateMemory": (0, 1),
    "FileService.UploadFile": (0, 1),
    "FileService.CreateFile": (0, 1),
    "FileService.CreateFileFromText": (0, 1),
    "FileService.SearchFiles": (0, 1),
}
# These change what others of them need: each has a user to itself.
ALONE = ("Update", "Delete", "Close", "Revoke", "Rollback", "Undo", "Import")


@pytest.fixture(scope="module")
def llm_stack() -> Iterator[LlmStack]:
    with TroubledServer({}) as model, running_llm_stack(model) as running:
        yield running


@pytest.fixture(scope="module")
def shared(llm_stack: LlmStack) -> Seeds:
    return _seeded(llm_stack)


def _seeded(llm_stack: LlmStack) -> Seeds:
    name = uuid4().hex[:8]
    seeds = seed(llm_stack.gateway, llm_stack.gateway.new_tenant(f"tenant {name}"), f"user-{name}")
    _quiet(llm_stack, seeds.user_id, seeds.tenant.api_key)
    return seeds


def _quiet(llm_stack: LlmStack, user_id: str, key: str | None = None) -> None:
    """Returns when all is in memory, and no job is left but those for much later."""
    until(
        lambda: llm_stack.gateway.call("IngestService.GetIngestStatus", {"user_id": user_id}, key),
        lambda status: not any(map(int, status.values())),
    )
    due = (
        "SELECT entrypoint, status::text FROM pgqueuer WHERE execute_after < now() + interval '9m'"
    )
    until(lambda: llm_stack.stack.rows(due), lambda jobs: not jobs)


@pytest.fixture
def user_id(llm_stack: LlmStack) -> str:
    """A user whom nobody else has; the servers' records begin with it."""
    llm_stack.model.clear()
    llm_stack.embeddings.clear()
    return f"user-{uuid4().hex[:12]}"


def _spent(llm_stack: LlmStack) -> tuple[int, int]:
    return llm_stack.model.count("chat"), llm_stack.embeddings.count("embeddings")


@pytest.mark.parametrize("method", public_rpcs(), ids=str)
def test_no_call_costs_more_than_its_budget(
    llm_stack: LlmStack, shared: Seeds, method: Rpc
) -> None:
    gateway = llm_stack.gateway
    seeds = _seeded(llm_stack) if method.method.startswith(ALONE) else shared
    key = gateway.admin_key if method.name in ADMIN_ONLY else seeds.tenant.api_key
    requests = [method.request_of(each) for each in valid_requests(seeds)[method.name]]
    llm_stack.model.clear()
    llm_stack.embeddings.clear()
    try:
        gateway.send(method, requests, key)
    except grpc.RpcError as error:
        # A stream that watches has no end of its own.
        endless = cast(grpc.Call, error).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        if not (method.server_streaming and endless):
            raise
    _quiet(llm_stack, seeds.user_id, seeds.tenant.api_key)
    most = BUDGET.get(method.name, (0, 0))
    spent = _spent(llm_stack)
    assert all(cost <= limit for cost, limit in zip(spent, most, strict=True)), (spent, most)


def test_the_budget_names_calls_that_there_are() -> None:
    assert set(BUDGET) <= {each.name for each in public_rpcs()}


def test_a_batch_is_one_extraction_and_few_embeddings(llm_stack: LlmStack, user_id: str) -> None:
    messages = [{"role": "user", "content": f"I visited village {n} in May."} for n in range(20)]
    batch = {"user_id": user_id, "session_id": "s", "messages": messages}
    llm_stack.gateway.call("IngestService.IngestBatch", batch)
    _quiet(llm_stack, user_id)
    assert llm_stack.model.kinds() == [EXTRACTION]
    assert 1 <= llm_stack.embeddings.count("embeddings") <= 2
    texts = [text for each in llm_stack.embeddings.requests for text in each.inputs]
    assert len(texts) == len(set(texts))  # nothing is embedded twice


def test_a_recall_costs_one_embedding_or_none(llm_stack: LlmStack, user_id: str) -> None:
    gateway = llm_stack.gateway
    said = {"user_id": user_id, "role": "user", "content": "I live in Bergen."}
    gateway.call("IngestService.Ingest", said)
    _quiet(llm_stack, user_id)

    def spent(**fields: Any) -> tuple[int, int]:
        llm_stack.model.clear()
        llm_stack.embeddings.clear()
        asked = {"user_id": user_id, "include_conversations": True, **fields}
        answer = gateway.call("RecallService.Recall", asked)
        assert answer["degraded"] is False
        return _spent(llm_stack)

    query = f"Where does {user_id} live?"
    assert spent(query=query) == (0, 1)
    assert spent(query=query) == (0, 0)  # its vector is known
    assert spent(query=query, limit=5, explain=True, max_context_tokens=500) == (0, 0)
    own = {"query_embedding": [1.0] * DIMENSION, "query_embedding_model": EMBEDDING_MODEL}
    assert spent(query=f"What else is said of {user_id}?", **own) == (0, 0)


def test_a_digest_costs_two_calls_at_most(llm_stack: LlmStack, user_id: str) -> None:
    gateway = llm_stack.gateway
    for content in ("I am thrilled about the new job.", "I work at Siemens."):
        said = {"user_id": user_id, "role": "user", "content": content, "session_id": "s"}
        gateway.call("IngestService.Ingest", said)
    _quiet(llm_stack, user_id)
    llm_stack.model.clear()
    llm_stack.embeddings.clear()
    gateway.call("ReflectService.Digest", {"user_id": user_id})
    assert llm_stack.model.kinds() == [INSIGHTS, STATE]
    assert llm_stack.embeddings.count("embeddings") <= 1
    gateway.call("ReflectService.Digest", {"user_id": user_id})
    assert llm_stack.model.count("chat") == 2  # nothing is new: nothing is asked
