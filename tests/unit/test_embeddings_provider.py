"""From settings to vectors: the factory, the cache, the observer, a user's own class."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError

from services.providers.embeddings import (
    CachedEmbedding,
    EmbeddingCall,
    EmbeddingSettings,
    create_embedding_provider,
)
from services.providers.embeddings.adapted import AdaptedEmbedding
from services.providers.embeddings.assemble import FOLDER_NAME
from services.runtime.errors import FailedPrecondition, Internal, MnemaError

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "build" / "models"


class LetterCounts:
    """A user's provider: counts letters, answers lists, notes what it was asked."""

    def __init__(self, letters: str = "abc", fails: bool = False) -> None:
        self._letters = letters
        self._fails = fails
        self.asked: list[list[str]] = []
        self.closed = False

    @property
    def dims(self) -> int:
        return len(self._letters)

    async def embed(self, text: str) -> list[float]:
        return (await self.embed_batch([text]))[0]

    async def embed_batch(self, texts: list[str]) -> list[list[float]]:
        self.asked.append(texts)
        if self._fails:
            raise Internal("no letters today")
        return [[float(text.count(letter)) for letter in self._letters] for text in texts]

    async def close(self) -> None:
        self.closed = True


class NotAProvider:
    """Has none of the three names."""


OWN = f"{__name__}:LetterCounts"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def local() -> AsyncIterator[CachedEmbedding]:
    provider = create_embedding_provider(EmbeddingSettings(), model_dir=MODELS)
    yield provider
    await provider.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_default_is_the_local_model(local: CachedEmbedding) -> None:
    assert (local.model, local.dims) == ("all-MiniLM-L6-v2", 384)

    texts = ["I live in Berlin.", "Where do I live?", "The build is red."]
    home, question, build = await local.embed_batch(texts)

    assert question @ home > question @ build + 0.2


@pytest.mark.asyncio(loop_scope="module")
async def test_a_text_has_one_vector_however_it_is_asked_for(local: CachedEmbedding) -> None:
    texts = [f"On day {day} we met {day} people." for day in range(60)]

    batch, *singles = await asyncio.gather(
        local.embed_batch(texts), *(local.embed(text) for text in texts)
    )

    np.testing.assert_allclose(batch, np.stack(singles), atol=1e-5)


async def test_a_model_folder_can_be_named(tmp_path: Path) -> None:
    create_embedding_provider(EmbeddingSettings(), model_dir=MODELS)
    settings = EmbeddingSettings(model=str(MODELS / FOLDER_NAME), threads=1, dims=384)

    provider = create_embedding_provider(settings, model_dir=tmp_path)

    assert (await provider.embed("hello")).shape == (384,)
    await provider.close()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (EmbeddingSettings(model="nowhere"), "no model.onnx"),
        (EmbeddingSettings(dims=100, model=str(MODELS / FOLDER_NAME)), "384 numbers, but 100"),
        (EmbeddingSettings(provider="no.such.module:Class"), "No module named"),
        (EmbeddingSettings(provider=f"{__name__}:Missing"), "Missing"),
        (EmbeddingSettings(provider=OWN, options={"alphabet": "x"}), "alphabet"),
        (EmbeddingSettings(provider=f"{__name__}:NotAProvider"), "lacks dims, embed, embed_batch"),
    ],
)
async def test_settings_that_do_not_fit_say_why(
    settings: EmbeddingSettings, reason: str, local: CachedEmbedding
) -> None:
    with pytest.raises(FailedPrecondition, match=reason):
        create_embedding_provider(settings, model_dir=MODELS)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"provider": "openai"}, "api_key"),
        ({"provider": "siliconflow"}, "api_key"),
        ({"provider": "openai", "base_url": "http://x/v1", "model": "own"}, "dims must be set"),
        ({"provider": "cohere"}, "none of local"),
        ({"cache_size": -1}, "cache_size"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_wrong_settings_are_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        EmbeddingSettings.model_validate(fields)


def test_settings_do_not_print_the_key() -> None:
    settings = EmbeddingSettings(provider="openai", api_key=SecretStr("sk-secret"))

    assert "sk-secret" not in repr(settings)
    assert "sk-secret" not in settings.model_dump_json()


async def test_a_users_class_is_made_from_its_options() -> None:
    settings = EmbeddingSettings(provider=OWN, options={"letters": "xyz"}, dims=3)

    provider = create_embedding_provider(settings, model_dir=MODELS)
    rows = await provider.embed_batch(["xxxyyyy", "z"])

    assert provider.model == OWN
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, np.array([[0.6, 0.8, 0], [0, 0, 1]]), atol=1e-6)


async def test_a_users_broken_answers_are_errors() -> None:
    own = AdaptedEmbedding(LetterCounts(), model="letters")

    with pytest.raises(Internal, match="zero"):
        await own.embed("xyz")
    assert (await own.embed_batch([])).shape == (0, 3)


