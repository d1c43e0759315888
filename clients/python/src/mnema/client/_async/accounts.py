"""Tenants, users, API keys and settings."""

from collections.abc import AsyncGenerator
from datetime import datetime

from mnema.client._async.calls import AsyncCaller, take
from mnema.client._convert.accounts import key_of, tenant_of, user_of
from mnema.client._convert.names import KEY_KINDS
from mnema.client._convert.settings import level_of, update_request
from mnema.client._convert.times import timestamp_of
from mnema.client.models import ApiKey, NewApiKey, NewTenant, NewUser, Tenant, User
from mnema.client.settings import UNCHANGED, SettingsOfLevel, Unchanged
from mnema.v1 import account_service_pb2 as pb
from mnema.v1.account_service_pb2_grpc import AccountServiceStub


class AsyncAccounts:
    """Tenants, users, their API keys and settings: `nm.accounts`.

    An admin key makes tenants and keys and names the tenant in `tenant_id`; other keys leave it
    out. Secrets are shown once, when they are made.
    """

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def create_tenant(self, name: str) -> NewTenant:
        """Makes a tenant and its first key. Needs an admin key.

        Args:
            name: for people: 1 to 256 characters.

        Example:
            async with AsyncMnema(api_key=admin_key) as nm:
                made = await nm.accounts.create_tenant("Acme")
                print(made.tenant.tenant_id, made.api_key)
        """
        stub = self._caller.stub(AccountServiceStub)
        response = await self._caller.write(stub.CreateTenant, pb.CreateTenantRequest(name=name))
        return NewTenant(tenant_of(response.tenant), response.api_key or None)

    async def get_tenant(self, tenant_id: str) -> Tenant:
        """Gets a tenant. Needs an admin key, or a key of that tenant.

        Raises:
            NotFound: there is none of that id.
        """
        stub = self._caller.stub(AccountServiceStub)
        request = pb.GetTenantRequest(tenant_id=tenant_id)
        return tenant_of((await self._caller.read(stub.GetTenant, request)).tenant)

    async def list_tenants(self, limit: int = 100) -> list[Tenant]:
        """Lists tenants by the time they were made. Needs an admin key."""
        return await take(self._tenants(limit), limit)

    async def _tenants(self, limit: int) -> AsyncGenerator[Tenant]:
        stub = self._caller.stub(AccountServiceStub)
        async for page in self._caller.pages(stub.ListTenants, pb.ListTenantsRequest(), limit):
            for tenant in page.tenants:
                yield tenant_of(tenant)

    async def create_user(
        self, user_id: str | None = None, *, tenant_id: str | None = None
    ) -> NewUser:
        """Makes a user and a key for it. Needs a tenant key or an admin key.

        Users need not be made: the first message of a user makes it.

        Args:
            user_id: 1 to 256 characters. Default: a new UUID.
            tenant_id: the tenant, for admin keys.

        Raises:
            AlreadyExists: the tenant has a user of that id.
        """
        stub = self._caller.stub(AccountServiceStub)
        request = pb.CreateUserRequest(user_id=user_id or "", tenant_id=tenant_id or "")
        response = await self._caller.once(stub.CreateUser, request)
        return NewUser(user_of(response.user), response.api_key)

    async def get_user(self, user_id: str, *, tenant_id: str | None = None) -> User:
        """Gets a user.

        Raises:
            NotFound: the tenant has none of that id.
        """
        stub = self._caller.stub(AccountServiceStub)
        request = pb.GetUserRequest(user_id=user_id, tenant_id=tenant_id or "")
        return user_of((await self._caller.read(stub.GetUser, request)).user)

    async def list_users(self, limit: int = 100, *, tenant_id: str | None = None) -> list[User]:
        """Lists a tenant's users by id. Needs a tenant key or an admin key."""
        return await take(self._users(tenant_id, limit), limit)

    def iter_users(self, *, tenant_id: str | None = None) -> AsyncGenerator[User]:
        """Iterates over all of a tenant's users by id."""
        return self._users(tenant_id, None)

    async def _users(self, tenant_id: str | None, limit: int | None) -> AsyncGenerator[User]:
        stub = self._caller.stub(AccountServiceStub)
        request = pb.ListUsersRequest(tenant_id=tenant_id or "")
        async for page in self._caller.pages(stub.ListUsers, request, limit):
            for user in page.users:
                yield user_of(user)

    async def create_key(
        self,
        kind: str,
        *,
        user_id: str | None = None,
        tenant_id: str | None = None,
        name: str = "",
        expires_at: datetime | None = None,
    ) -> NewApiKey:
        """Makes an API key. The secret is in the answer and nowhere else.

        An admin key makes keys of any kind; a tenant key makes tenant and user keys.

        Args:
            kind: "admin", "tenant" or "user".
            user_id: the user of a user key.
            tenant_id: the tenant, for admin keys that make a tenant or user key.
            name: for people: at most 256 characters.
            expires_at: when it ceases to work: an aware datetime. Default: never.
        """
        stub = self._caller.stub(AccountServiceStub)
        request = pb.CreateApiKeyRequest(
            kind=KEY_KINDS.number(kind),
            user_id=user_id or "",
            tenant_id=tenant_id or "",
            name=name,
            expires_at=timestamp_of(expires_at),
        )
        response = await self._caller.once(stub.CreateApiKey, request)
        return NewApiKey(key_of(response.api_key), response.secret)

    async def list_keys(self, limit: int = 100, *, tenant_id: str | None = None) -> list[ApiKey]:
        """Lists a tenant's keys without their secrets, the newest first.

        With an admin key and no tenant: the admin keys.
        """
        return await take(self._keys(tenant_id, limit), limit)

    async def _keys(self, tenant_id: str | None, limit: int) -> AsyncGenerator[ApiKey]:
        stub = self._caller.stub(AccountServiceStub)
        request = pb.ListApiKeysRequest(tenant_id=tenant_id or "")
        async for page in self._caller.pages(stub.ListApiKeys, request, limit):
            for key in page.api_keys:
                yield key_of(key)

    async def revoke_key(self, key_id: str, *, tenant_id: str | None = None) -> ApiKey:
        """Revokes a key: it is refused within 5 seconds. A revoked one stays revoked.

        Raises:
            NotFound: there is none of that id.
        """
        stub = self._caller.stub(AccountServiceStub)
        request = pb.RevokeApiKeyRequest(key_id=key_id, tenant_id=tenant_id or "")
        return key_of((await self._caller.once(stub.RevokeApiKey, request)).api_key)

    async def get_settings(
        self, user_id: str | None = None, *, tenant_id: str | None = None
    ) -> SettingsOfLevel:
        """Gets the settings of the tenant or of a user: what is set there, and what holds.

        Args:
            user_id: the user meant. None: the tenant; with a user key, that user.
            tenant_id: the tenant, for admin keys.
        """
        stub = self._caller.stub(AccountServiceStub)
        request = pb.GetSettingsRequest(user_id=user_id or "", tenant_id=tenant_id or "")
        response = await self._caller.read(stub.GetSettings, request)
        return level_of(response)

    async def update_settings(
        self,
        user_id: str | None = None,
        *,
        tenant_id: str | None = None,
        auto_extract: bool | Unchanged | None = UNCHANGED,
        graph_enabled: bool | Unchanged | None = UNCHANGED,
        reflection_interval: int | Unchanged | None = UNCHANGED,
        message_interval: int | Unchanged | None = UNCHANGED,
        idle_timeout: float | Unchanged | None = UNCHANGED,
        on_session_close: bool | Unchanged | None = UNCHANGED,
    ) -> SettingsOfLevel:
        """Changes the settings of the tenant or of a user, from the next call on.

        What is not given stays. None clears a setting: the level before decides again, which
        is the tenant for a user and the server for a tenant.

        Args:
            user_id: the user meant, made if new. None: the tenant; with a user key, that user.
            tenant_id: the tenant, for admin keys.
            auto_extract: whether messages are extracted by themselves.
            graph_enabled: whether extraction looks for triples, and recall for facts.
            reflection_interval: extracted user messages between two digests: 1 to 10,000; 0:
                no digest is made by itself.
            message_interval: with how many pending messages a session is extracted: 1 (each
                one) to 10,000; 0: their number never does it.
            idle_timeout: after how many seconds without a message it is: up to 30 days; 0: a
                pause never does it.
            on_session_close: whether closing it does.

        Raises:
            InvalidArgument: a value is out of its range, or none is given.
            NotFound: there is no such tenant.

        Example:
            async with AsyncMnema() as nm:
                await nm.accounts.update_settings("alice", auto_extract=False)
                print((await nm.accounts.get_settings("alice")).effective)
        """
        given: dict[str, bool | int | float | Unchanged | None] = {
            "auto_extract": auto_extract,
            "graph_enabled": graph_enabled,
            "reflection_interval": reflection_interval,
            "message_interval": message_interval,
            "idle_timeout": idle_timeout,
            "on_session_close": on_session_close,
        }
        changes = {name: value for name, value in given.items() if value is not UNCHANGED}
        stub = self._caller.stub(AccountServiceStub)
        request = update_request(changes, user_id or "", tenant_id or "")
        response = await self._caller.write(stub.UpdateSettings, request)
        return level_of(response)
