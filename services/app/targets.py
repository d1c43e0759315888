"""The targets of `mnema serve`: what each is called, what it serves, and who puts it together.

A table, so that one glance shows the system. The builders are imported when a target is
asked for: a process holds only what it serves.
"""

import importlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import ModuleType
from typing import cast

from services.app.settings import Settings
from services.runtime.database import Database
from services.runtime.server import Build, Servicers
from services.storage.foundation import REQUIRED_SCHEMA, schema_revision


@dataclass(frozen=True, slots=True)
class Target:
    """One part of the system.

    `builder` is "module:function"; `services` are the gRPC services it serves (none for a
    worker); `needs` are the targets that it calls.
    """

    builder: str
    services: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


TARGETS: dict[str, Target] = {
    "vector": Target(
        "services.vector.target:build_vector",
        ("mnema.v1.VectorService", "mnema.v1.MemoryService"),
    ),
    "graph": Target("services.graph.target:build_graph", ("mnema.v1.GraphService",)),
    "ingest": Target(
        "services.ingest.target:build_ingest",
        (
            "mnema.v1.IngestService",
            "mnema.v1.ConversationService",
            "mnema.v1.KeyValueService",
            "mnema.v1.EventService",
        ),
    ),
    "worker": Target("services.app.worker:build_worker", (), ("vector",)),
    "recall": Target(
        "services.recall.target:build_recall",
        ("mnema.v1.RecallService",),
        ("vector", "graph"),
    ),
    "reflect": Target(
        "services.reflect.target:build_reflect",
        (
            "mnema.v1.ReflectService",
            "mnema.v1.AnalyticsService",
            "mnema.v1.LifecycleService",
        ),
        ("vector",),
    ),
    "files": Target("services.files.target:build_files", ("mnema.v1.FileService",), ("vector",)),
    "accounts": Target("services.accounts.target:build_accounts", ("mnema.v1.AccountService",)),
}

PUBLIC_SERVICES: tuple[str, ...] = tuple(
    service for target in TARGETS.values() for service in target.services
)
STUBS: tuple[str, ...] = (
    "account_service",
    "analytics_service",
    "conversation_service",
    "event_service",
    "file_service",
    "graph_service",
    "ingest_service",
    "key_value_service",
    "lifecycle_service",
    "memory_service",
    "recall_service",
    "reflect_service",
    "vector_service",
    "error_reason",
)


def builder_of(names: Sequence[str]) -> "Build[Settings]":
    """One builder for all the named targets; KeyError for a name that is none.

    It refuses (FailedPrecondition) a database whose schema is older than the program needs.
    """
    builders = [_load(TARGETS[name].builder) for name in names]

    async def build(settings: Settings, stack: AsyncExitStack) -> Servicers:
        async with Database.open(settings.database) as database:
            await database.check_schema(schema_revision, REQUIRED_SCHEMA)
        return Servicers.merge([await builder(settings, stack) for builder in builders])

    return build


def import_stubs() -> list[ModuleType]:
    """The generated modules of every public service: reflection and the gateway tell of all."""
    return [importlib.import_module(f"mnema.v1.{name}_pb2") for name in STUBS]


def _load(path: str) -> "Build[Settings]":
    module, _, function = path.partition(":")
    found = getattr(importlib.import_module(module), function)
    return cast("Build[Settings]", found)
