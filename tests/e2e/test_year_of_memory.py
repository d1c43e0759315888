"""A year in which a person moves three times, changes jobs twice, and is corrected once.

What was said is told month by month, each month at a record time of its own. As of each of them
every question is answered as it would have been then, and a rollback and its undoing bring the same
answers back. The dates of the messages give the other time: when it was true.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from mnema.client import InvalidArgument, Memory, Mnema, NotFound
from mnema.client.graph import EdgeType, NodeType
from tests.e2e.gateway import Gateway

NAME = "Nora"


@dataclass(frozen=True)
class Life:
    """What is known after a month."""

    city: str = "Bergen"
    employer: str = "Harbour Labs"
    birthplace: str = "Paris"
    colour: str | None = None
    phone: str | None = None
    messages: int = 0

    @property
    def facts(self) -> dict[str, str]:
        """Where the questions lead, by the slot that holds the answer."""
        known = {"location": self.city, "employer": self.employer, "birthplace": self.birthplace}
        return known | ({"favorite_color": self.colour} if self.colour else {})

    @property
    def edges(self) -> set[tuple[str, str]]:
        return {
            ("LIVES_IN", self.city), ("WORKS_AT", self.employer), ("BORN_IN", self.birthplace),
        }  # fmt: skip


# Each month: what is said, the phone number that is noted (None: none is), and what changes.
YEAR: list[tuple[tuple[str, ...], str | None, dict[str, Any]]] = [
    (("I live in Bergen.", "I work at Harbour Labs.", "I was born in Paris."), None, {}),
    (("The ferry was late again.",), "111", {"phone": "111"}),
    (("I just moved to Oslo.",), None, {"city": "Oslo"}),
    (("My favorite color is green.",), None, {"colour": "green"}),
    (("I just joined Northwind!",), None, {"employer": "Northwind"}),
    (("It rained all month.",), "222", {"phone": "222"}),
    (("I just moved to Turin.",), None, {"city": "Turin"}),
    (("Actually, I was born in Lyon.",), None, {"birthplace": "Lyon"}),
    (("Actually, I work at Polar Foods now.",), None, {"employer": "Polar Foods"}),
    (("My favorite color is blue.",), "", {"colour": "blue", "phone": None}),
    (("I have just moved to Rome.",), None, {"city": "Rome"}),
    (("The year went by quickly.",), "333", {"phone": "333"}),
]

EVERYWHERE = frozenset(
    value for _, _, changes in YEAR for key, value in changes.items() if value and key != "phone"
) | {"Bergen", "Harbour Labs", "Paris"}


@dataclass(frozen=True)
class Told:
    """A user whose year was told, and when each month had been told."""

    client: Mnema
    user_id: str
    months: list[tuple[datetime, Life]]


@pytest.fixture
def told(gateway: Gateway, user_id: str) -> Iterator[Told]:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as client:
        months, life = [], Life()
        for month, (said, phone, changes) in enumerate(YEAR, start=1):
            messages = [
                {
                    "role": "user",
                    "speaker": NAME,
                    "content": each,
                    "said_at": datetime(2025, month, 10, 9, 0, position, tzinfo=UTC),
                }
                for position, each in enumerate(said)
            ]
            client.ingest_batch(user_id, messages, session_id="year")
            client.wait_until_extracted(user_id, timeout=60)
            if phone:
                client.kv.set(user_id, "contact", "phone", phone)
            elif phone == "":
                client.kv.delete(user_id, "contact", "phone")
            life = replace(life, **changes, messages=life.messages + len(said))
            months.append((datetime.now(UTC), life))
        yield Told(client, user_id, months)


def day(month: int, number: int) -> datetime:
    return datetime(2025, month, number, tzinfo=UTC)


def edges_of(told: Told, as_of: datetime | None) -> set[tuple[str, str]]:
    near = told.client.graph.get_neighbors(told.user_id, NodeType.PERSON, NAME.lower(), as_of=as_of)
    wanted = {EdgeType.LIVES_IN, EdgeType.WORKS_AT, EdgeType.BORN_IN}
    return {(each.edge.relation, each.node.name) for each in near if each.edge.edge_type in wanted}


def facts_of(memories: list[Memory]) -> dict[str, str]:
    return {each.slot.rpartition("/")[2]: each.content for each in memories if each.slot}


def check(told: Told, life: Life, as_of: datetime | None, *, recall: bool = True) -> None:
    """Everything that can be asked, as of a moment or now, is answered as `life` has it."""
    client, user_id = told.client, told.user_id
    facts = facts_of(client.memories.list(user_id, limit=200, as_of=as_of))
    assert facts.keys() == life.facts.keys()
    for slot, expected in life.facts.items():
        assert expected in facts[slot], (slot, facts)
    assert edges_of(told, as_of) == life.edges
    phone = client.kv.get(user_id, "contact", "phone", as_of=as_of)
    assert phone == life.phone
    if recall:
        check_recall(told, life, as_of)


def check_recall(told: Told, life: Life, as_of: datetime | None) -> None:
    """The same by asking."""
    stale = EVERYWHERE - set(life.facts.values())
    for question, expected in (
        (f"Where does {NAME} live?", life.city),
        (f"Where does {NAME} work?", life.employer),
        (f"Where was {NAME} born?", life.birthplace),
    ):
        answer = told.client.recall(told.user_id, question, as_of=as_of)
        assert not answer["degraded"]
        contents = [each["content"] for each in answer["vector_results"]]
        assert any(expected in each for each in contents), (question, contents)
        assert not [each for each in contents if any(name in each for name in stale)], question
        assert any(each.endswith(f"-> {expected}") for each in answer["graph_context"])
        assert answer["user_profile"]["location"] == life.city
        assert answer["user_profile"]["occupation"] == f"works at {life.employer}"


@pytest.mark.feature("N04")
@pytest.mark.feature("N09")
@pytest.mark.feature("X06")
def test_as_of_each_month_every_question_is_answered_as_it_was_then(told: Told) -> None:
    for moment, life in told.months:
        check(told, life, moment)
    check(told, told.months[-1][1], None)
    for moment, life in told.months:
        session = told.client.conversations.get_session(told.user_id, "year", as_of=moment)
        assert session.message_count == life.messages
        messages = told.client.conversations.get_session_messages(
            told.user_id, "year", as_of=moment
        )
        assert len(messages) == life.messages
        (listed,) = told.client.conversations.list_sessions(told.user_id, as_of=moment)
        assert listed == session
    later = told.client.conversations.get_session_messages(told.user_id, "year")[-1]
    with pytest.raises(NotFound):
        told.client.conversations.get_message(told.user_id, later.id, as_of=told.months[0][0])
    with pytest.raises(NotFound):
        told.client.conversations.get_session(
            told.user_id, "year", as_of=datetime(2025, 1, 1, tzinfo=UTC)
        )


@pytest.mark.feature("N09")
def test_when_it_was_true_is_another_time_than_when_it_was_told(told: Told) -> None:
    near = told.client.graph.get_neighbors(
        told.user_id, NodeType.PERSON, NAME.lower(), edge_types=["LIVES_IN"], include_closed=True
    )
    spans = sorted(
        (
            each.edge.valid_from.month,
            each.node.name,
            each.edge.valid_to and each.edge.valid_to.month,
        )
        for each in near
        if each.edge.valid_from
    )
    assert spans == [(1, "Bergen", 3), (3, "Oslo", 7), (7, "Turin", 11), (11, "Rome", None)]
    of_event = told.client.get_memories_by_time_range(
        told.user_id, day(8, 1), day(12, 1), by="event", limit=50
    )
    contents = [each.content for each in of_event]
    assert any("Polar Foods" in each for each in contents)
    assert any("Rome" in each for each in contents)
    assert told.client.get_memories_by_time_range(told.user_id, day(1, 1), day(12, 31)) == []
    recent = told.client.get_recent_memories(told.user_id, days=1)
    assert {each.id for each in of_event} <= {each.id for each in recent}


@pytest.mark.feature("N09")
def test_the_timeline_tells_everything_in_order(told: Told) -> None:
    spring = told.client.timeline(told.user_id, day(3, 1), day(8, 1), limit=100)
    times = [each["event_time"] for each in spring]
    assert times == sorted(times)
    said = [each["message"].content for each in spring if each["message"]]
    assert said == [YEAR[month][0][0] for month in (2, 3, 4, 5, 6)]
    # Oslo has been superseded since: the memory stood in April, and the edge has its end now.
    april = told.client.timeline(
        told.user_id, day(3, 1), day(4, 1), ["memory", "edge"], as_of=told.months[3][0]
    )
    (memory,) = [each["memory"] for each in april if each["memory"]]
    (edge,) = [each["edge"] for each in april if each["edge"]]
    assert "Oslo" in memory.content
    assert (memory.retracted_at, edge.valid_to) == (None, None)
    assert [each["kind"] for each in spring if each["event_time"] == times[0]] == [
        "edge", "message",
    ]  # fmt: skip
    newest = told.client.timeline(told.user_id, kinds="message", newest_first=True, limit=2)
    assert [each["message"].content for each in newest if each["message"]] == [
        YEAR[11][0][0], YEAR[10][0][0],
    ]  # fmt: skip
    every = list(told.client.iter_timeline(told.user_id))
    assert {each["kind"] for each in every} == {"memory", "message", "edge"}
    assert sum(each["kind"] == "message" for each in every) == 14


@pytest.mark.feature("N09")
@pytest.mark.feature("X06")
def test_a_rollback_and_its_undoing_bring_the_answers_back(told: Told) -> None:
    client, user_id = told.client, told.user_id
    june, life = told.months[5]
    done = client.rollback_memories(user_id, to_time=june)
    assert done["memories_retracted"] > 0
    assert done["memories_restored"] > 0
    assert done["edges_restored"] > 0
    assert done["key_values_restored"] > 0
    check(told, life, None)
    undo_at = datetime.now(UTC)
    # The past is what it was, before and after the rollback.
    for moment, then in told.months:
        check(told, then, moment, recall=moment >= june)
    assert client.conversations.get_session(user_id, "year").message_count == 14
    undone = client.undo_rollback(user_id, done["rollback_id"])
    assert undone["undoes"] == done["rollback_id"]
    check(told, told.months[-1][1], None)
    check(told, life, undo_at)
    for moment, then in told.months:
        check(told, then, moment, recall=False)
    assert [each["rollback_id"] for each in client.list_rollbacks(user_id)] == [
        undone["rollback_id"], done["rollback_id"],
    ]  # fmt: skip
    location = next(
        each for each in client.memories.list(user_id, limit=200, as_of=june)
        if (each.slot or "").endswith("/location")
    )  # fmt: skip
    reasons = [each.retracted_reason for each in client.memories.revisions(user_id, location.id)]
    assert reasons[0] == "superseded"
    assert "rolled_back" in reasons


@pytest.mark.feature("N09")
def test_life_goes_on_after_a_rollback(told: Told) -> None:
    client, user_id = told.client, told.user_id
    client.rollback_memories(user_id, to_time=told.months[3][0])
    client.ingest(user_id, "user", "I just moved to Malmö.", speaker=NAME, session_id="year")
    client.wait_until_extracted(user_id, timeout=60)
    check(told, replace(told.months[3][1], city="Malmö"), None)
    again = client.ingest(user_id, "user", "I just joined Northwind!", speaker=NAME)
    client.wait_until_extracted(user_id, timeout=60)
    check(told, replace(told.months[3][1], city="Malmö", employer="Northwind"), None)
    assert again


@pytest.mark.feature("N09")
def test_what_is_being_extracted_meanwhile_is_neither_lost_nor_mixed_up(
    gateway: Gateway, user_id: str
) -> None:
    """Rollbacks, extractions and writes of one user at once, each as if it were alone."""
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as client:
        client.add_memory(user_id, "Lives in Bergen", slot="home")
        start = datetime.now(UTC)

        def ingest(number: int) -> None:
            client.ingest(
                user_id, "user", f"My favorite color is shade{number}.", speaker=NAME,
                session_id=f"s{number}",
            )  # fmt: skip

        def roll_back(_: int) -> None:
            client.rollback_memories(user_id, to_time=start)

        def move(number: int) -> None:
            client.add_memory(user_id, f"Lives in town{number}", slot="home")

        with ThreadPoolExecutor(6) as threads:
            work = [
                threads.submit(each, number)
                for number in range(8)
                for each in (ingest, roll_back, move)
            ]
            for each in work:
                each.result()
        client.wait_until_extracted(user_id, timeout=60)
        assert len(client.conversations.list_sessions(user_id, limit=20)) == 8
        present = client.memories.list(user_id, limit=100)
        slots = [each.slot for each in present if each.slot]
        assert len(slots) == len(set(slots))  # one holder each
        assert slots.count("home") == 1
        assert client.list_extractions(user_id, state="failed") == []
        assert len(client.list_rollbacks(user_id)) == 8
        moment = datetime.now(UTC)
        before = [each.id for each in client.memories.list(user_id, limit=100)]
        done = client.rollback_memories(user_id, to_time=start)
        assert [each.content for each in client.memories.list(user_id)] == ["Lives in Bergen"]
        assert [each.id for each in client.memories.list(user_id, as_of=moment)] == before
        client.undo_rollback(user_id, done["rollback_id"])
        assert [each.id for each in client.memories.list(user_id, limit=100)] == before


@pytest.mark.feature("N09")
def test_a_rollback_repeated_is_done_once_and_wrong_ones_are_refused(
    gateway: Gateway, user_id: str
) -> None:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as client:
        start = datetime.now(UTC)
        client.add_memory(user_id, "Likes tea")
        request_id = str(uuid4())
        first = client.rollback_memories(user_id, start, request_id=request_id)
        assert client.rollback_memories(user_id, start, request_id=request_id) == first
        assert client.list_rollbacks(user_id) == [first]
        with pytest.raises(InvalidArgument) as refused:
            client.rollback_memories(user_id, datetime.now(UTC) + timedelta(hours=1))
        assert refused.value.violations[0].field == "to_time"
        with pytest.raises(NotFound):
            client.undo_rollback(user_id, str(uuid4()))
        with pytest.raises(InvalidArgument):
            client.timeline(user_id, day(2, 1), day(1, 1))
        undo = str(uuid4())
        back = client.undo_rollback(user_id, first["rollback_id"], request_id=undo)
        assert client.undo_rollback(user_id, first["rollback_id"], request_id=undo) == back
        assert [each.content for each in client.memories.list(user_id)] == ["Likes tea"]
        (hit,) = client.recall(user_id, "tea")["vector_results"]
        assert hit["factors"]["vector_similarity"] is not None  # by its meaning as well


@pytest.mark.feature("X06")
def test_the_emotion_profile_and_the_nodes_of_a_past_moment(gateway: Gateway, user_id: str) -> None:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as client:
        start = datetime.now(UTC)
        client.add_memory(user_id, "Won the race", emotion={"valence": 0.9, "arousal": 0.8})
        first = client.digest(user_id)["emotion_profile"]
        client.graph.create_node(NodeType.PERSON, "ann", user_id=user_id)
        edge = client.graph.create_edge(
            NodeType.PERSON, "ann", EdgeType.KNOWS, NodeType.PERSON, "bob", user_id=user_id
        )
        between = datetime.now(UTC)
        client.add_memory(user_id, "Lost the keys", emotion={"valence": -0.9, "arousal": 0.8})
        second = client.digest(user_id)["emotion_profile"]
        client.graph.delete_node(NodeType.PERSON, "bob", user_id=user_id)
        assert client.emotion_profile(user_id, as_of=start)["source_count"] == 0
        assert client.emotion_profile(user_id, as_of=between) == first != second
        names = [each.node_id for each in client.graph.list_nodes(user_id, as_of=between)]
        assert names == ["ann", "bob"]
        assert [each.node_id for each in client.graph.list_nodes(user_id)] == ["ann"]
        assert client.graph.get_edge(user_id, edge.id).retracted_at is not None
        assert client.graph.get_edge(user_id, edge.id, as_of=between).retracted_at is None
        with pytest.raises(NotFound):
            client.graph.get_edge(user_id, edge.id, as_of=start)
        done = client.rollback_memories(user_id, between)
        assert done["emotion_profile_changed"]
        assert client.emotion_profile(user_id) == first
        assert [each.node_id for each in client.graph.list_nodes(user_id)] == ["ann", "bob"]
        assert client.graph.get_edge(user_id, edge.id).retracted_at is None