async def test_closing_reaches_the_users_class() -> None:
    letters = LetterCounts()

    await CachedEmbedding(AdaptedEmbedding(letters, model="letters"), 10).close()

    assert letters.closed


async def test_the_cache_asks_once_per_text() -> None:
    letters = LetterCounts()
    cache = CachedEmbedding(AdaptedEmbedding(letters, model="letters"), 10)

    first = await cache.embed_batch(["a", "b", "a"])
    again = await cache.embed_batch(["b", "c"])
    single = await cache.embed("c")

    assert letters.asked == [["a", "b"], ["c"]]
    np.testing.assert_array_equal(first, [[1, 0, 0], [0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(again, [[0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(single, [0, 0, 1])
    assert (cache.hits, cache.misses, len(cache)) == (3, 3, 3)


async def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    letters = LetterCounts()
    cache = CachedEmbedding(AdaptedEmbedding(letters, model="letters"), 2)

    for text in ("a", "b", "a", "c", "a", "b"):
        await cache.embed(text)

    assert letters.asked == [["a"], ["b"], ["c"], ["b"]]
    assert len(cache) == 2


async def test_a_batch_larger_than_the_cache_is_answered_whole() -> None:
    cache = CachedEmbedding(AdaptedEmbedding(LetterCounts(), model="letters"), 1)

    rows = await cache.embed_batch(["a", "b", "c"])

    np.testing.assert_array_equal(rows, np.eye(3))
    assert len(cache) == 1


async def test_a_cached_vector_does_not_keep_its_batch_alive() -> None:
    cache = CachedEmbedding(AdaptedEmbedding(LetterCounts(), model="letters"), 10)

    await cache.embed_batch(["a", "b", "c"])

    assert (await cache.embed("a")).base is None


async def test_a_cache_of_size_zero_keeps_nothing() -> None:
    letters = LetterCounts()
    cache = CachedEmbedding(AdaptedEmbedding(letters, model="letters"), 0)

    await cache.embed("a")
    await cache.embed("a")

    assert letters.asked == [["a"], ["a"]]


async def test_clearing_the_cache() -> None:
    letters = LetterCounts()
    cache = CachedEmbedding(AdaptedEmbedding(letters, model="letters"), 10)

    await cache.embed("a")
    cache.clear()
    await cache.embed("a")

    assert letters.asked == [["a"], ["a"]]
    assert (cache.hits, cache.misses) == (0, 2)


async def test_a_cached_vector_cannot_be_changed_by_its_reader() -> None:
    cache = CachedEmbedding(AdaptedEmbedding(LetterCounts(), model="letters"), 10)

    for _ in range(2):  # the first comes from the provider, the second from the cache
        with pytest.raises(ValueError, match="read-only"):
            (await cache.embed("a"))[0] = 7
    (await cache.embed_batch(["a", "b"]))[0, 0] = 7
    np.testing.assert_array_equal(await cache.embed("a"), [1, 0, 0])


async def test_the_observer_hears_of_calls_that_were_made() -> None:
    calls: list[EmbeddingCall] = []
    provider = create_embedding_provider(
        EmbeddingSettings(provider=OWN), model_dir=MODELS, on_call=calls.append
    )

    await provider.embed_batch(["a", "b"])
    await provider.embed_batch(["a", "b", "c"])
    await provider.embed("a")

    assert [(call.text_count, call.model, call.success) for call in calls] == [
        (2, OWN, True),
        (1, OWN, True),
    ]
    assert all(call.duration_ms > 0 for call in calls)


async def test_the_observer_hears_of_failures() -> None:
    calls: list[EmbeddingCall] = []
    provider = create_embedding_provider(
        EmbeddingSettings(provider=OWN, options={"fails": True}),
        model_dir=MODELS,
        on_call=calls.append,
    )

    for call in (provider.embed("a"), provider.embed_batch(["a", "b"])):
        with pytest.raises(MnemaError):
            await call

    assert [(call.text_count, call.success) for call in calls] == [(1, False), (2, False)]


def test_settings_and_service_load_only_what_they_need(local: CachedEmbedding) -> None:
    program = """
import asyncio, re, sys
from pathlib import Path
from services.providers.embeddings import EmbeddingSettings, create_embedding_provider
heavy = {"onnx", "onnxruntime", "openai", "tokenizers", "safetensors"}
print(*sorted(heavy & sys.modules.keys()))
provider = create_embedding_provider(EmbeddingSettings(), model_dir=Path(sys.argv[1]))
asyncio.run(provider.embed("hello"))
print(*sorted(heavy & sys.modules.keys()))
print(re.search(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, str(MODELS)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    on_import, in_service, resident_kb = ran.stdout.splitlines()

    assert on_import == ""
    assert in_service == "onnxruntime tokenizers"
    assert int(resident_kb) < 250_000
