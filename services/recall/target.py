"""Puts the recall service together."""

from contextlib import AsyncExitStack

from mnema.v1 import recall_service_pb2_grpc
from services.recall.accesses import AccessCounter
from services.recall.arms import Arms
from services.recall.servicer import RecallServicer
from services.runtime.channels import open_channel
from services.runtime.config import RuntimeSettings
from services.runtime.database import Database
from services.runtime.server import BackgroundTask, Service, Servicers
from services.storage.accounts import DatabaseAuthenticator


async def build_recall(settings: RuntimeSettings, stack: AsyncExitStack) -> Servicers:
    """The recall target: asks vector and graph, reads the profile, can do without each of them."""
    database = await stack.enter_async_context(Database.open(settings.database))
    arms = Arms(
        vector=open_channel(settings.peers.vector, settings, stack),
        graph=open_channel(settings.peers.graph, settings, stack),
        database=database,
        settings=settings.recall,
        server=settings.options,
    )
    accesses = AccessCounter(database)
    servicer = RecallServicer(arms, accesses)
    return Servicers(
        services=(
            Service(
                "mnema.v1.RecallService",
                servicer,
                recall_service_pb2_grpc.add_RecallServiceServicer_to_server,
            ),
        ),
        background=(BackgroundTask("access counts", accesses.run),),
        authenticator=DatabaseAuthenticator(database),
    )
