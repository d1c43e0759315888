"""Extraction by rules: which facts are found, and above all which are not."""

from datetime import UTC, datetime

import pytest

from services.ingest.extraction.local.extractor import read
from services.ingest.extraction.model import (
    EntityRef,
    Extraction,
)
from tests.unit.extraction_by_rules import batch, extract, facts, message, triples


@pytest.mark.parametrize(
    ("text", "relation", "name", "node_type", "content"),
    [
        ("I work at Google", "WORKS_AT", "Google", "ORGANIZATION", "Works at Google."),
        ("i work at google", "WORKS_AT", "Google", "ORGANIZATION", "Works at Google."),
        ("Actually, I work at Acme now.", "WORKS_AT", "Acme", "ORGANIZATION", "Works at Acme."),
        ("I just joined Initech!", "WORKS_AT", "Initech", "ORGANIZATION", "Works at Initech."),
        ("We live in Lisbon.", "LIVES_IN", "Lisbon", "LOCATION", "Lives in Lisbon."),
        ("I was born in Lima.", "BORN_IN", "Lima", "LOCATION", "Was born in Lima."),
        ("I live in Lima, Peru.", "LIVES_IN", "Lima, Peru", "LOCATION", "Lives in Lima, Peru."),
        (
            "I studied physics at the University of Toronto.",
            "STUDIED_AT", "University of Toronto", "ORGANIZATION",
            "Studied physics at University of Toronto.",
        ),
        ("I speak Spanish.", "SPEAKS", "Spanish", "SKILL", "Speaks Spanish."),
        ("I have a dog named Toby.", "OWNS", "Toby", "ENTITY", "Has a dog named Toby."),
        ("My cat Luna is sick.", "OWNS", "Luna", "ENTITY", "Has a cat named Luna."),
        ("I can code in Rust.", "HAS_SKILL", "Rust", "SKILL", "Knows Rust."),
        ("I play tennis on Sundays.", "HOBBY", "tennis", "CONCEPT", "Plays tennis."),
        ("I took up pottery.", "HOBBY", "pottery", "CONCEPT", "Has a hobby: pottery."),
        ("I visited Rome last summer.", "VISITED", "Rome", "LOCATION", "Visited Rome."),
        ("I met Priya Raman yesterday.", "MET", "Priya Raman", "PERSON", "Met Priya Raman."),
        (
            "I went to a pottery workshop.",
            "ATTENDED", "pottery workshop", "EVENT", "Attended a pottery workshop.",
        ),
        ("My colleague Rob is ill.", "COLLEAGUE", "Rob", "PERSON", "Has a colleague named Rob."),
        ("My friend Leslie called.", "KNOWS", "Leslie", "PERSON", "Has a friend named Leslie."),
        ("My sister Anna called.", "sister", "Anna", "PERSON", "Has a sister named Anna."),
        ("I'm married to Tom.", "married_to", "Tom", "PERSON", "Is married to Tom."),
        ("I'm allergic to nuts.", "allergic_to", "nuts", "CONCEPT", "Is allergic to nuts."),
        ("I like to run.", "likes", "running", "CONCEPT", "Likes running."),
        ("I don't like cilantro.", "dislikes", "cilantro", "CONCEPT", "Dislikes cilantro."),
        ("I prefer tea to coffee.", "prefers", "tea", "CONCEPT", "Prefers tea to coffee."),
        ("I use Neovim every day.", "USES", "Neovim", "ENTITY", "Uses Neovim."),
    ],
)  # fmt: skip
def test_a_statement_gives_a_triple_and_a_memory(
    text: str, relation: str, name: str, node_type: str, content: str
) -> None:
    found = extract(text)
    assert (relation, EntityRef(name, node_type)) in {
        (each.custom_relation or each.relation, each.object) for each in found.triples
    }
    assert content in {each.content for each in found.memories}
    assert {each.subject for each in found.triples} == {EntityRef("alice", "USER")}


