"""Nobody sees what is another's: every read RPC as a stranger, and the database's own wall."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from google.protobuf import text_format
from google.protobuf.message import Message

from services.app.local_stack import LocalStack
from tests.e2e.contract import Rpc, json_of, public_rpcs, rpc
from tests.e2e.failure import Failure
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.seeding import Seeds, seed
from tests.e2e.valid_requests import ADMIN_ONLY, valid_requests

pytestmark = [pytest.mark.feature("N19"), pytest.mark.feature("X04")]

READ_VERBS = ("Get", "List", "Find", "Search", "Recall", "Download", "Watch", "Export")
WRITE_VERBS = (
    *("Create", "Add", "Set", "Put", "BatchSet", "Update", "Delete", "Ingest", "Upload", "Import"),
    *("Close", "Revoke", "Retry", "Start", "Digest", "Embed", "Rollback", "Undo", "Clear"),
)


def _is_paged(method: Rpc) -> bool:
    return "page_token" in method.request.DESCRIPTOR.fields_by_name


# A link's token opens one file to whoever has it: test_files.py tries what else it might open.
READS = [each for each in public_rpcs() if each.method.startswith(READ_VERBS) and each.needs_key]
OF_USERS = [each for each in READS if each.names_a_user]
CHANGES = [
    each
    for each in public_rpcs()
    if each not in READS
    and each.method.startswith(("Update", "Delete", "Close", "Revoke", "Rollback", "Undo"))
]
# What alice sees of these has counts and times only, no text and no id.
WITHOUT_TEXT = frozenset(
    {
        "IngestService.GetIngestStatus",
        "ReflectService.GetDigest",  # of a digest without insights
        "FileService.GetDownloadUrl",
        "LifecycleService.GetDeletion",
    }
)
# These say that there is nothing under that id; the others answer with nothing.
NOT_FOUND = frozenset(
    {
        "AccountService.GetUser",
        "ConversationService.GetSession",
        "ConversationService.GetMessage",
        "MemoryService.GetMemory",
        "MemoryService.ListMemoryRevisions",
        "GraphService.GetNode",
        "GraphService.GetEdge",
        "KeyValueService.GetValue",
        "FileService.GetFile",
        "FileService.DownloadFile",
        "ReflectService.GetDigest",
        "FileService.GetDownloadUrl",
        "LifecycleService.GetDeletion",
        "LifecycleService.ExportUserData",
    }
)


@pytest.fixture(scope="module")
def alice(gateway: Gateway) -> Seeds:
    return seed(gateway, gateway.new_tenant("tenant of alice"), "alice")


@pytest.fixture(scope="module")
def stranger(gateway: Gateway) -> Tenant:
    """Another tenant."""
    return gateway.new_tenant("another tenant")


@pytest.fixture(scope="module")
def bobs_key(gateway: Gateway, alice: Seeds) -> str:
    """Of another user of alice's tenant."""
    return gateway.new_user_key("bob", alice.tenant)


def test_every_rpc_is_a_read_or_a_write() -> None:
    """A new RPC has to be put with one or the other, and so gets its tests."""
    for each in public_rpcs():
        read = each.method.startswith(READ_VERBS)
        assert read != each.method.startswith(WRITE_VERBS), each.name


@pytest.mark.parametrize("method", READS, ids=str)
def test_alice_sees_her_own(gateway: Gateway, alice: Seeds, method: Rpc) -> None:
    """So that the tests below have something to find."""
    key = gateway.admin_key if method.name in ADMIN_ONLY else alice.tenant.api_key
    answers = gateway.send(method, _requests(method, alice), key)
    if method.name in WITHOUT_TEXT or method.service.endswith("AccountService"):
        return
    assert _leaks(answers, _requests(method, alice), alice)


def test_alice_has_an_emotion_profile(gateway: Gateway, alice: Seeds) -> None:
    key = alice.tenant.api_key
    fields = {"user_id": alice.user_id}
    profile = gateway.call("ReflectService.GetEmotionProfile", fields, key)["emotion_profile"]
    assert int(profile["source_count"]) > 0


@pytest.mark.parametrize("method", OF_USERS, ids=str)
def test_another_tenant_sees_nothing(
    gateway: Gateway, alice: Seeds, stranger: Tenant, method: Rpc
) -> None:
    """Even one that calls one of its own users alice."""
    _sees_nothing(gateway, method, _requests(method, alice), stranger.api_key, alice)


