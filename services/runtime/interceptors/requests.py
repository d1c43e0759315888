"""Each call gets an id, an end, one line in the log and one point in the metrics."""

import asyncio
import re
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
import structlog

from services.runtime import context as request_context
from services.runtime.context import RequestContext
from services.runtime.errors import DeadlineExceeded
from services.runtime.ids import new_id
from services.runtime.interceptors.errors import Answered, answer_with
from services.runtime.interceptors.handlers import Context
from services.runtime.status import REQUEST_ID
from services.runtime.telemetry import RpcMetrics

_QUIET = ("/grpc.health.", "/grpc.reflection.")  # probes come every few seconds
_FORM = re.compile(r"[\x21-\x7e]{1,128}")
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_SERVER_FAULTS = frozenset(
    {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
)

log = structlog.get_logger("mnema.rpc")


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call before it starts.

    `method` is "/mnema.v1.X/Method", `label` the same in the metrics: "unknown" if there is no
    such method. `seconds` is how long it may take if its client does not say.
    """

    method: str
    label: str
    seconds: float


class Request:
    """One call from its first moment to its log line: `async with` around all that serves it.

    Takes x-request-id from the caller or makes one, and sends it back with the trailers. What
    is raised inside becomes the call's status. `timer` is to be entered inside: it ends the
    handler when the client's time, or the configured one, is over.
    """

    __slots__ = ("_call", "_context", "_metrics", "_seconds", "_started", "metadata", "timer")

    def __init__(self, call: Call, context: Context, metrics: RpcMetrics) -> None:
        self._call = call
        self._context = context
        self._metrics = metrics
        self._started = time.perf_counter()
        self.metadata: tuple[tuple[str, str | bytes], ...] = tuple(
            context.invocation_metadata() or ()
        )
        left = context.time_remaining()
        self._seconds = call.seconds if left is None else left
        self.timer = asyncio.timeout(self._seconds)

    async def __aenter__(self) -> Self:
        request_id = self._request_id()
        peer, end = self._context.peer() or "", time.monotonic() + self._seconds
        request_context.enter(RequestContext(request_id, self._call.method, peer, None, end))
        self._context.set_trailing_metadata(((REQUEST_ID, request_id),))
        self._metrics.started()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        answered = Answered()
        failure = raised
        try:
            if isinstance(raised, Exception) and not isinstance(raised, grpc.aio.AbortError):
                await answer_with(
                    self._context, self._foreseen(raised), self._call.method, answered
                )
        except BaseException as ending:
            failure = ending
            raise
        finally:
            seconds = time.perf_counter() - self._started
            code = _code(self._context, failure)
            self._metrics.finished(self._call.label, code.name, seconds)
            _write_line(self._call, code, seconds, answered)

    def _request_id(self) -> str:
        for name, value in self.metadata:
            if name == REQUEST_ID and isinstance(value, str) and _FORM.fullmatch(value):
                return value
        return str(new_id())

    def _foreseen(self, raised: Exception) -> Exception:
        """The timer says no more than that it went off."""
        if isinstance(raised, TimeoutError) and self.timer.expired():
            late = DeadlineExceeded("the call's time ran out")
            late.__cause__ = raised
            return late
        return raised


def _code(context: Context, failure: BaseException | None) -> grpc.StatusCode:
    if failure is None or isinstance(failure, grpc.aio.AbortError):
        code = context.code()
        if isinstance(code, grpc.StatusCode):
            return code
        return _CODES.get(code or 0, grpc.StatusCode.UNKNOWN)
    if isinstance(failure, asyncio.CancelledError | GeneratorExit):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN


def _write_line(call: Call, code: grpc.StatusCode, seconds: float, answered: Answered) -> None:
    request = request_context.current()
    fields: dict[str, Any] = {
        "method": call.method[:200],
        "code": code.name,
        "duration_ms": round(seconds * 1000, 2),
        "peer": request.peer,
    }
    if request.principal is not None:
        fields["key_kind"] = request.principal.kind
        if request.principal.tenant_id is not None:
            fields["tenant_id"] = str(request.principal.tenant_id)
    if answered.reason:
        fields["reason"] = answered.reason
    if answered.error_id:
        fields["error_id"] = answered.error_id
    if code in _SERVER_FAULTS:
        log.error("rpc", **fields)
    elif call.method.startswith(_QUIET):
        log.debug("rpc", **fields)
    else:
        log.info("rpc", **fields)
