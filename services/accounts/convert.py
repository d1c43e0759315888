"""Accounts: storage rows to contract messages."""

from mnema.v1 import account_service_pb2 as pb
from services.runtime.auth import KeyKind
from services.runtime.errors import invalid
from services.storage.accounts import KeyRow, TenantRow, UserRow

KINDS: dict[KeyKind, pb.ApiKeyKind.ValueType] = {
    "admin": pb.API_KEY_KIND_ADMIN,
    "tenant": pb.API_KEY_KIND_TENANT,
    "user": pb.API_KEY_KIND_USER,
}


def tenant_message(row: TenantRow) -> pb.Tenant:
    """The tenant as the contract has it."""
    message = pb.Tenant(tenant_id=str(row.tenant_id), name=row.name)
    message.created_at.FromDatetime(row.created_at)
    return message


def user_message(row: UserRow) -> pb.User:
    """The user as the contract has it."""
    message = pb.User(user_id=row.user_id)
    message.created_at.FromDatetime(row.created_at)
    return message


def key_message(row: KeyRow) -> pb.ApiKey:
    """The key as the contract has it: without its secret."""
    message = pb.ApiKey(
        key_id=str(row.key_id),
        kind=KINDS[row.kind],
        tenant_id=str(row.tenant_id or ""),
        user_id=row.user_id or "",
        name=row.name,
        prefix=row.prefix,
    )
    message.created_at.FromDatetime(row.created_at)
    if row.expires_at is not None:
        message.expires_at.FromDatetime(row.expires_at)
    if row.revoked_at is not None:
        message.revoked_at.FromDatetime(row.revoked_at)
    return message


def key_kind(kind: pb.ApiKeyKind.ValueType) -> KeyKind:
    """The contract's kind as storage has it."""
    for name, value in KINDS.items():
        if value == kind:
            return name
    raise invalid("kind", "must be an ADMIN, TENANT or USER key", "ENUM_UNKNOWN")
