"""A write that is stopped in the middle of its transaction, so that something can happen there."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import asyncpg

from services.runtime.ids import OwnerId
from tests.e2e import ledger
from tests.e2e.gateway import Gateway
from tests.e2e.own_stack import OwnStack
from tests.e2e.persistent_client import PATIENCE, Persistent
from tests.e2e.waiting import until

_WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE usename = 'mnema_service' AND wait_event_type = 'Lock'"
)


@dataclass(frozen=True, slots=True)
class Write:
    """A call that adds one row to `table`, and the lock that keeps it from committing."""

    part: str
    method: str
    fields: dict[str, Any]
    table: str
    lock: str


_SESSION = "SELECT FROM sessions WHERE owner_id = $1 FOR UPDATE"
_OWNER = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))"
_TRIPLE = {
    "subject": {"node_type": "NODE_TYPE_PERSON", "name": "Ann"},
    "relation": "EDGE_TYPE_KNOWS",
    "object": {"node_type": "NODE_TYPE_PERSON", "name": "Bob"},
}
WRITES = [
    Write(
        "ingest",
        "IngestService.Ingest",
        {"session_id": "s", "role": "user", "content": "I love azure kites."},
        "messages",
        _SESSION,
    ),
    Write(
        "vector",
        "MemoryService.AddMemory",
        {"memory": {"content": "Prefers tea."}},
        "memories",
        _OWNER,
    ),
    Write("graph", "GraphService.AddTriples", {"triples": [_TRIPLE]}, "graph_edges", _OWNER),
]


@dataclass
class Trial:
    """One write of one user, who has `before` rows in its table."""

    stack: OwnStack
    gateway: Gateway
    user_id: str
    owner_id: OwnerId
    write: Write
    before: int = 0
    _executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _calling: "Future[int] | None" = None

    @classmethod
    def prepare(cls, stack: OwnStack, gateway: Gateway, user_id: str, write: Write) -> Self:
        """Makes the user, who has said and remembers one thing."""
        said = {"session_id": "s", "role": "user", "content": "I love amber anchors."}
        gateway.call("IngestService.Ingest", {"user_id": user_id, **said})
        ledger.settled(stack, gateway, user_id)
        trial = cls(stack, gateway, user_id, ledger.owner(stack.tenant, user_id), write)
        trial.before = trial._count()
        return trial

    @contextmanager
    def locked(self) -> Iterator[None]:
        """In the block the write cannot commit."""
        with asyncio.Runner() as runner:
            dsn = self.stack.system.postgres.access().superuser_dsn
            connection = runner.run(asyncpg.connect(dsn))
            try:
                runner.run(connection.execute("BEGIN"))
                runner.run(connection.fetch(self.write.lock, self.owner_id))
                yield
            finally:
                runner.run(connection.close())

    def call(self) -> None:
        """Makes the call, in a thread; returns when it stands at the lock."""
        self._calling = self._executor.submit(self._call)
        until(lambda: self.stack.value(_WAITING), lambda waiting: waiting > 0)

    def is_committed(self) -> bool:
        """Whether the row is there, whoever knows of it."""
        return self._count() > self.before

    def check(self) -> None:
        """The client had to call again, was answered, and its row is there once."""
        assert self._calling is not None
        assert self._calling.result(PATIENCE) > 0
        self._executor.shutdown()
        ledger.settled(self.stack, self.gateway, self.user_id)
        assert self._count() == self.before + 1
        assert ledger.answered_requests(self.stack, self.owner_id) == 1

    def _call(self) -> int:
        """How often it had to be repeated."""
        fields = {"user_id": self.user_id, "request_id": str(uuid4()), **self.write.fields}
        with closing(self.stack.gateway()) as gateway:
            client = Persistent(gateway)
            client.call(self.write.method, fields)
        return client.repeated

    def _count(self) -> int:
        query = f"SELECT count(*) FROM {self.write.table} WHERE owner_id = $1"
        return int(self.stack.value(query, self.owner_id))
