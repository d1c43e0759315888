"""The gateway as rendered from deploy/envoy, before a real gRPC server."""

import asyncio
import base64
import json
import signal
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from services.embedded.descriptor import build_descriptor_set
from services.embedded.envoy import (
    GatewayOptions,
    Upstream,
    gateway_process,
    render_config,
)
from services.embedded.failures import PortTaken
from services.embedded.ports import free_ports
from services.embedded.supervisor import Stack
from tests.patience import PATIENCE
from tests.service.embedded_echo import (
    SERVICE,
    Echo,
    Gateway,
    compile_stubs,
    error_of,
    reason_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return compile_stubs(tmp_path_factory.mktemp("stubs"))


@asynccontextmanager
async def a_gateway(stubs: ModuleType, home: Path, unary_timeout: float) -> AsyncIterator[Gateway]:
    upstream_port, port, admin_port, metrics_port = free_ports(4)
    descriptor_set = build_descriptor_set([stubs])
    (home / "descriptors.pb").write_bytes(descriptor_set)
    options = GatewayOptions(
        descriptor_path=home / "descriptors.pb",
        port=port,
        admin_port=admin_port,
        metrics_port=metrics_port,
        cors_origins=("https://app.example",),
        unary_timeout=unary_timeout,
        max_request_bytes=64 * 1024,
    )
    upstreams = [Upstream("echo", "127.0.0.1", upstream_port, (SERVICE,))]
    (home / "envoy.yaml").write_text(render_config(upstreams, options, descriptor_set))
    echo = Echo(stubs, upstream_port)
    await echo.start()
    try:
        async with Stack(home, [gateway_process(home / "envoy.yaml", options)]) as stack:
            gateway = Gateway(echo, stack, port, options)
            await gateway.until(200)
            yield gateway
            await gateway.http.aclose()
            await gateway.channel.close()
    finally:
        await echo.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    stubs: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    async with a_gateway(stubs, tmp_path_factory.mktemp("gateway"), 2 * PATIENCE) as gateway:
        yield gateway


async def test_grpc_calls_pass_through(gateway: Gateway) -> None:
    request = gateway.echo.stubs.EchoRequest(user_id="é/1", number=3)
    answer = await gateway.unary("Echo")(
        request, metadata=(("x-api-key", "mk_user_1"),), timeout=PATIENCE
    )
    assert (answer.user_id, answer.number) == ("é/1", 3)
    assert answer.metadata["x-api-key"] == "mk_user_1"
    assert len(answer.metadata["x-request-id"]) == 36


async def test_grpc_errors_keep_their_details(gateway: Gateway) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.unary("Fail")(gateway.echo.stubs.EchoRequest(), timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert reason_of(caught.value) == "RESOURCE_NOT_FOUND"


async def test_a_server_stream_passes_through(gateway: Gateway) -> None:
    stubs = gateway.echo.stubs
    count = gateway.channel.unary_stream(
        f"/{SERVICE}/Count", stubs.CountRequest.SerializeToString, stubs.CountResponse.FromString
    )
    numbers = [each.number async for each in count(stubs.CountRequest(up_to=4), timeout=PATIENCE)]
    assert numbers == [0, 1, 2, 3]


async def test_an_unknown_grpc_method_is_unimplemented(gateway: Gateway) -> None:
    stubs = gateway.echo.stubs
    call = gateway.channel.unary_unary(
        "/gatewaytest.v1.Nobody/Home",
        stubs.EchoRequest.SerializeToString,
        stubs.EchoResponse.FromString,
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(stubs.EchoRequest(), timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert caught.value.details() == "no such path or method"
    assert reason_of(caught.value) == "PATH_NOT_FOUND"


async def test_the_callers_grpc_timeout_is_honoured(gateway: Gateway) -> None:
    # Set as a header, so that this client does not end the call itself.
    begin = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.unary("Sleep")(
            gateway.echo.stubs.EchoRequest(number=600), metadata=(("grpc-timeout", "200m"),)
        )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    # Either the service or the gateway may answer, with or without details.
    hurried = {"grpc-timeout": "100m"}
    answer = await gateway.http.post("/v1/sleep", json={"number": 600}, headers=hurried)
    assert answer.status_code == 504
    assert answer.json()["code"] == 4
    assert time.monotonic() - begin < PATIENCE  # the gateway's own limit is twice as far


async def test_a_long_unary_call_is_ended(stubs: ModuleType, tmp_path: Path) -> None:
    async with a_gateway(stubs, tmp_path, unary_timeout=0.5) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.unary("Sleep")(gateway.echo.stubs.EchoRequest(number=600))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        answer = await gateway.http.post("/v1/sleep", json={"number": 600})
        assert answer.status_code == 504
        assert answer.json()["code"] == 4


async def test_grpc_web(gateway: Gateway) -> None:
    stubs = gateway.echo.stubs
    message = stubs.EchoRequest(text_value="from a browser").SerializeToString()
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    frame = struct.pack(">BI", 0, len(message)) + message
    answer = await gateway.http.post(f"/{SERVICE}/Echo", content=frame, headers=headers)
    flag, length = struct.unpack(">BI", answer.content[:5])
    body, trailer = answer.content[5 : 5 + length], answer.content[5 + length :]
    assert flag == 0
    assert stubs.EchoResponse.FromString(body).text_value == "from a browser"
    assert trailer[0] == 0x80
    assert b"grpc-status:0" in trailer


async def test_grpc_web_text_with_an_error(gateway: Gateway) -> None:
    headers = {"content-type": "application/grpc-web-text", "x-grpc-web": "1"}
    frame = base64.b64encode(struct.pack(">BI", 0, 0))
    answer = await gateway.http.post(f"/{SERVICE}/Fail", content=frame, headers=headers)
    trailers = base64.b64decode(answer.content) if answer.content else b""
    assert answer.headers.get("grpc-status") == "5" or b"grpc-status:5" in trailers


async def test_browsers_may_call_from_allowed_origins_only(gateway: Gateway) -> None:
    asked = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-grpc-web",
    }
    for path in (f"/{SERVICE}/Echo", "/v1/echo"):
        allowed = await gateway.http.options(
            path, headers={"origin": "https://app.example", **asked}
        )
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert "x-api-key" in allowed.headers["access-control-allow-headers"]
        refused = await gateway.http.options(
            path, headers={"origin": "https://evil.example", **asked}
        )
        assert "access-control-allow-origin" not in refused.headers
    answer = await gateway.http.post("/v1/echo", json={}, headers={"origin": "https://app.example"})
    assert "grpc-status" in answer.headers["access-control-expose-headers"]


async def test_rest(gateway: Gateway) -> None:
    answer = await gateway.http.post(
        "/v1/echo", json={"text_value": "hi"}, headers={"x-request-id": "from-the-caller"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == "from-the-caller"
    assert answer.json() == {
        "user_id": "",
        "text_value": "hi",
        "number": 0,
        "mood": "MOOD_UNSPECIFIED",
        "metadata": {"x-request-id": "from-the-caller"},
    }


@pytest.mark.parametrize(
    "user_id", ["alice", "a/b", "a:b", "..", "x//y", "a+b c", "50%", "%2F", "日本?#&=", "a:again"]
)
async def test_any_user_id_fits_into_a_path(gateway: Gateway, user_id: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in user_id.encode())
    port = gateway.options.port
    # By hand: HTTP clients tidy up paths before they send them.
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = (
        f"GET /v1/users/{encoded}/echo?number=7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    writer.write(request.encode())
    raw = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split()[1] == b"200", raw
    assert json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["user_id"] == user_id
    again = await gateway.http.post(f"/v1/users/{encoded}/echo:again", json={"text_value": "x"})
    assert again.status_code == 200


async def test_a_rest_stream_is_one_json_object_per_line(gateway: Gateway) -> None:
    answer = await gateway.http.get("/v1/count/3")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["number"] for line in lines] == [0, 1, 2]


async def test_a_rest_download_is_the_bytes_themselves(gateway: Gateway) -> None:
    answer = await gateway.http.get("/v1/download/40")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content == b"".join(bytes([number]) * 64 * 1024 for number in range(40))


async def test_rest_errors_carry_their_details(gateway: Gateway) -> None:
    answer = await gateway.http.post("/v1/fail", json={})
    assert answer.status_code == 404
    assert error_of(answer) == (5, "no memory 'é/1'", "RESOURCE_NOT_FOUND")
    assert answer.json()["details"][0]["metadata"] == {"resource_name": "é/1"}


@pytest.mark.parametrize(
    "body",
    ['{"text_value": ', '{"number": "many"}', "[1]", '{"mood": "SAD"}'],
)
async def test_a_body_that_cannot_be_read_is_explained(gateway: Gateway, body: str) -> None:
    answer = await gateway.http.post("/v1/echo", content=body.encode())
    assert answer.status_code == 400
    code, message, reason = error_of(answer)
    assert (code, reason) == (3, "MALFORMED_REQUEST")
    assert message


async def test_an_unknown_query_parameter_is_refused(gateway: Gateway) -> None:
    answer = await gateway.http.get("/v1/users/u/echo?nobody_knows=1")
    assert answer.status_code == 400
    assert error_of(answer)[::2] == (3, "MALFORMED_REQUEST")


@pytest.mark.parametrize("path", ["/v1/nowhere", "/", f"/{SERVICE}/Echo"])
async def test_an_unknown_path_is_a_json_404(gateway: Gateway, path: str) -> None:
    # The path of a gRPC method is none for a call that is not gRPC.
    answer = await gateway.http.post(path, json={})
    assert answer.status_code == 404
    assert error_of(answer) == (5, "no such path or method", "PATH_NOT_FOUND")


async def test_a_body_above_the_limit_is_refused(gateway: Gateway) -> None:
    most = gateway.options.max_request_bytes
    fits = await gateway.http.post("/v1/echo", json={"text_value": "x" * (most - 1000)})
    assert fits.status_code == 200
    answer = await gateway.http.post("/v1/echo", json={"text_value": "x" * (most + 1000)})
    assert answer.status_code == 413
    assert error_of(answer)[::2] == (8, "REQUEST_TOO_LARGE")


async def test_reflection_and_health_are_answered(gateway: Gateway) -> None:
    ask = gateway.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answers = [each async for each in ask(iter([request]), timeout=PATIENCE)]
    assert SERVICE in [each.name for each in answers[0].list_services_response.service]
    check = gateway.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        health_pb2.HealthCheckRequest.SerializeToString,
        health_pb2.HealthCheckResponse.FromString,
    )
    assert await check(health_pb2.HealthCheckRequest(), timeout=PATIENCE) is not None


async def test_a_stopped_upstream_is_a_json_503_until_it_is_back(gateway: Gateway) -> None:
    await gateway.echo.stop()
    # At once, before any health check noticed.
    answer = await gateway.http.post("/v1/echo", json={})
    assert answer.status_code == 503
    assert error_of(answer) == (14, "the service cannot be reached", "DEPENDENCY_UNAVAILABLE")
    await gateway.until(503)
    answer = await gateway.http.post("/v1/echo", json={})
    assert (answer.status_code, error_of(answer)[2]) == (503, "DEPENDENCY_UNAVAILABLE")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.unary("Echo")(gateway.echo.stubs.EchoRequest(), timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason_of(caught.value) == "DEPENDENCY_UNAVAILABLE"
    assert (await gateway.http.get("/livez")).status_code == 200

    await gateway.echo.start()
    await gateway.until(200)
    # Each of Envoy's threads learns it a moment later.
    await gateway.until(200, "/v1/users/u/echo")
    assert gateway.stack.restarts("envoy") == 0


async def test_a_crashed_gateway_comes_back_and_a_second_one_is_refused(
    gateway: Gateway, tmp_path: Path
) -> None:
    second = Stack(tmp_path, [gateway_process(tmp_path / "envoy.yaml", gateway.options)])
    with pytest.raises(PortTaken, match=f"port {gateway.options.port} .* taken by envoy"):
        await second.start()
    before = gateway.stack.restarts("envoy")
    gateway.stack.kill("envoy", signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while gateway.stack.restarts("envoy") == before:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await gateway.until(200, "/v1/users/u/echo")


async def test_metrics_and_access_log(gateway: Gateway) -> None:
    await gateway.http.get(
        "/v1/users/logged/echo?number=1", headers={"x-api-key": "mk_user_secret"}
    )
    address = f"http://127.0.0.1:{gateway.options.metrics_port}/metrics"
    metrics = (await gateway.http.get(address)).text
    assert 'envoy_cluster_upstream_rq_completed{envoy_cluster_name="echo"}' in metrics
    log = gateway.stack.log_path("envoy")
    deadline = time.monotonic() + PATIENCE
    while "/v1/users/logged/echo" not in log.read_text():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    text = log.read_text()
    assert "mk_user_secret" not in text
    (line,) = [json.loads(each) for each in text.splitlines() if "/v1/users/logged/echo" in each]
    assert line["rpc"] == f"/{SERVICE}/Echo"
    assert (line["status"], line["grpc_status"], line["upstream"]) == (200, "OK", "echo")