@pytest.mark.parametrize("method", OF_USERS, ids=str)
def test_another_user_of_the_tenant_may_not_ask_for_alice(
    gateway: Gateway, alice: Seeds, bobs_key: str, method: Rpc
) -> None:
    requests = _requests(method, alice)
    failures = [gateway.failure(method, requests, bobs_key)]
    if method.bindings:
        failures.append(gateway.rest_failure(method, json_of(requests[0]), bobs_key))
    for failure in failures:
        assert failure is not None
        assert (failure.code, failure.reason) == ("PERMISSION_DENIED", "USER_NOT_ALLOWED")
        assert not _found(str(failure), str(requests), alice)


@pytest.mark.parametrize("method", OF_USERS, ids=str)
def test_another_user_of_the_tenant_sees_nothing_under_alices_ids(
    gateway: Gateway, alice: Seeds, bobs_key: str, method: Rpc
) -> None:
    as_bob = _requests(method, replace(alice, user_id="bob"))
    _sees_nothing(gateway, method, as_bob, bobs_key, alice)


@pytest.mark.parametrize("method", [each for each in READS if not each.names_a_user], ids=str)
def test_accounts_of_another_tenant_are_not_seen(
    gateway: Gateway, alice: Seeds, stranger: Tenant, method: Rpc
) -> None:
    requests = _requests(method, alice)
    for named in ("", alice.tenant.tenant_id):
        for request in requests:
            if "tenant_id" in request.DESCRIPTOR.fields_by_name:
                request.tenant_id = named or request.tenant_id  # type: ignore[attr-defined]
        failure, answers = _tried(gateway, method, requests, stranger.api_key)
        told = str(failure) + "".join(map(text_format.MessageToString, answers))
        assert not _found(told, str(requests), alice)
        # The built-in ranking profiles are everybody's.
        if (named and method.service.endswith("AccountService")) or method.method == "GetTenant":
            assert failure is not None
            assert failure.code == "PERMISSION_DENIED"


@pytest.mark.parametrize("method", CHANGES, ids=str)
def test_strangers_change_nothing(
    gateway: Gateway, alice: Seeds, stranger: Tenant, bobs_key: str, method: Rpc
) -> None:
    before = _everything(gateway, alice)
    attempts = (
        (stranger.api_key, alice),
        (bobs_key, alice),
        (bobs_key, replace(alice, user_id="bob")),
    )
    for key, seeds in attempts:
        requests = _requests(method, seeds)
        _, answers = _tried(gateway, method, requests, key)
        assert not _leaks(answers, requests, alice)
    assert _everything(gateway, alice) == before


@pytest.mark.parametrize("method", [each for each in OF_USERS if _is_paged(each)], ids=str)
def test_a_page_token_opens_no_door(
    gateway: Gateway, alice: Seeds, stranger: Tenant, bobs_key: str, method: Rpc
) -> None:
    requests: list[Any] = _requests(method, alice)
    requests[0].page_size = 1
    first = json_of(gateway.send(method, requests, alice.tenant.api_key)[0])
    token = first.get("next_page_token") or "there is one page only"
    requests[0].page_token = token
    refused = gateway.failure(method, requests, stranger.api_key)
    assert refused is not None
    assert refused.reason == "PAGE_TOKEN_INVALID"
    requests[0].user_id = "bob"
    refused = gateway.failure(method, requests, bobs_key)
    assert refused is not None
    assert refused.reason == "PAGE_TOKEN_INVALID"


def test_many_callers_at_once_are_kept_apart(
    gateway: Gateway, alice: Seeds, stranger: Tenant, bobs_key: str
) -> None:
    """Calls share the services' database connections; what one sets must not stay for the next."""
    method = rpc("VectorService.Search")
    callers = (
        (alice.tenant.api_key, alice, True),
        (stranger.api_key, alice, False),
        (bobs_key, replace(alice, user_id="bob"), False),
    )

    def ask(number: int) -> bool:
        key, seeds, sees = callers[number % len(callers)]
        requests = _requests(method, seeds)
        return bool(_leaks(gateway.send(method, requests, key), requests, alice)) == sees

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(ask, range(240)))


async def test_without_settings_the_services_role_sees_no_row(
    stack: LocalStack, alice: Seeds
) -> None:
    """The wall is the database's: a query that forgets its WHERE finds nothing."""
    superuser = await asyncpg.connect(stack.postgres.access().superuser_dsn)
    service = await asyncpg.connect(stack.service_dsn)
    try:
        tables = await _tables(superuser)
        assert len(tables) > 15
        counted = {table: await _count(superuser, table) for table in tables}
        seen = {table: await _count(service, table) for table in tables}
    finally:
        await superuser.close()
        await service.close()
    seeded = {"messages", "memories", "sessions", "extractions", "graph_nodes", "graph_edges"}
    seeded |= {"key_values", "documents", "chunks", "search_items", "unit_terms", "users"}
    seeded |= {"tenants", "api_keys", "emotion_profiles", "digests", "digest_marks", "events"}
    seeded |= {"ranking_profiles", "rollbacks", "deletions"}
    assert {table for table in seeded if not counted[table]} == set()
    assert {table: count for table, count in seen.items() if count} == {}


