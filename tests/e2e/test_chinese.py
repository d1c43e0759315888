"""A conversation in Chinese, and one in two languages: remembered, recalled, thought over."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mnema.client import Mnema
from tests.e2e.gateway import Gateway, Tenant

SAID = datetime(2026, 5, 20, 4, tzinfo=UTC)
MESSAGES = [
    "你好！我叫王小明，我住在上海。",
    "我在腾讯工作，我喜欢吃火锅和爬山。",
    "我妹妹叫小红。",
    "昨天我和小红一起去看了一场电影，我特别开心！",
    "我对花生过敏。",
    "我在 Google 的朋友 Emma 下个月来看我。",
    "上个月我去云南旅游了。",
]


@pytest.fixture
def nm(gateway: Gateway, tenant: Tenant) -> Iterator[Mnema]:
    with Mnema(gateway.address, api_key=tenant.api_key, timeout=60) as client:
        yield client


@pytest.fixture
def told(nm: Mnema) -> Mnema:
    for text in MESSAGES:
        nm.ingest("xiaoming", "user", text, said_at=SAID)
    nm.wait_until_extracted("xiaoming")
    return nm


@pytest.mark.feature("N03")
@pytest.mark.feature("N06")
def test_chinese_facts_are_extracted_and_recalled_by_their_words(told: Mnema) -> None:
    for question, answer in (
        ("我住在哪里？", "住在上海。"),
        ("王小明在哪里工作？", "在腾讯工作。"),
        ("我喜欢吃什么？", "喜欢吃火锅和爬山。"),
        ("我妹妹叫什么名字？", "妹妹叫小红。"),
        ("我对什么过敏？", "对花生过敏。"),
    ):
        result = told.recall("xiaoming", question)
        contents = [each["content"] for each in result["vector_results"]]
        assert answer in contents[:3], (question, contents)
    mixed = told.recall("xiaoming", "Which friend 在 Google is coming?")
    assert any("Emma" in each["content"] for each in mixed["merged"])
    profile = told.recall("xiaoming", "我是谁")["user_profile"]
    assert profile["location"] == "上海"
    assert profile["identity"] == "王小明"
    trip = next(each for each in told.memories.iter("xiaoming") if "云南" in each.content)
    assert trip.event_at == datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.feature("N10")
def test_a_move_told_in_another_language_supersedes_the_home(told: Mnema) -> None:
    told.ingest("xiaoming", "user", "我这个月搬到北京了。")
    told.wait_until_extracted("xiaoming")
    homes = [each.content for each in told.memories.iter("xiaoming")]
    assert "搬到北京。" in homes
    assert "住在上海。" not in homes
    told.ingest("xiaoming", "user", "I moved to Berlin this week.")
    told.wait_until_extracted("xiaoming")
    homes = [each.content for each in told.memories.iter("xiaoming")]
    assert "搬到北京。" not in homes
    assert any("Berlin" in each for each in homes)


@pytest.mark.feature("N20")
@pytest.mark.feature("N11")
def test_a_digest_of_chinese_memories_makes_sense(told: Mnema) -> None:
    for text in ("我喜欢喝绿茶。", "我很喜欢看科幻小说。", "我讨厌下雨天。"):
        told.ingest("xiaoming", "user", text)
    told.wait_until_extracted("xiaoming")
    result = told.digest("xiaoming")
    said = " ".join(each["content"] for each in result["insights"])
    assert "喜欢喝绿茶" in said
    profile = result["emotion_profile"]
    assert profile["latest_state_valence"] != 0
    assert "joyful" in {each["label"] for each in profile["dominant_emotions"]}
