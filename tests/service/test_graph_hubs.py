"""Facts between nodes of which only the newest edges are read."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import TestDatabase
from tests.service.graph_world import GraphCaller, graph_service, triple

LIMIT = 3


@pytest.fixture
async def alice(test_database: TestDatabase) -> AsyncIterator[GraphCaller]:
    async with graph_service(test_database) as service:
        yield service.alice


async def busy(alice: GraphCaller, name: str) -> None:
    """Gives a node more edges than are read of it, all newer than what it has."""
    for number in range(LIMIT + 2):
        await alice.state(triple(name, "KNOWS", f"{name} friend {number}"))


@pytest.mark.parametrize("hubs", [(), ("Ada",), ("Bob",), ("Ada", "Bob")])
async def test_an_old_edge_between_named_nodes_is_found(
    alice: GraphCaller, hubs: tuple[str, ...]
) -> None:
    await alice.state(triple("Ada", "COLLEAGUE", "Bob"))
    for hub in hubs:
        await busy(alice, hub)
    found = await alice.facts("How do Ada and Bob know each other?", limit=LIMIT)
    assert found[0] == "Ada COLLEAGUE Bob"
    assert len(found) == (LIMIT if hubs else 1)


async def test_an_old_edge_of_a_node_to_itself_is_found(alice: GraphCaller) -> None:
    await alice.state(triple("Ada", "RELATED_TO", "Ada"))
    await busy(alice, "Ada")
    assert (await alice.facts("Ada", limit=LIMIT))[0] == "Ada RELATED_TO Ada"
