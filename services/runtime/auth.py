"""API keys: their form, their hashes, and the check of the one a call carries.

A key is `mk_<kind>_<random>` with 256 random bits, so a plain SHA-256 of it is safe to store:
there is nothing to guess. Where keys are kept is the storage layer's matter (`Authenticator`).
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import unquote
from uuid import UUID

from pydantic import SecretStr

from services.runtime.context import Principal
from services.runtime.errors import InvalidArgument, Unauthenticated, invalid
from services.runtime.ids import TenantId

KeyKind = Literal["admin", "tenant", "user"]
TENANT = "x-mnema-tenant"
USER = "x-mnema-user"  # percent-encoded: a user id is any text, metadata are ASCII

_KEY = re.compile(r"mk_(admin|tenant|user)_[A-Za-z0-9_-]{43}")
_BEARER = "bearer "
_CACHE_SECONDS = 5.0
_CACHE_ENTRIES = 10_000


class Authenticator(Protocol):
    """Knows the API keys."""

    async def authenticate(self, key: str) -> Principal:
        """Whom the key stands for.

        Unauthenticated with reason API_KEY_INVALID, API_KEY_REVOKED or API_KEY_EXPIRED.
        """
        ...


def generate_key(kind: KeyKind) -> str:
    """A new key: shown once, stored only as its hash."""
    return f"mk_{kind}_{secrets.token_urlsafe(32)}"


def hash_key(key: str) -> str:
    """What is stored and looked up: SHA-256, 64 hexadecimal characters."""
    return hashlib.sha256(key.encode()).hexdigest()


def well_formed(key: str) -> bool:
    """Whether this could be a key at all; one that is not needs no look-up."""
    return _KEY.fullmatch(key) is not None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a call's metadata say about its caller. The key is kept out of every repr."""

    api_key: str | None = field(default=None, repr=False)
    tenant: str | None = None
    user: str | None = None

    @classmethod
    def of(cls, metadata: Iterable[tuple[str, str | bytes]]) -> "Credentials":
        """From `authorization: Bearer KEY` (first choice) or `x-api-key: KEY`."""
        found = {name: value for name, value in metadata if isinstance(value, str)}
        bearer = found.get("authorization", "")
        if bearer[: len(_BEARER)].lower() == _BEARER:
            key = bearer[len(_BEARER) :].strip()
        else:
            key = found.get("x-api-key", "").strip()
        return cls(key or None, found.get(TENANT), found.get(USER))


class KeyRing:
    """Checks a call's credentials: the internal key of services, or an API key."""

    def __init__(self, authenticator: Authenticator | None, internal_key: SecretStr | None) -> None:
        self._authenticator = authenticator
        self._internal = internal_key.get_secret_value().encode() if internal_key else None

    async def principal(self, given: Credentials) -> Principal:
        """Whom the credentials stand for.

        A service names the tenant and user it works for, an admin may name a tenant
        (InvalidArgument if that is no UUID). Others' claims are ignored: their key says it.
        """
        if given.api_key is None:
            raise Unauthenticated("an API key is needed", reason="API_KEY_MISSING")
        if self._internal and hmac.compare_digest(given.api_key.encode(), self._internal):
            user = unquote(given.user) if given.user else None
            return Principal("service", _tenant(given.tenant), user)
        if self._authenticator is None or not well_formed(given.api_key):
            raise Unauthenticated("this API key is unknown", reason="API_KEY_INVALID")
        found = await self._authenticator.authenticate(given.api_key)
        if found.kind == "admin":
            return Principal("admin", _tenant(given.tenant), None, found.key_id)
        return found


@dataclass(frozen=True, slots=True)
class _Answer:
    expires: float
    principal: Principal | None
    refusal: Unauthenticated | None = None


class CachedAuthenticator:
    """Remembers answers, good and bad, for a few seconds.

    A revoked key works for at most `seconds` more. Many calls with one key at once ask once.
    Failures to look up (Unavailable) are not remembered.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        *,
        seconds: float = _CACHE_SECONDS,
        entries: int = _CACHE_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authenticator = authenticator
        self._seconds = seconds
        self._entries = entries
        self._clock = clock
        # Two tables, so that a flood of wrong keys does not push the good ones out.
        self._good: OrderedDict[str, _Answer] = OrderedDict()
        self._bad: OrderedDict[str, _Answer] = OrderedDict()
        self._asked: dict[str, asyncio.Task[_Answer]] = {}

    async def authenticate(self, key: str) -> Principal:
        """See Authenticator."""
        name = hash_key(key)  # the cache holds no keys
        answer = self._good.get(name) or self._bad.get(name)
        if answer is None or answer.expires <= self._clock():
            answer = await self._ask(name, key)
        if answer.refusal is not None:
            refusal = answer.refusal
            raise Unauthenticated(refusal.message, reason=refusal.reason)
        if answer.principal is None:
            raise AssertionError("an answer is a principal or a refusal")
        return answer.principal

    async def _ask(self, name: str, key: str) -> _Answer:
        task = self._asked.get(name)
        if task is None:
            task = asyncio.create_task(self._look_up(name, key), name="authenticate")
            self._asked[name] = task
            task.add_done_callback(lambda _: self._asked.pop(name, None))
        # One caller that gives up must not take the answer from the others.
        return await asyncio.shield(task)

    async def _look_up(self, name: str, key: str) -> _Answer:
        self._good.pop(name, None)
        self._bad.pop(name, None)
        expires = self._clock() + self._seconds
        try:
            answer = _Answer(expires, await self._authenticator.authenticate(key))
            table = self._good
        except Unauthenticated as refusal:
            answer = _Answer(expires, None, refusal)
            table = self._bad
        table[name] = answer
        if len(table) > self._entries:
            table.popitem(last=False)
        return answer


def _tenant(text: str | None) -> TenantId | None:
    if not text:
        return None
    try:
        return TenantId(UUID(text))
    except ValueError:
        raise _no_tenant() from None


def _no_tenant() -> InvalidArgument:
    return invalid(TENANT, "is not a tenant's id", "FIELD_MALFORMED")
