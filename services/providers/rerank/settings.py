"""How a server's reranking model is configured."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class RerankSettings(BaseModel):
    """Which model reranks. Environment prefix: MNEMA_RERANK__. Off unless `base_url` is set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="",
        pattern=r"^$|^https?://\S+$",
        description="the API's address with its version: {base_url}/rerank is called "
        "(Jina, Cohere, vLLM, TEI, …); empty: no reranking",
    )
    model: str = Field(
        default="", max_length=256, description="the model's name; empty where the server has one"
    )
    api_key: SecretStr | None = Field(default=None, description="sent as a bearer token")
    timeout_seconds: float = Field(default=2.0, gt=0, le=60, description="for one whole call")
    top_n: int = Field(default=50, ge=1, le=200, description="how many of the best hits are judged")
    max_characters: int = Field(
        default=4_000, ge=100, le=100_000, description="longer texts are cut at their end"
    )

    @property
    def enabled(self) -> bool:
        """Whether there is a model at all."""
        return bool(self.base_url)
