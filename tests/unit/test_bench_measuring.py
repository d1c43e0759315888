"""The closed loop, against a gRPC server that answers bytes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace

import grpc
import numpy as np
import pytest

from bench.measuring import Call, closed_loop
from tests.patience import PATIENCE

PAUSE = 0.02


class Echo(grpc.GenericRpcHandler):
    """Answers with what was sent; "wrong" is INVALID_ARGUMENT. Knows how many were at work.

    The first answer waits until as many as `company` are asked at once.
    """

    def __init__(self) -> None:
        self.company = 1
        self.together = asyncio.Event()
        self.running = 0
        self.most = 0
        self.seen: list[bytes] = []

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        return grpc.unary_unary_rpc_method_handler(self.answer)

    async def answer(
        self, request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]"
    ) -> bytes:
        self.seen.append(request)
        self.running += 1
        self.most = max(self.most, self.running)
        if self.running >= self.company:
            self.together.set()
        try:
            await self._company()
            await asyncio.sleep(PAUSE)
            if request == b"wrong":
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "as asked")
            return request
        finally:
            self.running -= 1

    async def _company(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE / 2):
                await self.together.wait()
        except TimeoutError:  # there will be no more
            self.together.set()


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Echo, Call]]:
    echo, server = Echo(), grpc.aio.server()
    server.add_generic_rpc_handlers((echo,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/a.B/C")

            async def call(request: bytes) -> bytes:
                answer: bytes = await ask(request, timeout=PATIENCE)
                return answer

            yield echo, call
    finally:
        await server.stop(None)


def numbered(count: int) -> Sequence[bytes]:
    return [str(number).encode() for number in range(count)]


async def test_every_request_is_sent_once_and_timed() -> None:
    async with echoing() as (echo, call):
        echo.company = 4
        measured = await closed_loop(call, numbered(20), clients=4)

    assert sorted(echo.seen) == sorted(numbered(20)) == sorted(measured.answers)
    assert echo.most == 4
    assert len(measured.milliseconds) == 20
    assert min(measured.milliseconds) >= PAUSE * 1000 * 0.9
    assert measured.per_second == pytest.approx(20 / measured.seconds)
    assert measured.seconds >= 5 * PAUSE * 0.9
    assert max(measured.milliseconds) <= measured.seconds * 1000


async def test_failures_count_by_code_and_have_no_latency() -> None:
    async with echoing() as (_, call):
        measured = await closed_loop(call, [b"a", b"wrong", b"b", b"wrong"])

    assert measured.failures == {"INVALID_ARGUMENT": 2}
    assert measured.answers == (b"a", b"b")
    assert len(measured.milliseconds) == 2


async def test_the_time_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with echoing() as (echo, call):
        clock = SimpleNamespace(perf_counter=lambda: float(len(echo.seen)))  # a second a call
        monkeypatch.setattr("bench.measuring.time", clock)
        measured = await closed_loop(call, numbered(1000), most_seconds=5)

    assert measured.milliseconds == (1000.0,) * 6  # the last one began when the time was just up
    assert len(echo.seen) == 6


async def test_an_event_ends_it() -> None:
    stop = asyncio.Event()
    async with echoing() as (echo, call):
        measured = await closed_loop(
            call, numbered(1000), stop=stop, answered=lambda: stop.set() if echo.seen[9:] else None
        )

    assert len(measured.milliseconds) == 10


async def test_percentiles_are_of_all_calls() -> None:
    async with echoing() as (_, call):
        measured = await closed_loop(call, numbered(30), clients=3)

    assert measured.percentile(50) == pytest.approx(np.median(measured.milliseconds))
    assert measured.percentile(0) == min(measured.milliseconds)
    assert measured.percentile(100) == max(measured.milliseconds)
