"""The client's pure parts: addresses, retries, values, times, names, its face."""

import ast
import math
import runpy
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mnema.client
from mnema.client import EdgeType, NodeType, graph
from mnema.client._convert.graph import acting_user
from mnema.client._convert.json_values import python_of, value_of
from mnema.client._convert.messages import new_message
from mnema.client._convert.names import EDGE_TYPES, MEMORY_TYPES, NODE_TYPES, texts
from mnema.client._convert.times import moment_of, timestamp_of
from mnema.client._endpoint import endpoint
from mnema.client._retries import Attempts
from mnema.client.errors import BY_CODE, ErrorDetails, MnemaError, ResourceExhausted, Unavailable
from mnema.v1 import (
    account_service_pb2,
    analytics_service_pb2,
    conversation_service_pb2,
    file_service_pb2,
    graph_service_pb2,
    ingest_service_pb2,
    key_value_service_pb2,
    memory_service_pb2,
    recall_service_pb2,
    reflect_service_pb2,
    types_pb2,
    vector_service_pb2,
)

PACKAGE = Path(mnema.client.__file__).parent
CONTRACTS = (
    account_service_pb2,
    analytics_service_pb2,
    conversation_service_pb2,
    file_service_pb2,
    graph_service_pb2,
    ingest_service_pb2,
    key_value_service_pb2,
    memory_service_pb2,
    recall_service_pb2,
    reflect_service_pb2,
    vector_service_pb2,
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("address", "target", "secure"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080", False),
        ("localhost", "localhost:8080", False),
        ("http://mnema.example", "mnema.example:80", False),
        ("https://mnema.example", "mnema.example:443", True),
        ("https://mnema.example:8443/", "mnema.example:8443", True),
        ("[::1]:9000", "[::1]:9000", False),
        ("dns:///mnema:8080", "dns:///mnema:8080", False),
        ("unix:/run/mnema.sock", "unix:/run/mnema.sock", False),
    ],
)
def test_addresses(address: str, target: str, secure: bool) -> None:
    found = endpoint(address, "key", False, None)
    assert (found.target, found.secure) == (target, secure)
    if ":///" not in address and not address.startswith(("unix:", "http:")):
        assert endpoint(address, "key", True, None).secure


@pytest.mark.parametrize(
    "address", ["", "ftp://host", "http://host/v1", "http://", "me@host", "host:port"]
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|host|[Pp]ort"):
        endpoint(address, "key", False, None)


def test_plain_http_is_not_encrypted_behind_ones_back() -> None:
    with pytest.raises(ValueError, match="https://"):
        endpoint("http://host", "key", True, None)


def test_the_key_comes_from_the_environment_and_stays_out_of_sight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MNEMA_API_KEY", "mk_user_environment\n")
    assert endpoint("host", None, False, None).metadata == (
        ("authorization", "Bearer mk_user_environment"),
    )
    mine = endpoint("host", "mk_user_mine", False, None)
    assert mine.metadata[0][1] == "Bearer mk_user_mine"
    assert "mk_user_mine" not in repr(mine)
    monkeypatch.delenv("MNEMA_API_KEY")
    assert endpoint("host", None, False, None).metadata == ()
    with pytest.raises(ValueError, match="header"):
        endpoint("host", "clé", False, None)


def _attempts(chance: float, retries: int = 4, seconds: float = 30) -> Attempts:
    return Attempts(seconds, retries, clock=lambda: 0.0, chance=lambda: chance)


def _error(kind: type[MnemaError], retry_after: float | None = None) -> MnemaError:
    return kind(grpc.StatusCode.UNAVAILABLE, "no", ErrorDetails(retry_after=retry_after))


def test_pauses_double_and_end() -> None:
    attempts = _attempts(1.0, retries=8)
    pauses = [attempts.pause(_error(Unavailable)) for _ in range(9)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, None])
    assert _attempts(0.0).pause(_error(Unavailable)) == pytest.approx(0.05)


def test_the_servers_pause_is_the_least() -> None:
    assert _attempts(0.0).pause(_error(Unavailable, 2.0)) == 2.0
    assert _attempts(0.5).pause(_error(ResourceExhausted, 2.0)) == pytest.approx(2.05)
    assert _attempts(0.5).pause(_error(ResourceExhausted)) is None
    assert _attempts(0.5, seconds=1.0).pause(_error(Unavailable, 2.0)) is None
    assert _attempts(0.5, retries=0).pause(_error(Unavailable)) is None


@given(JSON)
def test_json_comes_back_as_it_went(value: Any) -> None:
    assert python_of(value_of(value)) == value


def test_whole_numbers_come_back_as_ints() -> None:
    assert type(python_of(value_of(3))) is int
    assert type(python_of(value_of(3.5))) is float
    assert python_of(value_of(True)) is True
    assert python_of(value_of((1, "two"))) == [1, "two"]


