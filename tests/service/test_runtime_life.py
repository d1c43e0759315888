"""Start and end of a serving process: health, draining, background tasks."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest

from services.runtime.config import RuntimeSettings
from services.runtime.server import BackgroundTask, Servicers, serve
from tests.patience import PATIENCE
from tests.service.runtime_echo import (
    INTERNAL,
    Echo,
    Keys,
    running,
    servicers_of,
    settings_of,
    stubs,
)

__all__ = ["running", "stubs"]  # fixtures


class Life:
    """A target whose life is written down."""

    def __init__(self, stubs: Any, worker: Callable[[asyncio.Event], Any] | None = None) -> None:
        self.stubs = stubs
        self.events: list[str] = []
        self.draining = asyncio.Event()
        self.worker = worker
        self.stop = asyncio.Event()
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def build(self, _: RuntimeSettings, stack: AsyncExitStack) -> Servicers:
        for name in ("database", "model"):
            stack.callback(self.events.append, f"{name} closed")
        parts = servicers_of(self.stubs, Keys(), Echo(self.stubs[0]))
        tasks = Servicers(
            background=(BackgroundTask("worker", self.worker or self.wait),),
            drain=(self.drained,),
        )
        return Servicers.merge([parts, tasks])

    async def wait(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.events.append("worker ended")

    async def drained(self) -> None:
        self.events.append("drained")
        self.draining.set()

    async def run(self, drain_seconds: float = PATIENCE) -> None:
        await serve(
            self.build,
            settings_of(drain_seconds=drain_seconds),
            stop=self.stop,
            started=self.port.set_result,
        )


async def test_running_calls_finish_at_the_end(stubs: Any) -> None:
    life = Life(stubs)
    serving = asyncio.create_task(life.run())
    port = await asyncio.wait_for(life.port, PATIENCE)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = stubs[1].EchoServiceStub(channel)
        chat = stub.Chat(metadata=[("authorization", f"Bearer {INTERNAL}")], timeout=PATIENCE)
        await chat.write(stubs[0].SayRequest(user_id="u", query="one"))
        assert (await chat.read()).text == "one"
        life.stop.set()
        await asyncio.wait_for(life.draining.wait(), PATIENCE)
        await chat.write(stubs[0].SayRequest(user_id="u", query="two"))
        assert (await chat.read()).text == "two"
        await chat.done_writing()
        assert await chat.read() is grpc.aio.EOF
    await asyncio.wait_for(serving, PATIENCE)
    assert set(life.events[:2]) == {"worker ended", "drained"}
    assert life.events[2:] == ["model closed", "database closed"]


@pytest.mark.parametrize("how", ["fails", "ends"])
async def test_a_dead_background_task_takes_the_process_down(stubs: Any, how: str) -> None:
    async def dies(_: asyncio.Event) -> None:
        if how == "fails":
            raise ValueError("broken")

    life = Life(stubs, dies)
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(life.run(), PATIENCE)
    expected = ValueError if how == "fails" else RuntimeError
    assert caught.group_contains(expected)
    assert life.events[-2:] == ["model closed", "database closed"]


async def test_a_background_task_that_does_not_end_is_cut_off(stubs: Any) -> None:
    async def stubborn(_: asyncio.Event) -> None:
        await asyncio.Event().wait()

    life = Life(stubs, stubborn)
    serving = asyncio.create_task(life.run(drain_seconds=0.1))
    await asyncio.wait_for(life.port, PATIENCE)
    life.stop.set()
    await asyncio.wait_for(serving, PATIENCE)
    assert life.events == ["drained", "model closed", "database closed"]
