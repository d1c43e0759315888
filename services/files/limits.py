"""How much the files service takes on at once, and how long it waits (MNEMA_FILES__…)."""

from typing import Self

from pydantic import Field, model_validator

from services.runtime.config import SettingsGroup


class FileLimits(SettingsGroup):
    """Times are in seconds.

    ValidationError unless the sweep leaves the storing more than twice its time: it must
    never meet one that is still under way.
    """

    uploads_at_once: int = Field(
        default=4, ge=1, le=1000, description="Files of up to 32 MiB in memory at a time."
    )
    turn_seconds: float = Field(default=10.0, gt=0, description="How long one more waits.")
    piece_seconds: float = Field(
        default=30.0, gt=0, description="A stream that sends nothing for so long is given up."
    )
    extractions_at_once: int = Field(default=2, ge=1, le=100, description="Files read at a time.")
    extraction_seconds: float = Field(default=60.0, gt=0, description="For reading one of them.")
    store_seconds: float = Field(
        default=600.0,
        gt=0,
        description="A file that is not stored so long after its bytes began to be written "
        "never will be.",
    )
    sweep_seconds: float = Field(
        default=3600.0, gt=0, description="After that moment bytes without a file are deleted."
    )

    @model_validator(mode="after")
    def _swept_late(self) -> Self:
        if self.sweep_seconds <= 2 * self.store_seconds:
            raise ValueError("sweep_seconds must be more than twice store_seconds")
        return self


class FileSettings(FileLimits):
    """The limits, and where the gateway is for those who follow a download link."""

    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description='The gateway as the world sees it ("https://memory.example.com"); download '
        "links that lead to it begin so. None: there are no such links.",
    )
