"""The gRPC face of accounts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import account_service_pb2 as pb
from services.accounts import authority
from services.accounts.convert import key_kind, key_message, tenant_message, user_message
from services.accounts.settings_servicer import SettingsServicer
from services.runtime import context as request_context
from services.runtime.config import OptionSettings
from services.runtime.database import Database
from services.runtime.errors import invalid
from services.runtime.ids import TenantId, new_id, owner_of
from services.runtime.paging import PageTokens, page_size
from services.runtime.scope import Scope
from services.storage import accounts
from services.storage.accounts import NewKey
from services.storage.requests import once

Row = TypeVar("Row")
Context = aio.ServicerContext[Message, Message]
# Calls of administrators as such share one space of request ids.
ADMIN_SCOPE_ID = UUID(int=0)


class AccountServicer(SettingsServicer):
    """Tenants, users, API keys and settings; the contract's comments say what each call does."""

    def __init__(self, database: Database, server: OptionSettings, tokens: PageTokens) -> None:
        super().__init__(database, server)
        self._tokens = tokens

    async def CreateTenant(
        self, request: pb.CreateTenantRequest, context: Context
    ) -> pb.CreateTenantResponse:
        request_context.require_admin()
        secret = ""
        async with self._database.transaction(Scope(admin=True)) as connection:

            async def write() -> pb.CreateTenantResponse:
                nonlocal secret
                tenant = await accounts.create_tenant(connection, request.name)
                new = NewKey("tenant", tenant.tenant_id, name="first key")
                _, secret = await accounts.create_key(connection, new)
                return pb.CreateTenantResponse(tenant=tenant_message(tenant))

            answer = await once(connection, ADMIN_SCOPE_ID, request, pb.CreateTenantResponse, write)
        # The secret is never stored, so a repeated call can't give it again.
        answer.api_key = secret
        return answer

    async def GetTenant(
        self, request: pb.GetTenantRequest, context: Context
    ) -> pb.GetTenantResponse:
        tenant_id = authority.named_tenant(request.tenant_id)
        scope = authority.tenant_scope(tenant_id)
        async with self._database.transaction(scope, readonly=True) as connection:
            tenant = await accounts.get_tenant(connection, tenant_id)
        return pb.GetTenantResponse(tenant=tenant_message(tenant))

    async def ListTenants(
        self, request: pb.ListTenantsRequest, context: Context
    ) -> pb.ListTenantsResponse:
        request_context.require_admin()
        size = page_size(request.page_size, default=100)
        after = self._moment_cursor(request)
        async with self._database.transaction(Scope(admin=True), readonly=True) as connection:
            rows = await accounts.list_tenants(connection, after, size + 1)
        answer = pb.ListTenantsResponse(tenants=[tenant_message(row) for row in rows[:size]])
        if len(rows) > size:
            last = rows[size - 1]
            answer.next_page_token = self._moment_token(last.created_at, last.tenant_id, request)
        return answer

    async def CreateUser(
        self, request: pb.CreateUserRequest, context: Context
    ) -> pb.CreateUserResponse:
        tenant_id = authority.named_tenant(request.tenant_id)
        user_id = request.user_id or str(new_id())
        scope = authority.tenant_scope(tenant_id)
        async with self._database.transaction(scope) as connection:
            user = await accounts.create_user(
                connection, owner_of(tenant_id, user_id), tenant_id, user_id
            )
            _, secret = await accounts.create_key(connection, NewKey("user", tenant_id, user_id))
        return pb.CreateUserResponse(user=user_message(user), id=user_id, api_key=secret)

    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.GetUserResponse:
        scope = authority.user_scope(request.tenant_id, request.user_id)
        if scope.owner_id is None:
            raise AssertionError("a user's scope names its owner")
        async with self._database.transaction(scope, readonly=True) as connection:
            user = await accounts.get_user(connection, scope.owner_id, request.user_id)
        return pb.GetUserResponse(user=user_message(user))

    async def ListUsers(
        self, request: pb.ListUsersRequest, context: Context
    ) -> pb.ListUsersResponse:
        tenant_id = authority.named_tenant(request.tenant_id)
        size = page_size(request.page_size, default=100)
        cursor = self._tokens.decode(request)
        after = None if cursor is None else str(cursor[0])
        scope = authority.tenant_scope(tenant_id)
        async with self._database.transaction(scope, readonly=True) as connection:
            rows = await accounts.list_users(connection, tenant_id, after, size + 1)
        answer = pb.ListUsersResponse(users=[user_message(row) for row in rows[:size]])
        if len(rows) > size:
            answer.next_page_token = self._tokens.encode([rows[size - 1].user_id], request)
        return answer

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: Context
    ) -> pb.CreateApiKeyResponse:
        scope, new = _new_key(request)
        async with self._database.transaction(scope) as connection:
            row, secret = await accounts.create_key(connection, new)
        return pb.CreateApiKeyResponse(api_key=key_message(row), secret=secret)

    async def ListApiKeys(
        self, request: pb.ListApiKeysRequest, context: Context
    ) -> pb.ListApiKeysResponse:
        scope, tenant_id = authority.keys_scope(request.tenant_id)
        size = page_size(request.page_size, default=100)
        after = self._moment_cursor(request)
        async with self._database.transaction(scope, readonly=True) as connection:
            rows = await accounts.list_keys(connection, tenant_id, after, size + 1)
        answer = pb.ListApiKeysResponse(api_keys=[key_message(row) for row in rows[:size]])
        if len(rows) > size:
            last = rows[size - 1]
            answer.next_page_token = self._moment_token(last.created_at, last.key_id, request)
        return answer

    async def RevokeApiKey(
        self, request: pb.RevokeApiKeyRequest, context: Context
    ) -> pb.RevokeApiKeyResponse:
        scope, tenant_id = authority.keys_scope(request.tenant_id)
        async with self._database.transaction(scope) as connection:
            row = await accounts.revoke_key(connection, UUID(request.key_id), tenant_id)
        return pb.RevokeApiKeyResponse(api_key=key_message(row))

    def _moment_cursor(self, request: Message) -> tuple[datetime, UUID] | None:
        cursor = self._tokens.decode(request)
        return None if cursor is None else _moment(cursor)

    def _moment_token(self, moment: datetime, row_id: UUID, request: Message) -> str:
        return self._tokens.encode([moment.isoformat(), str(row_id)], request)


def _moment(cursor: Sequence[str | int | float | None]) -> tuple[datetime, UUID]:
    return datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1]))


def _new_key(request: pb.CreateApiKeyRequest) -> tuple[Scope, NewKey]:
    kind = key_kind(request.kind)
    tenant_id: TenantId | None = None
    if kind == "admin":
        scope = authority.admin_scope(request.tenant_id)
    else:
        tenant_id = authority.named_tenant(request.tenant_id)
        scope = authority.tenant_scope(tenant_id)
    expires_at = None
    if request.HasField("expires_at"):
        expires_at = request.expires_at.ToDatetime(tzinfo=UTC)
        if expires_at <= datetime.now(UTC):
            raise invalid("expires_at", "must lie in the future", "FIELD_OUT_OF_RANGE")
    new = NewKey(kind, tenant_id, request.user_id or None, request.name, expires_at)
    authority.check_user(new)
    return scope, new
