"""Ports for the parts of one machine."""

import random
import socket
import sys
from pathlib import Path

import psutil

from services.embedded.failures import PortTaken

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 15_000


def free_ports(count: int) -> list[int]:
    """Free loopback ports below the range the system gives to outgoing connections.

    So no connection of somebody else can sit on a part's port while it restarts.
    """
    top = int(_EPHEMERAL.read_text().split()[0]) if sys.platform == "linux" else 32_768
    candidates = range(min(_LOWEST, top - 1_000), top)
    found: list[int] = []
    for port in random.sample(candidates, len(candidates)):
        if len(found) == count:
            break
        if is_free(port):
            found.append(port)
    if len(found) < count:
        raise PortTaken(f"no {count} free ports between {candidates.start} and {top}")
    return found


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(port: int, host: str = "127.0.0.1", *, setting: str = "--port") -> None:
    """Raises PortTaken, naming the program that listens there where the system tells."""
    if is_free(port, host):
        return
    holder = _listener(port)
    by = f" by {holder}" if holder else ""
    raise PortTaken(f"port {port} on {host} is taken{by}: choose another one with {setting}")


def _listener(port: int) -> str | None:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for each in connections:
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port:
            try:
                return f"{psutil.Process(each.pid).name()} (process {each.pid})"
            except psutil.Error:
                return None
    return None
