"""The settings that every target shares: one frozen tree, read once at start.

Each value is an environment variable: the prefix MNEMA_, then the path with two
underscores between its parts (MNEMA_DATABASE__POOL_MAX=20). The whole tree, with the
settings of embeddings, LLM and object storage, is put together in services.app.settings.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

Address = Annotated[str, StringConstraints(min_length=1, pattern=r"^\S+$")]
ENV_PREFIX = "MNEMA_"


class SettingsGroup(BaseModel):
    """A branch of the tree: frozen, and an unknown name is an error, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(SettingsGroup):
    """PostgreSQL. One pool per process."""

    dsn: SecretStr = Field(
        default=SecretStr("postgresql:///mnema"), description="libpq URL of the services' role."
    )
    pool_min: int = Field(default=1, ge=0, le=1000, description="Connections kept open.")
    pool_max: int = Field(default=10, ge=1, le=1000, description="Connections at most.")
    acquire_timeout_seconds: float = Field(
        default=5.0, gt=0, description="Longest wait for a free connection."
    )
    connect_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Longest wait to connect."
    )
    command_timeout_seconds: float = Field(default=30.0, gt=0, description="Longest statement.")
    statement_cache_size: int = Field(
        default=256,
        ge=0,
        description="Prepared statements per connection; 0 behind PgBouncer < 1.21.",
    )
    log_statements: bool = Field(
        default=False,
        description="Logs every statement with its duration, never with its parameters.",
    )


