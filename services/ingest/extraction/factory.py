"""From settings to an extractor."""

from services.ingest.extraction.llm import LlmExtractor
from services.ingest.extraction.local.extractor import LocalExtractor
from services.ingest.extraction.model import Extractor
from services.ingest.extraction.settings import ExtractionSettings
from services.providers.llm.base import LlmProvider
from services.runtime.errors import FailedPrecondition


def create_extractor(settings: ExtractionSettings, llm: LlmProvider | None) -> Extractor:
    """The configured extractor. Raises FailedPrecondition: "llm" is wanted, but there is none."""
    if settings.extractor == "local":
        return LocalExtractor()
    if llm is None:
        raise FailedPrecondition("the llm extractor needs an LLM provider, and none is configured")
    return LlmExtractor(llm, temperature=settings.temperature, max_tokens=settings.max_tokens)
