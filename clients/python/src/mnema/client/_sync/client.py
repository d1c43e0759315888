# Written by tools/sync_client.py from _async/client.py: change that file, not this one.
"""The client."""

from mnema.client._endpoint import DEFAULT_ADDRESS, endpoint
from mnema.client._sync.accounts import Accounts
from mnema.client._sync.analytics import Analytics
from mnema.client._sync.callbacks import Callback, Callbacks, Observed
from mnema.client._sync.calls import Caller, Connection
from mnema.client._sync.conversations import Conversations
from mnema.client._sync.events import Events
from mnema.client._sync.files import Files
from mnema.client._sync.graph import Graph
from mnema.client._sync.intake import Extractions, Intake
from mnema.client._sync.key_values import KeyValues
from mnema.client._sync.lifecycle import Lifecycle
from mnema.client._sync.memories import Memories
from mnema.client._sync.options import Options
from mnema.client._sync.past import Past
from mnema.client._sync.ranking_profiles import RankingProfiles
from mnema.client._sync.recall import Recall
from mnema.client._sync.reflect import Reflection
from mnema.client.settings import ExtractionStrategy


class Mnema(
    Intake,
    Extractions,
    Recall,
    Reflection,
    Analytics,
    Past,
    Lifecycle,
    Options,
    Observed,
):
    """The long-term memory of AI agents: a client of a Mnema server.

    Calls that fail because the server is down or busy are made again, with growing pauses, as
    long as the timeout lasts; only reads, and writes that carry a request id, so that nothing
    happens twice. What fails for good raises a subclass of MnemaError.

    The connection is opened by the first call and used by all; calls may run side by side.
    Mnema may be shared by threads.
    Make the client after a fork, not before.

    Attributes:
        conversations: sessions and their messages.
        kv: any JSON value under a namespace and a key.
        graph: nodes, edges, paths.
        files: files, and a search over what stands in them.
        memories: single memories.
        accounts: tenants, users, API keys and settings.
        events: what happens, listed and watched.
        ranking_profiles: ways to rank.

    Example:
        with Mnema(api_key="mk_tenant_…") as nm:
            nm.ingest(user_id="alice", role="user", content="I work at Google")
            result = nm.recall(user_id="alice", query="work", limit=5)
            print(result["merged"])
    """

    conversations: Conversations
    kv: KeyValues
    graph: Graph
    files: Files
    memories: Memories
    accounts: Accounts
    ranking_profiles: RankingProfiles
    events: Events

    def __init__(  # noqa: PLR0913 - the names are part of the interface
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        api_key: str | None = None,
        secure: bool = False,
        timeout: float = 30.0,
        retries: int = 4,
        default_user: str | None = None,
        root_certificates: bytes | None = None,
        auto_extract: bool | None = None,
        graph_enabled: bool | None = None,
        reflection_interval: int | None = None,
        extraction: ExtractionStrategy | None = None,
        on_extraction: Callback | None = None,
        on_llm_call: Callback | None = None,
        on_embedding_call: Callback | None = None,
    ) -> None:
        """Makes a client; nothing is sent yet, unless there are callbacks.

        The settings are those of the tenant or user that the key is of, not of this client
        alone; they are sent before its first call. None leaves them as they are.

        Args:
            address: "host:port", "http://…" or "https://…", or a gRPC target.
            api_key: sent with each call. Default: the environment's MNEMA_API_KEY.
            secure: encrypts with TLS; https:// and root_certificates do too.
            timeout: seconds that a call may take, retries included: above 0.
            retries: how often a call is made again at most; 0: never.
            default_user: whose graph it is where a call does not tell by `user_id`.
            root_certificates: PEM of the authorities to trust instead of the system's.
            auto_extract: whether messages are extracted by themselves.
            graph_enabled: whether extraction looks for triples, and recall for facts.
            reflection_interval: extracted user messages between two digests; 0: none is made
                by itself.
            extraction: when messages are extracted.
            on_extraction, on_llm_call, on_embedding_call: functions or coroutine functions, as
                the attributes of these names.

        Raises:
            ValueError: an argument is malformed or out of its range.
        """
        if not timeout > 0:
            raise ValueError(f"timeout is {timeout}: it must be above 0 seconds")
        if retries < 0:
            raise ValueError(f"retries is {retries}: it must be 0 or more")
        where = endpoint(address, api_key, secure, root_certificates)
        caller = Caller(Connection(where), timeout, retries, default_user)
        self._callbacks = Callbacks(caller)
        self._use(caller)
        self._choose(auto_extract, graph_enabled, reflection_interval, extraction)
        self.on_extraction = on_extraction
        self.on_llm_call = on_llm_call
        self.on_embedding_call = on_embedding_call

    def with_timeout(self, timeout: float) -> "Mnema":
        """This client with another timeout, in seconds, over the same connection.

        Closing either closes both.

        Example:
            with Mnema() as nm:
                print(nm.with_timeout(2).recall("alice", "work"))
        """
        if not timeout > 0:
            raise ValueError(f"timeout is {timeout}: it must be above 0 seconds")
        other = object.__new__(type(self))
        other._callbacks = self._callbacks
        other._use(self._caller.with_timeout(timeout))
        return other

    def _use(self, caller: Caller) -> None:
        self._caller = caller
        self.conversations = Conversations(caller)
        self.kv = KeyValues(caller)
        self.graph = Graph(caller)
        self.files = Files(caller)
        self.memories = Memories(caller)
        self.accounts = Accounts(caller)
        self.ranking_profiles = RankingProfiles(caller)
        self.events = Events(caller)

    def init(self) -> None:
        """What `with` begins with: callbacks are told from now on. Calls do not need it."""
        self._callbacks.begun()

    def close(self) -> None:
        """Waits for what runs in the background, then closes the connection. May come twice."""
        self._callbacks.stop()
        self._caller.connection.close()
        self._callbacks.join()

    def __enter__(self) -> "Mnema":
        self.init()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Mnema({self._caller.connection.endpoint.target!r})"
