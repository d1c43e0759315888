"""Where the server is, and how to greet it."""

import os
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

API_KEY_VARIABLE = "MNEMA_API_KEY"
DEFAULT_ADDRESS = "127.0.0.1:8080"
DEFAULT_PORT = 8080

_PORTS = {"http": 80, "https": 443}
_RESOLVED_BY_GRPC = ("dns:", "unix:", "unix-abstract:", "ipv4:", "ipv6:", "xds:")


@dataclass(frozen=True)
class Endpoint:
    """A server's gRPC target and what every call to it carries."""

    target: str
    secure: bool
    api_key: str | None = field(default=None, repr=False)
    root_certificates: bytes | None = field(default=None, repr=False)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What is sent with each call."""
        return (("authorization", f"Bearer {self.api_key}"),) if self.api_key else ()

    @property
    def options(self) -> tuple[tuple[str, str | int], ...]:
        """The channel's options. The server limits sizes; a page of messages can be large."""
        return (
            ("grpc.primary_user_agent", f"mnema-client/{_own_version()}"),
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
        )


def endpoint(
    address: str, api_key: str | None, secure: bool, root_certificates: bytes | None
) -> Endpoint:
    """Reads "host", "host:port", "http://host:port", "https://host" or a gRPC target.

    Raises:
        ValueError: it is none of these, or the API key can't be sent in a header.
    """
    key = api_key if api_key is not None else os.environ.get(API_KEY_VARIABLE)
    key = key.strip() if key else None
    if key and not (key.isascii() and key.isprintable()):
        raise ValueError("the API key has characters that a header can't carry")
    target, https = _target(address.strip(), secure or root_certificates is not None)
    return Endpoint(target, https, key, root_certificates)


def _target(address: str, secure: bool) -> tuple[str, bool]:
    if address.startswith(_RESOLVED_BY_GRPC):
        return address, secure
    scheme, _, _ = address.rpartition("://")
    parts = urlsplit(address if scheme else f"//{address}")
    if scheme not in {"", *_PORTS} or not parts.hostname:
        raise ValueError(f"{address!r} is no address: give host:port, http://… or https://…")
    if parts.path not in {"", "/"} or parts.query or parts.username:
        raise ValueError(f"{address!r} has more than a host and a port: gRPC takes no path")
    if scheme == "http" and secure:
        raise ValueError(f"{address!r} is not encrypted, yet secure=True: write https://")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or _PORTS.get(scheme, DEFAULT_PORT)
    return f"{host}:{port}", secure or scheme == "https"


def _own_version() -> str:
    try:
        return version("mnema-client")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "source"
