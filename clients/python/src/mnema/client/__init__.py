"""The Python client of Mnema, the long-term memory of AI agents.

    from mnema.client import AsyncMnema     # or Mnema, the same without async and await

    async with AsyncMnema("127.0.0.1:8080", api_key="mk_tenant_…") as nm:
        await nm.ingest(user_id="alice", role="user", content="I work at Google")
        result = await nm.recall(user_id="alice", query="Where does Alice work?")
        print(result["merged"])

What calls return stands in `mnema.client.models` (objects), `mnema.client.results` and
`mnema.client.analytics` (dicts), and `mnema.client.graph`; what they raise in
`mnema.client.errors`.
"""

from mnema.client._async.client import AsyncMnema
from mnema.client._sync.client import Mnema
from mnema.client.analytics import (
    ColdMemory,
    EmbeddingCacheStats,
    EntityProfile,
    Stats,
)
from mnema.client.digests import Digest
from mnema.client.errors import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    InternalError,
    InvalidArgument,
    MnemaError,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from mnema.client.graph import (
    Edge,
    EdgeType,
    Neighbor,
    Node,
    NodeType,
    Path,
    Triple,
    TripleOutcome,
)
from mnema.client.models import (
    ApiKey,
    ConversationMessage,
    ConversationSession,
    Document,
    Emotion,
    Event,
    Extraction,
    IngestStatus,
    Memory,
    MessageReceipt,
    NewApiKey,
    NewTenant,
    NewUser,
    Tenant,
    User,
)
from mnema.client.past import RollbackResult, TimelineEntry
from mnema.client.ranking import FactorStrengths, RankingProfile, SignalWeight
from mnema.client.results import (
    DigestResult,
    Embeddings,
    EmotionProfile,
    PromptContext,
    RecallResult,
    SearchResults,
)
from mnema.client.settings import UNCHANGED, ExtractionStrategy, Settings, SettingsOfLevel

__all__ = [
    "UNCHANGED",
    "AlreadyExists",
    "ApiKey",
    "AsyncMnema",
    "Cancelled",
    "ColdMemory",
    "ConversationMessage",
    "ConversationSession",
    "DeadlineExceeded",
    "Digest",
    "DigestResult",
    "Document",
    "Edge",
    "EdgeType",
    "EmbeddingCacheStats",
    "Embeddings",
    "Emotion",
    "EmotionProfile",
    "EntityProfile",
    "Event",
    "Extraction",
    "ExtractionStrategy",
    "FactorStrengths",
    "FailedPrecondition",
    "FieldViolation",
    "IngestStatus",
    "InternalError",
    "InvalidArgument",
    "Memory",
    "MessageReceipt",
    "Mnema",
    "MnemaError",
    "Neighbor",
    "NewApiKey",
    "NewTenant",
    "NewUser",
    "Node",
    "NodeType",
    "NotFound",
    "Path",
    "PermissionDenied",
    "PromptContext",
    "RankingProfile",
    "RecallResult",
    "ResourceExhausted",
    "RollbackResult",
    "SearchResults",
    "Settings",
    "SettingsOfLevel",
    "SignalWeight",
    "Stats",
    "Tenant",
    "TimelineEntry",
    "Triple",
    "TripleOutcome",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "User",
]
