"""A server on this machine that reranks as Jina, Cohere, vLLM and TEI do.

    with RerankServer() as server:
        settings = RerankSettings(base_url=server.base_url, model="m")

It scores a document by how often it holds the query's words, and answers the best first, as
the real ones do. `answer` takes the place of that: a status, or the body as it is.
"""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Odd:
    """An answer that is none: a status and a body, after `seconds`."""

    status: int = 200
    body: bytes = b""
    seconds: float = 0.0


class RerankServer:
    """The server, running on a thread from `__enter__` to `__exit__`."""

    def __init__(self, odd: Odd | None = None) -> None:
        self.odd = odd
        self.requests: list[Asked] = []
        self._http = _Http(("127.0.0.1", 0), _Handler)
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
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        """What a client takes as base_url."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"


def reranking(body: dict[str, Any]) -> dict[str, Any]:
    """The best first, by how often they hold the query's words."""
    words = body["query"].lower().split()
    scores = [sum(text.lower().split().count(word) for word in words) for text in body["documents"]]
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    return {
        "model": body.get("model", ""),
        "results": [
            {"index": index, "relevance_score": scores[index], "document": {"text": "…"}}
            for index in order[: body["top_n"]]
        ],
    }


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: RerankServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        owner = self.server.owner
        owner.requests.append(Asked(self.path, body, headers))
        odd = owner.odd
        if odd is not None:
            time.sleep(odd.seconds)
        self.send_response(odd.status if odd else 200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(odd.body if odd else json.dumps(reranking(body)).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""
