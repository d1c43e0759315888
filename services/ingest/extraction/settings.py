"""How extraction works."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ExtractionSettings(BaseModel):
    """`extractor`: "local" are rules on this machine, without a model; "llm" asks the model.

    `max_tokens` and `temperature` are for the model's answer; None takes the model's settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    extractor: Literal["local", "llm"] = Field(default="local", description="local (rules) or llm")
    max_tokens: int | None = Field(
        default=None, ge=256, description="longest extraction answer, tokens"
    )
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="of the extraction call"
    )
