"""Embeddings from the vector service, for the services that have texts to embed.

Only the vector service holds a model; what it answers is checked against the space that the
vectors are for.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import numpy as np
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from numpy.typing import NDArray

from mnema.v1.vector_service_pb2 import EmbedRequest
from mnema.v1.vector_service_pb2_grpc import VectorServiceStub
from services.contract.packed_vectors import vector_of
from services.runtime import context
from services.runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    MnemaError,
    ResourceExhausted,
    Unavailable,
)
from services.storage.foundation import EmbeddingSpace

MAX_TEXTS = 256
MAX_TEXT_CHARACTERS = 32_768
# Of one call: keeps it far below its time limit on a slow machine.
MAX_CALL_CHARACTERS = 262_144
CALL_SECONDS = 60.0

Vector = NDArray[np.floating[Any]]


class VectorEmbedder:
    """Asks mnema.v1.VectorService, on behalf of whom the surrounding request acts for."""

    def __init__(self, channel: grpc.aio.Channel, *, call_seconds: float = CALL_SECONDS) -> None:
        self._stub = VectorServiceStub(channel)
        self._call_seconds = call_seconds

    async def embed(self, texts: Sequence[str], space: EmbeddingSpace) -> list[Vector]:
        """One vector for each text, in their order, float32 (space.dims,), of unit length.

        Many texts are several calls, one after the other. Raises a MnemaError if they can't
        be had now: Unavailable, ResourceExhausted (perhaps with `retry_after`),
        DeadlineExceeded; FailedPrecondition if the model is not the space's.
        """
        vectors: list[Vector] = []
        for call in _calls(texts):
            vectors += await self._call(call, space)
        return vectors

    async def _call(self, texts: list[str], space: EmbeddingSpace) -> list[Vector]:
        try:
            about = context.subject()
            request = EmbedRequest(texts=texts, user_id=about[1] if about else "")
            response = await self._stub.Embed(request, timeout=self._call_seconds)
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error
        if (response.model, response.dimension) != (space.model, space.dims):
            raise FailedPrecondition(
                f"the vector service embeds with {response.model} ({response.dimension} values), "
                f"the active space is of {space.model} ({space.dims})",
                metadata={"model": response.model, "space_model": space.model},
            )
        if len(response.embeddings) != len(texts):
            raise Unavailable(
                f"the vector service gave {len(response.embeddings)} vectors for {len(texts)} texts"
            )
        return [vector_of(each) for each in response.embeddings]


def _calls(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts, each as long as may be sent, in calls of a bearable size."""
    call: list[str] = []
    characters = 0
    for text in texts:
        sent = text[:MAX_TEXT_CHARACTERS]
        if call and (len(call) == MAX_TEXTS or characters + len(sent) > MAX_CALL_CHARACTERS):
            yield call
            call, characters = [], 0
        call.append(sent)
        characters += len(sent)
    if call:
        yield call


def _translated(error: grpc.aio.AioRpcError) -> MnemaError:
    """The vector service's failure as ours, with its reason and its wish for a pause."""
    message = f"the vector service: {error.details() or error.code().name}"
    reason, retry_after = _details(error)
    match error.code():
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return ResourceExhausted(message, reason=reason, retry_after=retry_after)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(message, reason=reason, retry_after=retry_after)
        case grpc.StatusCode.FAILED_PRECONDITION:
            return FailedPrecondition(message, reason=reason)
        case _:
            return Unavailable(message, reason=reason, retry_after=retry_after)


def _details(error: grpc.aio.AioRpcError) -> tuple[str | None, float | None]:
    reason: str | None = None
    retry_after: float | None = None
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it has both methods
    for detail in status.details if status else ():
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return reason, retry_after
