"""`python -m services.app.gateway_config FOLDER`: the gateway's configuration for Envoy elsewhere.

Writes FOLDER/envoy.yaml and FOLDER/mnema.pb from the table of targets and the addresses in
MNEMA_PEERS__…, with the template that `mnema up` uses. In Kubernetes an init container of the
server's own image runs it, so gateway and services are always of one version.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from services.app.targets import TARGETS, import_stubs
from services.embedded.descriptor import build_descriptor_set
from services.embedded.envoy import GatewayOptions, Tls, Upstream, render_config
from services.embedded.failures import GatewayError
from services.runtime.config import PeerSettings, RuntimeSettings

CONFIG, DESCRIPTORS = "envoy.yaml", "mnema.pb"
_DNS_SCHEME = "dns:///"


def write_gateway_config(
    folder: Path, upstreams: Sequence[Upstream], options: GatewayOptions
) -> Path:
    """Writes the descriptor set to `options.descriptor_path` and the configuration to `folder`.

    Returns the configuration's path. GatewayError when the upstreams do not fit the contracts.
    """
    descriptors = build_descriptor_set(import_stubs())
    config = render_config(upstreams, options, descriptors)
    folder.mkdir(parents=True, exist_ok=True)
    options.descriptor_path.write_bytes(descriptors)
    path = folder / CONFIG
    path.write_text(config)
    return path


def upstreams_of(peers: PeerSettings) -> list[Upstream]:
    """Every target that serves something, where the settings say it listens.

    GatewayError for an address without a port.
    """
    return [
        Upstream(name, *_host_and_port(name, getattr(peers, name)), target.services)
        for name, target in TARGETS.items()
        if target.services
    ]


def _host_and_port(name: str, address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix(_DNS_SCHEME).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) <= 65535:
        raise GatewayError(f"MNEMA_PEERS__{name.upper()} must be host:port, is {address!r}")
    return host, int(port)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.app.gateway_config",
        description="Write Envoy's configuration for the peers in MNEMA_PEERS__….",
    )
    parser.add_argument("folder", type=Path, help="where Envoy will read the files, same path")
    parser.add_argument("--port", type=int, default=8080, help="gRPC, gRPC-Web and REST")
    parser.add_argument("--metrics-port", type=int, help="serves /metrics; default: none")
    parser.add_argument("--tls", type=Path, help="folder of tls.crt and tls.key; default: no TLS")
    parser.add_argument(
        "--cors-origin", action="append", help="browsers' origin, repeatable; default: every one"
    )
    parser.add_argument(
        "--trusted-proxies", type=int, default=0, help="proxies whose x-forwarded-for is believed"
    )
    return parser.parse_args(argv)


def _options(given: argparse.Namespace) -> GatewayOptions:
    # Absolute: Envoy is started elsewhere.
    folder: Path = given.folder.absolute()
    return GatewayOptions(
        descriptor_path=folder / DESCRIPTORS,
        host="0.0.0.0",  # noqa: S104 - a container's own network
        port=given.port,
        metrics_port=given.metrics_port,
        metrics_host="0.0.0.0",  # noqa: S104
        tls=Tls(given.tls / "tls.crt", given.tls / "tls.key") if given.tls else None,
        cors_origins=tuple(given.cors_origin or ("*",)),
        trusted_proxies=given.trusted_proxies,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 2 with a reason on standard error."""
    given = _arguments(sys.argv[1:] if argv is None else argv)
    try:
        # The runtime's part of the settings is enough, and holds no provider's secrets.
        upstreams = upstreams_of(RuntimeSettings().peers)
        written = write_gateway_config(given.folder, upstreams, _options(given))
    except (GatewayError, ValidationError, OSError) as error:
        print(f"the gateway's configuration was not written: {error}", file=sys.stderr)
        return 2
    print(f"wrote {written} for {', '.join(upstream.name for upstream in upstreams)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
