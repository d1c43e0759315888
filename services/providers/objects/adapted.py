"""A user's storage class, made to fit."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from services.providers.objects.storage import (
    CHUNK_BYTES,
    DEFAULT_URL_SECONDS,
    check_key,
    check_url_seconds,
)
from services.providers.own_class import accepted, failed
from services.runtime.errors import FailedPrecondition, NotFound


class UserStorage(Protocol):
    """What a class of the user must have to serve as an object storage.

    `init()`, `close()`, `get_presigned_url(key, expires_in)` and a further argument
    `content_type` of `upload` are used where they exist. What comes back from `upload` and
    `delete` is not looked at.
    """

    async def upload(self, key: str, data: bytes) -> object:
        """Stores the bytes, durably and as a whole, over what the key held before."""

    async def download(self, key: str) -> bytes:
        """The bytes; raises anything if there are none."""

    async def delete(self, key: str) -> object:
        """Removes the object, if there is one."""

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""


NEEDED = ("upload", "download", "delete", "exists")


class AdaptedStorage:
    """Wraps a `UserStorage`: checks keys, translates what it raises."""

    def __init__(self, inner: UserStorage, provider: str) -> None:
        """`provider` names it in messages."""
        self._inner = inner
        self._provider = provider

    async def init(self) -> None:
        """Calls the user's `init`, if there is one."""
        await self._optional("init")

    async def close(self) -> None:
        """Calls the user's `close`, if there is one."""
        await self._optional("close")

    async def upload(
        self, key: str, data: bytes, content_type: str = "application/octet-stream"
    ) -> None:
        """See `ObjectStorage`."""
        further = accepted(self._inner.upload, {"content_type": content_type})
        await self._call(self._inner.upload, check_key(key), data, **further)

    async def download(self, key: str) -> bytes:
        """See `ObjectStorage`."""
        check_key(key)
        try:
            return bytes(await self._call(self._inner.download, key))
        except Exception:
            # Why it failed is told by what is there: every class has errors of its own.
            if not await self.exists(key):
                raise NotFound("object", key) from None
            raise

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """See `ObjectStorage`. The whole object is in memory meanwhile."""
        data = await self.download(key)
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES]

    async def delete(self, key: str) -> None:
        """See `ObjectStorage`."""
        if await self.exists(key):
            await self._call(self._inner.delete, key)

    async def exists(self, key: str) -> bool:
        """See `ObjectStorage`."""
        return bool(await self._call(self._inner.exists, check_key(key)))

    async def get_presigned_url(self, key: str, expires_in: int = DEFAULT_URL_SECONDS) -> str:
        """See `ObjectStorage`."""
        check_key(key)
        check_url_seconds(expires_in)
        make = getattr(self._inner, "get_presigned_url", None)
        if make is None:
            raise FailedPrecondition(f"{self._provider} has no URLs", reason="NOT_SUPPORTED")
        return str(await self._call(make, key, expires_in))

    async def _optional(self, name: str) -> None:
        method = getattr(self._inner, name, None)
        if method is not None:
            await self._call(method)

    async def _call(self, method: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        try:
            outcome = method(*args, **kwargs)
            return await outcome if inspect.isawaitable(outcome) else outcome
        except Exception as error:  # foreign code: it may raise anything
            raise failed(self._provider, error) from error
