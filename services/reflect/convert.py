"""Digests and the emotion profile as the contract has them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from mnema.v1 import reflect_service_pb2 as pb
from mnema.v1 import types_pb2 as types
from services.contract.convert_message import timestamp_of
from services.reflect.digest import Digested
from services.storage.digest_runs import DigestRow, InsightRow, State, Trigger
from services.storage.digests import EmotionProfileRow

# The commonest labels and triggers that an answer names.
SHOWN = 10


STATES: Mapping[State, pb.DigestState.ValueType] = {
    "pending": pb.DIGEST_STATE_PENDING,
    "running": pb.DIGEST_STATE_RUNNING,
    "done": pb.DIGEST_STATE_DONE,
    "failed": pb.DIGEST_STATE_FAILED,
}
TRIGGERS: Mapping[Trigger, pb.DigestTrigger.ValueType] = {
    "call": pb.DIGEST_TRIGGER_CALL,
    "interval": pb.DIGEST_TRIGGER_INTERVAL,
}


def digest_response(digested: Digested, digest_id: UUID | None) -> pb.DigestResponse:
    """The answer to Digest; without an id if there was nothing to digest."""
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
        digest_id=str(digest_id or ""),
    )


def digest_message(
    row: DigestRow,
    insights: Sequence[InsightRow] = (),
    profile: EmotionProfileRow | None = None,
) -> pb.Digest:
    """A digest with what it brought, as far as that is given."""
    message = pb.Digest(
        digest_id=str(row.digest_id),
        state=STATES[row.state],
        trigger=TRIGGERS[row.trigger],
        batch_size=row.batch_size,
        attempts=row.attempts,
        error=row.error,
        error_reason=row.error_reason,
        memories_analyzed=row.memories_analyzed,
        insights_generated=row.insights_generated,
        insights=[
            pb.Insight(
                memory_id=str(insight.memory_id),
                content=insight.content,
                category=insight.category,
                source_memory_ids=map(str, insight.source_memory_ids),
            )
            for insight in insights
        ],
        emotion_profile=profile_message(profile),
        created_at=timestamp_of(row.recorded_at),
    )
    if row.started_at is not None:
        message.started_at.FromDatetime(row.started_at)
    if row.finished_at is not None:
        message.finished_at.FromDatetime(row.finished_at)
    return message


def state_name(state: pb.DigestState.ValueType) -> str:
    """A state as it is stored; empty for the one that means any."""
    return next((name for name, value in STATES.items() if value == state), "")


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