@pytest.mark.parametrize(
    ("text", "content", "occupation"),
    [
        (
            "I work at Google as a backend engineer", "Works at Google as a backend engineer.",
            "backend engineer at Google",
        ),
        (
            "I work as a backend engineer at Google.", "Works at Google as a backend engineer.",
            "backend engineer at Google",
        ),
        ("I work for Acme as a nurse.", "Works at Acme as a nurse.", "nurse at Acme"),
        ("i work at google as a nurse", "Works at Google as a nurse.", "nurse at Google"),
        (
            "I work at Google in New York, as a senior project manager and I love it.",
            "Works at Google as a senior project manager.", "senior project manager at Google",
        ),
        ("I just joined Initech as a chef!", "Works at Initech as a chef.", "chef at Initech"),
        (
            "I got a job at Acme as an accountant.", "Works at Acme as an accountant.",
            "accountant at Acme",
        ),
        ("I work at Acme as their lead designer.", "Works at Acme as a lead designer.",
         "lead designer at Acme"),
        ("I work at a hospital as a nurse.", "Works at a hospital as a nurse.", "nurse"),
        ("I work as a nurse at a hospital.", "Works at a hospital as a nurse.", "nurse"),
    ],
)  # fmt: skip
def test_employer_and_title_in_either_order(text: str, content: str, occupation: str) -> None:
    found = extract(text)
    assert facts(found)[content] == "alice/employer"
    assert ("occupation", occupation) in {(each.key, each.value) for each in found.profile_updates}


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("I work at Google as well.", "Works at Google."),
        ("I work at Google as of May.", "Works at Google."),
        ("I work at Google as far as my doctor knows.", "Works at Google."),
        ("I work at Google as if I were a machinist.", "Works at Google."),
        ("I work at Google as a big fan of the place.", "Works at Google."),
        ("I work at Google and dress up as a pilot.", "Works at Google."),
        ("I work at Google, my brother as a pilot.", "Works at Google."),
    ],
)
def test_not_every_as_begins_a_title(text: str, content: str) -> None:
    found = extract(text)
    assert content in facts(found)
    assert "works at Google" in {each.value for each in found.profile_updates}


@pytest.mark.parametrize("text", ["I work as a nurse.", "I'm working as a nurse in Rome."])
def test_a_title_needs_no_employer(text: str) -> None:
    found = extract(text)
    assert facts(found)["Is a nurse."] == "alice/occupation"
    assert ("occupation", "nurse") in {(each.key, each.value) for each in found.profile_updates}
    assert extract("I don't work as a nurse. She works as a nurse.").profile_updates == ()


def test_a_title_that_is_over_is_in_no_profile() -> None:
    found = extract("I used to work for IBM as a nurse.")
    assert facts(found) == {"Used to work at IBM as a nurse.": None}
    assert found.profile_updates == ()


@pytest.mark.parametrize(
    "text",
    [
        "Do I work at Google?",
        "Should I move to Berlin?",
        "If I lived in Paris, I would work at Google.",
        "If I work at Google, I live in Zurich.",
        "I wish I lived in Rome.",
        "I want to move to Berlin.",
        "I might work at Apple and live in Dublin.",
        "I'd love to live in Tokyo.",
        "I hope to study at MIT.",
        "Maybe I live in Boston.",
        "Imagine I work at NASA.",
        'She said "I live in Rome" and left.',
        "She said I live in Rome.",
        "He told me, I work at Google.",
        "> I work at Google",
        "```\nI work at Google\n```",
        "I don't work at Google.",
        "I never lived in Boston.",
        "I love it! I love you. I like how you did that. I like your dress.",
        "We're like a family.",
        "I work at night and live in fear.",
        "I went to work and came to terms with it.",
        "I left early. I left Anna at home.",
        "Thankfully, my son is fine. My Mom called. My Monday was bad.",
        "Everyone lives in Boston. Nobody works at Google. Nature lives in us.",
        "Will you go? Mark my words. May is nice. Hope lives in us.",
        "I have a car accident to report and a house party to plan.",
        "I met up with people. I know right.",
    ],
)
def test_what_is_no_statement_gives_no_triple_and_no_fact(text: str) -> None:
    found = extract(text)
    assert triples(found) == set()
    assert facts(found) == {}
    assert found.profile_updates == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I used to work at IBM.", ("alice", "WORKS_AT", "IBM", True)),
        ("I no longer live in Boston.", ("alice", "LIVES_IN", "Boston", True)),
        ("I don't live in Boston anymore.", ("alice", "LIVES_IN", "Boston", True)),
        ("I worked at Siemens for years.", ("alice", "WORKS_AT", "Siemens", True)),
        ("I left Google in March.", ("alice", "WORKS_AT", "Google", True)),
        ("I was laid off from Meta.", ("alice", "WORKS_AT", "Meta", True)),
        ("I used to love skiing.", ("alice", "loves", "skiing", True)),
    ],
)
def test_what_is_over_is_ended_and_fills_no_slot(
    text: str, expected: tuple[str, str, str, bool]
) -> None:
    found = extract(text)
    assert triples(found) == {expected}
    assert {each.slot for each in found.memories} == {None}


