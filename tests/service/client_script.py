"""A real gRPC server that answers any method of the contract by a script, and keeps what it got."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
from google.protobuf import any_pb2, descriptor_pool, duration_pb2, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from mnema.v1 import (  # noqa: F401 - registers every service in the descriptor pool
    account_service_pb2,
    analytics_service_pb2,
    conversation_service_pb2,
    event_service_pb2,
    file_service_pb2,
    graph_service_pb2,
    ingest_service_pb2,
    key_value_service_pb2,
    memory_service_pb2,
    recall_service_pb2,
    reflect_service_pb2,
    vector_service_pb2,
)


@dataclass(frozen=True)
class Failure:
    """An answer that is an error, with the details that Mnema's servers send."""

    code: grpc.StatusCode
    message: str = "no"
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: tuple[tuple[str, str, str], ...] = ()
    retry_after: float | None = None
    bare: bool = False
    """Without any details, as a proxy would answer."""

    def trailers(self) -> tuple[tuple[str, bytes | str], ...]:
        if self.bare:
            return ()
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        details: list[Message] = [
            error_details_pb2.ErrorInfo(reason=self.reason, domain="mnema", metadata=self.metadata)
        ]
        if self.violations:
            bad = error_details_pb2.BadRequest()
            for name, description, reason in self.violations:
                bad.field_violations.add(field=name, description=description, reason=reason)
            details.append(bad)
        if self.retry_after is not None:
            delay = duration_pb2.Duration()
            delay.FromMicroseconds(int(self.retry_after * 1_000_000))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        for each in details:
            packed = any_pb2.Any()
            packed.Pack(each)
            status.details.append(packed)
        return (("grpc-status-details-bin", status.SerializeToString()), ("x-request-id", "r-1"))


@dataclass(frozen=True)
class Hang:
    """Answers nothing for so long."""

    seconds: float


@dataclass(frozen=True)
class Until:
    """Answers nothing more until this is set."""

    event: asyncio.Event


@dataclass(frozen=True)
class Call:
    """One call as it came."""

    method: str
    requests: list[Any]
    metadata: dict[str, str]
    seconds_left: float
    at: float

    @property
    def request(self) -> Any:
        return self.requests[0]


Answer = (
    Message
    | Failure
    | Hang
    | Callable[[Any], Message | Failure]
    | Sequence[Message | Failure | Hang | Until]
)


class Script(grpc.GenericRpcHandler):
    """Answers by method; the last answer of a method is given again and again."""

    def __init__(self) -> None:
        self.address = ""
        self.calls: list[Call] = []
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)

    def on(self, method: str, *answers: Answer) -> None:
        """What the method will answer, call by call."""
        self._answers[method] = deque(answers)

    def of(self, method: str) -> list[Call]:
        """The calls of a method."""
        return [call for call in self.calls if call.method == method]

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        service, _, name = handler_call_details.method.lstrip("/").partition("/")
        try:
            found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
        except KeyError:
            return None
        return self._handler(found)

    def _handler(self, method: MethodDescriptor) -> Any:
        parse = message_factory.GetMessageClass(method.input_type).FromString
        sent = {"request_deserializer": parse, "response_serializer": _serialized}

        async def one(request: Any, context: Any) -> Message:
            answer = await self._next(method.name, [request], context)
            return cast(Message, answer)

        async def many(request: Any, context: Any) -> AsyncIterator[Message]:
            async for each in self._several(method.name, [request], context):
                yield each

        async def collected(requests: AsyncIterator[Any], context: Any) -> Message:
            if isinstance(self._answers[method.name][0], Failure):  # refused at the first piece
                first = await anext(requests)
                return cast(Message, await self._next(method.name, [first], context))
            got = [request async for request in requests]
            return cast(Message, await self._next(method.name, got, context))

        async def exchanged(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Message]:
            got = [request async for request in requests]
            async for each in self._several(method.name, got, context):
                yield each

        if method.client_streaming and method.server_streaming:
            return grpc.stream_stream_rpc_method_handler(exchanged, **sent)  # type: ignore[arg-type]
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(collected, **sent)  # type: ignore[arg-type]
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(many, **sent)  # type: ignore[arg-type]
        return grpc.unary_unary_rpc_method_handler(one, **sent)  # type: ignore[arg-type]

    async def _several(
        self, method: str, requests: list[Any], context: Any
    ) -> AsyncIterator[Message]:
        for each in await self._next(method, requests, context):
            if isinstance(each, Failure):
                await context.abort(each.code, each.message, each.trailers())
            if isinstance(each, Hang):
                await asyncio.sleep(each.seconds)
                continue
            if isinstance(each, Until):
                await each.event.wait()
                continue
            yield each

    async def _next(self, method: str, requests: list[Any], context: Any) -> Any:
        metadata = {name: str(value) for name, value in context.invocation_metadata()}
        now = asyncio.get_running_loop().time()
        left = context.time_remaining()
        self.calls.append(Call(method, requests, metadata, left, now))
        answers = self._answers[method]
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(requests if method == "UploadFile" else requests[0])
        if isinstance(answer, Failure):
            await context.abort(answer.code, answer.message, answer.trailers())
        if isinstance(answer, Hang):
            await asyncio.sleep(answer.seconds)
            await context.abort(grpc.StatusCode.INTERNAL, "nobody should wait so long")
        return answer


@asynccontextmanager
async def scripted(port: int = 0) -> AsyncIterator[Script]:
    """A running server, on a free port unless told otherwise."""
    script = Script()
    server = aio.server()
    server.add_generic_rpc_handlers((script,))
    script.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    await server.start()
    try:
        yield script
    finally:
        await server.stop(None)


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()
