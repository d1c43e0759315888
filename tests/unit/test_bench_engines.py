"""The made-up memories, and the plain engines that the system is compared with."""

import math

import numpy as np
import pytest

from bench.baselines import K1, B, Bm25, best
from bench.corpus import POOL, Corpus, cores, vocabulary
from bench.engines import returned_text
from mnema.v1 import vector_service_pb2 as pb

DIMS = 64


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    vectors = np.random.default_rng(5).standard_normal((POOL, DIMS), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Corpus(cores(), vectors, vocabulary())


def test_a_users_memories_are_the_same_every_time(corpus: Corpus) -> None:
    once, again = (list(corpus.memories(7, 250, chunk=100)) for _ in range(2))

    assert [len(each.texts) for each in once] == [100, 100, 50]
    assert [each.texts for each in once] == [each.texts for each in again]
    for one, other in zip(once, again, strict=True):
        assert np.array_equal(one.vectors, other.vectors)
    assert next(corpus.memories(8, 100)).texts != once[0].texts


def test_memories_differ_and_vectors_have_unit_length(corpus: Corpus) -> None:
    (made,) = corpus.memories(1, 2000)

    assert len(set(made.texts)) == 2000
    assert len(np.unique(made.vectors, axis=0)) == 2000
    assert np.allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-5)
    assert made.moments == sorted(set(made.moments))


def test_words_are_used_as_unevenly_as_real_ones(corpus: Corpus) -> None:
    (made,) = corpus.memories(1, 3000)
    own = [word for text in made.texts for word in text.split(": ")[1].rstrip(".").split()]
    counts = sorted((own.count(word) for word in set(own)), reverse=True)

    assert counts[0] > len(own) / 20, "no word is common"
    assert sum(count == 1 for count in counts) > len(counts) / 2, "few words are rare"


def test_questions_are_never_the_same(corpus: Corpus) -> None:
    asked = corpus.questions(500, seed=1) + corpus.questions(500, seed=2)

    assert len(set(asked)) == 1000


async def test_bm25_is_what_the_formula_says() -> None:
    texts = ["the red boat sails", "a red red car", "green garden"]  # 3, 3 and 2 terms
    lengths, mean = (3, 3, 2), 8 / 3
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))

    scores = Bm25(texts).scores("Red?")

    for position, frequency in ((0, 1), (1, 2)):
        norm = K1 * (1 - B + B * lengths[position] / mean)
        assert scores[position] == pytest.approx(idf * frequency * (K1 + 1) / (frequency + norm))
    assert scores[2] == 0
    assert await Bm25(texts).search("Red?", 5) == [1, 0]


def test_the_best_come_first_and_equals_in_their_order() -> None:
    assert best(np.array([0.1, 0.9, 0.5, 0.9]), 3) == [1, 3, 2]


def test_of_a_long_message_the_passage_is_what_a_reader_gets() -> None:
    hit = pb.SearchHit()
    hit.message.speaker, hit.message.content = "Ada", "It rained. The parrot is called Figaro."

    assert returned_text(hit) == "Ada: It rained. The parrot is called Figaro."

    hit.passage.content = "The parrot is called Figaro."
    assert returned_text(hit) == "Ada: The parrot is called Figaro."