@pytest.mark.parametrize("value", [2**53 + 1, math.nan, math.inf, [1, [-math.inf]]])
def test_numbers_that_json_cant_carry(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON number"):
        value_of(value)


@pytest.mark.parametrize("value", [b"bytes", {1: "one"}, object(), {"a": {1, 2}}])
def test_what_is_not_json(value: Any) -> None:
    with pytest.raises(TypeError):
        value_of(value)


def test_times_have_a_zone() -> None:
    zurich = timezone(timedelta(hours=2))
    moment = datetime(2026, 5, 3, 14, 30, 0, 123456, tzinfo=zurich)
    message = timestamp_of(moment)
    assert message is not None
    assert moment_of(message) == moment
    assert moment_of(message).utcoffset() == timedelta(0)
    assert timestamp_of(None) is None
    with pytest.raises(ValueError, match="no time zone"):
        timestamp_of(datetime(2026, 5, 3))  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="years 2 to 9998"):
        timestamp_of(datetime.min.replace(tzinfo=timezone(timedelta(hours=14))))


def test_names_are_the_contracts() -> None:
    assert MEMORY_TYPES.number("Fact") == types_pb2.MEMORY_TYPE_FACT
    assert MEMORY_TYPES.numbers("episodic") == [types_pb2.MEMORY_TYPE_EPISODIC]
    assert MEMORY_TYPES.numbers(["fact", "todo"]) == [1, 7]
    assert MEMORY_TYPES.numbers(None) == []
    assert MEMORY_TYPES.name(99) == "99"
    with pytest.raises(ValueError, match="'facts' is no memory type: use fact, episodic"):
        MEMORY_TYPES.number("facts")
    with pytest.raises(ValueError, match="unspecified"):
        MEMORY_TYPES.number("unspecified")
    assert texts("pdf") == ["pdf"]
    assert [NODE_TYPES.number(each.value) for each in NodeType] == list(range(1, 10))
    assert [EDGE_TYPES.number(each.value) for each in EdgeType] == list(range(1, 24))


def test_whose_graph_it_is() -> None:
    user, google = (NodeType.USER, "alice"), (NodeType.ENTITY, "google")
    assert acting_user(None, None, google, user) == "alice"
    assert acting_user(None, "bob", google, user) == "bob"
    assert acting_user("carol", "bob", user) == "carol"
    assert acting_user(None, "bob", google) == "bob"
    assert acting_user(None, None, ("user", "alice")) == "alice"
    with pytest.raises(ValueError, match="user_id="):
        acting_user(None, None, google)


def test_a_message_of_a_batch_loses_nothing_silently() -> None:
    message = new_message({"role": "user", "content": "hi", "speaker": "Alice"})
    assert (message.role, message.content, message.speaker) == ("user", "hi", "Alice")
    with pytest.raises(ValueError, match="no key 'created_at'"):
        new_message({"role": "user", "content": "hi", "created_at": "2026"})
    with pytest.raises(ValueError, match="to have 'content'"):
        new_message({"role": "user"})


def test_every_error_class_is_drawn_and_exported() -> None:
    assert mnema.client.errors.__doc__ is not None
    for kind in BY_CODE.values():
        assert f"─ {kind.__name__} " in mnema.client.errors.__doc__
        assert getattr(mnema.client, kind.__name__) is kind


def test_exported_names() -> None:
    public = {name for name in vars(mnema.client) if not name.startswith("_")}
    modules = {
        *("analytics", "digests", "errors", "graph", "lifecycle", "models", "past"),
        *("ranking", "results", "settings"),
    }
    assert public - modules == set(mnema.client.__all__)
    assert graph.NodeType is NodeType
    assert {"AsyncMnema", "Mnema", "MnemaError", "NodeType", "EdgeType"} <= public


def test_every_method_of_the_contract_is_called() -> None:
    called = {
        node.attr
        for path in (PACKAGE / "_async").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    offered = {
        method.name
        for contract in CONTRACTS
        for service in contract.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    # CreateFile is UploadFile for those who can't stream: browsers and REST. DownloadByLink is what
    # a link leads to.
    assert offered - called == {"CreateFile", "DownloadByLink"}


def test_what_has_no_synchronous_form_is_refused(pytestconfig: pytest.Config) -> None:
    tool = runpy.run_path(str(pytestconfig.rootpath / "tools/sync_client.py"))
    plain = tool["synchronous"]("x.py", "async def f() -> None:\n    await g(AsyncMnema())\n")
    assert plain.endswith("def f() -> None:\n    g(Mnema())\n")
    with pytest.raises(SystemExit, match="'asyncio' has no synchronous form"):
        tool["synchronous"]("x.py", "import asyncio\n")


def test_the_client_needs_no_server() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            roots = {name.partition(".")[0] for name in names}
            assert not roots & {"services", "grpc_status", "typing_extensions"}, path
