"""neuromem's graph: nodes and edges, or triples alone."""

from collections.abc import Mapping
from typing import Any

from services.app.transfer.records import (
    Fields,
    ForeignError,
    Records,
    moment,
    number_in,
    objects,
    part,
)
from services.storage.relations import CUSTOM, EDGE_TYPES, NODE_TYPES, node_id_of

_Key = tuple[str, str]


def add_graph(into: Records, graph: Any) -> None:
    """Adds nodes, and edges with the nodes that they need. The same statement stands once."""
    if isinstance(graph, list):
        graph = {"edges": graph}
    if not isinstance(graph, Mapping):
        raise ForeignError("graph is neither an object nor a list")
    nodes: dict[_Key, None] = {}
    for where, item in objects("graph.nodes", graph.get("nodes") or []):
        _add_node(into, nodes, where, item)
    stated: set[tuple[Any, ...]] = set()
    edges = graph.get("edges") or graph.get("triples") or graph.get("relationships") or []
    for where, item in objects("graph.edges", edges):
        _add_edge(into, nodes, stated, where, item)


def _add_node(into: Records, nodes: dict[_Key, None], where: str, item: Fields) -> None:
    properties = dict(part(item, "properties"))
    node_type = _node_type(item.get("node_type") or item.get("type"))
    name = str(properties.get("name") or item.get("name") or item.get("node_id") or "").strip()
    node_id = str(item.get("node_id") or node_id_of(name))
    if not node_id:
        raise ForeignError(f"{where} has no 'node_id'")
    _ensure(into, nodes, (node_type, node_id), name, properties, moment(where, item, "created_at"))


def _ensure(
    into: Records,
    nodes: dict[_Key, None],
    key: _Key,
    name: str,
    properties: Fields,
    created: str | None,
) -> None:
    if key in nodes:
        return
    nodes[key] = None
    into.add(
        "graph_nodes",
        node_type=key[0],
        node_id=key[1],
        name=name or key[1],
        name_id=node_id_of(name or key[1]),
        properties=dict(properties),
        recorded_at=created,
        first_recorded_at=created,
    )


def _add_edge(
    into: Records,
    nodes: dict[_Key, None],
    stated: set[tuple[Any, ...]],
    where: str,
    item: Fields,
) -> None:
    source, target = _end(where, item, "source", "subject"), _end(where, item, "target", "object")
    relation = str(item.get("edge_type") or item.get("relation") or "RELATED_TO").strip()
    edge_type = relation.upper().replace(" ", "_")
    custom = "" if edge_type in EDGE_TYPES and edge_type != CUSTOM else relation.lower()[:128]
    properties = dict(part(item, "properties"))
    ended = moment(where, item, "valid_until") or moment(where, item, "valid_to")
    statement = (source, CUSTOM if custom else edge_type, custom, target)
    if not ended and statement in stated:
        return
    if not ended:
        stated.add(statement)
    created = moment(where, item, "created_at")
    for key in (source, target):
        _ensure(into, nodes, key, key[1], {}, created)
    into.add(
        "graph_edges",
        edge_id=str(into.id_of(item.get("id"))),
        source_type=source[0],
        source_id=source[1],
        edge_type=CUSTOM if custom else edge_type,
        custom_type=custom,
        target_type=target[0],
        target_id=target[1],
        confidence=number_in({**properties, **item}, "confidence", 0, 1),
        content=str(item.get("content") or properties.get("content") or "")[:16_384],
        properties=properties,
        valid_from=moment(where, item, "valid_from"),
        valid_to=ended,
        closed_reason="superseded" if ended else None,
        recorded_at=created,
        first_recorded_at=created,
    )


def _end(where: str, item: Fields, side: str, word: str) -> _Key:
    """A node that an edge names: source_type and source_id, or a subject's name alone."""
    given = item.get(f"{side}_id") or item.get(side) or item.get(word)
    if not given or not isinstance(given, str):
        raise ForeignError(f"{where} has no '{side}_id'")
    kind = item.get(f"{side}_type") or item.get(f"{word}_type")
    return _node_type(kind), str(given) if item.get(f"{side}_id") else node_id_of(given)


def _node_type(given: Any) -> str:
    name = str(given or "").upper()
    return name if name in NODE_TYPES else "ENTITY"
