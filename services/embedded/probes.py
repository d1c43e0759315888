"""Questions to a part: do you serve?"""

import asyncio
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2

_TIMEOUT = 1.0  # seconds, per question


@dataclass(frozen=True, slots=True)
class GrpcHealth:
    """Serving by grpc.health.v1 at `address` ("127.0.0.1:20001"); "" asks for the whole server."""

    address: str
    service: str = ""

    async def __call__(self) -> bool:
        """True when the answer is SERVING."""
        # A pool of its own: the shared one remembers a refused connection and waits a second.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        async with grpc.aio.insecure_channel(self.address, options=options) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            try:
                request = health_pb2.HealthCheckRequest(service=self.service)
                answer = await check(request, timeout=_TIMEOUT)
            except grpc.aio.AioRpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@dataclass(frozen=True, slots=True)
class HttpOk:
    """Answers `GET path` with status 200."""

    host: str
    port: int
    path: str = "/"

    async def __call__(self) -> bool:
        """True on 200, False on anything else, no listener included."""
        try:
            return await asyncio.wait_for(self._ask(), _TIMEOUT)
        except (OSError, TimeoutError):
            return False

    async def _ask(self) -> bool:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            request = f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n"
            writer.write(request.encode())
            status = await reader.readline()
            return status.split()[1:2] == [b"200"]
        finally:
            writer.close()
