"""A server on this machine that speaks OpenAI's chat-completions and embeddings protocol.

For tests that need a language model or an embedding model behind a real HTTP connection:

    with OpenAiServer() as server:
        settings = LlmSettings(provider="openai_compatible", base_url=server.base_url, model="m")
        ...
        assert server.count("chat") == 1
        assert "Boston" in server.requests[0].user_text

What it answers
- Chat: what `answer` returns for the ChatRequest, a text or something to be made into JSON. Without
  `answer` it is `canned_extraction`: one fact for each message of the extraction prompt. For other
  prompts (digest) give a callback of your own; it may hand on to canned_extraction:
      OpenAiServer(answer=lambda request: {"insights": []} if "insight" in request.system_text
                   else canned_extraction(request))
- Embeddings: unit vectors of `dimension` (or the request's `dimensions`), a function of the text's
  words alone, so texts that share words are near each other. Lists and base64 alike.
- GET /v1/models: the one model "test-model".

Making it misbehave
    server.script(RateLimited(retry_after=7), Failing(503), Ok())
queues behaviours; each call of the kind "chat" (or kind=...) takes one, then all is well again.
`refused` names request fields or response_format types it answers with 400, for good:
    OpenAiServer(refused={"json_schema"})
"""

import base64
import hashlib
import json
import math
import re
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

from tests.openai_behaviours import (
    Behaviour,
    Dropping,
    Failing,
    Hanging,
    MalformedJson,
    NoCompletion,
    Ok,
    RateLimited,
    SchemaViolating,
)

__all__ = [
    "Behaviour",
    "ChatRequest",
    "Dropping",
    "Failing",
    "Hanging",
    "MalformedJson",
    "NoCompletion",
    "Ok",
    "OpenAiServer",
    "RateLimited",
    "SchemaViolating",
    "canned_extraction",
    "unit_vector",
]

