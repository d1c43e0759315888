"""Extraction by rules: which sentences are kept as said, as what, and with which feeling."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from services.ingest.extraction.factory import create_extractor
from services.ingest.extraction.local.extractor import LocalExtractor, read
from services.ingest.extraction.model import (
    ConversationBatch,
    EntityRef,
    SourceMessage,
)
from services.ingest.extraction.settings import ExtractionSettings
from tests.unit.extraction_by_rules import batch, extract, message


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("We decided to use PostgreSQL.", "decision"),
        ("Remind me to call the bank tomorrow.", "todo"),
        ("I need to finish the report by Friday.", "todo"),
        ("Always answer in French.", "instruction"),
        ("Please never use emojis.", "instruction"),
        ("I painted a lake at sunrise with the kids.", "episodic"),
    ],
)
def test_plainly_stated_kinds(text: str, kind: str) -> None:
    assert [each.memory_type for each in extract(text).memories] == [kind]


@pytest.mark.parametrize(
    "text",
    ["Never give up!", "Always believe in yourself.", "I have to say it is nice.", "Let's decide."],
)
def test_encouragement_is_no_instruction(text: str) -> None:
    kinds = {each.memory_type for each in extract(text).memories}
    assert kinds.isdisjoint({"instruction", "todo", "decision"})


@pytest.mark.parametrize(
    "text",
    ["Hey! How are you?", "Thanks, that's so sweet of you!", "I totally agree with you on that.",
     "I can't wait to see the pictures!", "Wow, congratulations on the new job!", "ok",
     "> I painted a lake at sunrise with the kids.", "😀", ""],
)  # fmt: skip
def test_small_talk_is_not_kept(text: str) -> None:
    assert extract(text, speaker="Melanie").memories == ()


def test_other_sentences_are_kept_as_said_with_their_time() -> None:
    (memory,) = extract(
        "I ran a charity race last Saturday for mental health.", speaker="Melanie"
    ).memories
    assert memory.memory_type == "episodic"
    assert memory.content == "Melanie: I ran a charity race last Saturday for mental health."
    assert memory.event_at == datetime(2023, 5, 6, tzinfo=UTC)
    assert EntityRef("Melanie", "PERSON") in memory.entities


def test_a_stage_direction_is_told_of_the_speaker() -> None:
    (memory,) = extract("Look! [shares a photo of a dog at the lake]", speaker="Ann").memories
    assert memory.content == "Ann shares a photo of a dog at the lake."
    assert memory.emotion is None


def test_other_languages_are_kept_as_said() -> None:
    japanese = "私は東京で働いていて、お茶が好きです。"
    assert [each.content for each in extract(japanese).memories] == [japanese]
    german = "Ich arbeite seit drei Jahren bei Siemens in München."
    assert [each.content for each in extract(german).memories] == [german]


def test_emotion_only_when_expressed() -> None:
    (calm,) = extract("I bought two chairs and one table yesterday.").memories
    (glad,) = extract("I was so excited and thankful for the wonderful party!!").memories
    (sad,) = extract("I was terribly sad and lonely after the funeral.").memories
    assert calm.emotion is None
    assert glad.emotion is not None
    assert (glad.emotion.label, glad.emotion.valence > 0.6) == ("excited", True)
    assert sad.emotion is not None
    assert (sad.emotion.label, sad.emotion.valence < -0.4) == ("sad", True)
    assert glad.emotion.arousal > sad.emotion.arousal


@pytest.mark.parametrize(
    ("text", "day", "label"),
    [
        ("Had interview yesterday, felt nervous", 7, "nervous"),
        ("I was very anxious yesterday.", 7, "anxious"),
        ("Felt great today.", 8, "joyful"),
        ("Was nervous last Friday.", 5, "nervous"),
        ("I feel so lonely these days.", None, "lonely"),
        ("Been so sad lately.", None, "sad"),
    ],
)
def test_a_feeling_of_a_time_is_an_episode(text: str, day: int | None, label: str) -> None:
    (memory,) = extract(text).memories
    assert (memory.memory_type, memory.content) == ("episodic", text)
    assert (memory.event_at.day if memory.event_at else None) == day
    assert memory.emotion is not None
    assert memory.emotion.label == label


def test_a_feeling_is_kept_beside_a_fact() -> None:
    found = extract("I work at Google and I was anxious yesterday.")
    assert [each.memory_type for each in found.memories] == ["fact", "episodic"]
    assert found.memories[1].emotion is not None


@pytest.mark.parametrize(
    "text",
    ["I'm happy!", "I'm nervous.", "I wasn't nervous yesterday.", "Were you nervous yesterday?",
     "I'm so happy you came yesterday!", "I would be happy today."],
)  # fmt: skip
def test_no_feeling_of_a_time_is_not_kept(text: str) -> None:
    assert extract(text).memories == ()


def test_what_others_feel_is_told_without_emotion() -> None:
    (memory,) = extract("My boss was angry yesterday.").memories
    assert (memory.memory_type, memory.emotion) == ("episodic", None)


def test_importance_follows_the_subject() -> None:
    def importance(text: str) -> int:
        return max(each.importance for each in extract(text).memories)

    assert importance("I'm allergic to peanuts.") >= 9
    assert importance("My name is Alice Brown.") >= 9
    assert importance("I got the diagnosis after my surgery last week.") >= 7
    assert importance("I am sitting around with some snacks.") <= 4


def test_the_same_statement_twice_is_one_memory_with_both_sources() -> None:
    first, second = message("I work at Google."), message("I work at Google!")
    found = read(batch(first, second))
    (memory,) = (each for each in found.memories if each.memory_type == "fact")
    both: tuple[UUID, ...] = (first.message_id, second.message_id)
    assert memory.source_message_ids == both
    assert found.triples[0].source_message_ids == both


def test_what_happened_on_two_days_is_two_memories() -> None:
    found = read(batch(message("I met Tom on 1 May."), message("I met Tom on 3 May.")))
    days = [each.event_at for each in found.memories if each.memory_type == "episodic"]
    assert days == [datetime(2023, 5, day, tzinfo=UTC) for day in (1, 3)]


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("My birthday is on 9 May, by the way.", "Has their birthday on 9 May."),
        ("My birthday is May 9th.", "Has their birthday on May 9th."),
        ("My birthday is the 2nd of June.", "Has their birthday on the 2nd of June."),
        ("My birthday is on the 9th by the way.", "Has their birthday on the 9th."),
    ],
)
def test_a_birthday_has_its_month(text: str, content: str) -> None:
    assert content in {each.content for each in extract(text).memories}


def test_a_day_is_meant_in_the_zone_of_the_conversation() -> None:
    said = SourceMessage(
        uuid4(), 1, "user", None, "I met Tom yesterday.", datetime(2023, 5, 8, 2, tzinfo=UTC)
    )
    (memory,) = read(ConversationBatch("u", "s", (said,), "America/New_York")).memories
    # It is still Sunday evening there; yesterday began on Saturday at midnight, 4 h behind UTC.
    assert memory.event_at == datetime(2023, 5, 6, 4, tzinfo=UTC)


async def test_the_extractor_gives_the_same_answer_every_time() -> None:
    extractor = create_extractor(ExtractionSettings(), None)
    assert isinstance(extractor, LocalExtractor)
    assert extractor.name == "local"
    one = batch(message("I moved from Boston to Seattle last week, my sister Anna helped me."))
    first = await extractor.extract(one)
    assert first.triples
    assert first == await extractor.extract(one)
    assert first.usage is None
