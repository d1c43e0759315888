"""Providers by configuration: models of several dimensions, classes of one's own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnema.client import Mnema
from tests.e2e.own_stack import OwnStack, fresh_home, own_stack, started
from tests.e2e.waiting import until
from tests.openai_server import OpenAiServer

pytestmark = pytest.mark.feature("N18")

USER = "nora"
LOCAL: Mapping[str, str] = {}
TREE = Path(__file__).resolve().parents[2]


def _remote(provider: str, server: OpenAiServer) -> dict[str, str]:
    return {
        "MNEMA_EMBEDDING__PROVIDER": provider,
        "MNEMA_EMBEDDING__API_KEY": "any",
        "MNEMA_EMBEDDING__BASE_URL": server.base_url,
    }


@contextmanager
def _running(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[OwnStack, Mnema]]:
    """A system on this home, once nothing waits for a vector."""
    with started(home, environment) as stack, _client(stack) as nm:
        until(
            lambda: nm.stats(USER)["pending"]["embeddings"],
            lambda waiting: waiting == 0,
        )
        yield stack, nm


def _client(stack: OwnStack) -> Mnema:
    return Mnema(stack.system.address, api_key=stack.tenant.api_key)


def _spaces(stack: OwnStack) -> dict[int, tuple[str, bool, int]]:
    """By dimension: the model, whether it is searched by, and how many vectors it has."""
    return {
        row["dims"]: (
            row["model"],
            row["active"],
            stack.value(f"SELECT count(*) FROM {row['table_name']}"),
        )
        for row in stack.rows("SELECT model, dims, active, table_name FROM embedding_spaces")
    }


def _found(nm: Mnema, query: str) -> str:
    """What fits best by meaning: nearer than all others, and known to the arm that compares."""
    hits = nm.search(USER, query)
    assert not hits.degraded
    best = max(hits, key=lambda hit: hit["factors"]["vector_similarity"] or -1)
    assert best["factors"]["vector_rank"] == 1
    return best["content"]


def test_models_of_three_dimensions_share_a_database() -> None:
    siliconflow = OpenAiServer(dimension=1024, model="BAAI/bge-m3")
    openai = OpenAiServer(dimension=1536, model="text-embedding-3-small")
    with fresh_home() as home, siliconflow, openai:
        with _running(home, LOCAL) as (stack, nm):
            for content in ("The cat sleeps on the sofa", "The ferry sails to Oslo"):
                nm.add_memory(USER, content, "fact")
            assert _found(nm, "a boat to Norway") == "The ferry sails to Oslo"
            assert _spaces(stack) == {384: ("all-MiniLM-L6-v2", True, 2)}
        with _running(home, _remote("siliconflow", siliconflow)) as (stack, nm):
            # What was there was embedded anew, and what comes is.
            nm.add_memory(USER, "The harbour freezes in winter", "fact")
            assert _found(nm, "harbour in winter") == "The harbour freezes in winter"
            assert _found(nm, "cat on a sofa") == "The cat sleeps on the sofa"
            assert len(nm.embed(["a"])[0]) == 1024
            assert _spaces(stack) == {
                384: ("all-MiniLM-L6-v2", False, 2),
                1024: ("BAAI/bge-m3", True, 3),
            }
        with _running(home, _remote("openai", openai)) as (stack, nm):
            assert _found(nm, "ferry to Oslo") == "The ferry sails to Oslo"
            assert len(nm.embed(["a"])[0]) == 1536
            assert _spaces(stack)[1536] == ("text-embedding-3-small", True, 3)
        asked = len(siliconflow.requests) + len(openai.requests)
        with _running(home, LOCAL) as (stack, nm):
            assert _found(nm, "ice in the port") == "The harbour freezes in winter"
            assert _found(nm, "a boat to Norway") == "The ferry sails to Oslo"
            assert _spaces(stack) == {
                384: ("all-MiniLM-L6-v2", True, 3),
                1024: ("BAAI/bge-m3", False, 3),
                1536: ("text-embedding-3-small", False, 3),
            }
        assert len(siliconflow.requests) + len(openai.requests) == asked
    embedded = {text for request in siliconflow.requests for text in request.inputs}
    assert {"The cat sleeps on the sofa", "The ferry sails to Oslo"} <= embedded


def test_classes_of_ones_own_serve(tmp_path: Path) -> None:
    environment = {
        "PYTHONPATH": str(TREE),
        "MNEMA_EMBEDDING__PROVIDER": "custom",
        "MNEMA_EMBEDDING__CLASS": "tests.own_providers:OwnEmbedding",
        "MNEMA_EMBEDDING__OPTIONS": '{"size": 72}',
        "MNEMA_EXTRACTION__EXTRACTOR": "llm",
        "MNEMA_LLM__PROVIDER": "tests.own_providers:ExtractingLlm",
        "MNEMA_OBJECTS__PROVIDER": "tests.own_providers:OwnStorage",
        "MNEMA_OBJECTS__OPTIONS": f'{{"folder": "{tmp_path / "objects"}"}}',
    }
    with own_stack(environment) as stack, _client(stack) as nm:
        nm.ingest(USER, "user", "I work at Google", session_id="s")
        nm.wait_until_extracted(USER, timeout=40)
        assert [each.content for each in nm.memories.list(USER)] == ["I work at Google"]
        (extraction,) = nm.list_extractions(USER)
        assert extraction.extractor == "tests.own_providers:ExtractingLlm"
        assert _found(nm, "work at Google") == "I work at Google"
        assert _spaces(stack)[72][:2] == ("own-words", True)
        document = nm.files.upload(USER, filename="plan.txt", file_data=b"Tickets, then the hotel.")
        assert nm.files.download(USER, document.id) == b"Tickets, then the hotel."
        assert len(list((tmp_path / "objects").iterdir())) == 1
        assert nm.files.delete(USER, document.id)
