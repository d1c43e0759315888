"""Files over REST, through the real gateway: plain bytes come back."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from services.app.targets import TARGETS, import_stubs
from services.embedded.descriptor import build_descriptor_set
from services.embedded.envoy import GatewayOptions, Upstream, gateway_process, render_config
from services.embedded.ports import free_ports
from services.embedded.supervisor import Stack
from tests.conftest import TestDatabase
from tests.patience import PATIENCE
from tests.service.files_world import MIB, USER, World, files_world, until
from tests.unit.test_file_text import image_of


@pytest.fixture
async def world(test_database: TestDatabase, tmp_path: Path) -> AsyncIterator[World]:
    async with files_world(test_database, tmp_path / "home") as made:
        yield made


@pytest.fixture
async def http(world: World, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway before the running target."""
    port, admin_port = free_ports(2)
    options = GatewayOptions(
        descriptor_path=tmp_path / "mnema.pb", port=port, admin_port=admin_port
    )
    descriptors = build_descriptor_set(import_stubs())
    options.descriptor_path.write_bytes(descriptors)
    target_port = int(world.address.rpartition(":")[2])
    upstream = Upstream("files", "127.0.0.1", target_port, TARGETS["files"].services)
    config = tmp_path / "envoy.yaml"
    config.write_text(render_config([upstream], options, descriptors))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Stack(tmp_path, [gateway_process(config, options)]))
        client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}/v1/users/{USER}/",
            headers={"x-api-key": world.key},
            timeout=PATIENCE,
        )
        http = await stack.enter_async_context(client)

        async def answers() -> bool:
            return (await http.get("files")).status_code == 200

        await until(answers)
        yield http


async def test_bytes_go_in_as_base64_and_come_out_plain(http: httpx.AsyncClient) -> None:
    picture = image_of("PNG").ljust(MIB, b"\0")
    body = {
        "filename": "p.png",
        "file_data": base64.b64encode(picture).decode(),
        "tags": ["x"],
        "metadata": {"by": "Zoë"},
    }
    created = await http.post("files", json=body)
    assert created.status_code == 200, created.text
    file = created.json()["file"]
    downloaded = await http.get(f"files/{file['file_id']}/content")
    assert (downloaded.status_code, downloaded.headers["content-type"]) == (200, "image/png")
    assert downloaded.content == picture
    listed = (await http.get("files", params={"tags": "x"})).json()["files"]
    assert listed == [file]
    assert (await http.delete(f"files/{file['file_id']}")).json() == {"deleted": True}
    assert (await http.get(f"files/{file['file_id']}/content")).status_code == 404


async def test_text_comes_back_as_utf_8(http: httpx.AsyncClient) -> None:
    created = await http.post("/files:fromText", json={"title": "t", "content": "Zoë in Łódź"})
    assert created.status_code == 200, created.text
    file = created.json()["file"]
    downloaded = await http.get(f"files/{file['file_id']}/content")
    assert downloaded.headers["content-type"] == "text/plain; charset=utf-8"
    assert downloaded.text == "Zoë in Łódź"