def test_a_move_ends_one_home_and_starts_another() -> None:
    found = extract("I moved from Boston to Seattle last week.", speaker="Caroline")
    by_place = {each.object.name: each for each in found.triples}
    last_week = datetime(2023, 5, 1, tzinfo=UTC)
    assert (by_place["Boston"].ended, by_place["Boston"].valid_to) == (True, last_week)
    assert (by_place["Seattle"].ended, by_place["Seattle"].valid_from) == (False, last_week)
    assert facts(found) == {"Caroline moved from Boston to Seattle.": "caroline/location"}


@pytest.mark.parametrize(
    "text",
    [
        "I like coffee and I prefer dark mode.", "I love hiking.", "I don't like cilantro.",
        "I used to love skiing.", "I'm interested in jazz.", "My favorite color is blue.",
        "我喜欢喝茶。", "我不喜欢下雨天。", "我最喜欢的颜色是蓝色。", "我对摄影很感兴趣。",
        "我不喝咖啡。",
    ],
)  # fmt: skip
def test_tastes_are_facts_of_a_category_of_their_own(text: str) -> None:
    kinds = {(each.memory_type, each.category) for each in extract(text).memories}
    assert kinds == {("fact", "preference")}


def test_what_is_no_taste_is_in_another_category() -> None:
    found = extract("I'm a nurse. I'm 29 years old. I play tennis. My hobby is chess. I'm vegan.")
    assert {each.category for each in found.memories} == {"work", "personal", "hobby", "health"}


def test_a_taste_keeps_the_emotion_it_is_told_with() -> None:
    taste, job = extract("I love hiking! I work at Google, wow!").memories
    assert taste.emotion is not None
    assert job.emotion is None


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("I live in Austin.", "alice/location"),
        ("I work at Google.", "alice/employer"),
        ("I'm a nurse.", "alice/occupation"),
        ("I was born in Lima.", "alice/birthplace"),
        ("I'm 29 years old.", "alice/age"),
        ("My wife is called Maria.", "alice/partner"),
        ("My name is Alice Brown.", "alice/name"),
        ("My birthday is on May 3rd.", "alice/birthday"),
        ("I'm vegan.", "alice/diet"),
        ("My favorite color is blue.", "alice/favorite_color"),
    ],
)
def test_single_valued_facts_have_a_slot(text: str, slot: str) -> None:
    assert slot in facts(extract(text)).values()


@pytest.mark.parametrize(
    "text",
    ["I speak Spanish.", "I love hiking.", "My friend Tom is here.", "I have a dog.", "I use Git."],
)
def test_multi_valued_facts_have_no_slot(text: str) -> None:
    found = facts(extract(text))
    assert found
    assert set(found.values()) == {None}


def test_a_named_speaker_is_a_person() -> None:
    found = extract("I work at Google and live in Zurich.", speaker="Caroline")
    assert {each.subject for each in found.triples} == {EntityRef("Caroline", "PERSON")}
    assert facts(found) == {
        "Caroline works at Google.": "caroline/employer",
        "Caroline lives in Zurich.": "caroline/location",
    }


