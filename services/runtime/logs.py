"""Structured logs: one JSON object (or readable line) per event, on standard error."""

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import structlog
from opentelemetry import trace

from services.runtime import context
from services.runtime.config import TelemetrySettings

_SECRET_NAME = re.compile(
    r"authorization|api_?key|internal_key|password|secret|dsn|token$", re.IGNORECASE
)
_SECRET_TEXT = (
    (re.compile(r"mk_(admin|tenant|user)_[A-Za-z0-9_-]{8,}"), r"mk_\1_***"),
    (re.compile(r"(://[^:/@\s]*:)[^@\s/]+@"), r"\1***@"),
    (re.compile(r"\b(sk-)[A-Za-z0-9_-]{8,}"), r"\1***"),
)
_HIDDEN = "***"


def configure(settings: TelemetrySettings) -> None:
    """Set up structlog, and send the standard library's loggers the same way.

    Every event carries the request id and the trace id where there is one. Values of
    secret-looking names and API keys inside texts are replaced before they are written.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request,
    ]
    last: list[structlog.typing.Processor]
    if settings.log_format == "json":
        last = [structlog.processors.format_exc_info, hide_secrets, _json()]
    else:
        last = [structlog.processors.format_exc_info, hide_secrets, structlog.dev.ConsoleRenderer()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # a line is one write
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))


def hide_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: no key, password or credential leaves the process."""
    for name, value in event.items():
        if _is_secret(name):
            event[name] = _HIDDEN
        elif isinstance(value, str):
            event[name] = _hidden_in(value)
    return event


@lru_cache(maxsize=1024)  # the same few names in every line
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _hidden_in(text: str) -> str:
    if "mk_" in text or "://" in text or "sk-" in text:
        for pattern, replacement in _SECRET_TEXT:
            text = pattern.sub(replacement, text)
    return text


def _add_request(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    request = context.current_or_none()
    if request is not None:
        event.setdefault("request_id", request.request_id)
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
    return event


def _json() -> structlog.typing.Processor:
    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

    # One encoder for all lines: json.dumps makes one a line when it is given options.
    def dumps(event: MutableMapping[str, Any], **_: Any) -> str:
        return encode(event)

    return structlog.processors.JSONRenderer(dumps)
