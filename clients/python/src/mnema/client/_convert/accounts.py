"""Tenants, users and API keys."""

from mnema.client._convert.names import KEY_KINDS
from mnema.client._convert.times import moment_of, optional_moment
from mnema.client.models import ApiKey, Tenant, User
from mnema.v1 import account_service_pb2 as pb


def tenant_of(tenant: pb.Tenant) -> Tenant:
    """A tenant as callers see it."""
    return Tenant(tenant.tenant_id, tenant.name, moment_of(tenant.created_at))


def user_of(user: pb.User) -> User:
    """A user as callers see it."""
    return User(user.user_id, moment_of(user.created_at))


def key_of(key: pb.ApiKey) -> ApiKey:
    """An API key as callers see it."""
    return ApiKey(
        key_id=key.key_id,
        kind=KEY_KINDS.name(key.kind),
        prefix=key.prefix,
        created_at=moment_of(key.created_at),
        name=key.name,
        tenant_id=key.tenant_id or None,
        user_id=key.user_id or None,
        expires_at=optional_moment(key, "expires_at"),
        revoked_at=optional_moment(key, "revoked_at"),
    )