@pytest.mark.parametrize("table", ["messages", "memories", "graph_edges", "key_values"])
async def test_one_owners_settings_show_no_other_owners_rows(
    stack: LocalStack, alice: Seeds, table: str
) -> None:
    superuser = await asyncpg.connect(stack.postgres.access().superuser_dsn)
    service = await asyncpg.connect(stack.service_dsn)
    try:
        owners = await superuser.fetch(f"SELECT owner_id, count(*) FROM {table} GROUP BY 1")
        for owner_id, count in owners:
            async with service.transaction():
                await service.execute("SELECT set_config('mnema.owner', $1, true)", str(owner_id))
                rows = await service.fetch(f"SELECT owner_id FROM {table}")
            assert [row["owner_id"] for row in rows] == [owner_id] * count
        assert len(owners) >= 1
    finally:
        await superuser.close()
        await service.close()


def _requests(method: Rpc, seeds: Seeds) -> list[Message]:
    return [method.request_of(each) for each in valid_requests(seeds)[method.name]]


def _sees_nothing(
    gateway: Gateway, method: Rpc, requests: list[Message], key: str, alice: Seeds
) -> None:
    failure, answers = _tried(gateway, method, requests, key)
    assert not _found(str(failure), str(requests), alice)
    assert not _leaks(answers, requests, alice)
    if method.name in NOT_FOUND:
        assert failure is not None
        assert (failure.code, failure.reason) == ("NOT_FOUND", "RESOURCE_NOT_FOUND")
    else:
        assert failure is None
        assert [list(_things(json_of(each))) for each in answers] == [[]]
    if method.bindings:
        answer = gateway.rest(method, json_of(requests[0]), key)
        assert answer.status_code == (404 if method.name in NOT_FOUND else 200)
        assert not _found(answer.text, str(requests), alice)


def _tried(
    gateway: Gateway, method: Rpc, requests: list[Message], key: str
) -> tuple[Failure | None, list[Message]]:
    failure = gateway.failure(method, requests, key)
    return failure, [] if failure else gateway.send(method, requests, key)


def _leaks(answers: list[Message], requests: list[Message], of: Seeds) -> list[str]:
    told = "".join(text_format.MessageToString(each) for each in answers)
    return _found(told, str(requests), of)


def _found(told: str, asked: str, of: Seeds) -> list[str]:
    """Secrets that an answer has and the question had not."""
    told, asked = told.lower(), asked.lower()
    return [each for each in of.secrets if each.lower() in told and each.lower() not in asked]


def _things(answer: Mapping[str, Any]) -> Iterator[str]:
    """Fields of an answer that hold something."""
    for name, value in answer.items():
        if name in ("profile", "cursor", "next_cursor"):
            continue  # a built-in one: how nothing was ranked; a place, which grants nothing
        if isinstance(value, Mapping):
            yield from (f"{name}.{each}" for each in _things(value))
        elif value not in ("", "0", 0, 0.0, False, [], {}):
            yield name


def _everything(gateway: Gateway, seeds: Seeds) -> dict[str, Any]:
    """What alice reads of her own, but for what reading itself counts."""
    names = (
        *("ConversationService.ListSessions", "ConversationService.ListMessages"),
        *("MemoryService.ListMemories", "GraphService.ListNodes", "GraphService.ListNeighbors"),
        *("GraphService.GetEdge", "KeyValueService.ListValues", "FileService.ListFiles"),
        *("AccountService.ListApiKeys", "AccountService.GetSettings"),
        "VectorService.ListRankingProfiles",
    )
    return {
        name: _steady(json_of(gateway.send(rpc(name), _requests(rpc(name), seeds), _key(seeds))[0]))
        for name in names
    }


def _key(seeds: Seeds) -> str:
    return seeds.tenant.api_key


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        counted = ("access_count", "last_accessed_at", "next_page_token")
        return {name: _steady(each) for name, each in value.items() if name not in counted}
    return [_steady(each) for each in value] if isinstance(value, list) else value


async def _tables(connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """Those that hold somebody's data: not the migrations', the spaces' and the queue's own."""
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
        "AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'pgqueuer%' "
        "AND relname NOT IN ('alembic_version', 'embedding_spaces')"
    )
    return [row["relname"] for row in rows]


async def _count(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> int:
    return int(await connection.fetchval(f'SELECT count(*) FROM "{table}"'))
