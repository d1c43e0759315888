"""What stating triples does to what is known: refreshing, closing, arriving late, correcting."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import permutations
from uuid import uuid4

import pytest

from mnema.v1.types_pb2 import EdgeType, NodeType
from services.storage.graph import Statement, state
from services.storage.graph_edges import Triple
from services.storage.relations import CUSTOM, EDGE_TYPES, NODE_TYPES, SINGLE_VALUED, node_id_of
from tests.conftest import TestDatabase
from tests.store.graph_world import GraphWorld, graph_world, says, year

ORDERS = list(permutations(range(3)))
MOVES = (
    says("LIVES_IN", "Paris", valid_from=year(2001)),
    says("LIVES_IN", "London", valid_from=year(2003)),
    says("LIVES_IN", "Berlin", valid_from=year(2005)),
)
SETTLED = {"paris": (2001, 2003), "london": (2003, 2005), "berlin": (2005, None)}


@pytest.fixture
async def world(test_database: TestDatabase) -> AsyncIterator[GraphWorld]:
    async with graph_world(test_database) as world:
        yield world


@pytest.mark.parametrize("order", ORDERS)
async def test_moves_make_one_timeline_in_any_order(
    world: GraphWorld, order: tuple[int, ...]
) -> None:
    seen = []
    for index in order:
        await world.state(MOVES[index])
        seen.append((await world.now(), await world.spans()))
    assert await world.spans() == SETTLED
    for moment, spans in seen:
        assert await world.spans(as_of=moment) == spans
    edges = {edge.target.node_id: edge for edge in await world.edges()}
    assert edges["paris"].superseded_by == edges["london"].edge_id
    assert edges["london"].superseded_by == edges["berlin"].edge_id
    assert [edges[each].closed_reason for each in SETTLED] == ["superseded", "superseded", ""]


@pytest.mark.parametrize("order", ORDERS)
async def test_one_list_of_moves_is_as_good_as_three(
    world: GraphWorld, order: tuple[int, ...]
) -> None:
    stated = await world.state(*[MOVES[index] for index in order])
    assert await world.spans() == SETTLED
    present = {edge.edge_id: edge for edge in await world.edges()}
    assert [each.edge for each in stated] == [present[each.edge.edge_id] for each in stated]
    assert [each.edge.target for each in stated] == [MOVES[i].object.key for i in order]
    rows = await world.count("graph_edges")
    again = await world.state(*[MOVES[index] for index in order])
    assert [each.edge for each in again] == [each.edge for each in stated]
    assert await world.count("graph_edges") == rows == 3


async def test_a_newer_target_closes_the_older_edge(world: GraphWorld) -> None:
    (first,) = await world.state(says("WORKS_AT", "Apple", valid_from=year(2010)))
    (second,) = await world.state(says("WORKS_AT", "Google"))
    (closed,) = second.closed
    assert closed.edge_id == first.edge.edge_id
    assert closed.valid_to == second.edge.first_recorded_at
    assert (closed.closed_reason, closed.superseded_by) == ("superseded", second.edge.edge_id)
    assert (closed.revision, closed.first_recorded_at) == (2, first.edge.first_recorded_at)


async def test_an_older_statement_that_comes_late_closes_nothing(world: GraphWorld) -> None:
    (present,) = await world.state(says("WORKS_AT", "Google", valid_from=year(2015)))
    (late,) = await world.state(says("WORKS_AT", "Apple", valid_from=year(2010)))
    assert late.closed == ()
    assert late.edge.valid_to == year(2015)
    assert late.edge.superseded_by == present.edge.edge_id
    assert await world.spans() == {"google": (2015, None), "apple": (2010, 2015)}
    assert {edge.revision for edge in await world.edges()} == {1}


async def test_coming_back_makes_a_second_span(world: GraphWorld) -> None:
    there = says("LIVES_IN", "Paris", valid_from=year(2001))
    away = says("LIVES_IN", "Berlin", valid_from=year(2005))
    back = says("LIVES_IN", "Paris", valid_from=year(2008))
    for order in ((there, away, back), (back, away, there), (away, back, there)):
        subject = replace(there.subject, node_id=str(uuid4()))
        for statement in order:
            await world.state(replace(statement, subject=subject))
        spans = sorted(
            (edge.valid_from, edge.valid_to is None, edge.target.node_id)
            for edge in await world.edges()
            if edge.source == subject.key
        )
        assert spans == [
            (year(2001), False, "paris"),
            (year(2005), False, "berlin"),
            (year(2008), True, "paris"),
        ]
        rows = await world.count("graph_edges")
        for statement in order:
            await world.state(replace(statement, subject=subject))
        assert await world.count("graph_edges") == rows


async def test_the_same_triple_again_refreshes_its_edge(world: GraphWorld) -> None:
    one, two = uuid4(), uuid4()
    (first,) = await world.state(
        says("KNOWS", "Bob", confidence=0.7, content="old", source_message_ids=(one,))
    )
    (again,) = await world.state(says("KNOWS", "Bob", confidence=0.7, source_message_ids=(one,)))
    assert again.edge == first.edge
    (surer,) = await world.state(
        says("KNOWS", "Bob", confidence=0.9, content="new", source_message_ids=(two,))
    )
    assert surer.edge.edge_id == first.edge.edge_id
    assert (surer.edge.revision, surer.edge.confidence) == (2, 0.9)
    assert (surer.edge.content, surer.edge.source_message_ids) == ("new", (one, two))
    (less,) = await world.state(says("KNOWS", "Bob", confidence=0.2, valid_from=year(2000)))
    assert (less.edge.confidence, less.edge.valid_from) == (0.9, year(2000))
    (later,) = await world.state(says("KNOWS", "Bob", valid_from=year(2010)))
    assert later.edge == less.edge
    assert await world.count("graph_edges") == 3


@pytest.mark.parametrize("relation", sorted(set(EDGE_TYPES) - SINGLE_VALUED))
async def test_other_relations_close_no_sibling(world: GraphWorld, relation: str) -> None:
    custom_type = "likes" if relation == CUSTOM else ""
    for number, target in enumerate(("One", "Two", "Three")):
        (stated,) = await world.state(
            says(relation, target, custom_type=custom_type, valid_from=year(2000 + number))
        )
        assert stated.closed == ()
    assert [edge.valid_to for edge in await world.edges()] == [None] * 3


async def test_custom_relations_are_told_apart_by_name(world: GraphWorld) -> None:
    for custom_type in ("likes", "fears"):
        await world.state(says(CUSTOM, "Dogs", custom_type=custom_type))
    await world.state(says(CUSTOM, "Dogs", custom_type="likes", ended=True))
    standing = {edge.custom_type: edge.valid_to is None for edge in await world.edges()}
    assert standing == {"likes": False, "fears": True}


@pytest.mark.parametrize("relation", ["WORKS_AT", "HOBBY"])
async def test_an_end_closes_the_open_edge(world: GraphWorld, relation: str) -> None:
    await world.state(says(relation, "Chess", valid_from=year(2001)))
    over = says(relation, "Chess", ended=True)
    (stated,) = await world.state(over)
    assert (stated.edge.closed_reason, stated.edge.valid_from) == ("ended", year(2001))
    assert stated.edge.valid_to == stated.edge.recorded_at
    (again,) = await world.state(over)
    assert again.edge == stated.edge
    assert await world.count("graph_edges") == 2


async def test_an_end_of_what_was_not_known_is_stored_closed(world: GraphWorld) -> None:
    await world.state(says("WORKS_AT", "Google", valid_from=year(2010)))
    over = says("WORKS_AT", "Apple", valid_to=year(2012), ended=True)
    (stated,) = await world.state(over)
    assert (stated.closed, stated.edge.closed_reason) == ((), "ended")
    assert await world.spans() == {"google": (2010, None), "apple": (None, 2012)}
    assert (await world.state(over))[0].edge == stated.edge


async def test_a_stated_end_is_better_known_than_a_worked_out_one(world: GraphWorld) -> None:
    for statement in (
        says("WORKS_AT", "Apple", valid_from=year(2001)),
        says("WORKS_AT", "Google", valid_from=year(2010)),
        says("WORKS_AT", "Apple", valid_to=year(2008), ended=True),
        says("WORKS_AT", "Apple", valid_from=year(2001)),
        says("WORKS_AT", "Google", valid_from=year(2010)),
    ):
        await world.state(statement)
    assert await world.spans() == {"apple": (2001, 2008), "google": (2010, None)}


async def test_what_ended_can_be_true_again(world: GraphWorld) -> None:
    await world.state(says("HOBBY", "Chess", valid_from=year(2001), valid_to=year(2003)))
    await world.state(says("HOBBY", "Chess"))
    open_ones = [edge for edge in await world.edges() if edge.valid_to is None]
    assert len(open_ones) == 1
    assert len(await world.edges()) == 2


async def test_a_late_start_of_what_ended_does_not_open_it(world: GraphWorld) -> None:
    await world.state(says("HOBBY", "Chess", valid_from=year(2005), valid_to=year(2008)))
    await world.state(says("HOBBY", "Chess", valid_from=year(2003)))
    assert await world.spans() == {"chess": (2003, 2008)}


async def test_a_birthplace_is_corrected_not_ended(world: GraphWorld) -> None:
    (wrong,) = await world.state(says("BORN_IN", "Paris", valid_from=year(1990)))
    before = await world.now()
    (right,) = await world.state(says("BORN_IN", "Lyon"))
    (gone,) = right.closed
    assert gone.edge_id == wrong.edge.edge_id
    assert (gone.valid_to, gone.closed_reason) == (None, "superseded")
    assert (gone.superseded_by, gone.retracted_at) == (right.edge.edge_id, right.edge.recorded_at)
    assert await world.spans() == {"lyon": (None, None)}
    assert await world.spans(as_of=before) == {"paris": (1990, None)}
    (again,) = await world.state(says("BORN_IN", "Paris"))
    assert [edge.target.node_id for edge in again.closed] == ["lyon"]


@pytest.mark.parametrize("relation", ["LIVES_IN", "BORN_IN"])
async def test_a_list_that_contradicts_itself_changes_nothing_twice(
    world: GraphWorld, relation: str
) -> None:
    await world.state(says(relation, "Rome"))
    places = [says(relation, place) for place in ("Paris", "London", "Berlin", "London")]
    stated = await world.state(*places)
    assert [edge.target.node_id for each in stated for edge in each.closed] == ["rome"]
    standing = [edge for edge in await world.edges() if edge.valid_to is None]
    assert [edge.target.node_id for edge in standing] == ["london"]
    rows = await world.count("graph_edges")
    again = await world.state(*places)
    assert [each.edge for each in again] == [each.edge for each in stated]
    assert await world.count("graph_edges") == rows


async def test_two_that_start_together_leave_the_one_told_last(world: GraphWorld) -> None:
    pair = [says("LIVES_IN", place, valid_from=year(2005)) for place in ("Paris", "Berlin")]
    await world.state(*pair)
    assert await world.spans() == {"paris": (2005, 2005), "berlin": (2005, None)}
    await world.state(*pair)
    assert await world.spans() == {"paris": (2005, 2005), "berlin": (2005, None)}
    assert await world.count("graph_edges") == 2


async def test_other_subjects_are_left_alone(world: GraphWorld) -> None:
    await world.state(says("LIVES_IN", "Paris", subject="Bob"))
    await world.state(says("LIVES_IN", "Berlin", subject="Caroline"))
    assert [edge.valid_to for edge in await world.edges()] == [None, None]


async def test_a_writer_that_began_earlier_does_not_write_into_the_past(world: GraphWorld) -> None:
    async with world.database.transaction(world.scope) as slow:
        began = await slow.fetchval("SELECT now()")
        (first,) = await world.state(says("LIVES_IN", "Paris"))
        (second,) = await world.state(says("LIVES_IN", "Berlin"))
        assert began < first.edge.recorded_at
        (late,) = await state(slow, world.owner_id, [says("LIVES_IN", "Rome")])
    assert [edge.edge_id for edge in late.closed] == [second.edge.edge_id]
    for moment in (began, first.edge.recorded_at, second.edge.recorded_at, await world.now()):
        open_ones = [edge for edge in await world.edges(moment) if edge.valid_to is None]
        assert len(open_ones) == (0 if moment == began else 1)


async def test_nodes_are_made_once_and_keep_their_first_name(world: GraphWorld) -> None:
    await world.state(says("KNOWS", "New York"), says("KNOWS", "new  york"))
    async with world.database.transaction(world.scope) as connection:
        rows = await connection.fetch("SELECT node_type, node_id, name FROM graph_nodes ORDER BY 1")
    assert [tuple(row) for row in rows] == [
        ("LOCATION", "new_york", "New York"),
        ("PERSON", "caroline", "Caroline"),
    ]


async def test_a_batch_takes_few_round_trips(world: GraphWorld) -> None:
    statements = [says("KNOWS", f"Friend {number}") for number in range(1000)]
    await world.state(says("KNOWS", "Bob"))  # the driver has asked for types now
    sent: list[str] = []
    async with world.writing() as connection:
        connection.add_query_logger(lambda query: sent.append(query.query))
        stated = await state(connection, world.owner_id, statements)
    assert len({each.edge.edge_id for each in stated}) == 1000
    assert [each.edge.edge_id for each in stated] == sorted(each.edge.edge_id for each in stated)
    assert len(sent) == 5, sent  # nodes, edges about them, the time, new edges, COMMIT


def test_ids_of_names() -> None:
    assert node_id_of("New  York") == "new_york"
    assert node_id_of("O'Neill & Sons") == "o_neill_sons"
    assert node_id_of("北京大学") == "北京大学"
    assert node_id_of("🎉") == "🎉"


def test_the_words_are_those_of_the_contract() -> None:
    assert [f"NODE_TYPE_{each}" for each in NODE_TYPES] == NodeType.keys()[1:]
    assert [f"EDGE_TYPE_{each}" for each in EDGE_TYPES] == EdgeType.keys()[1:]


def test_a_relation_must_be_known() -> None:
    triple = says("KNOWS", "Bob")
    assert triple.triple == Triple(triple.subject.key, "KNOWS", "", triple.object.key)
    for relation, custom_type in (("LIKES", ""), (CUSTOM, ""), ("KNOWS", "likes")):
        with pytest.raises(ValueError, match="no relation"):
            Statement(triple.subject, relation, custom_type, triple.object)
