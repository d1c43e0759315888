"""The gateway's configuration: its descriptor set, its Kubernetes form, wrong tables."""

import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2

from services.embedded.descriptor import build_descriptor_set
from services.embedded.envoy import (
    GatewayOptions,
    Tls,
    Upstream,
    envoy_binary,
    render_config,
)
from services.embedded.failures import GatewayError
from tests.service.embedded_echo import SERVICE, compile_stubs


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return compile_stubs(tmp_path_factory.mktemp("stubs"))


def test_the_descriptor_set_is_complete(stubs: ModuleType) -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(build_descriptor_set([stubs])).file
    names = [file.name for file in files]
    assert {"gateway_echo.proto", "google/api/http.proto", "google/rpc/error_details.proto"} <= set(
        names
    )
    for position, file in enumerate(files):
        assert set(file.dependency) <= set(names[:position])


def test_the_kubernetes_form_is_valid(stubs: ModuleType, tmp_path: Path) -> None:
    """DNS names, TLS and several upstreams, as Envoy itself judges them."""
    descriptor_set = build_descriptor_set([stubs, health_pb2])
    (tmp_path / "d.pb").write_bytes(descriptor_set)
    pair = Tls(tmp_path / "tls.crt", tmp_path / "tls.key")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]
    command += [
        "-nodes",
        "-subj",
        "/CN=mnema",
        "-keyout",
        str(pair.key),
        "-out",
        str(pair.certificate),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    options = GatewayOptions(
        descriptor_path=tmp_path / "d.pb", host="0.0.0.0", tls=pair, access_log=tmp_path / "log"
    )
    upstreams = [
        Upstream("echo", "echo.mnema.svc.cluster.local", 50051, (SERVICE,)),
        Upstream("health", "health.mnema.svc.cluster.local", 50051, ("grpc.health.v1.Health",)),
    ]
    (tmp_path / "envoy.yaml").write_text(render_config(upstreams, options, descriptor_set))
    judged = subprocess.run(
        [envoy_binary(), "--mode", "validate", "-c", tmp_path / "envoy.yaml"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert judged.returncode == 0, judged.stderr
    assert "deprecated" not in judged.stderr.lower()


def test_a_wrong_table_is_refused(stubs: ModuleType) -> None:
    descriptor_set = build_descriptor_set([stubs])
    options = GatewayOptions(descriptor_path=Path("d.pb"))
    one = Upstream("one", "127.0.0.1", 1, (SERVICE,))
    with pytest.raises(GatewayError, match="more than one upstream"):
        render_config([one, Upstream("two", "127.0.0.1", 2, (SERVICE,))], options, descriptor_set)
    with pytest.raises(GatewayError, match="not in the descriptor set"):
        render_config([Upstream("x", "127.0.0.1", 1, ("no.Such",))], options, descriptor_set)
