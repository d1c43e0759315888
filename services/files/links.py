"""Links to a file's bytes that need no API key: a signature says whose, which and until when."""

import base64
import hmac
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import SecretStr

from services.contract.user import User
from services.runtime.errors import FailedPrecondition, PermissionDenied
from services.runtime.ids import OwnerId, TenantId
from services.runtime.scope import Scope

PATH = "/v1/files:download"
_PURPOSE = b"mnema download link 1"
_BODY = struct.Struct(">16s16s16sQ")


@dataclass(frozen=True, slots=True)
class Link:
    """What a token names. It carries no name of the user: links are passed around."""

    tenant_id: TenantId
    owner_id: OwnerId
    file_id: UUID

    @property
    def scope(self) -> Scope:
        """What a transaction that follows the link may see."""
        return Scope(self.tenant_id, self.owner_id)


class Links:
    """Signs links with a key made of the internal key, and reads the tokens of those that come.

    Without an internal key (a single process) they are good until the process ends.
    """

    def __init__(
        self,
        secret: SecretStr | None,
        public_url: str | None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        given = secret.get_secret_value().encode() if secret else secrets.token_bytes(32)
        # A key of its own: nothing else that is signed with the internal key passes for a link.
        self._key = hmac.digest(given, _PURPOSE, "sha256")
        self._public_url = public_url.rstrip("/") if public_url else None
        self._clock = clock

    def url(self, owner: User, file_id: UUID, expires: int) -> str:
        """A link to the file until `expires`, in seconds since 1970.

        FailedPrecondition (NOT_SUPPORTED) if nobody has said where the gateway is.
        """
        if self._public_url is None:
            raise FailedPrecondition(
                "links need MNEMA_FILES__PUBLIC_URL: the gateway's address as callers see it",
                reason="NOT_SUPPORTED",
            )
        return f"{self._public_url}{PATH}?token={self.token(owner, file_id, expires)}"

    def token(self, owner: User, file_id: UUID, expires: int) -> str:
        """What proves that its bearer may read the file: 118 characters that fit into a URL."""
        body = _BODY.pack(owner.tenant_id.bytes, owner.owner_id.bytes, file_id.bytes, expires)
        return base64.urlsafe_b64encode(body + self._seal(body)).decode().rstrip("=")

    def read(self, token: str) -> Link:
        """What the token names; PermissionDenied (DOWNLOAD_LINK_INVALID or _EXPIRED)."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise _invalid() from None
        body, seal = raw[: _BODY.size], raw[_BODY.size :]
        # Base64 has several spellings of some bytes; only the one that was given out is good.
        spelt = base64.urlsafe_b64encode(raw).decode().rstrip("=") == token
        if not spelt or not hmac.compare_digest(seal, self._seal(body)):
            raise _invalid()
        tenant_id, owner_id, file_id, expires = _BODY.unpack(body)
        if expires <= self._clock():
            moment = datetime.fromtimestamp(expires, UTC).isoformat()
            raise PermissionDenied(
                f"this link expired at {moment}",
                reason="DOWNLOAD_LINK_EXPIRED",
                metadata={"expired_at": moment},
            )
        return Link(
            TenantId(UUID(bytes=tenant_id)), OwnerId(UUID(bytes=owner_id)), UUID(bytes=file_id)
        )

    def expiry(self, seconds: int) -> int:
        """The moment `seconds` from now, in seconds since 1970."""
        return int(self._clock()) + seconds

    def _seal(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")


def _invalid() -> PermissionDenied:
    return PermissionDenied("this is no download link", reason="DOWNLOAD_LINK_INVALID")
