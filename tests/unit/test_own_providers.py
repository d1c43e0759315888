"""Classes of a user's own as providers: found by path, made from settings, adapted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from services.app.settings import Settings
from services.providers.embeddings.factory import create_embedding_provider
from services.providers.embeddings.settings import EmbeddingSettings
from services.providers.llm.adapted import AdaptedLlm
from services.providers.llm.base import ChatMessage, LlmCall, MalformedAnswer, ResponseSchema
from services.providers.llm.factory import create_llm
from services.providers.llm.settings import LlmSettings
from services.providers.objects.factory import new_object_storage
from services.providers.objects.settings import ObjectSettings
from services.providers.objects.storage import CHUNK_BYTES
from services.runtime.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable

OWN = "tests.own_providers"
NO_MODELS = Path("/nonexistent")


def test_the_class_is_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for group, name in (
        ("EMBEDDING", "OwnEmbedding"),
        ("LLM", "OwnLlm"),
        ("OBJECTS", "OwnStorage"),
    ):
        monkeypatch.setenv(f"MNEMA_{group}__PROVIDER", "custom")
        monkeypatch.setenv(f"MNEMA_{group}__CLASS", f"{OWN}:{name}")
    monkeypatch.setenv("MNEMA_EMBEDDING__OPTIONS", '{"size": 12}')
    settings = Settings()
    assert settings.embedding.provider == f"{OWN}:OwnEmbedding"
    assert settings.embedding.options == {"size": 12}
    assert settings.llm.provider == f"{OWN}:OwnLlm"
    assert settings.objects.provider == f"{OWN}:OwnStorage"


@pytest.mark.parametrize("kind", [EmbeddingSettings, LlmSettings, ObjectSettings])
@pytest.mark.parametrize(
    "given",
    [
        {"provider": "custom"},
        {"provider": "custom", "class": "no path"},
        {"provider": "local", "class": f"{OWN}:OwnLlm"},
    ],
)
def test_custom_and_a_class_go_together(kind: Any, given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="class"):
        kind.model_validate(given)


async def test_an_embedding_class() -> None:
    settings = EmbeddingSettings.model_validate(
        {"provider": f"{OWN}:OwnEmbedding", "model": "mine", "options": {"size": 20}}
    )
    provider = create_embedding_provider(settings, model_dir=NO_MODELS)
    assert (provider.dims, provider.model) == (20, "mine")
    rows = await provider.embed_batch(["a word", "another"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(await provider.embed("a word"), rows[0], atol=1e-6)


async def test_an_llm_class() -> None:
    calls: list[LlmCall] = []
    settings = LlmSettings.model_validate(
        {"provider": f"{OWN}:OwnLlm", "api_key": "k", "options": {"greeting": "hello"}}
    )
    llm = create_llm(settings, calls.append)
    assert isinstance(llm, AdaptedLlm)
    schema = ResponseSchema("answer", {"type": "object"})
    asked = [ChatMessage("system", "be kind"), ChatMessage("user", "you")]
    answer = await llm.chat(asked, temperature=0.25, max_tokens=99, response_schema=schema)
    assert (answer.text, answer.model) == ("hello, you", f"{OWN}:OwnLlm")
    inner: Any = llm._inner
    assert inner.api_key == "k"
    (given,) = inner.asked
    assert given["messages"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "you"},
    ]
    assert (given["temperature"], given["max_tokens"]) == (0.25, 99)
    assert given["response_format"]["json_schema"]["schema"] == {"type": "object"}
    (call,) = calls
    assert (call.success, call.max_tokens, call.temperature) == (True, 99, 0.25)
    await llm.close()


async def test_an_llm_class_gets_only_what_it_takes_and_its_failures_are_told() -> None:
    calls: list[LlmCall] = []
    llm = create_llm(LlmSettings(provider=f"{OWN}:StrictLlm", model="strict"), calls.append)
    assert llm is not None
    assert (await llm.chat([ChatMessage("user", "?")], temperature=0.75)).text == "0.75"
    with pytest.raises(Unavailable, match="KeyError") as failure:
        await llm.chat([ChatMessage("user", "fail")])
    assert "secret" not in failure.value.message
    with pytest.raises(MalformedAnswer):
        await llm.chat([ChatMessage("user", "nothing")])
    assert [call.success for call in calls] == [True, False, True]


async def test_a_storage_class(tmp_path: Path) -> None:
    storage = new_object_storage(
        ObjectSettings(provider=f"{OWN}:OwnStorage", options={"folder": str(tmp_path / "objects")})
    )
    await storage.init()
    data = b"x" * (CHUNK_BYTES + 1)
    await storage.upload("a/b", data, "text/plain")
    assert await storage.exists("a/b")
    assert await storage.download("a/b") == data
    assert [len(piece) async for piece in storage.stream("a/b")] == [CHUNK_BYTES, 1]
    await storage.delete("a/b")
    await storage.delete("a/b")
    assert not await storage.exists("a/b")
    with pytest.raises(NotFound):
        await storage.download("a/b")
    with pytest.raises(InvalidArgument):
        await storage.upload("../b", b"")
    with pytest.raises(FailedPrecondition) as refused:
        await storage.get_presigned_url("a/b")
    assert refused.value.reason == "NOT_SUPPORTED"
    await storage.close()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no.such.module:Thing", "No module named 'no'"),
        (f"{OWN}:Missing", "Missing"),
        (f"{OWN}:Unmakeable", "math domain error"),
        (f"{OWN}:Incomplete", "lacks"),
    ],
)
def test_what_is_wrong_with_a_class_is_said(path: str, said: str) -> None:
    makers: list[Any] = [
        lambda: create_embedding_provider(EmbeddingSettings(provider=path), model_dir=NO_MODELS),
        lambda: create_llm(LlmSettings(provider=path)),
        lambda: new_object_storage(ObjectSettings(provider=path)),
    ]
    for make in makers:
        with pytest.raises(FailedPrecondition, match=said) as refused:
            make()
        assert path in refused.value.message


def test_the_missing_methods_are_named() -> None:
    with pytest.raises(FailedPrecondition, match="lacks upload, download, delete, exists"):
        new_object_storage(ObjectSettings(provider=f"{OWN}:Incomplete"))
    with pytest.raises(FailedPrecondition, match="lacks chat"):
        create_llm(LlmSettings(provider=f"{OWN}:Incomplete"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"provider": "aws"}, (None, "auto")),
        ({"provider": "minio"}, ("http://127.0.0.1:9000", "path")),
        ({"provider": "minio", "endpoint_url": "http://m:1"}, ("http://m:1", "path")),
        (
            {"provider": "obs", "region": "cn-north-4"},
            ("https://obs.cn-north-4.myhuaweicloud.com", "virtual"),
        ),
    ],
)
def test_storage_presets(given: dict[str, str], expected: tuple[str | None, str]) -> None:
    settings = ObjectSettings.model_validate({**given, "bucket": "b"})
    assert (settings.provider, settings.endpoint_url, settings.addressing_style) == (
        "s3",
        *expected,
    )


def test_obs_needs_a_region_and_each_s3_a_bucket() -> None:
    with pytest.raises(ValidationError, match="region"):
        ObjectSettings.model_validate({"provider": "obs", "bucket": "b"})
    with pytest.raises(ValidationError, match="bucket"):
        ObjectSettings.model_validate({"provider": "minio"})


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-4o-mini"), ("deepseek", "deepseek-chat"), ("moonshot", "moonshot-v1-8k")],
)
def test_llm_presets_have_a_model(provider: str, model: str) -> None:
    assert LlmSettings.model_validate({"provider": provider, "api_key": "k"}).model == model


@pytest.mark.parametrize(
    ("provider", "model", "dims"),
    [("openai", "text-embedding-3-small", 1536), ("siliconflow", "BAAI/bge-m3", 1024)],
)
def test_embedding_presets_have_model_and_dimension(provider: str, model: str, dims: int) -> None:
    settings = EmbeddingSettings.model_validate({"provider": provider, "api_key": "k"})
    made = create_embedding_provider(settings, model_dir=NO_MODELS)
    assert (made.model, made.dims) == (model, dims)
