"""One search: what a ranking profile says of a user's things, the best of them as hits."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from opentelemetry import trace

from services.providers.embeddings.base import Vector
from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage import hybrid_search
from services.storage.codes import SegmentCache
from services.storage.foundation import EmbeddingSpace
from services.storage.search import Candidate, Described, Filter, UnitCache, describe, gather
from services.text.terms import query_terms
from services.vector.embedding import Attempt
from services.vector.ranking.meaning import Values
from services.vector.ranking.naming import in_first_person
from services.vector.ranking.profile import Profile
from services.vector.ranking.question import read_question
from services.vector.ranking.rank import Ranking, Share, evidence_for, rank
from services.vector.ranking.words import Indexes, words_of

# Users whose speakers are remembered: some 200 bytes each.
_MOST_KNOWN = 10_000
_TRACER = trace.get_tracer("mnema.vector")


@dataclass(slots=True)
class Asked:
    """A query: its text, when and where it is asked, and how words are embedded for it.

    `attempt` is what became of that, once it was tried; without a vector it is searched by
    words alone.
    """

    text: str
    asked_at: datetime
    embed: Callable[[str], Awaitable[Attempt]]
    attempt: Attempt | None = None
    _begun: "asyncio.Task[Attempt] | None" = None
    _begun_with: str = ""

    def begin(self, text: str) -> "asyncio.Task[Attempt]":
        """Has the text that stands for the query embedded from now on."""
        self._begun = asyncio.create_task(self._try(text))
        self._begun_with = text
        return self._begun

    async def embedding(self, text: str) -> Vector | None:
        """The vector of the text that stands for the query.

        What was begun with another text is dropped: others speak now than when the last search
        looked, and a user who was erased leaves nothing in the next search.
        """
        if self._begun is not None and self._begun_with != text:
            self.drop()
            self._begun = None
        self.attempt = await (self._begun or self.begin(text))
        return self.attempt.vector

    def drop(self) -> None:
        """Nobody waits for the vector any more."""
        if self._begun is not None:
            self._begun.cancel()

    async def _try(self, text: str) -> Attempt:
        return await self.embed(text)


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing by its best unit, and what is known of how it fits.

    `similarity` is the cosine, `bm25` is above 0, ranks count from 1; each None where nothing
    is known. `rrf` is the two ranks fused, 0 to 1. `score` is what hits are sorted by, `index`
    says which of `ranking` it is (None where ranks are fused).
    """

    unit: Candidate
    score: float
    similarity: float | None
    vector_rank: int | None
    bm25: float | None
    bm25_rank: int | None
    rrf: float
    ranking: Ranking | None = None
    index: int = 0

    @property
    def shares(self) -> tuple[Share, ...]:
        """The parts of the score, none where ranks are fused; few callers ask for them."""
        return () if self.ranking is None else self.ranking.shares(self.index)


