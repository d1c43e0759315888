"""The main job through everything that speaks to the gateway: one port, one set of contracts."""

import base64
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from mnema.client import AsyncMnema, InvalidArgument, Mnema
from services.app.local_stack import LocalStack
from tests.e2e.contract import json_of, public_rpcs, rest_call, rpc
from tests.e2e.failure import failure_of_answer
from tests.e2e.gateway import Gateway
from tests.e2e.main_job import MESSAGES, QUESTION, main_job
from tests.e2e.node_client import generate, run, run_main_job
from tests.e2e.waiting import until

REFLECTION = ("v1", "v1alpha")
# Four pieces of an upload; of an image the header tells what it is.
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 13_000


@pytest.fixture(scope="module")
def node_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("node"))


@pytest.mark.feature("X01")
@pytest.mark.feature("N02")
def test_grpc(gateway: Gateway, user_id: str) -> None:
    main_job(gateway.call, user_id)


@pytest.mark.feature("X01")
def test_rest(gateway: Gateway, user_id: str) -> None:
    def call(name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = gateway.rest(rpc(name), fields, gateway.tenant.api_key)
        assert answer.status_code == 200, answer.text
        return cast(Mapping[str, Any], answer.json())

    main_job(call, user_id)


@pytest.mark.feature("X01")
def test_curl(gateway: Gateway, user_id: str) -> None:
    def call(name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = rest_call(rpc(name).bindings[0], fields)
        command = ["curl", "--silent", "--show-error", "--fail-with-body", "-X", wanted.verb]
        command += ["-H", f"X-API-Key: {gateway.tenant.api_key}"]
        if wanted.body is not None:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(wanted.body)]
        return _json(run([*command, f"http://{gateway.address}{wanted.path}"]))

    main_job(call, user_id)


@pytest.mark.feature("X01")
def test_every_rpc_has_a_rest_form() -> None:
    """But for streams of messages or bytes: JSON has none."""
    without = [each.name for each in public_rpcs() if not each.bindings]
    assert without == [
        "EventService.Watch",
        "FileService.UploadFile",
        "IngestService.IngestStream",
        "LifecycleService.ExportUserData",
        "LifecycleService.ImportUserData",
    ]


@pytest.mark.feature("M06")
def test_the_curl_lines_of_others_work(gateway: Gateway) -> None:
    """No content type, and fields of theirs that ours has no use for."""

    def curl(path: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        command = ["curl", "--silent", "--fail-with-body", "-X", "POST"]
        command += [f"http://{gateway.address}{path}", "-H", f"X-API-Key: {key}"]
        return _json(run([*command, "-d", json.dumps(body)]))

    user = curl("/v1/users", gateway.tenant.api_key, {})
    key, named = user["api_key"], {"user_id": user["id"]}
    session = curl("/v1/sessions", key, named)["session"]
    said = {"role": "user", "content": "I live in Austin now and love hiking."}
    curl("/v1/ingest", key, {**named, "session_id": session["session_id"], **said})
    until(
        lambda: gateway.call("IngestService.GetIngestStatus", named),
        lambda status: not any(int(count) for count in status.values()),
    )
    asked = {**named, "query": "where do I live?", "current_view_only": True}
    assert "Austin" in curl("/v1/recall", key, asked)["merged"][0]["content"]


@pytest.mark.feature("C")
def test_grpc_by_reflection(gateway: Gateway, user_id: str) -> None:
    """buf knows no contract of ours here: it asks the gateway for them, as grpcurl does."""

    def call(name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        command = ["buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
        command += ["-H", f"authorization: Bearer {gateway.tenant.api_key}"]
        command += ["-d", json.dumps(fields), f"http://{gateway.address}{rpc(name).path}"]
        return cast(Mapping[str, Any], _snake(_json(run(command, Path("/")))))

    main_job(call, user_id)


@pytest.mark.feature("C")
@pytest.mark.parametrize("version", REFLECTION)
def test_reflection_lists_every_service(gateway: Gateway, version: str) -> None:
    ask = gateway.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
    answer = next(ask(iter(requests), timeout=60))
    listed = {each.name for each in answer.list_services_response.service}
    assert {each.service for each in public_rpcs()} <= listed


@pytest.mark.feature("X01")
def test_grpc_web(gateway: Gateway, user_id: str) -> None:
    """As a browser sends it: HTTP/1.1, one frame there, a frame and the trailers back."""
    with httpx.Client(base_url=f"http://{gateway.address}", timeout=90) as browser:

        def call(name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
            method = rpc(name)
            headers = {
                "content-type": "application/grpc-web+proto",
                "x-grpc-web": "1",
                "x-api-key": gateway.tenant.api_key,
            }
            answer = browser.post(
                method.path, content=_framed(method.request_of(fields)), headers=headers
            )
            frames = list(_frames(answer.content))
            assert b"grpc-status:0" in frames[-1][1]
            return json_of(method.response.FromString(frames[0][1]))

        main_job(call, user_id)


@pytest.mark.parametrize("kind", ["grpc", "grpc-web"])
@pytest.mark.feature("C")
def test_node_with_generated_stubs(
    gateway: Gateway, node_program: Path, user_id: str, kind: str
) -> None:
    arguments = [kind, gateway.address, gateway.tenant.api_key, user_id]
    found = run_main_job(node_program, arguments, MESSAGES)
    assert found["stored"] == 3
    assert found["at_once"][0] == MESSAGES[0]
    assert "Google" in found["recalled"][0]
    assert found["analyzed"] >= 3
    assert found["downloaded"] == "tea, rice\n"
    assert found["refused"] == {"code": 3, "reason": "FIELD_REQUIRED", "domain": "mnema"}


async def test_the_python_client(gateway: Gateway, user_id: str) -> None:
    async with AsyncMnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        said = [{"role": "user", "content": each} for each in MESSAGES]
        _, message_ids = await nm.ingest_batch(user_id, said)
        found = await nm.search(user_id, "Emma Berlin", kinds="message")
        assert found[0]["content"] == MESSAGES[1]
        status = await nm.wait_until_extracted(user_id, timeout=90)
        assert status.failed_extractions == 0
        recalled = await nm.recall(user_id=user_id, query=QUESTION)
        assert "Google" in recalled["vector_results"][0]["content"]
        assert recalled["vector_results"][0]["source_message_ids"] == [message_ids[0]]
        digest = await nm.digest(user_id)
        assert digest["memories_analyzed"] >= 3
        with pytest.raises(InvalidArgument) as caught:
            await nm.recall(user_id=user_id, query="")
        assert caught.value.reason == "FIELD_REQUIRED"


def test_the_python_client_without_async(gateway: Gateway, user_id: str) -> None:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        message = nm.ingest(user_id=user_id, role="user", content=MESSAGES[0])
        nm.wait_until_extracted(user_id, timeout=90)
        best = nm.recall(user_id=user_id, query=QUESTION)["vector_results"][0]
        assert "Google" in best["content"]
        assert best["source_message_ids"] == [message.id]


def test_browsers_may_call(gateway: Gateway) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key,x-grpc-web,content-type",
    }
    for path in ("/v1/recall", rpc("RecallService.Recall").path):
        answer = gateway.http.options(path, headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "POST" in answer.headers["access-control-allow-methods"]
        for header in ("authorization", "x-api-key", "x-grpc-web"):
            assert header in answer.headers["access-control-allow-headers"]


def test_health(gateway: Gateway) -> None:
    assert gateway.http.get("/healthz").status_code == 200
    assert gateway.http.get("/livez").status_code == 200
    check = gateway.channel.unary_unary(
        "/grpc.health.v1.Health/Check", bytes, health_pb2.HealthCheckResponse.FromString
    )
    answer = check(health_pb2.HealthCheckRequest().SerializeToString(), timeout=60)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("authorised", [{"authorization": "Bearer {}"}, {"x-api-key": "{}"}])
def test_both_ways_to_send_a_key(
    gateway: Gateway, user_id: str, authorised: Mapping[str, str]
) -> None:
    filled = {name: value.format(gateway.tenant.api_key) for name, value in authorised.items()}
    path = f"/v1/users/{user_id}/memories"
    assert gateway.http.get(path, headers=filled).status_code == 200
    method = rpc("MemoryService.ListMemories")
    listed = gateway.channel.unary_unary(method.path, bytes, method.response.FromString)
    request = method.request_of({"user_id": user_id})
    assert listed(request.SerializeToString(), metadata=tuple(filled.items()), timeout=60)


@pytest.mark.feature("N14")
def test_a_file_by_stream_and_as_rest(gateway: Gateway, user_id: str) -> None:
    """Up in pieces over gRPC, down as plain bytes over REST; and the other way round."""
    upload, download = rpc("FileService.UploadFile"), rpc("FileService.DownloadFile")
    key = gateway.tenant.api_key
    piece = 1024 * 1024
    parts = [PICTURE[start : start + piece] for start in range(0, len(PICTURE), piece)]
    requests: list[Mapping[str, Any]] = [{"file": {"user_id": user_id, "filename": "picture.png"}}]
    requests += [{"chunk": base64.b64encode(part).decode()} for part in parts]
    [answer] = gateway.send(upload, [upload.request_of(each) for each in requests], key)
    stored = json_of(answer)["file"]
    assert int(stored["size_bytes"]) == len(PICTURE)
    file = {"user_id": user_id, "file_id": stored["file_id"]}
    plain = gateway.rest(download, file, key)
    assert plain.headers["content-type"].startswith("image/png")
    assert plain.content == PICTURE

    text = b"Tea, rice and lemons.\n"
    created = gateway.rest(
        rpc("FileService.CreateFile"),
        {"user_id": user_id, "filename": "list.txt", "file_data": base64.b64encode(text).decode()},
        key,
    ).json()["file"]
    file = {"user_id": user_id, "file_id": created["file_id"]}
    pieces = cast(list[Any], gateway.send(download, [download.request_of(file)], key))
    assert b"".join(each.data for each in pieces) == text
    hits = gateway.call("FileService.SearchFiles", {"user_id": user_id, "query": "lemons"})["hits"]
    assert hits[0]["chunk"]["file_id"] == created["file_id"]


def test_a_request_id_comes_back(gateway: Gateway, user_id: str) -> None:
    mine = str(uuid4())
    headers = {"x-api-key": gateway.tenant.api_key, "x-request-id": mine}
    answer = gateway.http.get(f"/v1/users/{user_id}/memories", headers=headers)
    assert answer.headers["x-request-id"] == mine


def test_the_access_log_tells_the_call_and_not_what_was_asked(
    gateway: Gateway, stack: LocalStack, user_id: str
) -> None:
    mine = str(uuid4())
    headers = {"x-api-key": gateway.tenant.api_key, "x-request-id": mine}
    path = f"/v1/users/{user_id}/kv/diary"
    assert gateway.http.get(f"{path}?prefix=private", headers=headers).status_code == 200
    log = stack.home / "logs" / "access.log"
    lines = until(log.read_text, lambda text: mine in text).splitlines()
    [line] = [json.loads(each) for each in lines if mine in each]
    assert (line["path"], line["rpc"]) == (path, rpc("KeyValueService.ListValues").path)
    assert "private" not in str(line)
    assert gateway.tenant.api_key not in str(line)


def test_an_unknown_method_over_grpc(gateway: Gateway) -> None:
    call = gateway.channel.unary_unary("/mnema.v1.RecallService/Forget", bytes, bytes)
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", metadata=(("x-api-key", gateway.tenant.api_key),), timeout=60)
    assert cast(grpc.Call, caught.value).code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_same_error_in_grpc_web(gateway: Gateway) -> None:
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    path = rpc("RecallService.Recall").path
    answer = gateway.http.post(path, content=_framed(None), headers=headers)
    trailers = answer.content or b"grpc-status:" + answer.headers["grpc-status"].encode()
    assert b"grpc-status:16" in trailers
    over_rest = gateway.http.post("/v1/recall", json={})
    assert failure_of_answer(over_rest).reason == "API_KEY_MISSING"


def _json(text: str) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(text))


def _snake(value: Any) -> Any:
    """buf prints lowerCamelCase names."""
    if isinstance(value, dict):
        return {_snake_name(name): _snake(each) for name, each in value.items()}
    return [_snake(each) for each in value] if isinstance(value, list) else value


def _snake_name(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _framed(message: Message | None) -> bytes:
    body = b"" if message is None else message.SerializeToString()
    return struct.pack(">BI", 0, len(body)) + body


def _frames(raw: bytes) -> list[tuple[int, bytes]]:
    frames = []
    while raw:
        flags, length = struct.unpack(">BI", raw[:5])
        frames.append((flags, raw[5 : 5 + length]))
        raw = raw[5 + length :]
    return frames
