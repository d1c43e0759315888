"""All settings of Mnema: what every target shares, and the providers'."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from services.files.limits import FileSettings
from services.providers.embeddings.settings import EmbeddingSettings
from services.providers.llm.settings import LlmSettings
from services.providers.objects.settings import ObjectSettings
from services.providers.rerank.settings import RerankSettings
from services.runtime.config import RuntimeSettings, unknown_variables

# Variables of the same prefix that are no settings of a server: the tables' owner for migrations,
# the port of `mnema up`, the Python client's key.
OTHER_VARIABLES = frozenset({"MNEMA_OWNER_DSN", "MNEMA_PORT", "MNEMA_API_KEY"})


def misspelt_variables(environment: Iterable[str]) -> tuple[str, ...]:
    """The MNEMA_ variables that set nothing: most likely misspelt."""
    return tuple(
        name for name in unknown_variables(Settings, environment) if name not in OTHER_VARIABLES
    )


class Settings(RuntimeSettings):
    """The whole tree, read from the environment (MNEMA_…) when it is made.

    ValidationError names every wrong value. Made once, at the start of a process, and handed
    down from there; nothing below reads the environment.
    """

    embedding: EmbeddingSettings = Field(default_factory=EmbeddingSettings)
    llm: LlmSettings = Field(default_factory=lambda: LlmSettings.model_validate({}))
    files: FileSettings = Field(default_factory=FileSettings)
    objects: ObjectSettings = Field(default_factory=ObjectSettings)
    rerank: RerankSettings = Field(default_factory=RerankSettings)
    model_folder: Path | None = Field(
        default=None, description="Local embedding models; default: <home>/models."
    )

    @property
    def model_dir(self) -> Path:
        """Where local embedding models are, and the default one is assembled."""
        return self.model_folder or self.home / "models"
