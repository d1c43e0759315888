"""Providers as neuromem's documentation has a user write them, for tests that name them by path."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from tests.openai_server import ChatRequest, canned_extraction, unit_vector


class OwnEmbedding:
    """Vectors of `dims` numbers that are near each other where texts share words."""

    def __init__(self, size: int = 48, model: str = "own-words", api_key: str = "") -> None:
        self._size = size
        self.model = model
        self.api_key = api_key

    @property
    def dims(self) -> int:
        return self._size

    async def embed(self, text: str) -> list[float]:
        return [2 * value for value in unit_vector(text, self._size)]

    async def embed_batch(self, texts: list[str]) -> list[list[float]]:
        return [await self.embed(text) for text in texts]


class OwnLlm:
    """Answers what it was asked, and how."""

    def __init__(self, greeting: str = "hi", api_key: str = "") -> None:
        self.greeting = greeting
        self.api_key = api_key
        self.asked: list[dict[str, Any]] = []

    async def chat(self, messages: list[dict[str, str]], **kwargs: Any) -> str:
        self.asked.append({"messages": messages, **kwargs})
        return f"{self.greeting}, {messages[-1]['content']}"


class StrictLlm:
    """Takes a temperature and nothing else; fails on demand."""

    async def chat(self, messages: list[dict[str, str]], temperature: float = 0.5) -> str:
        said = messages[-1]["content"]
        if said == "fail":
            raise KeyError("secret")
        return "" if said == "nothing" else f"{temperature}"


class OwnStorage:
    """Files in a folder, by the digest of their key."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)

    async def upload(self, key: str, data: bytes) -> str:
        self._path(key).write_bytes(data)
        return key

    async def download(self, key: str) -> bytes:
        return self._path(key).read_bytes()

    async def delete(self, key: str) -> bool:
        self._path(key).unlink()
        return True

    async def exists(self, key: str) -> bool:
        return self._path(key).exists()

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()


class Incomplete:
    """Has nothing that any provider needs."""


class Unmakeable:
    """Raises when it is made."""

    def __init__(self) -> None:
        self.root = math.sqrt(-1)


class ExtractingLlm:
    """Extracts as the tests' model server does."""

    async def chat(self, messages: list[dict[str, str]], **kwargs: Any) -> str:
        return json.dumps(canned_extraction(ChatRequest("chat", {"messages": messages})))
