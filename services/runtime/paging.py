"""Page sizes, and page tokens that only their own call can use."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from google.protobuf.message import Message
from pydantic import SecretStr

from services.runtime import context
from services.runtime.errors import InvalidArgument, invalid

Cursor: TypeAlias = tuple[str | int | float | None, ...]

_LIFETIME_SECONDS = 24 * 3600
_MAC_BYTES = 16
# They may change from page to page without making it another list.
_NOT_PART_OF_THE_LIST = ("page_size", "page_token")


def page_size(requested: int, *, default: int = 50, maximum: int = 1000) -> int:
    """The size to use: `default` for 0, lowered to `maximum`; a negative one is wrong."""
    if requested < 0:
        raise invalid("page_size", "must not be negative", "FIELD_OUT_OF_RANGE")
    return min(requested or default, maximum)


class PageTokens:
    """Makes and reads page tokens: a cursor, an expiry (24 hours) and a seal.

    The seal covers the other arguments of the call and the caller's tenant. It is a MAC
    under the internal key; without one (a single process) it still catches mistakes. A token
    grants nothing: what a page shows is decided anew by the caller's key.
    """

    def __init__(self, secret: SecretStr | None, *, clock: Callable[[], float] = time.time) -> None:
        given = secret.get_secret_value() if secret else ""
        self._secret = hashlib.sha256(b"mnema page token " + given.encode()).digest()
        self._clock = clock

    def encode(self, cursor: Sequence[str | int | float | None], request: Message) -> str:
        """The token of the page that starts after `cursor`, for the same list as `request`."""
        expires = int(self._clock()) + _LIFETIME_SECONDS
        body = json.dumps([expires, *cursor], separators=(",", ":"), allow_nan=False).encode()
        return base64.urlsafe_b64encode(self._seal(body, request) + body).decode().rstrip("=")

    def decode(self, request: Message) -> Cursor | None:
        """The cursor in the request's `page_token`; None for the first page.

        InvalidArgument (PAGE_TOKEN_INVALID) for a token that is broken, too old, or of
        another list.
        """
        token: str = getattr(request, "page_token")  # noqa: B009 - the type is not known here
        if not token:
            return None
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise _refusal() from None
        seal, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(seal, self._seal(body, request)):
            raise _refusal()
        expires, *cursor = json.loads(body)
        if expires < self._clock():
            raise _refusal()
        return tuple(cursor)

    def _seal(self, body: bytes, request: Message) -> bytes:
        arguments = type(request)()
        arguments.CopyFrom(request)
        for name in _NOT_PART_OF_THE_LIST:
            if name in arguments.DESCRIPTOR.fields_by_name:
                arguments.ClearField(name)
        serving = context.current_or_none()
        caller = serving.principal if serving else None
        mac = hmac.new(self._secret, digestmod=hashlib.sha256)
        for part in (
            arguments.DESCRIPTOR.full_name.encode(),
            str(caller.tenant_id if caller else None).encode(),
            arguments.SerializeToString(deterministic=True),
            body,
        ):
            mac.update(len(part).to_bytes(8, "big"))
            mac.update(part)
        return mac.digest()[:_MAC_BYTES]


def _refusal() -> InvalidArgument:
    return invalid("page_token", "is not a token of this list, or is too old", "PAGE_TOKEN_INVALID")
