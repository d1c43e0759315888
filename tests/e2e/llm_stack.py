"""A system whose language model and embedding model are servers of ours."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from tests.e2e.gateway import Gateway
from tests.e2e.own_stack import OwnStack, own_stack
from tests.e2e.troubled_model import TroubledServer
from tests.openai_server import OpenAiServer

DIMENSION = 96
EMBEDDING_MODEL = "test-embedding"
LLM_SECONDS = 6.0  # after which an answer comes too late
BACKOFF_SECONDS = 4.0  # before the second attempt; then twice as much
ATTEMPTS = 2


@dataclass
class LlmStack:
    """`model` answers chats, `embeddings` makes vectors of DIMENSION numbers."""

    stack: OwnStack
    gateway: Gateway
    model: TroubledServer
    embeddings: OpenAiServer

    @contextmanager
    def without_embeddings(self) -> Iterator[None]:
        """In the block connections to the embedding server are refused."""
        port = self.embeddings.port
        _stop(self.embeddings)
        try:
            yield
        finally:
            self.embeddings = _embedding_server(port)


def _embedding_server(port: int = 0) -> OpenAiServer:
    server = OpenAiServer(dimension=DIMENSION, model=EMBEDDING_MODEL, port=port)
    return server.__enter__()


def _stop(server: OpenAiServer) -> None:
    server.__exit__(None, None, None)


@contextmanager
def llm_stack(model: TroubledServer) -> Iterator[LlmStack]:
    """Extracts and digests with `model`, which must be running."""
    embeddings = _embedding_server()
    environment = {
        "MNEMA_RECALL__VECTOR_TIMEOUT_SECONDS": "8",  # what a model that hangs costs, twice over
        # Nothing is killed in the middle of a job, and what is asked of the models is counted.
        "MNEMA_EXTRACTION__HEARTBEAT_TIMEOUT_SECONDS": "60",
        "MNEMA_EXTRACTION__EXTRACTOR": "llm",
        "MNEMA_EXTRACTION__MAX_ATTEMPTS": str(ATTEMPTS),
        "MNEMA_EXTRACTION__BACKOFF_SECONDS": str(BACKOFF_SECONDS),
        "MNEMA_EXTRACTION__CONCURRENCY": "8",
        "MNEMA_LLM__PROVIDER": "openai_compatible",
        "MNEMA_LLM__MODEL": "test-model",
        "MNEMA_LLM__BASE_URL": model.base_url,
        "MNEMA_LLM__TIMEOUT_SECONDS": str(LLM_SECONDS),
        "MNEMA_EMBEDDING__PROVIDER": "openai",
        "MNEMA_EMBEDDING__MODEL": EMBEDDING_MODEL,
        "MNEMA_EMBEDDING__BASE_URL": embeddings.base_url,
        "MNEMA_EMBEDDING__DIMS": str(DIMENSION),
    }
    with own_stack(environment) as stack, closing(stack.gateway()) as gateway:
        running = LlmStack(stack, gateway, model, embeddings)
        try:
            yield running
        finally:
            _stop(running.embeddings)
