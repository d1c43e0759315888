"""Extractions that are held open, so that something can happen in the middle of them."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.own_stack import OwnStack
from tests.e2e.waiting import until
from tests.openai_server import ChatRequest, OpenAiServer, canned_extraction


class Held:
    """Workers whose model answers only when it is told to, and never twice the same.

    As real models do: an answer that is stored beside another one shows.
    """

    def __init__(self, stack: OwnStack, server: OpenAiServer, drain_seconds: float) -> None:
        self._stack = stack
        self._server = server
        self._environment = {
            "MNEMA_EXTRACTION__EXTRACTOR": "llm",
            "MNEMA_LLM__PROVIDER": "openai_compatible",
            "MNEMA_LLM__MODEL": "test-model",
            "MNEMA_LLM__BASE_URL": server.base_url,
            "MNEMA_SERVER__DRAIN_SECONDS": str(drain_seconds),
        }
        self._gate = threading.Event()
        self._workers: list[subprocess.Popen[bytes]] = []
        server.answer = self._answer

    def start_worker(self) -> "subprocess.Popen[bytes]":
        """A further worker; ended with the block."""
        self._workers.append(self._stack.start_worker(self._environment))
        return self._workers[-1]

    def asked(self) -> int:
        """How often the model was asked."""
        return self._server.count("chat")

    def wait_until_asked(self, times: int) -> None:
        """Returns when the model has been asked so often; a worker starts meanwhile."""
        try:
            until(self.asked, lambda asked: asked == times)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._stack.log_tail()}") from error

    def release(self) -> None:
        """Answers, now and from now on."""
        self._gate.set()

    def end(self) -> None:
        """kill -9 of all that still work."""
        self.release()
        for worker in self._workers:
            worker.kill()
            worker.wait()

    def _answer(self, request: ChatRequest) -> object:
        turn = self.asked()
        self._gate.wait(240)
        found: Any = canned_extraction(request)
        for fact in found["facts"]:
            fact["content"] += f" (answer {turn})"
        return found


@contextmanager
def held_extraction(stack: OwnStack, *, drain_seconds: float = 5.0) -> Iterator[Held]:
    """In the block no worker works but those of `Held`."""
    stack.stop_part("worker")
    try:
        with OpenAiServer() as server:
            held = Held(stack, server, drain_seconds)
            try:
                yield held
            finally:
                held.end()
    finally:
        stack.start_part("worker")
