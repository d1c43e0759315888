"""Each call gets an id, one line in the log and one point in the metrics."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import grpc
import structlog

from services.runtime import context as request_context
from services.runtime.context import RequestContext
from services.runtime.ids import new_id
from services.runtime.interceptors.around import AroundInterceptor, Call, Context
from services.runtime.telemetry import RpcMetrics

REQUEST_ID = "x-request-id"
_QUIET = ("/grpc.health.", "/grpc.reflection.")  # probes come every few seconds
_FORM = re.compile(r"[\x21-\x7e]{1,128}")
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_SERVER_FAULTS = frozenset(
    {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
)

log = structlog.get_logger("mnema.rpc")


@dataclass(slots=True)
class Outcome:
    """What the inner interceptors tell the log line of the call."""

    reason: str = ""
    error_id: str = ""
    unknown_method: bool = False


outcome: ContextVar[Outcome] = ContextVar("mnema_outcome")


class RequestInterceptor(AroundInterceptor):
    """Takes x-request-id from the caller or makes one, and sends it back with the trailers."""

    def __init__(self, metrics: RpcMetrics) -> None:
        super().__init__()
        self._metrics = metrics

    @asynccontextmanager
    async def around(self, call: Call, context: Context) -> AsyncIterator[None]:
        """See the class."""
        started = time.perf_counter()
        request_id = _request_id(context)
        request_context.enter(
            RequestContext(request_id, method=call.method, peer=context.peer() or "")
        )
        ending = Outcome()
        outcome.set(ending)
        context.set_trailing_metadata(((REQUEST_ID, request_id),))
        self._metrics.started()
        failure: BaseException | None = None
        try:
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            seconds = time.perf_counter() - started
            code = _code(context, failure)
            method = "unknown" if ending.unknown_method else call.method
            self._metrics.finished(method, code.name, seconds)
            _write_line(call, code, seconds, ending)


def _request_id(context: Context) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == REQUEST_ID and isinstance(value, str) and _FORM.fullmatch(value):
            return value
    return str(new_id())


def _code(context: Context, failure: BaseException | None) -> grpc.StatusCode:
    if failure is None or isinstance(failure, grpc.aio.AbortError):
        code = context.code()
        if isinstance(code, grpc.StatusCode):
            return code
        return _CODES.get(code or 0, grpc.StatusCode.UNKNOWN)
    if isinstance(failure, asyncio.CancelledError | GeneratorExit):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN


def _write_line(call: Call, code: grpc.StatusCode, seconds: float, ending: Outcome) -> None:
    request = request_context.current()
    fields: dict[str, object] = {
        "method": call.method[:200],
        "code": code.name,
        "duration_ms": round(seconds * 1000, 2),
        "peer": request.peer,
    }
    if request.principal is not None:
        fields["key_kind"] = request.principal.kind
        if request.principal.tenant_id is not None:
            fields["tenant_id"] = str(request.principal.tenant_id)
    if ending.reason:
        fields["reason"] = ending.reason
    if ending.error_id:
        fields["error_id"] = ending.error_id
    if code in _SERVER_FAULTS:
        log.error("rpc", **fields)
    elif call.method.startswith(_QUIET):
        log.debug("rpc", **fields)
    else:
        log.info("rpc", **fields)
