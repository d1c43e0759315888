"""Search against other people's figures: bm25s by words, every vector compared by meaning."""

import random
from collections import Counter
from pathlib import Path
from uuid import UUID

import bm25s
import numpy as np
import pytest
from numpy.typing import NDArray

from services.providers.embeddings.assemble import default_model
from services.providers.embeddings.model_folder import ModelFolder
from services.providers.embeddings.onnx_model import OnnxSentenceModel
from services.runtime.database import Connection
from services.runtime.ids import new_id
from services.storage import bulk, foundation, postings
from services.storage.codes import SegmentCache, nearest
from services.storage.hybrid_search import NEAREST, bm25
from services.storage.places import message_place
from services.storage.search import Filter, describe, gather
from services.storage.search_items import IndexedItem, erase_items, index_items, retract_items
from services.storage.vectors import lock_vectors
from services.text.terms import Terms
from tests.conftest import TestDatabase
from tests.store.indexed import indexed
from tests.store.owners import Owner, new_owner, opened

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "build" / "models"
VOCABULARY = [f"t{number}" for number in range(80)]
MESSAGES = Filter(kinds=("message",))


def unit(rng: random.Random) -> IndexedItem:
    """A unit of random words, some of them often, as Zipf has it."""
    weights = [1 / (place + 1) for place in range(len(VOCABULARY))]
    words = rng.choices(VOCABULARY, weights, k=rng.randint(1, 40))
    terms = Terms(dict(Counter(words)), len(words))
    return IndexedItem(new_id(), "message", indexed(new_id(), "message", "").place, terms)


def published(present: dict[UUID, IndexedItem], query: list[str]) -> dict[int, float]:
    """The scores by place that bm25s gives; it leaves the factor k1 + 1 away."""
    items = list(present.values())
    reference = bm25s.BM25(k1=1.2, b=0.75, method="lucene", dtype="float64")
    corpus = [
        [term for term, count in item.terms.frequencies.items() for _ in range(count)]
        for item in items
    ]
    reference.index(corpus, show_progress=False)
    known = [term for term in query if any(term in item.terms.frequencies for item in items)]
    scores = reference.get_scores(known) * 2.2 if known else np.zeros(len(items))
    return {
        item.place: score
        for item, score in zip(items, scores.tolist(), strict=True)
        if any(term in item.terms.frequencies for term in query)
    }


async def scored(connection: Connection, owner: Owner, query: list[str]) -> dict[int, float]:
    space = await foundation.active_space(connection)
    gathered = await gather(
        connection, owner.owner_id, space, query, MESSAGES, SegmentCache(), by_meaning=False
    )
    places, scores = bm25(gathered)
    return dict(zip(places.tolist(), scores.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(4))
async def test_bm25_is_what_bm25s_says_whatever_was_written(
    test_database: TestDatabase, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(postings, "MERGED_BLOCKS", 2)
    present: dict[UUID, IndexedItem] = {}
    async with opened(test_database) as database:
        owner = await new_owner(database)
        for _ in range(8):
            async with owner.transaction() as connection:
                new = [unit(rng) for _ in range(rng.randint(1, 30))]
                await index_items(connection, owner.owner_id, new)
                retracted = rng.sample(list(present), len(present) // 8)
                await retract_items(connection, owner.owner_id, retracted)
                present = {key: item for key, item in present.items() if key not in retracted}
                erased = rng.sample(list(present), len(present) // 8)
                await erase_items(connection, owner.owner_id, erased)
                present = {key: item for key, item in present.items() if key not in erased}
                present |= {item.item_id: item for item in new}
                if rng.random() < 0.7:
                    await lock_vectors(connection, owner.owner_id)
                    await postings.pack(connection, owner.owner_id)
            async with owner.transaction() as connection:
                for _ in range(4):
                    query = rng.sample([*VOCABULARY, "absent"], rng.randint(1, 8))
                    found = await scored(connection, owner, query)
                    expected = published(present, query)
                    assert found.keys() == expected.keys()
                    assert found == pytest.approx(expected, abs=1e-6)


async def test_of_a_giant_the_rarest_terms_are_read_and_all_are_counted(
    test_database: TestDatabase,
) -> None:
    async with opened(test_database) as database:
        owner = await new_owner(database)
        contents = ["tea"] * 40 + ["cup"] * 7 + ["tea pot", "tea cup"]
        items = [indexed(new_id(), "message", content) for content in contents]
        gone = next(item.item_id for item in items)
        async with owner.transaction() as connection:
            space = await foundation.active_space(connection)
            await index_items(connection, owner.owner_id, items)

            async def read(*terms: str) -> tuple[list[int], Counter[int]]:
                gathered = await gather(
                    connection,
                    owner.owner_id,
                    space,
                    terms,
                    MESSAGES,
                    SegmentCache(),
                    most_postings=10,
                )
                return gathered.holders.tolist(), Counter(gathered.postings.term.tolist())

            assert await read("tea", "pot", "cup") == ([42, 1, 8], Counter({1: 1, 2: 8}))
            assert await read("tea") == ([42], Counter({0: 42}))
            assert await read("tea", "absent") == ([42, 0], Counter({0: 42}))
            assert await read() == ([], Counter())
            await retract_items(connection, owner.owner_id, [gone])
            # Which of the unread postings are no more is not known.
            assert await read("tea") == ([41], Counter({0: 41}))
            assert await read("tea", "pot") == ([42, 1], Counter({1: 1}))


def prose() -> list[str]:
    """Lines of real text: what this repository says about itself."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/**/*.py")]
    lines = {
        line.strip(" #*-|\"'") for file in sorted(files) for line in file.read_text().splitlines()
    }
    telling = sorted(line for line in lines if len(line) > 40 and line.count(" ") > 6)
    random.Random(1).shuffle(telling)
    return telling[:2050]


@pytest.fixture(scope="module")
def embedded() -> NDArray[np.float32]:
    """Their vectors, by the local model."""
    model = OnnxSentenceModel(ModelFolder.read(default_model(MODELS)), threads=2)
    lines = sorted(prose(), key=len)
    batches = [model.encode(lines[start : start + 64]) for start in range(0, len(lines), 64)]
    vectors = np.concatenate([np.asarray(batch, np.float32) for batch in batches])
    return vectors[np.random.default_rng(1).permutation(len(vectors))]


async def test_the_nearest_by_their_codes_hold_the_nearest(
    test_database: TestDatabase, embedded: NDArray[np.float32]
) -> None:

    queries, rows = embedded[:50], embedded[50:]
    items = [
        IndexedItem(new_id(), "message", message_place(1, at, 0), Terms({}, 0))
        for at in range(len(rows))
    ]
    hits = 0
    async with opened(test_database) as database:
        owner = await new_owner(database)
        async with owner.transaction() as connection:
            space = await foundation.active_space(connection)
            await bulk.load(connection, owner.owner_id, space, items, rows)
            gathered = await gather(connection, owner.owner_id, space, (), MESSAGES, SegmentCache())
            for query in queries:
                exact = [items[at].place for at in np.argsort(-(rows @ query))[:20]]
                near = nearest(gathered.codes, query, NEAREST)
                described = await describe(
                    connection, owner.owner_id, space, near.places.tolist(), query
                )
                best = sorted(described.units, key=lambda each: -(each.similarity or 0))[:20]
                hits += len({each.place for each in best} & set(exact))
    assert len(rows) >= 1500
    assert hits / (20 * len(queries)) >= 0.99
