"""Objects in S3 or what speaks like it: AWS, MinIO, Huawei OBS, Ceph."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import (
    ConnectionError as NotConnected,
)

from services.providers.objects.settings import ObjectSettings
from services.providers.objects.storage import (
    CHUNK_BYTES,
    DEFAULT_URL_SECONDS,
    check_key,
    check_url_seconds,
    refused,
    unreachable,
)
from services.runtime.errors import MnemaError, NotFound

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

_T = TypeVar("_T")

_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_BUSY = frozenset({"SlowDown", "RequestTimeout", "Throttling", "RequestLimitExceeded"})
_OURS_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_SHA256 = "sha256"


class S3Storage:
    """Keeps each object under its key, behind `prefix`, in one bucket.

    boto3 blocks, so its calls run in `parallel` threads of this storage's own. Uploads are
    signed over their bytes, so a server refuses what the wire has damaged; the SHA-256 is
    kept with the object and compared when it is read. botocore retries three times.
    """

    def __init__(self, settings: ObjectSettings) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        self._threads = ThreadPoolExecutor(settings.parallel, thread_name_prefix="objects-s3")
        self._client: S3Client = _client(settings)

    async def init(self) -> None:
        """Check that the bucket is there; create it when `create_bucket` says so."""
        await self._run("", self._init)

    async def close(self) -> None:
        """Wait for running calls, then close the connections."""
        await asyncio.to_thread(self._threads.shutdown, wait=True)
        self._client.close()

    async def upload(
        self, key: str, data: bytes, content_type: str = "application/octet-stream"
    ) -> None:
        """See `ObjectStorage`."""
        name = self._name(key)
        await self._run(
            key,
            lambda: self._client.put_object(
                Bucket=self._bucket,
                Key=name,
                Body=data,
                ContentType=content_type,
                Metadata={_SHA256: hashlib.sha256(data).hexdigest()},
            ),
        )

    async def download(self, key: str) -> bytes:
        """See `ObjectStorage`."""
        return b"".join([piece async for piece in self.stream(key)])

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """See `ObjectStorage`. Damage can only show after the last piece, as Internal."""
        name = self._name(key)
        found = await self._run(key, lambda: self._client.get_object(Bucket=self._bucket, Key=name))
        body: StreamingBody = found["Body"]
        digest = hashlib.sha256()
        try:
            while piece := await self._run(key, lambda: body.read(CHUNK_BYTES)):
                digest.update(piece)
                yield piece
        finally:
            body.close()
        # Objects put there by other means have no digest to compare.
        if found["Metadata"].get(_SHA256, digest.hexdigest()) != digest.hexdigest():
            raise refused(f"{key} is damaged: its SHA-256 is not the one it was stored with")

    async def delete(self, key: str) -> None:
        """See `ObjectStorage`."""
        name = self._name(key)
        await self._run(key, lambda: self._client.delete_object(Bucket=self._bucket, Key=name))

    async def exists(self, key: str) -> bool:
        """See `ObjectStorage`."""
        name = self._name(key)
        try:
            await self._run(key, lambda: self._client.head_object(Bucket=self._bucket, Key=name))
        except NotFound:
            return False
        return True

    async def get_presigned_url(self, key: str, expires_in: int = DEFAULT_URL_SECONDS) -> str:
        """See `ObjectStorage`. Made here, without a call to the server."""
        parameters = {"Bucket": self._bucket, "Key": self._name(key)}
        seconds = check_url_seconds(expires_in)
        return await self._run(
            key,
            lambda: self._client.generate_presigned_url(
                "get_object", Params=parameters, ExpiresIn=seconds
            ),
        )

    def _name(self, key: str) -> str:
        return self._settings.prefix + check_key(key)

    def _init(self) -> None:
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except ClientError as failure:
            if not (self._settings.create_bucket and _code(failure) in {"404", "NoSuchBucket"}):
                raise
            self._create_bucket()

    def _create_bucket(self) -> None:
        region = self._settings.region
        try:
            if region == "us-east-1":  # the one region that must not be named
                self._client.create_bucket(Bucket=self._bucket)
            else:
                self._client.create_bucket(
                    Bucket=self._bucket,
                    CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
                )
        except ClientError as failure:
            if _code(failure) not in _OURS_ALREADY:  # another replica was faster
                raise

    async def _run(self, key: str, call: Callable[[], _T]) -> _T:
        """Make one blocking call in a thread; its errors become ours."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except ClientError as failure:
            raise _translated(failure, key) from failure
        except (HTTPClientError, NotConnected, IncompleteReadError) as failure:
            raise unreachable(type(failure).__name__) from failure
        except BotoCoreError as failure:
            raise refused(str(failure)) from failure


def _client(settings: ObjectSettings) -> "S3Client":
    secret = settings.secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        # Without a key boto3 looks where AWS programs look: environment, profile, role.
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            retries={"total_max_attempts": 3, "mode": "standard"},
            max_pool_connections=settings.parallel,
            # The newer checksum headers are unknown to many compatible servers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"payload_signing_enabled": True, "addressing_style": settings.addressing_style},
        ),
    )


def _code(failure: ClientError) -> str:
    return str(failure.response.get("Error", {}).get("Code", ""))


def _translated(failure: ClientError, key: str) -> MnemaError:
    code = _code(failure)
    status = failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if key and code in _MISSING:
        return NotFound("object", key)
    if status >= 500 or code in _BUSY:
        return unreachable(f"{code} (HTTP {status})")
    return refused(f"{code} (HTTP {status})")
