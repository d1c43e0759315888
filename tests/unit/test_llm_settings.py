"""Which provider settings give, and reading JSON from an answer."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from services.providers.llm.answers import json_object
from services.providers.llm.base import (
    CallObserver,
    ChatMessage,
    Completion,
    MalformedAnswer,
    ResponseSchema,
)
from services.providers.llm.factory import create_llm
from services.providers.llm.openai_compatible import OpenAiCompatible
from services.providers.llm.settings import PRESETS, LlmSettings
from services.runtime.errors import FailedPrecondition


class OwnProvider:
    """A user's provider, as it could stand in their own package."""

    def __init__(self, settings: LlmSettings, on_call: CallObserver | None) -> None:
        self.settings = settings
        self.on_call = on_call

    @property
    def model(self) -> str:
        return self.settings.model

    async def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        response_schema: ResponseSchema | None = None,
    ) -> Completion:
        return Completion(messages[-1].content, self.model, 1, 1, 0.1)

    async def close(self) -> None:
        return None


class NoProvider:
    def __init__(self, settings: LlmSettings, on_call: CallObserver | None) -> None:
        pass


def test_none_is_the_default_and_gives_no_provider() -> None:
    assert create_llm(LlmSettings()) is None


@pytest.mark.parametrize("preset", PRESETS)
async def test_presets_know_their_address(preset: str) -> None:
    settings = LlmSettings.model_validate({"provider": preset, "model": "m", "api_key": "secret"})
    llm = create_llm(settings)
    assert isinstance(llm, OpenAiCompatible)
    assert llm.model == "m"
    assert settings.url == PRESETS[preset]
    assert "secret" not in repr(settings)
    await llm.close()


def test_an_address_overrides_the_preset() -> None:
    settings = LlmSettings(provider="ollama", model="m", base_url="http://other/v1")
    assert settings.url == "http://other/v1"


@pytest.mark.parametrize(
    "values",
    [
        {"provider": "unknown", "model": "m"},
        {"provider": "siliconflow", "api_key": "k"},
        {"provider": "openai", "model": "m"},
        {"provider": "openai_compatible", "model": "m"},
        {"timeout_seconds": 0},
        {"temperature": 3},
        {"typo": 1},
    ],
)
def test_wrong_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LlmSettings.model_validate(values)


async def test_a_class_of_ones_own_by_import_path() -> None:
    llm = create_llm(LlmSettings(provider=f"{__name__}:OwnProvider", model="mine"))
    assert llm is not None
    assert (await llm.chat([ChatMessage("user", "hi")])).text == "hi"
    assert llm.model == "mine"


@pytest.mark.parametrize("path", ["no.such:Thing", f"{__name__}:Missing", f"{__name__}:NoProvider"])
def test_a_wrong_import_path_is_told(path: str) -> None:
    with pytest.raises(FailedPrecondition, match=path.rpartition(":")[2]):
        create_llm(LlmSettings(provider=path))


def test_the_sdk_is_loaded_only_for_a_model() -> None:
    code = (
        "import sys; from services.providers.llm.factory import create_llm;"
        "from services.providers.llm.settings import LlmSettings;"
        "assert create_llm(LlmSettings()) is None; print('openai' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "answer",
    ['{"a": 1}', ' {"a": 1}\n', '```json\n{"a": 1}\n```', '<think>{"b"}\n</think>\n{"a": 1}'],
)
def test_json_in_its_usual_wrappings(answer: str) -> None:
    assert json_object(answer) == {"a": 1}


@pytest.mark.parametrize("answer", ["", "no", '{"a": ', "[1]", '"x"', "[" * 100_000])
def test_anything_else_is_malformed_and_keeps_a_snippet(answer: str) -> None:
    with pytest.raises(MalformedAnswer) as caught:
        json_object(answer)
    assert caught.value.snippet == answer[:200]
