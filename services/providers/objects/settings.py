"""The settings of the object storage (MNEMA_OBJECTS__…)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, model_validator

from services.providers.own_class import with_named_class

S3 = "s3"
PRESETS: Mapping[str, Mapping[str, str]] = {
    "aws": {},
    "minio": {"endpoint_url": "http://127.0.0.1:9000", "addressing_style": "path"},
    "obs": {
        "endpoint_url": "https://obs.{region}.myhuaweicloud.com",
        "addressing_style": "virtual",
    },
}
"""Names for S3 and what speaks like it, with what is set where nothing else is."""


class ObjectSettings(BaseModel):
    """Which storage holds the bytes of files, and how to reach it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = "folder"
    """"folder"; "s3", "aws", "minio" or "obs" (Huawei; needs `region`), which become "s3"; or the
    import path of a class of your own, "package.module:Class" (also "custom", and the path in
    `class`): it has `upload`, `download`, `delete` and `exists`."""

    folder: Path | None = None
    """Of the folder provider: where objects lie. The server fills in MNEMA_HOME/files."""

    bucket: str = ""
    """Of the S3 provider: the bucket; required."""

    prefix: str = Field(default="", pattern=r"^([A-Za-z0-9._=-]+/)*$")
    """Put before every key, ends in "/": lets several installations share a bucket."""

    endpoint_url: str | None = None
    """The server's address; none for AWS."""

    region: str = "us-east-1"

    access_key_id: str | None = None
    """With its secret; without both, the usual places of AWS programs are searched."""

    secret_access_key: SecretStr | None = None

    create_bucket: bool = False
    """Create the bucket at start-up when it is missing."""

    addressing_style: Literal["auto", "path", "virtual"] = "auto"
    """"path" for servers without a host name for each bucket (MinIO); "auto" finds out."""

    parallel: int = Field(default=16, ge=1, le=256)
    """Calls to S3 at once, each in a thread; more of them wait."""

    connect_timeout: float = Field(default=3.0, gt=0)
    """Seconds to reach the server, each of three attempts."""

    read_timeout: float = Field(default=20.0, gt=0)
    """Seconds without a byte before an attempt is given up."""

    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Of a class of your own: its keyword arguments, besides `settings` if its constructor names
    that."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        given = with_named_class(given)
        if not isinstance(given, Mapping) or given.get("provider") not in PRESETS:
            return given
        provider, region = str(given["provider"]), given.get("region")
        if provider == "obs" and not (region or given.get("endpoint_url")):
            raise ValueError("provider obs needs a region, or an endpoint_url")
        preset = {name: text.format(region=region) for name, text in PRESETS[provider].items()}
        return {**preset, **given, "provider": S3}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider == "s3" and not self.bucket:
            raise ValueError("the s3 provider needs a bucket")
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key are set together or not at all")
        return self
