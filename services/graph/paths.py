"""Paths between two nodes, the shortest first.

The search goes out from both ends, level by level and one query a level, always from the side
where fewer nodes wait. After levels that add up to n it knows every edge that a path of
n edges can have, and lists those paths before it goes on.

It is bounded: a node shows 10,000 edges in each direction, and one search looks at 10,000 nodes,
100,000 edges and 200,000 steps of listing. In a graph where that does not suffice a path may
be missed; what is returned is always a path.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from services.storage.graph_reads import Link
from services.storage.relations import NodeKey

MAX_NODES = 10_000
MAX_EDGES = 100_000
MAX_EDGES_OF_NODE = 10_000
MAX_STEPS = 200_000

Expand: TypeAlias = Callable[[Sequence[NodeKey], int], Awaitable[list[Link]]]
Adjacency: TypeAlias = dict[NodeKey, list[tuple[UUID, NodeKey]]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path: its nodes, and the edges between them, one less."""

    nodes: tuple[NodeKey, ...]
    edge_ids: tuple[UUID, ...]


class _Side:
    """One end of the search: which nodes it has reached, and which wait to be expanded."""

    def __init__(self, start: NodeKey) -> None:
        self.reached = {start}
        self.waiting = [start]
        self.levels = 0

    def advance(self, found: Sequence[Link]) -> None:
        """Go on to the nodes that these edges lead to."""
        ends = {end for link in found for end in (link.source, link.target)}
        self.waiting = sorted(ends - self.reached)
        self.reached |= ends
        self.levels += 1


async def find_routes(
    source: NodeKey, target: NodeKey, expand: Expand, *, max_depth: int, limit: int
) -> list[Route]:
    """Up to `limit` paths of at most `max_depth` edges, the shortest first.

    Edges count in both directions; no node comes twice in a path, but parallel edges make
    parallel paths. Of equally long paths those over newer edges come first. A node's path to
    itself has no edges. `expand(nodes, most)` reads the edges of nodes, `most` in all.
    """
    if source == target:
        return [Route((source,), ())]
    links: dict[UUID, Link] = {}
    sides = (_Side(source), _Side(target))
    routes: dict[Route, None] = {}
    nodes_left, steps_left = MAX_NODES, MAX_STEPS
    cut = False
    for length in range(1, max_depth + 1):
        side = min(sides, key=lambda each: (len(each.waiting) or MAX_NODES, each.levels))
        frontier = side.waiting[:nodes_left]
        room = MAX_EDGES - len(links)
        found = await expand(frontier, room) if frontier and room else []
        cut = cut or len(frontier) < len(side.waiting) or len(found) >= MAX_EDGES_OF_NODE
        nodes_left -= len(frontier)
        links.update((link.edge_id, link) for link in found)
        side.advance(found)
        # A path that was missed because a node showed only some of its edges may be known now.
        for exactly in range(1 if cut else length, length + 1):
            search = _Listing(links, target, limit, steps_left)
            routes.update(dict.fromkeys(await asyncio.to_thread(search.routes, source, exactly)))
            steps_left = search.steps_left
        if len(routes) >= limit or steps_left <= 0:
            break
    return sorted(routes, key=lambda route: len(route.edge_ids))[:limit]


class _Listing:
    """Lists simple paths of one exact length in what is known of the graph."""

    def __init__(
        self, links: dict[UUID, Link], target: NodeKey, limit: int, steps_left: int
    ) -> None:
        self._links = links
        self._target = target
        self._limit = limit
        self.steps_left = steps_left
        self._near: Adjacency = {}
        self._distance: dict[NodeKey, int] = {}

    def routes(self, source: NodeKey, length: int) -> list[Route]:
        for edge_id in sorted(self._links, reverse=True):
            link = self._links[edge_id]
            self._near.setdefault(link.source, []).append((edge_id, link.target))
            self._near.setdefault(link.target, []).append((edge_id, link.source))
        self._distance = _distances(self._near, self._target)
        if self._distance.get(source, length + 1) > length:
            return []
        found: list[Route] = []
        for route in self._walk(source, length):
            found.append(route)
            if len(found) >= self._limit:
                break
        return found

    def _walk(self, source: NodeKey, length: int) -> Iterator[Route]:
        """Depth first, without recursion: `choices[i]` are the ways on from the i-th node."""
        nodes, edges = [source], list[UUID]()
        choices = [iter(self._near.get(source, ()))]
        while choices and self.steps_left > 0:
            step = next(choices[-1], None)
            if step is None:
                choices.pop()
                nodes.pop()
                if edges:
                    edges.pop()
                continue
            self.steps_left -= 1
            edge_id, node = step
            left = length - len(nodes)
            if node in nodes or self._distance.get(node, left + 1) > left:
                continue
            if node == self._target:
                if left == 0:
                    yield Route((*nodes, node), (*edges, edge_id))
                continue
            nodes.append(node)
            edges.append(edge_id)
            choices.append(iter(self._near[node]))


def _distances(near: Adjacency, target: NodeKey) -> dict[NodeKey, int]:
    """How many known edges each node is away from the target."""
    distance = {target: 0}
    level = [target]
    while level:
        following = []
        for node in level:
            for _, other in near.get(node, ()):
                if other not in distance:
                    distance[other] = distance[node] + 1
                    following.append(other)
        level = following
    return distance
