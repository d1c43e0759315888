"""Where the bytes of files lie: the interface every object storage fulfils."""

import re
from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from services.runtime.errors import Internal, Unavailable, invalid

CHUNK_BYTES = 256 * 1024
"""The size of a streamed piece; the last one of an object is smaller."""

MAX_KEY_CHARS = 512

DEFAULT_URL_SECONDS = 3600
MAX_URL_SECONDS = 7 * 24 * 3600
"""A week: the longest that S3's signatures last."""

# Letters, digits and -_.=@ in segments between slashes; no segment is "." or "..", so a
# key can never climb out of a folder.
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._=@-]{1,200}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)


@runtime_checkable
class ObjectStorage(Protocol):
    """Objects (bytes) under keys such as "tenant/owner/file_id".

    Keys are 1 to 512 characters: letters, digits and "-_.=@" in segments of at most 200,
    parted by "/", no segment "." or "..". Every method raises InvalidArgument on another
    key, Unavailable when the storage does not answer in time, and Internal when it refuses
    (permissions, a missing bucket) or returns damaged bytes. Safe to use from many tasks
    of one loop.
    """

    async def init(self) -> None:
        """Open the storage and check that it can be used. Called once, before the rest."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...

    async def upload(
        self, key: str, data: bytes, content_type: str = "application/octet-stream"
    ) -> None:
        """Store the bytes, durably and as a whole, over what the key held before."""
        ...

    async def download(self, key: str) -> bytes:
        """Return all bytes.

        Raises:
            NotFound: No such object.
        """
        ...

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces of 256 KiB; an empty object yields none.

        Raises:
            NotFound: No such object; raised with the first piece.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove the object; no error when there is none."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        ...

    async def get_presigned_url(self, key: str, expires_in: int = DEFAULT_URL_SECONDS) -> str:
        """Return a URL that serves the object to anyone, for `expires_in` seconds.

        Whether the object exists is not looked up.

        Raises:
            FailedPrecondition: This storage has no URLs (reason NOT_SUPPORTED).
            InvalidArgument: `expires_in` is not within 1 s and 7 days.
        """
        ...


def check_key(key: str) -> str:
    """Return the key if it is a proper one, or raise InvalidArgument."""
    if len(key) > MAX_KEY_CHARS or not _KEY.fullmatch(key):
        raise invalid("key", f"{key[:80]!r} is no object key")
    return key


def check_url_seconds(expires_in: int) -> int:
    """Return the lifetime of a URL if it is possible, or raise InvalidArgument."""
    if not 1 <= expires_in <= MAX_URL_SECONDS:
        raise invalid("expires_in", f"{expires_in} s is not within 1 and {MAX_URL_SECONDS} s")
    return expires_in


def unreachable(detail: str) -> Unavailable:
    """The storage is down or slow; asking again may help."""
    return Unavailable(
        f"object storage: {detail}", metadata={"dependency": "object_storage"}, retry_after=1.0
    )


def refused(detail: str) -> Internal:
    """The storage works but is set up wrongly, or holds damaged bytes."""
    return Internal(f"object storage: {detail}", metadata={"dependency": "object_storage"})