Kind = Literal["chat", "embeddings"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request as it came in. `kind` tells chat from embeddings; `body` is the parsed JSON."""

    kind: Kind
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def system_text(self) -> str:
        """The instructions: all system turns joined."""
        return self._text("system")

    @property
    def user_text(self) -> str:
        """The material: all user turns joined."""
        return self._text("user")

    @property
    def inputs(self) -> list[str]:
        """The texts to embed."""
        given = self.body.get("input", [])
        return [given] if isinstance(given, str) else [str(each) for each in given]

    def _text(self, role: str) -> str:
        turns = self.body.get("messages", [])
        return "\n".join(turn["content"] for turn in turns if turn["role"] == role)


Answer = Callable[[ChatRequest], object]


class OpenAiServer:
    """The server, running on a thread from `__enter__` to `__exit__`. Safe to ask from any thread.

    `requests` holds everything that was asked, in order. Nothing is ever sent anywhere.
    """

    def __init__(
        self,
        answer: Answer | None = None,
        *,
        dimension: int = 384,
        refused: Iterable[str] = (),
        model: str = "test-model",
        port: int = 0,
    ) -> None:
        """`port` 0 takes a free one; a given one, to come back where an earlier server was."""
        self.answer: Answer = answer or canned_extraction
        self.dimension = dimension
        self.refused = frozenset(refused)
        self.model = model
        self.requests: list[ChatRequest] = []
        self._scripts: dict[str, deque[Behaviour]] = {"chat": deque(), "embeddings": deque()}
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        """What a client takes as base_url ("http://127.0.0.1:PORT/v1")."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._http.server_port

    def script(self, *behaviours: Behaviour, kind: Kind = "chat") -> None:
        """Queue what the next calls get, one each."""
        with self._lock:
            self._scripts[kind].extend(behaviours)

    def count(self, kind: Kind) -> int:
        """How many requests of a kind arrived, refused and failed ones included."""
        with self._lock:
            return sum(request.kind == kind for request in self.requests)

    def clear(self) -> None:
        """Forget the requests and the behaviours still queued."""
        with self._lock:
            self.requests.clear()
            for script in self._scripts.values():
                script.clear()

    def take(self, request: ChatRequest) -> Behaviour:
        """Record a request and say how to behave. For the handler."""
        with self._lock:
            self.requests.append(request)
            refused = self._refusal(request)
            if refused:
                return Failing(400, f"Unsupported: {refused}")
            script = self._scripts[request.kind]
            return script.popleft() if script else Ok()

    def _refusal(self, request: ChatRequest) -> str | None:
        shape = request.body.get("response_format") or {}
        asked = {*request.body, shape.get("type", "")}
        name = next(iter(sorted(asked & self.refused)), None)
        if name == "max_tokens":
            return "'max_tokens', use 'max_completion_tokens' instead"
        return f"response_format type {name}" if name in ("json_schema", "json_object") else name


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: OpenAiServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def do_GET(self) -> None:
        if self.path.endswith("/models"):
            self._send_json({"object": "list", "data": [{"id": self._owner.model}]})
        else:
            self._send_error(404, "no such path")

    def do_POST(self) -> None:
        if self._owner.closing.is_set():  # a connection that was kept open has outlived the server
            self.close_connection = True
            return
        length = int(self.headers.get("content-length", "0"))
        body = json.loads(self.rfile.read(length) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.path.endswith("/chat/completions"):
            request = ChatRequest("chat", body, headers)
        elif self.path.endswith("/embeddings"):
            request = ChatRequest("embeddings", body, headers)
        else:
            self._send_error(404, "no such path")
            return
        self._behave(self._owner.take(request), request)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    @property
    def _owner(self) -> OpenAiServer:
        return self.server.owner

    def _behave(self, behaviour: Behaviour, request: ChatRequest) -> None:
        match behaviour:
            case Hanging():
                self._owner.closing.wait()
                self.close_connection = True
            case Dropping():
                self.close_connection = True
            case RateLimited(retry_after):
                header = {} if retry_after is None else {"Retry-After": str(retry_after)}
                self._send_error(429, "rate limit reached", header)
            case Failing(status, message):
                self._send_error(status, message)
            case NoCompletion(text, content_type):
                self._send(200, text.encode(), content_type)
            case _ if request.kind == "embeddings":
                self._send_json(self._embeddings(request))
            case Ok(None):
                self._send_json(self._completion(self._owner.answer(request)))
            case Ok(content) | MalformedJson(content) | SchemaViolating(content):
                self._send_json(self._completion(content))

    def _completion(self, content: object) -> dict[str, object]:
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": self._owner.model,
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text},
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }

    def _embeddings(self, request: ChatRequest) -> dict[str, object]:
        dimension = request.body.get("dimensions") or self._owner.dimension
        packed = request.body.get("encoding_format") == "base64"
        rows: list[dict[str, object]] = []
        for index, text in enumerate(request.inputs):
            vector = unit_vector(text, dimension)
            raw = struct.pack(f"<{dimension}f", *vector)
            value = base64.b64encode(raw).decode() if packed else vector
            rows.append({"object": "embedding", "index": index, "embedding": value})
        tokens = sum(len(text.split()) for text in request.inputs)
        return {
            "object": "list",
            "data": rows,
            "model": request.body.get("model", self._owner.model),
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    def _send_json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), "application/json")

    def _send_error(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        body = {"error": {"message": message, "type": "error", "code": str(status)}}
        self._send(status, json.dumps(body).encode(), "application/json", headers)

    def _send(
        self,
        status: int,
        body: bytes,
        content_type: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def canned_extraction(request: ChatRequest) -> object:
    """An extraction that follows from the prompt: one fact per message that a person said.

    A message of the form "I work at X" also gives a WORKS_AT triple and the slot "employer". For a
    prompt that is no extraction the answer is an empty object.
    """
    try:
        messages = json.loads(request.user_text)["messages"]
    except (ValueError, KeyError, TypeError):
        return {}
    facts: list[dict[str, object]] = []
    triples: list[dict[str, object]] = []
    for message in messages:
        speaker = message.get("speaker")
        if message.get("role") != "user" and not speaker:
            continue
        name, sources = speaker or "user", [message["index"]]
        found = re.search(r"\bI work at (\w+)", message["text"])
        employer = found.group(1) if found else None
        facts.append(
            {
                "type": "fact",
                "content": f"{speaker}: {message['text']}" if speaker else message["text"],
                "subject": name,
                "category": "work" if employer else None,
                "slot": "employer" if employer else None,
                "importance": 6,
                "confidence": 0.9,
                "emotion": None,
                "entities": [{"name": employer, "type": "ORGANIZATION"}] if employer else [],
                "sources": sources,
            }
        )
        if employer:
            triples.append(
                {
                    "subject": {"name": name, "type": "PERSON" if speaker else "USER"},
                    "relation": "WORKS_AT",
                    "custom_relation": None,
                    "object": {"name": employer, "type": "ORGANIZATION"},
                    "content": f"{name} works at {employer}.",
                    "confidence": 0.9,
                    "valid_from": None,
                    "valid_to": None,
                    "ended": False,
                    "sources": sources,
                }
            )
    return {"facts": facts, "episodes": [], "triples": triples, "profile_updates": []}


def unit_vector(text: str, dimension: int) -> list[float]:
    """The vector of a text: its words' pseudo-random directions added up, length 1."""
    total = [0.0] * dimension
    for word in re.findall(r"\w+", text.casefold()) or [text or "empty"]:
        for turn in range(8):
            digest = hashlib.blake2b(f"{turn}:{word}".encode(), digest_size=8).digest()
            position, sign = struct.unpack("<Ii", digest)
            total[position % dimension] += 1.0 if sign >= 0 else -1.0
    length = math.sqrt(sum(value * value for value in total))
    if not length:  # the words cancelled each other out
        total[0] = length = 1.0
    return [value / length for value in total]