def test_a_third_person_with_a_name() -> None:
    found = extract("Anna works at Siemens and speaks German.")
    assert triples(found) == {
        ("anna", "WORKS_AT", "Siemens", False),
        ("anna", "SPEAKS", "German", False),
    }
    assert found.profile_updates == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "I work at Google and my friend Bob Smith lives in New York.",
            {
                ("alice", "WORKS_AT", "Google", False), ("alice", "KNOWS", "Bob Smith", False),
                ("bob_smith", "LIVES_IN", "New York", False),
            },
        ),
        (
            "I work at Google but Anna lives in Rome and Tom Brown works at Siemens.",
            {
                ("alice", "WORKS_AT", "Google", False), ("anna", "LIVES_IN", "Rome", False),
                ("tom_brown", "WORKS_AT", "Siemens", False),
            },
        ),
        (
            "Anna lives in Rome, and Tom works at Siemens, so I moved to Turin.",
            {
                ("anna", "LIVES_IN", "Rome", False), ("tom", "WORKS_AT", "Siemens", False),
                ("alice", "LIVES_IN", "Turin", False),
            },
        ),
        (
            "I love jazz and Anna loves tea.",
            {("alice", "loves", "jazz", False), ("anna", "loves", "tea", False)},
        ),
        (
            "I work at Google and he lives in Rome and works at Siemens.",
            {("alice", "WORKS_AT", "Google", False)},
        ),
    ],
)  # fmt: skip
def test_each_clause_has_its_own_subject(
    text: str, expected: set[tuple[str, str, str, bool]]
) -> None:
    assert triples(extract(text)) == expected


def test_a_clause_of_another_subject_is_about_that_one() -> None:
    found = extract("I work at Google and my friend Bob Smith lives in New York.")
    assert facts(found) == {
        "Works at Google.": "alice/employer",
        "Has a friend named Bob Smith.": None,
        "Bob Smith lives in New York.": "bob_smith/location",
    }


@pytest.mark.parametrize(
    "text",
    [
        "She said Tom left me and Anna lives in Rome.",
        "I think Tom is away and Anna lives in Rome.",
        "I'd be glad if Tom came and Anna moved to Rome.",
        "The friend of Tom and Anna works at Siemens.",
        "I read a book about Tom and Anna lives in Rome in it.",
        "I hope you are fine and Anna works at Siemens.",
    ],
)
def test_no_clause_begins_in_what_is_said_or_supposed(text: str) -> None:
    found = extract(text)
    assert triples(found) == set()
    assert facts(found) == {}


def test_a_relative_without_a_name_is_a_fact_but_no_node() -> None:
    found = extract("My sister works at Siemens.", speaker="Caroline")
    assert facts(found) == {"Caroline's sister works at Siemens.": "caroline_sister/employer"}
    assert found.triples == ()


@pytest.mark.parametrize("role", ["assistant", "system", "tool"])
@pytest.mark.parametrize("speaker", [None, "assistant"])
def test_other_roles_without_a_name_say_nothing(role: str, speaker: str | None) -> None:
    assert (
        extract("I work at Google. We moved to Rome.", role=role, speaker=speaker) == Extraction()
    )


def test_a_role_is_no_name() -> None:
    found = extract("I work at Google.", speaker="user")
    assert {each.subject for each in found.triples} == {EntityRef("alice", "USER")}


def test_a_statement_before_a_question_counts() -> None:
    assert triples(extract("I live in Boston, what about you?")) == {
        ("alice", "LIVES_IN", "Boston", False)
    }


def test_lists_become_one_memory_and_several_triples() -> None:
    found = extract("I love hiking, jazz and cooking with my family.")
    assert triples(found) == {
        ("alice", "loves", name, False) for name in ("hiking", "jazz", "cooking with their family")
    }
    assert facts(found) == {"Loves hiking, jazz and cooking with their family.": None}


def test_profile_updates() -> None:
    found = extract("My name is Alice Brown. I'm a nurse. I enjoy hiking. I hate rain.")
    assert {(each.key, each.value, each.mode) for each in found.profile_updates} == {
        ("identity", "Alice Brown", "set"),
        ("occupation", "nurse", "set"),
        ("interests", "hiking", "append"),
        ("preferences", "dislikes rain", "append"),
    }


def test_with_two_people_as_user_only_the_user_themself_updates_the_profile() -> None:
    both = batch(
        message("I work at Google.", speaker="Bob"), message("I love tea.", speaker="Alice")
    )
    assert [each.key for each in read(both).profile_updates] == ["preferences"]
