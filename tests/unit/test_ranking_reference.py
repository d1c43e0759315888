"""The figures of a ranking against plain loops that say what each of them means, on random talk."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from services.storage.codes import Codes, codes_of, scan, sign_bits
from services.storage.places import (
    MEMORY,
    MESSAGE,
    PLACELESS,
    chunk_place,
    kind_of,
    memory_place,
    message_place,
    part_of,
    placeless,
    session_of,
)
from services.storage.search import Described, Gathered, Postings
from services.text.traits import ASKS
from services.vector.ranking.context import REACH, Talk
from services.vector.ranking.evidence import Evidence, begin_elsewhere, evidence_of
from services.vector.ranking.meaning import Meaning
from services.vector.ranking.question import Question
from services.vector.ranking.signals import Signals
from services.vector.ranking.surroundings import anchors_of
from services.vector.ranking.words import things_of, words_of

DIMS = 70
TERMS = 4
STEP = 2048  # places from one message of a session to the next
NOWHERE = -1

Posting = tuple[int, int, int, int]  # term, place, frequency, length


@dataclass(frozen=True)
class World:
    """Some units, their signs, and which terms of a query they hold."""

    places: list[int]
    signs: list[list[bool]]
    postings: list[Posting]
    items: int
    total_length: int

    @property
    def mean_length(self) -> float:
        return self.total_length / self.items

    @cached_property
    def gathered(self) -> Gathered:
        term, place, frequency, length = (list(each) for each in zip(*self.postings, strict=True))
        postings = Postings(
            np.array(term, np.int32),
            np.array(place, np.int64),
            np.array(frequency, np.int32),
            np.array(length, np.int32),
        )
        spans = ((0, 2**63 - 1),)
        nothing = np.empty(0, np.int64)
        sizes = self.items, self.total_length
        holders = np.bincount(postings.term, minlength=TERMS)
        return Gathered(postings, holders, *sizes, self.codes, spans, None, nothing)

    @cached_property
    def codes(self) -> tuple[Codes, ...]:
        """In three parts, through which the places are mixed."""
        parts = []
        for number in range(3):
            places = np.array(self.places[number::3])
            bits = sign_bits(np.array(self.signs[number::3], np.float32))
            parts.append(codes_of(places.astype(">i8").tobytes(), bits.tobytes(), DIMS))
        return tuple(parts)

    @cached_property
    def things(self) -> list[int]:
        """Of all units."""
        return sorted({thing_of(place) for place in self.places})


def thing_of(place: int) -> int:
    return place - part_of(place) if kind_of(place) == MESSAGE else place


def anchor_of(thing: int) -> int:
    if kind_of(thing) == PLACELESS:
        return thing
    place = thing - part_of(thing)
    return place - (MEMORY << 61) if kind_of(thing) == MEMORY else place


def session_number(thing: int) -> int:
    """A number for each session and file; NOWHERE for what is in none."""
    return NOWHERE if kind_of(thing) == PLACELESS else anchor_of(thing) >> 33


@pytest.fixture(params=range(6))
def world(request: pytest.FixtureRequest) -> World:
    rng = np.random.default_rng(request.param)
    places: set[int] = {placeless(int(number)) for number in rng.integers(1, 90, 6)}
    places |= {chunk_place(3, int(number)) for number in rng.integers(0, 12, 6)}
    for session in range(1, 7):
        for sequence in rng.integers(1, 15, 10).tolist():
            # Every second world has long messages, of several passages each.
            passages = int(rng.integers(1, 5)) if request.param % 2 else 1
            places |= {message_place(session, sequence, part) for part in range(passages)}
            if rng.random() < 0.4:
                places.add(memory_place(session, sequence, int(rng.integers(0, 2))))
    units = sorted(places)
    lengths = {place: int(rng.integers(3, 30)) for place in units}
    postings: list[Posting] = []
    for term in range(TERMS):
        holding = [place for place in units if rng.random() < 0.25]
        # A term's postings come in stretches, each in order, but not one behind the other.
        middle = len(holding) // 2
        postings += [
            (term, place, int(rng.integers(1, 4)), lengths[place])
            for place in [*holding[middle:], *holding[:middle]]
        ]
    signs: list[list[bool]] = (rng.random((len(units), DIMS)) < 0.5).tolist()
    return World(units, signs, postings, len(units) + 7, sum(lengths.values()) + 70)


def idf(collection: float, holders: int) -> float:
    return math.log(1 + (collection - holders + 0.5) / (holders + 0.5))


def weight(frequency: float, length: float, mean_length: float) -> float:
    return frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * length / mean_length))


def idfs(world: World) -> list[float]:
    holders = [sum(each[0] == term for each in world.postings) for term in range(TERMS)]
    return [idf(world.items, number) for number in holders]


def best_of_things(world: World) -> dict[int, float]:
    """The BM25 of each thing's best unit."""
    values = idfs(world)
    scores: defaultdict[int, float] = defaultdict(float)
    for term, place, frequency, length in world.postings:
        scores[place] += values[term] * weight(frequency, length, world.mean_length)
    best: defaultdict[int, float] = defaultdict(float)
    for place, score in scores.items():
        best[thing_of(place)] = max(best[thing_of(place)], score)
    return best


