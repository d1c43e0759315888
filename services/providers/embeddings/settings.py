"""How a server's embeddings are configured."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, model_validator

from services.providers.own_class import IMPORT_PATH, with_named_class


@dataclass(frozen=True, slots=True)
class RemotePreset:
    """A hosted service that speaks OpenAI's embeddings API."""

    base_url: str
    model: str
    batch_limit: int
    """Texts per request: what the service accepts, or fewer."""


PRESETS = {
    "openai": RemotePreset("https://api.openai.com/v1", "text-embedding-3-small", 256),
    "siliconflow": RemotePreset("https://api.siliconflow.cn/v1", "BAAI/bge-m3", 32),
}

MODEL_DIMS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "BAAI/bge-m3": 1024,
    "Pro/BAAI/bge-m3": 1024,
    "BAAI/bge-large-en-v1.5": 1024,
    "BAAI/bge-large-zh-v1.5": 1024,
}
"""The dimension of models that need none configured."""


class EmbeddingSettings(BaseModel):
    """Which model makes the vectors. Environment prefix: MNEMA_EMBEDDING__."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = "local"
    """`local` (an ONNX model in this process), `openai` (that API, or with `base_url` any
    compatible one), `siliconflow`, or `package.module:Class`, a class of your own (also
    `custom`, and the path in CLASS): it has `dims`, `embed` and `embed_batch`."""
    model: str | None = None
    """local: a folder with model.onnx and tokenizer.json, absolute or under the model folder
    (default: all-MiniLM-L6-v2). Remote: the model's name (default: text-embedding-3-small,
    BAAI/bge-m3)."""
    base_url: str | None = None
    """Remote only: the API's address, with its version ("http://localhost:11434/v1")."""
    api_key: SecretStr | None = None
    """Remote only; may be missing when `base_url` is set."""
    dims: Annotated[int, Field(ge=1, le=16_000)] | None = None
    """Numbers per vector. Needed for remote models this program does not know. For
    text-embedding-3-* a smaller number asks for shortened vectors; for all others it must be
    what the model gives."""
    cache_size: Annotated[int, Field(ge=0, le=10_000_000)] = 10_000
    """Texts whose vectors are kept in memory; 0 turns the cache off."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """local: CPU threads for batches, queries have one more; 0 = one fewer than the cores
    this process may use, at least one."""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Remote: for one attempt; a call with its retries takes at most max_retries + 1 times."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 2
    """Remote: further attempts after a network error, 408, 409, 429 or 5xx."""
    batch_limit: Annotated[int, Field(ge=1, le=2048)] | None = None
    """Remote: texts per request (default: 256, SiliconFlow 32)."""
    max_characters: Annotated[int, Field(ge=100, le=1_000_000)] = 8_000
    """Remote: longer texts are cut here, as services refuse those beyond their token limit."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Your own class: its keyword arguments. Those of api_key, model, base_url and dims that are
    set and that its constructor names need not be repeated."""

    @property
    def is_remote(self) -> bool:
        """Whether texts leave this machine's process for an OpenAI-compatible API."""
        return self.provider in PRESETS

    @property
    def remote_model(self) -> str:
        """The name of the remote model. Only for remote providers."""
        return self.model or PRESETS[self.provider].model

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        return with_named_class(given)

    @model_validator(mode="after")
    def _complete(self) -> "EmbeddingSettings":
        if self.is_remote:
            if self.api_key is None and self.base_url is None:
                raise ValueError(f"embedding provider {self.provider!r} needs an api_key")
            if self.dims is None and self.remote_model not in MODEL_DIMS:
                raise ValueError(f"dims must be set: {self.remote_model!r} is not a known model")
        elif self.provider != "local" and not IMPORT_PATH.fullmatch(self.provider):
            raise ValueError(
                f"embedding provider {self.provider!r} is none of local, openai, siliconflow "
                "and not an import path like package.module:Class"
            )
        return self
