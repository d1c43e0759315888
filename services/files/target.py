"""Putting the target `files` together, and the object storage that it shares with the worker."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from mnema.v1.file_service_pb2_grpc import add_FileServiceServicer_to_server
from mnema.v1.vector_service_pb2_grpc import VectorServiceStub
from services.files.download import Downloads
from services.files.intake import Intake
from services.files.limits import FileSettings
from services.files.links import Links
from services.files.presigning import Presigning
from services.files.servicer import FileServicer
from services.providers.objects.factory import open_object_storage
from services.providers.objects.settings import ObjectSettings
from services.providers.objects.storage import ObjectStorage
from services.runtime.channels import open_channel
from services.runtime.config import DatabaseSettings, PeerSettings, ServerSettings
from services.runtime.database import Database
from services.runtime.paging import PageTokens
from services.runtime.server import Service, Servicers
from services.storage.accounts import DatabaseAuthenticator


class ObjectsConfigured(Protocol):
    """The settings that say where the bytes of files lie."""

    @property
    def objects(self) -> ObjectSettings:
        """The object storage."""

    @property
    def home(self) -> Path:
        """The folder of local state: the bytes are in its folder "files" unless told."""


class FilesSettings(ObjectsConfigured, Protocol):
    """What this target needs of the settings."""

    @property
    def database(self) -> DatabaseSettings:
        """PostgreSQL."""

    @property
    def server(self) -> ServerSettings:
        """Limits that calls to other services share with this server."""

    @property
    def peers(self) -> PeerSettings:
        """Where the vector service is."""

    @property
    def files(self) -> FileSettings:
        """Limits, and what download links begin with."""

    @property
    def internal_key(self) -> SecretStr | None:
        """What page tokens are sealed and download links are signed with."""


async def open_objects(settings: ObjectsConfigured, stack: AsyncExitStack) -> ObjectStorage:
    """The object storage, ready for use and closed with the stack.

    ValueError if the settings name none; Internal or Unavailable if it can't be used.
    """
    return await open_object_storage(settings.objects, settings.home, stack)


async def build_files(settings: FilesSettings, stack: AsyncExitStack) -> Servicers:
    """FileService: needs the database, the object storage, and vector for its search."""
    limits = settings.files
    database = await stack.enter_async_context(Database.open(settings.database))
    objects = await open_objects(settings, stack)
    channel = open_channel(settings.peers.vector, settings, stack)
    links = Links(settings.internal_key, limits.public_url)
    servicer = FileServicer(
        database,
        Intake(database, objects, limits),
        Downloads(database, objects),
        links,
        Presigning(objects, links),
        VectorServiceStub(channel),
        PageTokens(settings.internal_key),
        limits,
    )
    return Servicers(
        services=(Service("mnema.v1.FileService", servicer, add_FileServiceServicer_to_server),),
        authenticator=DatabaseAuthenticator(database),
    )
