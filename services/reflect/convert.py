"""Digests and the emotion profile as the contract has them."""

from collections.abc import Mapping

from mnema.v1 import reflect_service_pb2 as pb
from mnema.v1 import types_pb2 as types
from services.reflect.digest import Digested
from services.storage.digests import EmotionProfileRow

# The commonest labels and triggers that an answer names.
SHOWN = 10


def digest_response(digested: Digested) -> pb.DigestResponse:
    """The answer to Digest."""
    return pb.DigestResponse(
        insights_generated=len(digested.insights),
        insights=[
            pb.Insight(
                memory_id=str(stored.memory_id),
                content=stored.insight.content,
                category=stored.insight.category,
                source_memory_ids=[str(source) for source in stored.insight.source_memory_ids],
            )
            for stored in digested.insights
        ],
        emotion_profile=profile_message(digested.profile),
        memories_analyzed=digested.memories_analyzed,
    )


def profile_message(profile: EmotionProfileRow | None) -> types.EmotionProfile:
    """The emotion profile; an empty one before the first digest."""
    if profile is None:
        return types.EmotionProfile()
    count = max(profile.source_count, 1)
    message = types.EmotionProfile(
        latest_state=profile.latest_state,
        latest_state_period=profile.latest_state_period,
        latest_state_valence=profile.latest_state_valence,
        latest_state_arousal=profile.latest_state_arousal,
        valence_avg=profile.valence_sum / count,
        arousal_avg=profile.arousal_sum / count,
        dominant_emotions=[
            types.EmotionCount(label=label, count=times)
            for label, times in _commonest(profile.label_counts)
        ],
        emotion_triggers=[name for name, _ in _commonest(profile.trigger_counts)],
        source_count=profile.source_count,
        source_memory_ids=[str(source) for source in profile.source_memory_ids],
    )
    if profile.latest_state_period:  # else no memory has expressed an emotion yet
        message.latest_state_updated_at.FromDatetime(profile.latest_state_updated_at)
    if profile.last_reflected_at is not None:
        message.last_reflected_at.FromDatetime(profile.last_reflected_at)
    return message


def _commonest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The commonest first; of those that are as common, by name: JSON keeps no order."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:SHOWN]
