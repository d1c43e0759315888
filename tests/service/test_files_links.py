"""Links to a file's bytes: by the service itself, or by S3; without a key, for as long as said."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import grpc
import httpx
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.duration_pb2 import Duration
from moto.server import ThreadedMotoServer

from mnema.v1 import file_service_pb2 as pb
from services.contract.user import User
from services.files.limits import FileSettings
from services.files.links import PATH, Links
from services.runtime.ids import owner_of
from tests.conftest import TestDatabase
from tests.service.files_world import PUBLIC_URL, USER, World, files_world, refused, until
from tests.service.serving import INTERNAL_KEY
from tests.unit.test_objects import s3_settings

DENIED = grpc.StatusCode.PERMISSION_DENIED
DATA = b"Alice flies to Lisbon. " * 20_000


@pytest.fixture
async def world(test_database: TestDatabase, tmp_path: Path) -> AsyncIterator[World]:
    async with files_world(test_database, tmp_path) as made:
        yield made


@pytest.fixture
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def link_to(
    world: World, file_id: str, seconds: int | None = None
) -> pb.GetDownloadUrlResponse:
    request = pb.GetDownloadUrlRequest(user_id=USER, file_id=file_id)
    if seconds is not None:
        request.expires_in.FromSeconds(seconds)
    response: pb.GetDownloadUrlResponse = await world.call("GetDownloadUrl", request)
    return response


async def followed(world: World, url: str) -> list[HttpBody]:
    """The answers to a link's token, called without any key."""
    request = pb.DownloadByLinkRequest(token=url.removeprefix(f"{PUBLIC_URL}{PATH}?token="))
    return [body async for body in world.call("DownloadByLink", request, metadata=[])]


async def test_a_link_gives_the_bytes_without_a_key(world: World) -> None:
    file = await world.upload("a.txt", DATA)
    before = time.time()
    link = await link_to(world, file.file_id)
    assert before + 3599 <= link.expires_at.seconds <= time.time() + 3600
    bodies = await followed(world, link.url)
    assert b"".join(body.data for body in bodies) == DATA
    assert [body.content_type for body in bodies] == ["text/plain", ""]
    text = await world.create_text("t", "Zoë")
    (body,) = await followed(world, (await link_to(world, text.file_id, 60)).url)
    assert body.data == "Zoë".encode()


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
async def test_a_link_works_for_a_second_to_a_week(world: World, seconds: int) -> None:
    file = await world.upload("a.txt", DATA)
    code, reason, metadata = await refused(link_to(world, file.file_id, seconds))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_OUT_OF_RANGE")
    assert metadata["field"] == "expires_in"
    before = time.time()
    week = await link_to(world, file.file_id, 7 * 24 * 3600)
    seconds = 7 * 24 * 3600
    assert before + seconds - 1 <= week.expires_at.seconds <= time.time() + seconds
    request = pb.GetDownloadUrlRequest(
        user_id=USER, file_id=file.file_id, expires_in=Duration(seconds=1, nanos=900_000_000)
    )
    assert (await world.call("GetDownloadUrl", request)).url


async def test_a_link_ends(world: World) -> None:
    file = await world.upload("a.txt", b"words")
    link = await link_to(world, file.file_id, 3600)
    assert len(await followed(world, link.url)) == 1
    link = await link_to(world, file.file_id, 1)

    async def is_over() -> bool:
        return time.time() > link.expires_at.seconds

    await until(is_over)
    code, reason, metadata = await refused(followed(world, link.url))
    assert (code, reason) == (DENIED, "DOWNLOAD_LINK_EXPIRED")
    assert metadata["expired_at"].startswith("20")


async def test_a_link_opens_nothing_else(world: World) -> None:
    file, other = await world.upload("a.txt", b"words"), await world.upload("b.txt", b"others")
    link = await link_to(world, file.file_id)
    changed = link.url[:-1] + ("A" if link.url[-1] != "A" else "B")
    for wrong in (changed, f"{PUBLIC_URL}{PATH}?token=nonsense"):
        assert (await refused(followed(world, wrong)))[:2] == (DENIED, "DOWNLOAD_LINK_INVALID")
    # Even one that the server has signed itself shows no other user's file.
    links = Links(INTERNAL_KEY, PUBLIC_URL)
    bob = User(world.tenant_id, owner_of(world.tenant_id, "bob"), "bob")
    stranger = await world.another_tenant()
    namesake = User(stranger.tenant_id, owner_of(stranger.tenant_id, USER), USER)
    for nobody in (bob, namesake):
        forged = links.url(nobody, UUID(other.file_id), links.expiry(60))
        assert (await refused(followed(world, forged)))[0] == grpc.StatusCode.NOT_FOUND
    assert await world.delete(file.file_id)
    assert (await refused(followed(world, link.url)))[0] == grpc.StatusCode.NOT_FOUND


async def test_links_are_given_to_the_owner_only(world: World) -> None:
    file = await world.upload("a.txt", b"words")
    other = await world.another_tenant()
    assert (await refused(link_to(other, file.file_id)))[0] == grpc.StatusCode.NOT_FOUND
    request = pb.GetDownloadUrlRequest(user_id=USER, file_id=file.file_id)
    refusal = await refused(world.call("GetDownloadUrl", request, metadata=[]))
    assert refusal[:2] == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_MISSING")


async def test_without_a_public_address(test_database: TestDatabase, tmp_path: Path) -> None:
    async with files_world(test_database, tmp_path, files=FileSettings()) as world:
        file = await world.upload("a.txt", b"words")
        refusal = await refused(link_to(world, file.file_id))
        assert refusal[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_SUPPORTED")


async def test_s3_serves_the_bytes_itself(
    test_database: TestDatabase, tmp_path: Path, s3_endpoint: str
) -> None:
    settings = s3_settings(s3_endpoint, prefix="mnema/")
    async with files_world(test_database, tmp_path, objects=settings) as world:
        file = await world.upload("a.txt", DATA)
        link = await link_to(world, file.file_id, 60)
        assert link.url.startswith(s3_endpoint)
        assert "X-Amz-Expires=60" in link.url
        async with httpx.AsyncClient() as client:
            answer = await client.get(link.url)
            assert (answer.status_code, answer.content) == (200, DATA)
            assert answer.headers["content-type"] == "text/plain"
        # A file made from text is in the database: S3 has nothing of it to serve.
        text = await world.create_text("t", "Zoë")
        (body,) = await followed(world, (await link_to(world, text.file_id)).url)
        assert body.data == "Zoë".encode()
