"""Which tenant a call on accounts is about, and whether its key may make it."""

from dataclasses import dataclass
from uuid import UUID

from services.runtime import context
from services.runtime.errors import PermissionDenied, invalid
from services.runtime.ids import OwnerId, TenantId, owner_of
from services.runtime.scope import Scope
from services.storage.accounts import NewKey


def named_tenant(tenant_id: str) -> TenantId:
    """The tenant that an admin's call names in its request, or by metadata; any other key's own.

    PermissionDenied if a tenant's key names another tenant, or the key is a user's;
    InvalidArgument if an admin names none.
    """
    caller = context.principal()
    if caller.kind == "admin":
        if tenant_id:
            return TenantId(UUID(tenant_id))
        if caller.tenant_id is None:
            raise invalid("tenant_id", "an admin key names the tenant", "FIELD_REQUIRED")
        return caller.tenant_id
    own = context.require_tenant()
    if tenant_id and UUID(tenant_id) != own:
        raise PermissionDenied("this key belongs to another tenant")
    return own


def tenant_scope(tenant_id: TenantId) -> Scope:
    """The scope of a transaction that acts for the tenant as such."""
    return Scope(tenant_id)


def user_scope(tenant_id: str, user_id: str) -> Scope:
    """The scope of a transaction about one user: an admin's, a tenant's or the user's own."""
    if context.principal().kind == "admin":
        named = named_tenant(tenant_id)
        return Scope(named, owner_of(named, user_id))
    scope = context.user_scope(user_id)
    if tenant_id and UUID(tenant_id) != scope.tenant_id:
        raise PermissionDenied("this key belongs to another tenant")
    return scope


@dataclass(frozen=True, slots=True)
class SettingsOf:
    """Whose settings a call is about: a user's, or without `owner_id` the tenant's."""

    scope: Scope
    tenant_id: TenantId
    owner_id: OwnerId | None
    user_id: str


def settings_of(tenant_id: str, user_id: str) -> SettingsOf:
    """The level that a call names; a user's key that names no user means its own."""
    caller = context.principal()
    user_id = user_id or (caller.user_id or "")
    if user_id:
        scope = user_scope(tenant_id, user_id)
        if scope.tenant_id is None or scope.owner_id is None:
            raise AssertionError("a user's scope names tenant and owner")
        return SettingsOf(scope, scope.tenant_id, scope.owner_id, user_id)
    named = named_tenant(tenant_id)
    return SettingsOf(tenant_scope(named), named, None, "")


def keys_scope(tenant_id: str) -> tuple[Scope, TenantId | None]:
    """Whose keys a call is about: a tenant's, or for an admin who names none the admin keys."""
    caller = context.principal()
    if caller.kind == "admin" and not tenant_id and caller.tenant_id is None:
        return Scope(admin=True), None
    named = named_tenant(tenant_id)
    return tenant_scope(named), named


def admin_scope(tenant_id: str) -> Scope:
    """The scope of a call about admin keys: an admin's alone, and of no tenant."""
    context.require_admin()
    if tenant_id:
        raise invalid("tenant_id", "an admin key belongs to no tenant")
    return Scope(admin=True)


def check_user(new: NewKey) -> None:
    """InvalidArgument unless a user key, and only a user key, names its user."""
    if new.kind == "user" and not new.user_id:
        raise invalid("user_id", "a user key names its user", "FIELD_REQUIRED")
    if new.kind != "user" and new.user_id:
        raise invalid("user_id", "only a user key names a user")