@dataclass(frozen=True, slots=True)
class Searcher:
    """Searches one embedding space; keeps codes and units from search to search."""

    space: EmbeddingSpace
    segments: SegmentCache
    units: UnitCache
    speakers: "Speakers"

    def begin(self, owner_id: OwnerId, asked: Asked, chosen: Filter, profile: Profile) -> None:
        """Has the query embedded while the search gets going, if it is known what stands for it.

        The model and the database then work side by side. Whoever begins also drops.
        """
        if profile.fusion == "reciprocal_ranks":
            asked.begin(asked.text)
            return
        speakers = self.speakers.get(owner_id) if "message" in chosen.kinds else ()
        if speakers is not None:
            asked.begin(in_first_person(asked.text, speakers))

    async def search(
        self,
        connection: Connection,
        owner_id: OwnerId,
        asked: Asked,
        chosen: Filter,
        profile: Profile,
        limit: int,
    ) -> Sequence[Hit]:
        """The best first, at most `limit`. Belongs into an isolated transaction, `by_keys`."""
        search = self._by_ranks if profile.fusion == "reciprocal_ranks" else self._by_signals
        return await search(connection, owner_id, asked, chosen, profile, limit)

    async def _by_ranks(
        self,
        connection: Connection,
        owner_id: OwnerId,
        asked: Asked,
        chosen: Filter,
        _: Profile,
        limit: int,
    ) -> Sequence[Hit]:
        query = hybrid_search.Query(query_terms(asked.text), await asked.embedding(asked.text))
        found = await hybrid_search.search(
            connection, owner_id, self.space, query, chosen, limit, self.segments
        )
        return [
            Hit(
                each.unit,
                each.rrf,
                each.similarity,
                each.vector_rank,
                each.bm25,
                each.bm25_rank,
                each.rrf,
            )
            for each in found
        ]

    async def _by_signals(
        self,
        connection: Connection,
        owner_id: OwnerId,
        asked: Asked,
        chosen: Filter,
        profile: Profile,
        limit: int,
    ) -> Sequence[Hit]:
        question = read_question(asked.text, None, asked.asked_at)
        with _TRACER.start_as_current_span("gather"):
            gathered = await gather(
                connection, owner_id, self.space, question.terms, chosen, self.segments
            )
        # The model may still be at work, which is another core's.
        with _TRACER.start_as_current_span("words"):
            words = words_of(gathered)
        self.speakers.put(owner_id, gathered.speakers)
        present = gathered.speakers if "message" in chosen.kinds else ()
        embedding = await asked.embedding(in_first_person(asked.text, present))
        question = replace(question, embedding=embedding)
        known = self.units.of(owner_id, self.space, gathered.epoch)

        async def describe_all(places: Sequence[int]) -> Described:
            return await describe(connection, owner_id, self.space, places, embedding, known)

        evidence = await evidence_for(
            gathered, words, question, chosen, self.space.dims, limit, describe_all
        )
        with _TRACER.start_as_current_span("signals"):
            return _hits(rank(evidence, profile, words.mean_length), limit)


class Speakers:
    """Who spoke lately with each user, as the last search saw it."""

    def __init__(self) -> None:
        self._known: OrderedDict[OwnerId, tuple[str, ...]] = OrderedDict()

    def get(self, owner_id: OwnerId) -> tuple[str, ...] | None:
        """Their names or roles; None if no search has told yet."""
        return self._known.get(owner_id)

    def put(self, owner_id: OwnerId, speakers: tuple[str, ...]) -> None:
        """Remembers them, and forgets those of whom nobody has asked for longest."""
        self._known[owner_id] = speakers
        self._known.move_to_end(owner_id)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


def _hits(ranking: Ranking, limit: int) -> list[Hit]:
    """The best things, once each, with their places by words and by meaning alone."""
    evidence = ranking.evidence
    best = _once(ranking, limit)
    order, chosen = np.array(ranking.order, np.intp), np.array(best, np.intp)
    by_words = _places(np.where(evidence.bm25 > 0, evidence.bm25, np.nan), order, chosen)
    by_meaning = _places(evidence.cosine, order, chosen)
    hits = []
    for index, bm25_rank, vector_rank in zip(best, by_words, by_meaning, strict=True):
        unit = evidence.units.unit(index)
        hits.append(
            Hit(
                unit,
                ranking.score(index),
                unit.similarity,
                vector_rank,
                None if bm25_rank is None else float(evidence.bm25[index]),
                bm25_rank,
                hybrid_search.fused(vector_rank, bm25_rank),
                ranking,
                index,
            )
        )
    return hits


def _once(ranking: Ranking, limit: int) -> list[int]:
    """The indexes of the best things, the best first: a long memory's best unit stands for it."""
    best: dict[bytes, int] = {}
    for index in ranking.order:
        if len(best) == limit:
            break
        best.setdefault(ranking.evidence.units.item_ids[index], index)
    return list(best.values())


def _places(values: Values, order: Indexes, chosen: Indexes) -> list[int | None]:
    """The places of those chosen, 1 for the highest value, equals in this order; None for NaN."""
    best_first = order.take((-values.take(order)).argsort(kind="stable"))
    places = np.empty(len(values), np.intp)
    places[best_first] = np.arange(1, len(values) + 1)
    unknown = np.isnan(values.take(chosen)).tolist()
    return [
        None if nan else place
        for place, nan in zip(places.take(chosen).tolist(), unknown, strict=True)
    ]
