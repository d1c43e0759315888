"""Memories that nobody had: made up from a seed, as many as wanted, the same every time.

A memory is a core ("Tobias Reed repaired the old radio at the harbour of Lisbon") and what is
its own: a day, and words of a large vocabulary used as unevenly as real ones are (Zipf's law).
Cores come from a pool, and their vectors are those of the real model; a memory's vector is
its core's, moved a little, so vectors lie as those of real texts do, without a million runs
of the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from services.providers.embeddings.base import EmbeddingProvider, Vectors


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words(
    "Ada Bruno Carla Deniz Emil Freya Goran Hana Ines Jonas Keiko Luca Mira Nils Olga Pavel Quinn "
    "Rosa Samir Tara Umar Vera Wanda Xenia Yusuf Zoe Anton Bela Chiara Dario Elif Fatima Gustav "
    "Helen Ivan Jana Kofi Leila Marek Nadia"
)
SURNAMES = _words(
    "Reed Okafor Lindqvist Moreau Tanaka Silva Novak Haddad Berg Castillo Dahl Eriksen Fontaine "
    "Garcia Horvat Ivanov Jensen Kowalski Larsen Mensah Nakamura Olsen Petrov Quist Rossi Schmidt "
    "Tran Ueda Vogel Weiss Yilmaz Zhang"
)
VERBS = (
    "repaired",
    "sold",
    "borrowed",
    "photographed",
    "painted",
    "lost",
    "found",
    "planned",
    "cooked",
    "wrote about",
    "talked about",
    "bought",
    "cancelled",
    "finished",
    "started",
    "recommended",
    "complained about",
    "studied",
    "rented",
    "designed",
    "tested",
    "delivered",
    "forgot",
    "organised",
)
ADJECTIVES = _words(
    "old new green heavy broken wooden electric quiet expensive tiny famous secret annual weekly "
    "handmade digital winter summer Italian Japanese unfinished favourite second cheap"
)
THINGS = _words(
    "radio bicycle report garden violin invoice recipe mountain-trip marathon concert database "
    "kitchen novel exam dentist-appointment workshop sofa camera prototype budget playlist lamp "
    "birthday-party website letter aquarium telescope contract puzzle sweater podcast boat "
    "greenhouse speech bookshelf migration keyboard tattoo wedding scooter"
)
PLACES = (
    "in Lisbon",
    "near the harbour",
    "at the market",
    "behind the school",
    "on the train to Vienna",
    "at the office",
    "in the mountains",
    "by the lake",
    "at home",
    "in the library",
    "at the airport",
    "in Nairobi",
    "in a small village",
    "at the university",
    "in the hospital",
    "on the island",
    "in Kyoto",
    "at the museum",
    "in the basement",
    "downtown",
)
_SYLLABLES = _words(
    "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu bra cle dro fli gra"
)

POOL = 4000
VOCABULARY = 30_000
ZIPF = 1.15
OWN_WORDS = 4
"""Words of the large vocabulary in a memory."""
DISTANCE = 0.35
"""How far a memory's vector lies from its core's, before both have unit length: cosine .94."""
# A user's memories are spread evenly over so many days.
_FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_DAYS = timedelta(days=700)


@dataclass(frozen=True, slots=True)
class Made:
    """So many memories: `vectors` has a row for each text, of unit length."""

    texts: list[str]
    moments: list[datetime]
    vectors: NDArray[np.float32]


class Corpus:
    """The memories of one seed. Made by `embedded`."""

    def __init__(self, pool: list[str], vectors: Vectors, words: list[str]) -> None:
        """`vectors` are the pool's, a row each."""
        self._cores = pool
        self._vectors = vectors
        self._words = words
        weights = 1 / np.arange(1, len(words) + 1) ** ZIPF
        self._cumulated = np.cumsum(weights / weights.sum())

    @classmethod
    async def embedded(cls, provider: EmbeddingProvider) -> "Corpus":
        """Makes the pool and embeds it: some ten seconds."""
        pool = cores()
        return cls(pool, await provider.embed_batch(pool), vocabulary())

    @property
    def dims(self) -> int:
        """How many numbers a vector has."""
        return int(self._vectors.shape[1])

    def memories(self, user: int, count: int, chunk: int = 10_000) -> Iterator[Made]:
        """The memories of the user of this number, in portions of at most `chunk`.

        The same for the same user, count and chunk.
        """
        rng = np.random.default_rng((3, user))
        step = _DAYS / count
        for start in range(0, count, chunk):
            numbers = range(start, min(start + chunk, count))
            yield self._made(rng, [_FIRST_DAY + number * step for number in numbers])

    def questions(self, count: int, seed: int = 0) -> list[str]:
        """Different questions, each about what some memories tell."""
        rng = np.random.default_rng((4, seed))
        chosen = rng.integers(0, len(self._cores), count)
        own = self._own_words(rng, count)
        return [
            f"When was it that {self._cores[core]}, {' '.join(own[position][:2])}?"
            for position, core in enumerate(chosen.tolist())
        ]

    def _made(self, rng: np.random.Generator, moments: list[datetime]) -> Made:
        count = len(moments)
        chosen = rng.integers(0, len(self._cores), count)
        own = self._own_words(rng, count)
        texts = [
            f"{self._cores[core]} on {moment:%d %B}: {' '.join(words)}."
            for core, words, moment in zip(chosen.tolist(), own, moments, strict=True)
        ]
        noise = rng.standard_normal((count, self.dims), dtype=np.float32)
        vectors = self._vectors[chosen] + noise * np.float32(DISTANCE / self.dims**0.5)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Made(texts, moments, vectors)

    def _own_words(self, rng: np.random.Generator, count: int) -> list[list[str]]:
        drawn = np.searchsorted(self._cumulated, rng.random((count, OWN_WORDS)))
        return [[self._words[word] for word in row] for row in drawn.tolist()]


def cores() -> list[str]:
    """The pool: different things that somebody did somewhere."""
    rng = np.random.default_rng(1)
    found: dict[str, None] = {}
    while len(found) < POOL:
        drawn = (
            rng.choice(each) for each in (FIRST_NAMES, SURNAMES, VERBS, ADJECTIVES, THINGS, PLACES)
        )
        first, last, verb, adjective, thing, place = drawn
        found[f"{first} {last} {verb} the {adjective} {thing.replace('-', ' ')} {place}"] = None
    return list(found)


def vocabulary() -> list[str]:
    """Names of projects, products and streets as no dictionary has them."""
    rng = np.random.default_rng(2)
    found: dict[str, None] = {}
    while len(found) < VOCABULARY:
        found["".join(rng.choice(_SYLLABLES, rng.integers(2, 5)))] = None
    return list(found)
