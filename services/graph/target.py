"""Puts the graph service together."""

from contextlib import AsyncExitStack

from mnema.v1 import graph_service_pb2_grpc
from services.graph.servicer import GraphServicer
from services.runtime.config import RuntimeSettings
from services.runtime.database import Database
from services.runtime.paging import PageTokens
from services.runtime.server import Service, Servicers
from services.storage.accounts import DatabaseAuthenticator


async def build_graph(settings: RuntimeSettings, stack: AsyncExitStack) -> Servicers:
    """The graph target: needs the database, and no other service."""
    database = await stack.enter_async_context(Database.open(settings.database))
    servicer = GraphServicer(database, PageTokens(settings.internal_key))
    return Servicers(
        services=(
            Service(
                "mnema.v1.GraphService",
                servicer,
                graph_service_pb2_grpc.add_GraphServiceServicer_to_server,
            ),
        ),
        authenticator=DatabaseAuthenticator(database),
    )
