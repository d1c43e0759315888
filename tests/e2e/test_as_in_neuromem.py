"""What code written for neuromem relies on, beyond the samples of its documentation."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from mnema.client import AsyncMnema, EdgeType, Mnema, NodeType
from tests.e2e.gateway import Gateway, Tenant


@pytest.fixture
async def nm(gateway: Gateway, tenant: Tenant) -> AsyncIterator[AsyncMnema]:
    async with AsyncMnema(gateway.address, api_key=tenant.api_key) as client:
        yield client


@pytest.mark.feature("N05")
@pytest.mark.feature("N21")
async def test_importance_and_emotion_in_the_metadata_count(nm: AsyncMnema) -> None:
    emotion = {"valence": -0.5, "arousal": 1.0, "label": "afraid"}
    said = {"importance": 2, "emotion": emotion, "from": "form"}
    one = await nm.add_memory("alice", "The red door's code is one", "fact", metadata=said)
    assert one.importance == 2
    assert one.metadata == said
    await nm.add_memory("alice", "The red door's code is two", "fact", metadata={"importance": 10})
    answer = await nm.recall("alice", "red door code", ranking_profile="neuromem", explain=True)
    by_content = {each["content"]: each["factors"] for each in answer["vector_results"]}
    assert by_content["The red door's code is one"]["importance"] == pytest.approx(0.2)
    assert by_content["The red door's code is two"]["importance"] == pytest.approx(1.0)
    inputs = by_content["The red door's code is one"]["inputs"]
    assert inputs is not None
    assert inputs["arousal"] == pytest.approx(1.0)
    (recent, _) = await nm.get_recent_memories("alice")
    assert recent.metadata == {"importance": 10}
    changed = await nm.memories.update("alice", one.id, metadata={**one.metadata, "importance": 7})
    assert (changed.importance, changed.metadata) == (7, {**said, "importance": 7})
    # What can be neither is the caller's own.
    odd = {"importance": "very", "emotion": None}
    assert (await nm.add_memory("alice", "Odd", metadata=odd)).metadata == odd


@pytest.mark.feature("N15")
async def test_a_custom_edge_without_a_name_of_its_own(nm: AsyncMnema) -> None:
    founded = await nm.graph.create_edge(
        NodeType.USER, "alice", EdgeType.CUSTOM, NodeType.ENTITY, "acme", {"relation": "founded"}
    )
    plain = await nm.graph.create_edge(
        NodeType.USER, "alice", EdgeType.CUSTOM, NodeType.ENTITY, "acme"
    )
    assert (founded.custom_type, plain.custom_type) == ("founded", "custom")


@pytest.mark.feature("N15")
async def test_a_node_is_renamed_by_its_property(nm: AsyncMnema) -> None:
    await nm.graph.create_node(NodeType.PERSON, "p1", {"name": "Alice"}, user_id="alice")
    node = await nm.graph.update_node(
        NodeType.PERSON, "p1", properties={"name": "Alicia"}, user_id="alice"
    )
    assert (node.name, node.properties) == ("Alicia", {"name": "Alicia"})


@pytest.mark.feature("N19")
def test_the_client_s_user_owns_what_it_writes(gateway: Gateway, tenant: Tenant) -> None:
    """Whoever else is named as a USER node."""
    me = f"me-{uuid4().hex[:8]}"
    with Mnema(gateway.address, api_key=tenant.api_key, default_user=me) as nm:
        nm.graph.create_edge(NodeType.USER, "bob", EdgeType.KNOWS, NodeType.USER, me)
        assert len(nm.graph.get_neighbors(me, NodeType.USER, me)) == 1
        assert nm.graph.list_nodes("bob") == []
        assert [each.user_id for each in nm.accounts.list_users()] == [me]


@pytest.mark.feature("N13")
async def test_all_messages_are_those_without_a_limit(nm: AsyncMnema) -> None:
    said = [{"role": "user", "content": f"Remark {number}"} for number in range(120)]
    session_id, ids = await nm.conversations.add_messages_batch("alice", said)
    read = nm.conversations.get_session_messages
    assert [each.id for each in await read("alice", session_id, limit=None)] == ids
    assert [each.id for each in await read("alice", session_id, None, 100)] == ids[100:]
    assert await read("alice", session_id, limit=0) == []
    with pytest.raises(ValueError, match="limit is -1"):
        await read("alice", session_id, limit=-1, offset=5)


@pytest.mark.feature("N12")
async def test_no_values_are_no_call(nm: AsyncMnema) -> None:
    assert await nm.kv.batch_set("alice", "notes", {}) == 0


@pytest.mark.feature("N01")
async def test_what_is_no_setting_is_told_at_once(nm: AsyncMnema) -> None:
    await nm.init()  # as `async with` has done already: it may come twice
    for name, value in (
        ("auto_extract", "no"),
        ("graph_enabled", 1),
        ("reflection_interval", "10"),
        ("reflection_interval", 10.5),
    ):
        with pytest.raises(TypeError, match=name):
            setattr(nm, name, value)
    assert (await nm.status("alice")).settled  # nothing of it was kept
