"""Every public RPC with one thing wrong, over gRPC and over REST: which code, reason and field."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest
from google.protobuf.message import Message

from tests.e2e.contract import Rpc, json_of, public_rpcs, rpc
from tests.e2e.failure import HTTP_STATUS, Failure, failure_of_answer
from tests.e2e.gateway import Gateway
from tests.e2e.seeding import Seeds, seed
from tests.e2e.valid_requests import ADMIN_ONLY, valid_requests
from tests.e2e.waiting import until
from tests.e2e.wrongs import Path, Wrong, wrongs_of

ALL = pytest.mark.parametrize("method", public_rpcs(), ids=str)
OVER_REST = pytest.mark.parametrize(
    "method", [each for each in public_rpcs() if each.bindings], ids=str
)
PAGED = [each for each in public_rpcs() if "page_token" in each.request.DESCRIPTOR.fields_by_name]
# Fields that a call needs although other calls with the same message do without them.
NEEDED: dict[str, tuple[Path, ...]] = {
    "MemoryService.AddMemory": (("memory", "content"),),
    "MemoryService.UpdateMemory": (("memory", "user_id"), ("memory", "memory_id")),
    "GraphService.CreateNode": (("node", "node_type"), ("node", "node_id")),
    "GraphService.UpdateNode": (("node", "node_type"), ("node", "node_id")),
    "GraphService.CreateEdge": (
        ("edge", "source", "node_type"),
        ("edge", "edge_type"),
        ("edge", "target", "node_id"),
    ),
    "GraphService.UpdateEdge": (("edge", "edge_id"),),
    "GraphService.FindPaths": (("source", "node_id"), ("target", "node_type")),
}


@pytest.fixture(scope="module")
def seeds(gateway: Gateway) -> Seeds:
    return seed(gateway, gateway.new_tenant("bad input"), f"user-{uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def untouched(gateway: Gateway, seeds: Seeds) -> Seeds:
    """Another user of the same tenant, whose things are all there still."""
    return seed(gateway, seeds.tenant, f"user-{uuid4().hex[:8]}")


@pytest.fixture
def requests(seeds: Seeds, method: Rpc) -> list[Message]:
    """Valid: the tests put the mistake in."""
    return [method.request_of(each) for each in valid_requests(seeds)[method.name]]


def key_for(method: Rpc, gateway: Gateway, seeds: Seeds) -> str:
    return gateway.admin_key if method.name in ADMIN_ONLY else seeds.tenant.api_key


def test_every_public_rpc_has_a_valid_request(seeds: Seeds) -> None:
    assert {each.name for each in public_rpcs()} == set(valid_requests(seeds))


@ALL
def test_each_mistake_is_named_over_grpc(
    gateway: Gateway, seeds: Seeds, method: Rpc, requests: list[Message]
) -> None:
    key = key_for(method, gateway, seeds)
    wrong_answers = []
    for number, wrong in _wrongs(method, requests):
        changed = [_copy(each) for each in requests]
        wrong.make(changed[number])
        failure = gateway.failure(method, changed, key)
        wrong_answers += _differences(wrong, failure, wrong.reason)
    assert not wrong_answers, "\n".join(wrong_answers)


@OVER_REST
def test_each_mistake_is_named_over_rest(
    gateway: Gateway, seeds: Seeds, method: Rpc, requests: list[Message]
) -> None:
    key = key_for(method, gateway, seeds)
    wrong_answers = []
    for _, wrong in _wrongs(method, requests):
        for fields, reason in _as_json(wrong, requests[0], method):
            failure = gateway.rest_failure(method, fields, key)
            wrong_answers += _differences(wrong, failure, reason, over_rest=True)
    assert not wrong_answers, "\n".join(wrong_answers)


@pytest.mark.parametrize("method", [each for each in public_rpcs() if each.needs_key], ids=str)
def test_without_a_good_key_nothing_is_done(
    gateway: Gateway, method: Rpc, requests: list[Message]
) -> None:
    unknown = f"mk_tenant_{'x' * 43}"
    for key, reason in (
        (None, "API_KEY_MISSING"),
        (unknown, "API_KEY_INVALID"),
        ("swordfish", "API_KEY_INVALID"),
    ):
        expected = ("UNAUTHENTICATED", reason, "mnema")
        assert _told(gateway.failure(method, requests, key)) == expected
        if method.bindings:
            failure = gateway.rest_failure(method, json_of(requests[0]), key)
            assert _told(failure) == expected
            assert failure is not None
            assert failure.http_status == 401


@ALL
def test_keys_do_only_what_their_kind_may(
    gateway: Gateway, seeds: Seeds, method: Rpc, requests: list[Message]
) -> None:
    if method.name in ADMIN_ONLY:
        failure = gateway.failure(method, requests, seeds.tenant.api_key)
        assert _told(failure) == ("PERMISSION_DENIED", "ADMIN_KEY_REQUIRED", "mnema")
    if not method.names_a_user:
        return
    failure = gateway.failure(method, requests, gateway.admin_key)
    assert _told(failure) == ("PERMISSION_DENIED", "TENANT_KEY_REQUIRED", "mnema")
    other = gateway.new_user_key("somebody else", seeds.tenant)
    failure = gateway.failure(method, requests, other)
    assert _told(failure) == ("PERMISSION_DENIED", "USER_NOT_ALLOWED", "mnema")
    assert failure is not None
    assert f'"{failure.metadata["user_id"]}"' in str(requests[0])
    if method.bindings:
        refused = gateway.rest_failure(method, json_of(requests[0]), other)
        assert refused is not None
        assert (refused.http_status, refused.reason) == (403, "USER_NOT_ALLOWED")


def test_admin_rpcs_with_an_admin_key_naming_no_tenant(gateway: Gateway) -> None:
    failure = gateway.failure(
        rpc("AccountService.ListUsers"),
        [rpc("AccountService.ListUsers").request()],
        gateway.admin_key,
    )
    assert _told(failure) == ("INVALID_ARGUMENT", "FIELD_REQUIRED", "mnema")
    assert failure is not None
    assert failure.fields == ("tenant_id",)


@pytest.mark.feature("M07")
@pytest.mark.parametrize(
    "name", ["AccountService.GetTenant", "MemoryService.ListMemories", "RecallService.Recall"]
)
def test_a_revoked_key_is_refused(gateway: Gateway, seeds: Seeds, name: str) -> None:
    own = seeds.tenant.api_key
    made = gateway.call("AccountService.CreateApiKey", {"kind": "API_KEY_KIND_TENANT"}, own)
    gateway.call("AccountService.RevokeApiKey", {"key_id": made["api_key"]["key_id"]}, own)
    requests = [rpc(name).request_of(each) for each in valid_requests(seeds)[name]]
    failure = gateway.failure(rpc(name), requests, made["secret"])
    assert _told(failure) == ("UNAUTHENTICATED", "API_KEY_REVOKED", "mnema")


@pytest.mark.feature("M07")
def test_an_expired_key_is_refused(gateway: Gateway, seeds: Seeds) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=3)
    wanted = {"kind": "API_KEY_KIND_TENANT", "expires_at": expires.isoformat()}
    made = gateway.call("AccountService.CreateApiKey", wanted, seeds.tenant.api_key)
    until(time.time, lambda now: now > expires.timestamp() + 0.1)
    method = rpc("MemoryService.ListMemories")
    requests = [method.request_of(each) for each in valid_requests(seeds)[method.name]]
    failure = gateway.failure(method, requests, made["secret"])
    assert _told(failure) == ("UNAUTHENTICATED", "API_KEY_EXPIRED", "mnema")


@pytest.mark.parametrize("method", PAGED, ids=str)
def test_a_page_token_works_for_its_own_list_only(
    gateway: Gateway, seeds: Seeds, method: Rpc, requests: list[Message]
) -> None:
    key = key_for(method, gateway, seeds)
    foreign: Any = requests[0]
    foreign.page_token = _token_of_another_list(gateway, seeds, method)
    failure = gateway.failure(method, [foreign], key)
    assert _told(failure) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", "mnema")
    assert failure is not None
    assert failure.fields == ("page_token",)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b'{"user_id": "\xc3("}',
        rb'{"content": "\ud800"}',
        b"{",
        b'"text"',
        b"[]",
        b'{"content": 1}',
        b'{"metadata": %s1%s}' % (b'{"a": ' * 200, b"}" * 200),
    ],
)
def test_a_body_that_is_no_json_of_the_request(gateway: Gateway, body: bytes) -> None:
    answer = _post(gateway, "/v1/ingest", body)
    _expect(answer, 400, "INVALID_ARGUMENT", "MALFORMED_REQUEST")


def test_a_path_that_is_no_text(gateway: Gateway) -> None:
    headers = {"x-api-key": gateway.tenant.api_key}
    answer = gateway.http.get("/v1/users/%C3%28/memories", headers=headers)
    _expect(answer, 400, "INVALID_ARGUMENT", "MALFORMED_REQUEST")
    assert failure_of_answer(answer).message == "the bytes are no message of this type"


def test_a_body_that_names_another_user_than_the_path(gateway: Gateway, user_id: str) -> None:
    body = b'{"user_id": "somebody else", "memory": {"content": "Hello"}}'
    answer = _post(gateway, f"/v1/users/{user_id}/memories", body)
    _expect(answer, 400, "INVALID_ARGUMENT", "MALFORMED_REQUEST")


def test_a_query_parameter_that_the_request_has_not(gateway: Gateway, user_id: str) -> None:
    path = f"/v1/users/{user_id}/memories?nonsense=1"
    answer = gateway.http.get(path, headers={"x-api-key": gateway.tenant.api_key})
    _expect(answer, 400, "INVALID_ARGUMENT", "MALFORMED_REQUEST")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nonsense", "/v2/ingest", "/v1/users/a/nonsense"])
def test_an_unknown_path(gateway: Gateway, path: str) -> None:
    _expect(_post(gateway, path, b"{}"), 404, "NOT_FOUND", "PATH_NOT_FOUND")


def test_the_wrong_verb(gateway: Gateway) -> None:
    answer = gateway.http.put("/v1/ingest", content=b"{}")
    _expect(answer, 404, "NOT_FOUND", "PATH_NOT_FOUND")


def test_json_sent_to_a_grpc_method(gateway: Gateway) -> None:
    path = rpc("IngestService.Ingest").path
    _expect(_post(gateway, path, b"{}"), 404, "NOT_FOUND", "PATH_NOT_FOUND")


def test_grpc_sent_to_a_rest_path(gateway: Gateway) -> None:
    headers = {"content-type": "application/grpc", "x-api-key": gateway.tenant.api_key}
    answer = gateway.http.post("/v1/ingest", content=bytes(5), headers=headers)
    assert answer.headers["grpc-status"] == str(grpc.StatusCode.UNIMPLEMENTED.value[0])


def test_bytes_that_are_no_message(gateway: Gateway, seeds: Seeds) -> None:
    invalid_utf8 = b"\x0a\x02\xc3\x28"  # field 1, a string of two bytes
    for method in public_rpcs():
        key = key_for(method, gateway, seeds)
        for raw in (b"\xff\xff\xff\xff", b"\x0a\x7f", invalid_utf8):
            if raw is invalid_utf8 and not _starts_with_a_text(method):
                continue
            failure = gateway.failure_of_bytes(method, [raw], key)
            told = (method.name, raw, *_told(failure))
            expected = ("INVALID_ARGUMENT", "MALFORMED_REQUEST", "mnema")
            assert told == (method.name, raw, *expected)


@ALL
def test_the_unchanged_request_succeeds(
    gateway: Gateway, seeds: Seeds, method: Rpc, requests: list[Message]
) -> None:
    """So that in the tests above the mistake alone was at fault."""
    assert gateway.send(method, requests, key_for(method, gateway, seeds))


@OVER_REST
def test_the_unchanged_request_succeeds_over_rest(
    gateway: Gateway, untouched: Seeds, method: Rpc
) -> None:
    for number in range(len(method.bindings)):
        fields = json_of(method.request_of(valid_requests(untouched)[method.name][0]))
        key = key_for(method, gateway, untouched)
        answer = gateway.rest(method, fields, key, binding=number)
        assert answer.status_code == 200, answer.text


def _wrongs(method: Rpc, requests: list[Message]) -> Iterator[tuple[int, Wrong]]:
    """Each with the number of the message it goes into."""
    for number, request in enumerate(requests):
        for wrong in wrongs_of(request):
            if number == 0 or wrong.path[0] == "chunk":
                yield number, wrong
    for path in NEEDED.get(method.name, ()):
        yield 0, Wrong("missing", path, "FIELD_REQUIRED", _clearing(path))


def _clearing(path: Path) -> Callable[[Message], None]:
    def make(request: Message) -> None:
        holder: Any = request
        for part in path[:-1]:
            holder = getattr(holder, str(part))
        holder.ClearField(path[-1])

    return make


def _as_json(wrong: Wrong, request: Message, method: Rpc) -> Iterator[tuple[dict[str, Any], str]]:
    """The mistake in JSON, and the reason it is refused for."""
    dotted = ".".join(str(part) for part in wrong.path)
    placed = any(f"{each}.".startswith(f"{dotted}.") for each in method.bindings[0].placed)
    if wrong.json_text is not None:
        fields = json_of(request)
        _write(fields, wrong.path, wrong.json_text)
        yield fields, "MALFORMED_REQUEST"
    elif wrong.in_json and not (placed and wrong.reason == "FIELD_REQUIRED"):
        # An empty place would make it another path.
        changed = _copy(request)
        wrong.make(changed)
        yield json_of(changed), wrong.reason


def _write(fields: Any, path: Path, value: str) -> None:
    for part, further in pairwise(path):
        if isinstance(fields, dict) and part not in fields:
            fields[part] = [value] if isinstance(further, int) else {}
        fields = fields[part]
    fields[path[-1]] = value


def _differences(
    wrong: Wrong, failure: Failure | None, reason: str, *, over_rest: bool = False
) -> list[str]:
    expected = ("INVALID_ARGUMENT", reason, "mnema")
    named = reason == "MALFORMED_REQUEST" or (
        failure is not None and wrong.field in failure.fields and "field" in failure.metadata
    )
    status = failure is None or not over_rest or failure.http_status == HTTP_STATUS[failure.code]
    if _told(failure) == expected and named and status:
        return []
    return [f"{wrong.field} {wrong.what}: expected {reason}, got {failure}"]


def _told(failure: Failure | None) -> tuple[str, str, str]:
    return ("OK", "", "") if failure is None else (failure.code, failure.reason, failure.domain)


def _copy(request: Message) -> Message:
    copied = type(request)()
    copied.CopyFrom(request)
    return copied


def _token_of_another_list(gateway: Gateway, seeds: Seeds, method: Rpc) -> str:
    if method.method == "ListMemories":
        return str(_first_page(gateway, "GraphService.ListNodes", seeds))
    return str(_first_page(gateway, "MemoryService.ListMemories", seeds))


def _first_page(gateway: Gateway, name: str, seeds: Seeds) -> str:
    wanted = {"user_id": seeds.user_id, "page_size": 1}
    return str(gateway.call(name, wanted, seeds.tenant.api_key)["next_page_token"])


def _post(gateway: Gateway, path: str, body: bytes) -> httpx.Response:
    headers = {"content-type": "application/json", "x-api-key": gateway.tenant.api_key}
    return gateway.http.post(path, content=body, headers=headers)


def _expect(answer: httpx.Response, status: int, code: str, reason: str) -> None:
    failure = failure_of_answer(answer)
    assert (failure.http_status, *_told(failure)) == (status, code, reason, "mnema")
    assert failure.message


def _starts_with_a_text(method: Rpc) -> bool:
    first = method.request.DESCRIPTOR.fields_by_number.get(1)
    return first is not None and first.cpp_type == first.CPPTYPE_STRING
