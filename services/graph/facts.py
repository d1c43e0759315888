"""The facts about what a text names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.graph.mentions import (
    Mention,
    longest,
    mentions,
    names_the_user,
    speaks_to_another,
)
from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.graph_edges import EdgeRow
from services.storage.graph_nodes import NodeRow, get_nodes, nodes_named
from services.storage.graph_reads import NeighborQuery, Place, edges_between, edges_near, place_of
from services.storage.relations import CUSTOM, NodeKey, node_id_of
from services.text.terms import analyze, telling_terms

MAX_NAMED_NODES = 32
MAX_FOUND_NODES = 500
MAX_USER_NODES = 8


@dataclass(frozen=True, slots=True)
class Fact:
    """A true edge with its names. `matched_ends`: how many of its ends the text names."""

    edge: EdgeRow
    subject: str
    relation: str
    object: str
    matched_ends: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about `entities`, the nodes that the text names."""

    facts: tuple[Fact, ...]
    entities: tuple[NodeRow, ...]


async def find_facts(
    connection: Connection, owner_id: OwnerId, text: str, limit: int, as_of: datetime | None
) -> Facts:
    """True edges of the nodes that `text` names; those with both ends named first, then new ones.

    A text that names nobody is about the user, whose memory it is: of the user's edges those
    count then that share a word with it. One that speaks to somebody ("you") is not.

    Of each node the `limit` newest edges are looked at, so a node of 100,000 edges costs no
    more than others. At most 32 nodes count as named, those with the longest names.
    """
    meant = await _meant_nodes(connection, owner_id, text, as_of)
    entities = {node.key: node for node in (*meant.named, *meant.user)}
    if not entities:
        return Facts((), ())
    known = await _edges_of(connection, owner_id, list(entities), limit, as_of)
    if meant.tacitly:
        known = _sharing_words(known, text)
    explicit = {node.key for node in meant.named}

    def rank(edge: EdgeRow) -> tuple[int, int, Place]:
        ends = (edge.source, edge.target)
        about = sum(end in entities for end in ends)
        return about, sum(end in explicit for end in ends), place_of(edge)

    best = sorted(known.values(), key=rank, reverse=True)[:limit]
    names = await _names(connection, owner_id, best, entities, as_of)
    return Facts(
        tuple(_fact(edge, names, explicit) for edge in best),
        () if meant.tacitly else tuple(entities.values()),
    )


def _sharing_words(edges: Mapping[UUID, EdgeRow], text: str) -> dict[UUID, EdgeRow]:
    asked = set(telling_terms(text))

    def said(edge: EdgeRow) -> str:
        relation = (edge.custom_type or edge.edge_type).replace("_", " ").lower()
        return f"{relation} {edge.target.node_id.replace('_', ' ')} {edge.content}"

    return {
        key: edge for key, edge in edges.items() if asked & analyze(said(edge)).frequencies.keys()
    }


async def _edges_of(
    connection: Connection,
    owner_id: OwnerId,
    nodes: Sequence[NodeKey],
    limit: int,
    as_of: datetime | None,
) -> dict[UUID, EdgeRow]:
    """The `limit` newest edges of each node, and those from one of them to another."""
    near = await edges_near(connection, owner_id, nodes, NeighborQuery(limit, as_of=as_of))
    known = {each.edge.edge_id: each.edge for each in near}
    read = Counter(each.node for each in near)
    # Between two nodes an edge can only be missing if neither has all of its edges here.
    cut_off = [node for node in nodes if read[node] >= limit]
    if cut_off:
        between = await edges_between(connection, owner_id, cut_off, as_of, limit)
        known |= {edge.edge_id: edge for edge in between}
    return known


@dataclass(frozen=True, slots=True)
class _Meant:
    """The nodes that a text names, and those of the user if it is about the user.

    `tacitly`: it does not say so, but names nobody else.
    """

    named: Sequence[NodeRow] = ()
    user: Sequence[NodeRow] = ()
    tacitly: bool = False


async def _meant_nodes(
    connection: Connection, owner_id: OwnerId, text: str, as_of: datetime | None
) -> _Meant:
    found = mentions(text)
    first_person = names_the_user(text)
    users = MAX_USER_NODES if first_person or not speaks_to_another(text) else 0
    if not found and not users:
        return _Meant()
    nodes = await nodes_named(
        connection,
        owner_id,
        list(dict.fromkeys(way for each in found for way in (each.node_id, each.name))),
        list(dict.fromkeys(each.node_id for each in found)),
        as_of,
        MAX_FOUND_NODES,
        users,
    )
    named = _chosen(found, nodes.named)
    if first_person:
        return _Meant(named, nodes.user)
    return _Meant(named) if named else _Meant(user=nodes.user, tacitly=True)


def _chosen(found: Sequence[Mention], nodes: Sequence[NodeRow]) -> list[NodeRow]:
    """The nodes of the longest names that do not overlap."""
    if not nodes:
        return []
    of_name: dict[str, list[NodeRow]] = {}
    for node in nodes:
        for name in {node.key.node_id, node_id_of(node.name)}:
            of_name.setdefault(name, []).append(node)

    def meant(mention: Mention) -> list[NodeRow]:
        return [*of_name.get(mention.node_id, ()), *of_name.get(mention.name, ())]

    places = longest(each for each in found if meant(each))
    places.sort(key=lambda each: each.start - each.end)
    chosen = {node.key: node for place in places for node in meant(place)}
    return list(chosen.values())[:MAX_NAMED_NODES]


async def _names(
    connection: Connection,
    owner_id: OwnerId,
    edges: Sequence[EdgeRow],
    known: Mapping[NodeKey, NodeRow],
    as_of: datetime | None,
) -> dict[NodeKey, str]:
    ends = {end for edge in edges for end in (edge.source, edge.target)}
    nodes = dict(known)
    if unknown := ends - nodes.keys():
        nodes |= await get_nodes(connection, owner_id, unknown, as_of)
    return {key: nodes[key].name if key in nodes else key.node_id for key in ends}


def _fact(edge: EdgeRow, names: dict[NodeKey, str], explicit: set[NodeKey]) -> Fact:
    return Fact(
        edge,
        names[edge.source],
        edge.custom_type if edge.edge_type == CUSTOM else edge.edge_type,
        names[edge.target],
        sum(end in explicit for end in (edge.source, edge.target)),
    )
