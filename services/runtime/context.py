"""Who is calling, for how much longer, and what they may touch.

The interceptors fill the request's context; handlers and the layers below read it. Work
that no request started (a worker's job) opens its own with `act_for`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from services.runtime.errors import PermissionDenied, Unauthenticated
from services.runtime.ids import OwnerId, TenantId, new_id, owner_of
from services.runtime.scope import Scope

PrincipalKind = Literal["admin", "tenant", "user", "service"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a key stands for.

    `tenant_id` is the key's tenant; for an admin key and for a service it is the one named
    by the metadata `x-mnema-tenant`, if any. `user_id` is set for a user key, and for a
    service that works for one user (`x-mnema-user`).
    """

    kind: PrincipalKind
    tenant_id: TenantId | None = None
    user_id: str | None = None
    key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request. `deadline` is on the clock of `time.monotonic`; None is no deadline.

    `api_key` is the caller's own key, kept only to be passed on to other services.
    """

    request_id: str
    method: str = ""
    peer: str = ""
    principal: Principal | None = None
    deadline: float | None = None
    api_key: str | None = field(default=None, repr=False)

    def of(self, principal: Principal, api_key: str | None) -> "RequestContext":
        """The same request, now that its caller is known."""
        return RequestContext(
            self.request_id, self.method, self.peer, principal, self.deadline, api_key
        )


_current: ContextVar[RequestContext | None] = ContextVar("mnema_request", default=None)
# A request, and the user whom it turned out to be about.
_about: ContextVar[tuple[RequestContext, str] | None] = ContextVar("mnema_about", default=None)


def current() -> RequestContext:
    """The request being served. LookupError outside of one: that is a bug."""
    request = _current.get()
    if request is None:
        raise LookupError("no request is being served here; a background task needs act_for()")
    return request


def current_or_none() -> RequestContext | None:
    """The request being served, or None outside of one (start-up, background tasks)."""
    return _current.get()


def enter(request: RequestContext) -> None:
    """Make this the current request for the rest of the task. For interceptors."""
    _current.set(request)


@contextmanager
def act_for(
    tenant_id: TenantId,
    user_id: str | None = None,
    *,
    timeout: float | None = None,
    request_id: str | None = None,
) -> Iterator[RequestContext]:
    """Work for a tenant, or one user of it, with no caller: as this service.

    `timeout` is in seconds from now; calls to other services and SQL statements inside
    are bounded by it. Calls to other services carry the internal key.
    """
    request = RequestContext(
        request_id=request_id or str(new_id()),
        method="background",
        principal=Principal("service", tenant_id, user_id),
        deadline=None if timeout is None else time.monotonic() + timeout,
    )
    token = _current.set(request)
    try:
        yield request
    finally:
        _current.reset(token)


def remaining() -> float | None:
    """Seconds left of the current request, never negative; None without a deadline."""
    request = _current.get()
    if request is None or request.deadline is None:
        return None
    return max(0.0, request.deadline - time.monotonic())


def call_timeout(max_seconds: float) -> float:
    """How long an outward call may take: what is left, and at most `max_seconds`."""
    left = remaining()
    return max_seconds if left is None else min(left, max_seconds)


def principal() -> Principal:
    """Who is calling. Unauthenticated on the few methods that need no key."""
    found = current().principal
    if found is None:
        raise Unauthenticated("this call carries no API key", reason="API_KEY_MISSING")
    return found


def require_admin() -> Principal:
    """PermissionDenied (ADMIN_KEY_REQUIRED) unless an admin key is calling."""
    caller = principal()
    if caller.kind != "admin":
        raise PermissionDenied("this needs an admin key", reason="ADMIN_KEY_REQUIRED")
    return caller


def require_whole() -> Principal:
    """PermissionDenied (TENANT_KEY_REQUIRED) for a user's key."""
    caller = principal()
    if caller.user_id is not None or caller.kind == "user":
        raise PermissionDenied(
            "a user's key does not reach what is not that user's", reason="TENANT_KEY_REQUIRED"
        )
    return caller


def require_tenant() -> TenantId:
    """The tenant that the caller may act for as a whole.

    A tenant key and a service give their own; an admin key the one named by `x-mnema-tenant`.
    PermissionDenied (TENANT_KEY_REQUIRED) for a user key, or when no tenant is named.
    """
    caller = principal()
    if caller.user_id is not None or caller.kind == "user":
        raise PermissionDenied(
            "a user's key does not reach the whole tenant", reason="TENANT_KEY_REQUIRED"
        )
    if caller.tenant_id is None:
        raise PermissionDenied(
            "this needs a tenant key, or an admin key with x-mnema-tenant metadata",
            reason="TENANT_KEY_REQUIRED",
        )
    return caller.tenant_id


def require_user(user_id: str) -> OwnerId:
    """The owner key of `user_id`, whom the caller may act for.

    A tenant key acts for any user of its tenant, a user key for its own user only
    (else USER_NOT_ALLOWED), an admin key for none (TENANT_KEY_REQUIRED).
    """
    return owner_of(_tenant_for(user_id), user_id)


def user_scope(user_id: str) -> Scope:
    """`require_user`, as the scope of a transaction; the request is about that user from now on."""
    tenant_id = _tenant_for(user_id)
    _about.set((current(), user_id))
    return Scope(tenant_id, owner_of(tenant_id, user_id))


def subject() -> tuple[TenantId, str] | None:
    """The tenant and the user whom the present work is about; "": no single user.

    The user is the caller's own, or else the one whom `user_scope` was last asked for. None
    where no tenant is being served.
    """
    request = _current.get()
    caller = request.principal if request else None
    if caller is None or caller.tenant_id is None:
        return None
    about = _about.get()
    named = about[1] if about is not None and about[0] is request else ""
    return caller.tenant_id, caller.user_id or named


def tenant_scope() -> Scope:
    """`require_tenant`, as the scope of a transaction."""
    return Scope(require_tenant())


def _tenant_for(user_id: str) -> TenantId:
    caller = principal()
    if caller.kind == "admin" or caller.tenant_id is None:
        raise PermissionDenied(
            "memories are reached with a tenant's or a user's key", reason="TENANT_KEY_REQUIRED"
        )
    if caller.user_id is not None and caller.user_id != user_id:
        raise PermissionDenied(
            "this key belongs to another user",
            reason="USER_NOT_ALLOWED",
            metadata={"user_id": user_id},
        )
    return caller.tenant_id
