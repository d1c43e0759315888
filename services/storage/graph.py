"""Stating triples: the one way in which facts come into a user's graph."""

from collections.abc import Sequence

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.graph_edges import (
    EdgeRow,
    edges_about,
    insert_edges,
    revise_edges,
    take_back_edges,
    transaction_time,
)
from services.storage.graph_nodes import ensure_nodes
from services.storage.graph_timeline import Stated, Statement, Timeline
from services.storage.relations import SINGLE_VALUED, NodeRef

__all__ = ["EdgeRow", "NodeRef", "Stated", "Statement", "state"]


async def state(
    connection: Connection, owner_id: OwnerId, statements: Sequence[Statement]
) -> list[Stated]:
    """States triples in their order and resolves what contradicts them (rules: graph_timeline).

    Nodes that do not exist are made. Stating the same list again changes nothing. The caller
    has opened the transaction and holds `foundation.lock_owner`. A few round trips, however
    many statements there are.
    """
    if not statements:
        return []
    nodes = [node for each in statements for node in (each.subject, each.object)]
    await ensure_nodes(connection, owner_id, nodes)
    known = await edges_about(
        connection,
        owner_id,
        dict.fromkeys(each.triple for each in statements),
        dict.fromkeys(each.slot for each in statements if each.edge_type in SINGLE_VALUED),
    )
    # A transaction that began earlier than the one before it may not write into its past.
    moment = max(
        [await transaction_time(connection)]
        + [edge.retracted_at or edge.recorded_at for edge in known]
    )
    timeline = Timeline(known, moment)
    stated = timeline.state(statements)
    await take_back_edges(connection, owner_id, timeline.taken_back())
    await revise_edges(connection, owner_id, timeline.changed())
    await insert_edges(connection, owner_id, timeline.made())
    return stated
