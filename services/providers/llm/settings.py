"""Which language model to use, and how."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, model_validator

from services.providers.own_class import with_named_class

PRESETS: dict[str, str] = {
    "openai": "https://api.openai.com/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "moonshot": "https://api.moonshot.cn/v1",
    "siliconflow": "https://api.siliconflow.cn/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "ollama": "http://localhost:11434/v1",
}
DEFAULT_MODELS: dict[str, str] = {
    "openai": "gpt-4o-mini",
    "deepseek": "deepseek-chat",
    "moonshot": "moonshot-v1-8k",
}
"""The models of presets that need none named."""
KEYLESS = frozenset({"ollama", "openai_compatible"})


class LlmSettings(BaseModel):
    """How to reach a model.

    `provider` is "none" (no model: rules extract, digest is off), a name of PRESETS,
    "openai_compatible" (any server; `base_url` needed), or the import path of a class of yours,
    "package.module:Class" (also "custom", and the path in `class`): it has
    `async chat(messages, **kwargs) -> str`, and is made with `options` and with those of `api_key`,
    `model`, `base_url`, `settings` and `on_call` that its constructor names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = Field(
        default="none", description="none, a preset, openai_compatible or pkg.mod:Class"
    )
    model: str = Field(
        default="",
        description="the model's name; openai, deepseek and moonshot have a default",
    )
    base_url: str | None = Field(default=None, description="overrides the preset's address")
    api_key: SecretStr | None = Field(
        default=None, description="the provider's key; Ollama needs none"
    )
    timeout_seconds: float = Field(default=60.0, gt=0, le=600, description="for one whole call")
    max_tokens: int = Field(
        default=4096, ge=16, le=200_000, description="the longest answer, in tokens"
    )
    temperature: float = Field(default=0.0, ge=0.0, le=2.0, description="0 is the most repeatable")

    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="your own class: its keyword arguments"
    )

    @property
    def enabled(self) -> bool:
        """Whether there is a model at all."""
        return self.provider != "none"

    @property
    def is_import_path(self) -> bool:
        """Whether `provider` names a class outside of Mnema."""
        return ":" in self.provider

    @property
    def url(self) -> str:
        """The address in effect. Only for presets and openai_compatible."""
        return self.base_url or PRESETS[self.provider]

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        given = with_named_class(given)
        if isinstance(given, Mapping) and not given.get("model"):
            default = DEFAULT_MODELS.get(str(given.get("provider")))
            return given if default is None else {**given, "model": default}
        return given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.enabled or self.is_import_path:
            return self
        if self.provider not in PRESETS and self.provider != "openai_compatible":
            known = ", ".join(["none", *PRESETS, "openai_compatible", "pkg.mod:Class"])
            raise ValueError(f"unknown LLM provider {self.provider!r}; known: {known}")
        if self.provider == "openai_compatible" and not self.base_url:
            raise ValueError("provider openai_compatible needs base_url")
        if not self.model:
            raise ValueError(f"provider {self.provider} needs model")
        if self.api_key is None and self.provider not in KEYLESS:
            raise ValueError(f"provider {self.provider} needs api_key")
        return self