def frequencies(world: World, of: Callable[[int], int]) -> dict[int, list[int]]:
    """How often each term occurs in each group of units."""
    counts: defaultdict[int, list[int]] = defaultdict(lambda: [0] * TERMS)
    for term, place, frequency, _ in world.postings:
        counts[of(place)][term] += frequency
    return counts


def lengths_found(world: World) -> dict[int, int]:
    """How long the units of each thing are together that hold a term."""
    units = {place: length for _, place, _, length in world.postings}
    found: defaultdict[int, int] = defaultdict(int)
    for place, length in units.items():
        found[thing_of(place)] += length
    return found


def text(
    world: World, counts: Sequence[int], length: float, mean_length: float
) -> tuple[float, float]:
    """BM25 and coverage of a text."""
    values = idfs(world)
    scores = [
        value * weight(count, length, mean_length)
        for value, count in zip(values, counts, strict=True)
    ]
    covered = sum(value for value, count in zip(values, counts, strict=True) if count)
    return sum(scores), covered / sum(values)


def talk_of(world: World) -> Talk:
    query = np.ones(DIMS, np.float32)
    meaning = Meaning(scan(world.gathered.codes, query), DIMS)
    return Talk.around(words_of(world.gathered), meaning, np.array(world.things))


def described(places: Sequence[int]) -> Described:
    """Units of random length, nearness and traits at these places."""
    rng, total = np.random.default_rng(len(places)), len(places)
    zeros = np.zeros(total, np.int64)
    return Described(
        places=np.array(places),
        item_ids=[number.to_bytes(16) for number in range(total)],
        memory_types=[None] * total,
        similarities=rng.uniform(-1, 1, total),
        lengths=zeros,
        speakers=[""] * total,
        traits=rng.integers(0, 16, total),
        start_offsets=zeros,
        end_offsets=rng.integers(0, 600, total),
        event_times=zeros,
        creation_times=zeros,
        vectors=np.zeros((total, DIMS), np.float32),
    )


def asking(world: World, asked: Sequence[float]) -> Evidence:
    """That for a query of which some terms are asked for: 1 for each that is, else 0."""
    talk = talk_of(world)
    every = np.arange(len(talk.things))
    question = Question(tuple(map(str, range(TERMS))), None, (), 0.0, False)
    talk = talk.narrowed(every, talk.words.asking(np.array(asked)))
    units = described(world.things)
    return Evidence(question, units, units.similarities, talk, None, frozenset())


def test_the_best_unit_of_each_thing(world: World) -> None:
    words, best = words_of(world.gathered), best_of_things(world)
    assert words.things.tolist() == sorted(best)
    assert words.best[:-1] == pytest.approx([best[thing] for thing in sorted(best)], abs=1e-9)
    assert words.idf == pytest.approx(idfs(world), abs=1e-9)


def test_how_often_terms_occur_and_occurred_before(world: World) -> None:
    words = words_of(world.gathered)
    things = np.array(world.things)[::2]
    at, counts = words.at(things), frequencies(world, thing_of)
    expected = [counts.get(thing, [0] * TERMS) for thing in things.tolist()]
    assert words.frequencies(at).tolist() == expected
    before = words.mentions_before(at)
    for row, thing in enumerate(things.tolist()):
        if thing in counts:
            earlier = [held for other, held in counts.items() if other < thing]
            number = [sum(held[term] > 0 for held in earlier) for term in range(TERMS)]
            assert before[row].tolist() == number


@pytest.mark.parametrize("asked", [[1.0] * TERMS, [1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
def test_terms_and_pairs_of_terms_that_a_thing_holds(world: World, asked: Sequence[float]) -> None:
    counts = frequencies(world, thing_of)
    values = [value * each for value, each in zip(idfs(world), asked, strict=True)]
    shares, pairs = [], []
    for thing in world.things:
        held = [count > 0 for count in counts.get(thing, [0] * TERMS)]
        wanted = [term for term in range(TERMS) if asked[term]]
        shares.append(sum(held[term] for term in wanted) / len(wanted))
        met, most = 0.0, 0.0
        for term in range(TERMS - 1):
            weight_of_pair = min(values[term], values[term + 1])
            most += weight_of_pair
            met += weight_of_pair if held[term] and held[term + 1] else 0.0
        pairs.append(met / most if most else 0.0)
    signals = Signals(asking(world, asked))
    assert signals.values("terms_held") == pytest.approx(shares)
    assert signals.values("pairs_held") == pytest.approx(pairs)


def test_what_a_query_of_some_words_asks_for(world: World) -> None:
    evidence = asking(world, [1.0] * TERMS)
    broad = math.log(TERMS / 5)
    units = evidence.units
    lengths = [min(end, 300) / 300 * broad for end in units.end_offsets.tolist()]
    asks = [broad if traits & ASKS else 0.0 for traits in units.traits.tolist()]
    count = defaultdict[int, int](int)
    for place in world.places:
        count[thing_of(place)] += 1
    passages = [math.log(min(count[thing], 8)) * broad for thing in world.things]
    signals = Signals(evidence)
    assert signals.values("length_by_words") == pytest.approx(lengths)
    assert signals.values("asks_by_words") == pytest.approx(asks)
    assert signals.values("passages_by_words") == pytest.approx(passages)


def test_a_thing_is_known_by_its_best_unit_and_by_its_first_passage(world: World) -> None:
    things = np.array(world.things)
    units = defaultdict[int, list[int]](list)
    for place in world.places:
        units[thing_of(place)].append(place)
    best = [units[thing][-1] for thing in world.things]
    beginnings = begin_elsewhere(things, np.array(best)).tolist()
    assert beginnings == [
        thing for thing, unit in zip(world.things, best, strict=True) if thing != unit
    ]
    told = described([*best, *beginnings[1:]])  # One is gone meanwhile.
    cosine = dict(zip(told.places.tolist(), told.similarities.tolist(), strict=True))
    question = Question(tuple(map(str, range(TERMS))), None, (), 0.0, False)
    evidence = evidence_of(question, talk_of(world), None, np.arange(len(things)), told)
    assert evidence.units.places.tolist() == best
    assert evidence.cosine.tolist() == [cosine[unit] for unit in best]
    expected = [cosine.get(thing, math.nan) for thing in world.things]
    assert evidence.first_cosine == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("reach", range(1, REACH + 1))
def test_the_turns_around_a_thing_are_one_text(world: World, reach: int) -> None:
    counts, lengths = frequencies(world, thing_of), lengths_found(world)
    expected = []
    for thing in world.things:
        anchor, total, length = anchor_of(thing), [0] * TERMS, 0.0
        for step in range(-reach, reach + 1):
            there = anchor + step * STEP
            if step == 0:
                there = anchor if anchor in counts else thing
            elif session_number(thing) == NOWHERE or there >> 33 != anchor >> 33:
                continue
            total = [sum(pair) for pair in zip(total, counts.get(there, [0] * TERMS), strict=True)]
            length += lengths.get(there, world.mean_length)
        expected.append(text(world, total, length, (2 * reach + 1) * world.mean_length))
    scores, covered = talk_of(world).window(reach)
    assert scores == pytest.approx([score for score, _ in expected], abs=1e-9)
    assert covered == pytest.approx([share for _, share in expected], abs=1e-9)


def test_whole_sessions_are_texts(world: World) -> None:
    things = [thing for thing in world.things if kind_of(thing) != PLACELESS]
    query = np.ones(DIMS, np.float32)
    meaning = Meaning(scan(world.gathered.codes, query), DIMS)
    talk = Talk.around(words_of(world.gathered), meaning, np.array(things))
    counts = frequencies(world, lambda place: session_number(thing_of(place)))
    values = idfs(world)
    numbers = sorted({session_number(thing) for thing in things})
    # A file's memories would stand elsewhere: only what is said counts as its units.
    units = {
        number: max(1, sum(place >> 33 == number for place in world.places)) for number in numbers
    }
    mean_units = sum(units.values()) / len(units)
    holders = [sum(held[term] > 0 for held in counts.values()) for term in range(TERMS)]
    highest = max(*(session_of(number << 33) for number in numbers), *holders)
    expected = {}
    for number in numbers:
        held = counts.get(number, [0] * TERMS)
        scores = [
            idf(highest, holders[term]) * weight(held[term], units[number], mean_units)
            for term in range(TERMS)
        ]
        covered = sum(values[term] for term in range(TERMS) if held[term]) / sum(values)
        expected[number] = (sum(scores), covered)
    found = talk.whole_sessions()
    by_thing = [expected[session_number(thing)] for thing in things]
    for values_found, values_expected in zip(found, zip(*by_thing, strict=True), strict=True):
        assert values_found == pytest.approx(list(values_expected), abs=1e-9)


def test_how_near_the_units_of_a_thing_are(world: World) -> None:
    query = np.ones(DIMS, np.float32)
    meaning = Meaning(scan(world.gathered.codes, query), DIMS)
    cosines: defaultdict[int, list[float]] = defaultdict(list)
    for place, signs in zip(world.places, world.signs, strict=True):
        cosines[thing_of(place)].append(math.cos(math.pi * signs.count(False) / DIMS))
    # In no order, some twice, and one that has none.
    things = [*world.things[::-2], *world.things, message_place(9, 9, 0)]
    found = meaning.of_things(np.array(things))
    expected = [cosines.get(thing, []) for thing in things]
    assert found.count.tolist() == [len(each) for each in expected]
    for name, of in (("best", max), ("mean", lambda each: sum(each) / len(each))):
        values = [of(each) if each else math.nan for each in expected]
        assert getattr(found, name) == pytest.approx(values, abs=1e-9, nan_ok=True)


def test_things_and_anchors_of_units(world: World) -> None:
    places = np.array(world.places[::-1])
    things = [thing_of(place) for place in places.tolist()]
    assert things_of(places).tolist() == things
    assert anchors_of(np.array(things)).tolist() == [anchor_of(thing) for thing in things]


@pytest.mark.parametrize("terms", [0, TERMS])
def test_where_nothing_is_found_all_figures_are_there_and_empty(terms: int) -> None:
    none = np.empty(0, np.int32)
    nothing = Postings(none, none.astype(np.int64), none, none)
    holders = np.zeros(terms, np.int64)
    gathered = Gathered(nothing, holders, 0, 0, (), (), None, np.empty(0, np.int64))
    words = words_of(gathered)
    for things in (np.empty(0, np.int64), np.array([message_place(1, 1, 0), placeless(1)])):
        for meaning in (None, Meaning((), DIMS)):
            talk = Talk.around(words, meaning, things)
            zeros = [0.0] * len(things)
            for score, covered in (talk.window(1), talk.window(REACH), talk.whole_sessions()):
                assert (score.tolist(), covered.tolist()) == (zeros, zeros)
            assert talk.bm25(1).tolist() == zeros
            assert words.mentions_before(talk.own).shape == (len(things), terms)
            half = talk.narrowed(np.arange(len(things) // 2), words)
            assert half.window(1)[0].tolist() == zeros[: len(things) // 2]
