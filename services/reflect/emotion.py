"""The emotion profile: of late, weighted by recency, and over the long run.

Only emotion that was expressed, as the memories carry it. Nothing here guesses at a
personality or at values, and no prompt asks a model to (EU AI Act, article 5).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.storage.digests import DigestMemory, EmotionProfileRow
from services.storage.memory_rows import Emotion

# The recent state looks back this far from the newest memory; one a week older weighs 1/e.
RECENT = timedelta(days=14)
FADING = timedelta(days=7)
# From here an emotion counts as strong: what it was about is a trigger.
STRONG_VALENCE, STRONG_AROUSAL = 0.5, 0.6
# Between these a mood is called mixed.
POSITIVE, NEGATIVE = 0.15, -0.15
NAMED_LABELS = 3
# Names and labels kept with their counts; the rarest go first.
KEPT = 100
# Of the memories that the averages rest on, so many are named.
KEPT_SOURCES = 1000


@dataclass(frozen=True, slots=True)
class RecentState:
    """How somebody has been of late: valence −1 to 1, arousal 0 to 1, labels by weight."""

    period: str
    valence: float
    arousal: float
    labels: tuple[str, ...]

    def in_words(self) -> str:
        """Such as "mostly positive: happy, excited"."""
        if self.valence >= POSITIVE:
            mood = "mostly positive"
        elif self.valence <= NEGATIVE:
            mood = "mostly negative"
        else:
            mood = "mixed"
        return f"{mood}: {', '.join(self.labels)}" if self.labels else mood


def felt(memories: Sequence[DigestMemory]) -> list[tuple[DigestMemory, Emotion]]:
    """The memories that express an emotion, with it."""
    return [(memory, memory.emotion) for memory in memories if memory.emotion is not None]


def of_late(memories: Sequence[DigestMemory]) -> list[DigestMemory]:
    """Those that express an emotion, and are at most two weeks older than the newest of them."""
    emotional = [memory for memory, _ in felt(memories)]
    newest = max((memory.when for memory in emotional), default=None)
    return [memory for memory in emotional if newest and newest - memory.when <= RECENT]


def recent_state(memories: Sequence[DigestMemory]) -> RecentState | None:
    """The state around the newest memory that expresses an emotion; None if none does."""
    emotional = felt(of_late(memories))
    if not emotional:
        return None
    newest = max(memory.when for memory, _ in emotional)
    valence = arousal = total = 0.0
    labels: defaultdict[str, float] = defaultdict(float)
    for memory, emotion in emotional:
        weight = math.exp(-(newest - memory.when) / FADING)
        valence += weight * emotion.valence
        arousal += weight * emotion.arousal
        total += weight
        if emotion.label:
            labels[emotion.label] += weight
    year, week, _ = newest.isocalendar()
    return RecentState(
        period=f"{year}-W{week:02d}",
        valence=valence / total,
        arousal=arousal / total,
        labels=tuple(sorted(labels, key=lambda label: (-labels[label], label))[:NAMED_LABELS]),
    )


def updated(
    known: EmotionProfileRow | None,
    memories: Sequence[DigestMemory],
    recent: Sequence[DigestMemory],
    state_text: str,
    now: datetime,
) -> EmotionProfileRow:
    """The profile after these memories. If none expresses an emotion the recent state stays.

    `recent` are the memories of late, earlier digests' as well: `state_text` speaks of them.
    """
    before = known or _empty(now)
    emotional = felt(memories)
    labels, triggers = Counter(before.label_counts), Counter(before.trigger_counts)
    for memory, emotion in emotional:
        if emotion.label:
            labels[emotion.label] += 1
        if abs(emotion.valence) >= STRONG_VALENCE or emotion.arousal >= STRONG_AROUSAL:
            triggers.update(set(memory.entities))
    after = replace(
        before,
        revision=before.revision + 1,
        valence_sum=before.valence_sum + sum(emotion.valence for _, emotion in emotional),
        arousal_sum=before.arousal_sum + sum(emotion.arousal for _, emotion in emotional),
        source_count=before.source_count + len(emotional),
        label_counts=_most_common(labels),
        trigger_counts=_most_common(triggers),
        last_reflected_at=now,
        source_memory_ids=_sources(before, [memory for memory, _ in emotional]),
    )
    state = recent_state(recent)
    if state is None or not emotional:
        return after
    return replace(
        after,
        latest_state=state_text,
        latest_state_period=state.period,
        latest_state_valence=state.valence,
        latest_state_arousal=state.arousal,
        latest_state_updated_at=now,
    )


def _empty(now: datetime) -> EmotionProfileRow:
    return EmotionProfileRow(0, "", "", 0.0, 0.0, now, 0.0, 0.0, 0)


def _sources(before: EmotionProfileRow, new: Sequence[DigestMemory]) -> tuple[UUID, ...]:
    ids = [memory.memory_id for memory in reversed(new)]
    return tuple(dict.fromkeys([*ids, *before.source_memory_ids]))[:KEPT_SOURCES]


def _most_common(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(counts).most_common(KEPT))