class ServerSettings(SettingsGroup):
    """The gRPC server of a target."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=50051, ge=0, le=65535, description="Port; 0 takes a free one.")
    drain_seconds: float = Field(
        default=20.0, ge=0, description="Time for running calls at shutdown."
    )
    drain_delay_seconds: float = Field(
        default=0.0, ge=0, description="Wait between NOT_SERVING and refusing calls, for balancers."
    )
    max_message_bytes: int = Field(
        default=16 * 1024 * 1024, ge=64 * 1024, description="Per message."
    )
    max_concurrent_rpcs: int = Field(
        default=1000, ge=1, description="Calls at once; more are answered RESOURCE_EXHAUSTED."
    )
    default_deadline_seconds: float = Field(
        default=30.0, gt=0, description="Deadline of a unary call whose client gives none."
    )
    stream_deadline_seconds: float = Field(
        default=3600.0, gt=0, description="Deadline of a streaming call whose client gives none."
    )


class PeerSettings(SettingsGroup):
    """Where the other targets listen ("host:port"). The default is one process for all."""

    ingest: Address = "127.0.0.1:50051"
    vector: Address = "127.0.0.1:50051"
    graph: Address = "127.0.0.1:50051"
    recall: Address = "127.0.0.1:50051"
    reflect: Address = "127.0.0.1:50051"
    files: Address = "127.0.0.1:50051"
    accounts: Address = "127.0.0.1:50051"


class TelemetrySettings(SettingsGroup):
    """Logs, traces and metrics. Traces and metrics cost nothing until configured."""

    otlp_endpoint: str | None = Field(
        default=None, description="OTLP/gRPC collector (http://host:4317); none = no traces."
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address of the Prometheus endpoint."
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port of the Prometheus endpoint; none = off."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    trace_sample_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of new traces kept; a caller's decision is followed.",
    )


class ExtractionSettings(SettingsGroup):
    """How messages become memories."""

    enabled: bool = Field(
        default=True, description="Off: messages are stored and found, but not extracted."
    )
    extractor: Literal["local", "llm"] = "local"
    max_batch_messages: int = Field(
        default=20, ge=1, le=200, description="Messages per extraction."
    )
    max_batch_characters: int = Field(
        default=48_000, ge=1, description="Characters per extraction; one message may exceed it."
    )
    delay_seconds: float = Field(
        default=2.0, ge=0, description="Wait after a message, so that a burst is one extraction."
    )
    max_attempts: int = Field(
        default=5, ge=1, le=50, description="Tries before a job is set aside."
    )
    backoff_seconds: float = Field(
        default=2.0, gt=0, description="Wait before the second try; doubles with each."
    )
    timeout_seconds: float = Field(default=120.0, gt=0, description="Longest extraction.")
    concurrency: int = Field(default=4, ge=1, le=256, description="Jobs at once in one worker.")
    heartbeat_timeout_seconds: float = Field(
        default=15.0, gt=0.1, description="Silence after which a worker's jobs go to another one."
    )


class OptionSettings(SettingsGroup):
    """What tenants and users may choose for themselves; here: where they have chosen nothing."""

    auto_extract: bool = Field(default=True, description="Extract messages by themselves.")
    graph_enabled: bool = Field(
        default=True, description="Extract triples, and recall facts of the graph."
    )
    reflection_interval: int = Field(
        default=20, ge=0, le=10_000, description="User messages between two digests; 0 = off."
    )
    message_interval: int = Field(
        default=1,
        ge=0,
        le=10_000,
        description="Pending messages of a session that are extracted; 0: a number never does.",
    )
    idle_timeout_seconds: float = Field(
        default=0.0,
        ge=0,
        le=30 * 24 * 3600,
        description="Pause after which a session's messages are extracted; 0: a pause never does.",
    )
    on_session_close: bool = Field(
        default=True, description="Extract a session's messages when it is closed."
    )


class WorkerSettings(SettingsGroup):
    """How the worker works beside everything else."""

    embed_concurrency: int = Field(
        default=2, ge=1, le=256, description="Embedding jobs at once, of different users."
    )
    niceness: int = Field(
        default=5,
        ge=0,
        le=19,
        description="How far a process of its own yields to the others on the machine.",
    )


class RecallSettings(SettingsGroup):
    """How long recall waits for each arm; a late arm is left out and the answer says so."""

    vector_timeout_seconds: float = Field(default=2.0, gt=0)
    graph_timeout_seconds: float = Field(default=0.5, gt=0)
    profile_timeout_seconds: float = Field(default=0.3, gt=0)


class EventSettings(SettingsGroup):
    """What is told of what happens to memory."""

    retention_hours: float = Field(
        default=24.0, ge=0.1, le=168, description="How long events are kept, to go on from."
    )
    calls: bool = Field(default=True, description="Tell of calls of models, too.")
    max_watchers: int = Field(default=500, ge=1, description="Watchers at once in one process.")
    heartbeat_seconds: float = Field(
        default=15.0, gt=0, le=60, description="Pause after which an idle watcher hears so."
    )
    poll_seconds: float = Field(
        default=5.0, gt=0, le=60, description="How often watchers look without being woken."
    )


class RuntimeSettings(BaseSettings):
    """What every target needs. Secrets are never shown by repr."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # a wrong value may be a secret
    )

    home: Path = Field(
        default_factory=lambda: Path.home() / ".mnema", description="Folder of local state."
    )
    internal_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="What services prove themselves to each other with.",
    )
    database: DatabaseSettings = DatabaseSettings()
    server: ServerSettings = ServerSettings()
    peers: PeerSettings = PeerSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    extraction: ExtractionSettings = ExtractionSettings()
    options: OptionSettings = OptionSettings()
    worker: WorkerSettings = WorkerSettings()
    recall: RecallSettings = RecallSettings()
    events: EventSettings = EventSettings()


def unknown_variables(settings: type[BaseSettings], environment: Iterable[str]) -> tuple[str, ...]:
    """The MNEMA_ variables that name no setting of the top level: most likely misspelt.

    (A misspelt name below the top level already fails when the settings are read.)
    """
    known = {name.upper() for name in settings.model_fields}
    return tuple(
        sorted(
            name
            for name in environment
            if name.startswith(ENV_PREFIX)
            and name.removeprefix(ENV_PREFIX).split("__")[0].upper() not in known
        )
    )
