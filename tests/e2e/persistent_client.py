"""A client that does not give up at the first UNAVAILABLE."""

import time
from typing import Any

import grpc

from tests.e2e.gateway import Gateway

PATIENCE = 120.0  # seconds for one call, however often it is repeated


class Persistent:
    """One client: repeats a call that was answered UNAVAILABLE, as it was, until it is heard.

    Any other error is raised, and UNAVAILABLE after too long. `repeated` counts.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.repeated = 0

    def call(self, name: str, fields: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        """The answer, whenever it comes."""
        deadline, pause = time.monotonic() + PATIENCE, 0.1
        while True:
            try:
                return self.gateway.call(name, fields, key)
            except grpc.RpcError as error:
                passing = error.code() == grpc.StatusCode.UNAVAILABLE
                if not passing or time.monotonic() > deadline:
                    raise
            self.repeated += 1
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
