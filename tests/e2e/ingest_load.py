"""Clients that ingest side by side, and say again, under its request_id, what was not heard."""

import itertools
import re
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from tests.e2e.own_stack import OwnStack
from tests.e2e.persistent_client import PATIENCE, Persistent
from tests.e2e.waiting import until

_COLOURS = re.findall(
    r"\w+",
    "amber azure beige black bronze brown cobalt copper coral crimson cyan golden green grey "
    "indigo ivory jade lilac maroon navy olive orange pink purple red rose silver teal violet",
)
_THINGS = re.findall(
    r"\w+",
    "anchors baskets bicycles blankets bottles bridges buttons candles carpets clocks curtains "
    "drums feathers flutes gardens gloves kettles kites ladders lanterns marbles mirrors paintings "
    "pencils pianos pillows puzzles ribbons sailboats scarves stamps statues teapots umbrellas",
)
SENTENCES = tuple(
    f"I love {size}{colour} {thing}."
    for size in ("", "tiny ", "huge ", "round ", "square ")
    for thing in _THINGS
    for colour in _COLOURS
)
"""Each says one thing that no other says, so what became of it can be counted."""

BATCH = 3  # messages
_PAUSE = 0.15  # seconds between two calls of a client


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message that the system has said it keeps."""

    user_id: str
    session_id: str
    sequence: int
    message_id: str
    content: str


class IngestLoad:
    """`clients` threads that ingest for `users` until the block ends: messages and batches.

    Two clients share each session. After the block: `acknowledged`, `calls` and `repeated`.
    """

    def __init__(self, stack: OwnStack, users: tuple[str, ...], *, clients: int = 8) -> None:
        self._stack = stack
        self._users = users
        self._sentences = itertools.cycle(SENTENCES)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"client {number}")
            for number in range(clients)
        ]
        self.acknowledged: list[Acknowledged] = []
        self.failures: list[BaseException] = []
        self.calls = 0
        self.repeated = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)
        if error is None:
            assert not self.failures, self.failures

    def wait_for_progress(self, messages: int = 12) -> None:
        """Returns when so many more messages were acknowledged."""
        wanted = len(self.acknowledged) + messages
        until(
            lambda: (len(self.acknowledged), tuple(self.failures)),
            lambda seen: seen[0] >= wanted or bool(seen[1]),
        )
        assert not self.failures, self.failures

    def _run(self, number: int) -> None:
        user_id = self._users[number % len(self._users)]
        session_id = f"session {number % (len(self._threads) // 2)}"
        client = Persistent(self._stack.gateway())
        try:
            for turn in itertools.count():
                if self._stopping.wait(_PAUSE):
                    break
                if turn % 4 == 3:
                    self._ingest_batch(client, user_id, session_id)
                else:
                    self._ingest(client, user_id, session_id)
        except BaseException as error:  # shown by the thread that waits
            self.failures.append(error)
        finally:
            client.gateway.close()
            with self._lock:
                self.repeated += client.repeated

    def _ingest(self, client: Persistent, user_id: str, session_id: str) -> None:
        (content,) = self._next(1)
        fields = {"user_id": user_id, "session_id": session_id, "request_id": str(uuid4())}
        answer = client.call("IngestService.Ingest", {**fields, "role": "user", "content": content})
        self._heard(user_id, [answer["message"]], [content])

    def _ingest_batch(self, client: Persistent, user_id: str, session_id: str) -> None:
        contents = self._next(BATCH)
        fields = {"user_id": user_id, "session_id": session_id, "request_id": str(uuid4())}
        messages = [{"role": "user", "content": each} for each in contents]
        answer = client.call("IngestService.IngestBatch", {**fields, "messages": messages})
        self._heard(user_id, answer["receipts"], contents)

    def _next(self, count: int) -> list[str]:
        with self._lock:
            contents = list(itertools.islice(self._sentences, count))
        assert len(self.acknowledged) < len(SENTENCES) - 100, "the sentences begin anew"
        return contents

    def _heard(self, user_id: str, receipts: list[dict[str, Any]], contents: list[str]) -> None:
        heard = [
            Acknowledged(
                user_id, each["session_id"], int(each["sequence"]), each["message_id"], content
            )
            for each, content in zip(receipts, contents, strict=True)
        ]
        with self._lock:
            self.acknowledged += heard
            self.calls += 1
