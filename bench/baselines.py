"""Plain search engines in this process, over the same texts with the same analysis and model.

What the system has to beat: BM25, the exact nearest vectors, and both fused by their ranks.
A message is one document, with its speaker in front; the model reads its beginning.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.transcripts import Turn
from services.providers.embeddings.base import EmbeddingProvider
from services.text.terms import analyze, query_terms

Baseline = Literal["bm25", "dense", "rrf"]
Scores = NDArray[np.float64]

K1, B = 1.2, 0.75
RRF_K = 60


class Engine(Protocol):
    """Ranks the turns of one conversation."""

    async def search(self, question: str, limit: int) -> list[int]:
        """Positions of the best turns, the best first; equals in their order."""


class Bm25:
    """BM25 in the form of Lucene: the idf is never negative."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Indexes the texts."""
        analyzed = [analyze(text) for text in texts]
        lengths = np.array([each.length for each in analyzed], dtype=np.float64)
        norms = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9))
        held = Counter(term for each in analyzed for term in each.frequencies)
        self._count = len(texts)
        self._postings: dict[str, list[tuple[int, float]]] = {term: [] for term in held}
        for position, each in enumerate(analyzed):
            for term, frequency in each.frequencies.items():
                idf = math.log(1 + (self._count - held[term] + 0.5) / (held[term] + 0.5))
                weight = idf * frequency * (K1 + 1) / (frequency + norms[position])
                self._postings[term].append((position, float(weight)))

    def scores(self, question: str) -> Scores:
        """Of every text; 0 where no word of the question is in it."""
        scores = np.zeros(self._count)
        for term in query_terms(question):
            for position, weight in self._postings.get(term, ()):
                scores[position] += weight
        return scores

    async def search(self, question: str, limit: int) -> list[int]:
        """The texts with a word of the question."""
        scores = self.scores(question)
        return [each for each in best(scores, limit) if scores[each] > 0]


class Dense:
    """The exact nearest by cosine."""

    def __init__(self, vectors: NDArray[np.float32], provider: EmbeddingProvider) -> None:
        """`vectors` are of unit length, a row a text; made by `embedded`."""
        self._vectors = vectors
        self._provider = provider

    @classmethod
    async def embedded(cls, texts: Sequence[str], provider: EmbeddingProvider) -> "Dense":
        """Embeds the texts."""
        return cls(await provider.embed_batch(texts), provider)

    async def scores(self, question: str) -> Scores:
        """The cosine of every text."""
        return (self._vectors @ await self._provider.embed(question)).astype(np.float64)

    async def search(self, question: str, limit: int) -> list[int]:
        """The nearest texts."""
        return best(await self.scores(question), limit)


class Rrf:
    """Both arms by reciprocal ranks, 1 / (60 + rank)."""

    def __init__(self, words: Bm25, meaning: Dense) -> None:
        """Over the same texts in the same order."""
        self._words = words
        self._meaning = meaning

    async def search(self, question: str, limit: int) -> list[int]:
        """The best of the sum; a text without a word of the question has the meaning's part."""
        words = self._words.scores(question)
        meaning = await self._meaning.scores(question)
        sums = 1 / (RRF_K + _ranks(meaning)) + np.where(words > 0, 1 / (RRF_K + _ranks(words)), 0)
        return best(sums, limit)


async def baseline(name: Baseline, turns: Sequence[Turn], provider: EmbeddingProvider) -> Engine:
    """The named engine over the turns."""
    texts = [with_speaker(turn) for turn in turns]
    words = Bm25(texts)
    if name == "bm25":
        return words
    meaning = await Dense.embedded(texts, provider)
    return meaning if name == "dense" else Rrf(words, meaning)


def with_speaker(turn: Turn) -> str:
    """Who says "I" is half of what it means."""
    return f"{turn.speaker}: {turn.content}" if turn.speaker else turn.content


def best(scores: Scores, limit: int) -> list[int]:
    """Positions of the highest scores, the highest first; equals in their order."""
    return [int(each) for each in np.argsort(-scores, kind="stable")[:limit]]


def _ranks(scores: Scores) -> NDArray[np.int64]:
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks
