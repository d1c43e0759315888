"""Insights by rules: what recurs, what is liked, how the mood has turned. No LLM.

Each insight has a slot, so that a later digest which sees more replaces it instead of adding
a near copy; and it names the memories that it rests on.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.reflect.emotion import NEGATIVE, POSITIVE, felt
from services.storage.digests import DigestMemory

Category = Literal["pattern", "summary"]
# Seldom things do not make a pattern, and a short list is read where a long one is not.
RECURRING = 3
MOST_ENTITIES = 5
TALKER_SHARE = 0.25
# A rule's insight says less than the memories it rests on.
RULE_IMPORTANCE = 4
LLM_IMPORTANCE = 8
MOST_PREFERENCES = 8
# Each half of a time needs this many emotions before a turn of the mood means anything.
EMOTIONS_A_HALF = 3
TURN = 0.3


@dataclass(frozen=True, slots=True)
class NewInsight:
    """A conclusion. `slot` is what a later one of the same subject replaces, empty for an LLM's.

    `importance` is 1 to 10.
    """

    content: str
    category: Category
    source_memory_ids: tuple[UUID, ...]
    slot: str = ""
    importance: int = RULE_IMPORTANCE


def local_insights(memories: Sequence[DigestMemory]) -> list[NewInsight]:
    """What rules can conclude from the memories; nothing where there is too little to see."""
    return [*_recurring(memories), *_preferences(memories), *_mood(memories)]


def _recurring(memories: Sequence[DigestMemory]) -> Iterator[NewInsight]:
    by_entity: defaultdict[str, list[DigestMemory]] = defaultdict(list)
    for memory in memories:
        for entity in dict.fromkeys(memory.entities):
            by_entity[entity].append(memory)
    often = [(name, about) for name, about in by_entity.items() if len(about) >= RECURRING]
    # Whoever is in a quarter of all memories is one of those who talk, not a pattern.
    often = [(name, about) for name, about in often if len(about) <= TALKER_SHARE * len(memories)]
    often.sort(key=lambda pair: (-len(pair[1]), pair[0]))
    for name, about in often[:MOST_ENTITIES]:
        yield NewInsight(
            f"{name} comes up again and again: {len(about)} memories {_span(about)}.",
            "pattern",
            tuple(memory.memory_id for memory in about),
            slot=f"insight/recurring/{name.casefold()}",
        )


def _preferences(memories: Sequence[DigestMemory]) -> Iterator[NewInsight]:
    # Extraction files them as facts of this category, who adds one by hand as this type.
    stated = [each for each in memories if "preference" in (each.memory_type, each.category)]
    if len(stated) < RECURRING:
        return
    newest = sorted(stated, key=lambda memory: memory.when)[-MOST_PREFERENCES:]
    listed = " ".join(_sentence(memory.content) for memory in newest)
    yield NewInsight(
        f"Preferences stated {_span(stated)}: {listed}",
        "summary",
        tuple(memory.memory_id for memory in newest),
        slot="insight/preferences",
    )


def _mood(memories: Sequence[DigestMemory]) -> Iterator[NewInsight]:
    emotional = sorted(felt(memories), key=lambda pair: pair[0].when)
    half = len(emotional) // 2
    if half < EMOTIONS_A_HALF:
        return
    earlier, later = emotional[:half], emotional[half:]
    before = sum(emotion.valence for _, emotion in earlier) / len(earlier)
    after = sum(emotion.valence for _, emotion in later) / len(later)
    if after - before >= TURN:
        turn = "brightened"
    elif before - after >= TURN:
        turn = "darkened"
    else:
        turn = f"stayed {_mood_word((before + after) / 2)}"
    yield NewInsight(
        f"The mood {turn} {_span([memory for memory, _ in emotional])}: "
        f"{_mood_word(before)} at first ({before:+.2f}), {_mood_word(after)} later ({after:+.2f}).",
        "summary",
        tuple(memory.memory_id for memory, _ in emotional),
        slot="insight/mood",
    )


def _mood_word(valence: float) -> str:
    if valence >= POSITIVE:
        return "mostly positive"
    return "mostly negative" if valence <= NEGATIVE else "mixed"


def _span(memories: Sequence[DigestMemory]) -> str:
    """ "from January 2025 to May 2026", or "in May 2026"."""
    times = sorted(memory.when for memory in memories)
    first, last = _month(times[0]), _month(times[-1])
    return f"in {first}" if first == last else f"from {first} to {last}"


def _month(moment: datetime) -> str:
    return f"{moment:%B %Y}"


def _sentence(content: str) -> str:
    return content if content.endswith((".", "!", "?", "。")) else content + "."
