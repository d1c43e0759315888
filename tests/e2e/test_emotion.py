"""Emotion at three levels: of a memory, of late, over the long run; as it was expressed."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mnema.client import Mnema
from tests.e2e.gateway import Gateway, Tenant

pytestmark = pytest.mark.feature("N20")

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
PROFILE = {
    *("latest_state", "latest_state_period", "latest_state_valence", "latest_state_arousal"),
    *("latest_state_updated_at", "valence_avg", "arousal_avg", "dominant_emotions"),
    *("emotion_triggers", "last_reflected_at", "source_memory_ids", "source_count"),
}


@pytest.fixture
def nm(gateway: Gateway, tenant: Tenant) -> Iterator[Mnema]:
    with Mnema(gateway.address, api_key=tenant.api_key, timeout=60) as client:
        yield client


def test_each_memory_has_the_emotion_that_was_expressed(nm: Mnema) -> None:
    nm.ingest("alice", "user", "I was thrilled about the trip to Rome yesterday!")
    nm.ingest("alice", "user", "I took the train to the office yesterday.")
    nm.ingest("alice", "user", "我今天特别难过，因为我的猫昨天去世了。")
    nm.wait_until_extracted("alice")
    felt = {each.content: each.emotion for each in nm.memories.iter("alice")}
    thrilled = next(emotion for text, emotion in felt.items() if "thrilled" in text)
    assert thrilled is not None
    assert thrilled.label == "thrilled"
    assert thrilled.valence > 0.4
    assert 0 < thrilled.arousal <= 1
    sad = next(emotion for text, emotion in felt.items() if "难过" in text)
    assert sad is not None
    assert sad.label == "sad"
    assert sad.valence < 0
    assert all(emotion is None for text, emotion in felt.items() if "train" in text)


def test_a_feeling_alone_is_an_episode_and_another_persons_is_not_ones_own(nm: Mnema) -> None:
    for text in (
        "Had interview yesterday, felt nervous",
        "说到面试时很紧张",
        "My boss was angry today.",
    ):
        nm.ingest("alice", "user", text, said_at=NOW)
    nm.wait_until_extracted("alice")
    kept = {each.content: each for each in nm.memories.iter("alice", "episodic")}
    felt = {text: each.emotion.label if each.emotion else None for text, each in kept.items()}
    assert felt == {
        "Had interview yesterday, felt nervous": "nervous",
        "说到面试时很紧张": "afraid",
        "My boss was angry today.": None,
    }
    event_at = kept["Had interview yesterday, felt nervous"].event_at
    assert event_at == datetime(2026, 5, 19, tzinfo=UTC)


def test_the_profile_has_all_fields_and_exact_means(nm: Mnema) -> None:
    assert nm.emotion_profile("alice")["source_count"] == 0
    felt = [(0.9, 0.8, "happy", 1), (-0.7, 0.6, "sad", 8), (0.3, 0.1, "calm", 30)]
    ids: list[str] = []
    for count, batch in ((2, felt[:2]), (3, felt[2:])):
        for valence, arousal, label, age in batch:
            made = nm.add_memory(
                "alice",
                f"It was {label} {age} days ago in Rome",
                memory_type="episodic",
                emotion={"valence": valence, "arousal": arousal, "label": label},
                event_at=NOW - timedelta(days=age),
            )
            ids.append(made.id)
        nm.add_memory("alice", f"The desk is brown, says note {count}.")
        result = nm.digest("alice")
        profile = result["emotion_profile"]
        so_far = felt[:count]
        assert set(profile) == PROFILE
        assert profile["source_count"] == count
        assert profile["valence_avg"] == pytest.approx(sum(each[0] for each in so_far) / count)
        assert profile["arousal_avg"] == pytest.approx(sum(each[1] for each in so_far) / count)
        assert profile["source_memory_ids"] == ids[::-1]
        assert {each["label"] for each in profile["dominant_emotions"]} == {
            each[2] for each in so_far
        }
        assert profile["latest_state"]
        assert profile["latest_state_updated_at"] is not None
        assert profile["last_reflected_at"] is not None
        # A week older weighs 1/e of the newest; what is a month old is not of late.
        weight = math.exp(-1)
        recent = (0.9 - 0.7 * weight) / (1 + weight)
        assert profile["latest_state_valence"] == pytest.approx(recent)
        year, week, _ = (NOW - timedelta(days=1)).isocalendar()
        assert profile["latest_state_period"] == f"{year}-W{week}"
        assert nm.emotion_profile("alice") == profile


def test_without_emotion_there_is_no_state(nm: Mnema) -> None:
    nm.add_memory("alice", "The desk is brown.")
    profile = nm.digest("alice")["emotion_profile"]
    assert (profile["latest_state"], profile["latest_state_period"]) == (None, None)
    assert profile["latest_state_updated_at"] is None
    assert (profile["source_count"], profile["source_memory_ids"]) == (0, [])
