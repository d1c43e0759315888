"""A provider's HTTP failure as an error of ours."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import openai

from services.runtime.errors import (
    FailedPrecondition,
    MnemaError,
    ResourceExhausted,
    Unavailable,
)


def provider_failure(error: openai.APIError, model: str) -> MnemaError:
    """The error to raise `from` the SDK's.

    Network trouble, timeouts, 408, 409 and 5xx are Unavailable, 429 is ResourceExhausted, both
    with `retry_after` when the answer states it. Other 4xx need a change of configuration:
    FailedPrecondition. The provider's own text stays out: it may quote the key.
    """
    metadata = {"model": model}
    if isinstance(error, openai.APITimeoutError):
        return Unavailable(f"{model} did not answer in time", metadata=metadata)
    if not isinstance(error, openai.APIStatusError):
        return Unavailable(f"{model} cannot be reached", metadata=metadata)
    status = error.status_code
    metadata["status"] = str(status)
    retry_after = retry_after_seconds(error.response.headers)
    if status == 429:
        return ResourceExhausted(
            f"{model} refuses further requests for now (429)",
            metadata=metadata,
            retry_after=retry_after,
        )
    if status >= 500 or status in (408, 409):
        return Unavailable(
            f"{model} failed with status {status}", metadata=metadata, retry_after=retry_after
        )
    hint = "the key" if status in (401, 403) else "the request"
    return FailedPrecondition(f"{model} refuses {hint} (status {status})", metadata=metadata)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """What Retry-After asks for, as seconds or as a date; None when it is absent or unreadable."""
    stated = headers.get("retry-after")
    if stated is None:
        return None
    try:
        return max(float(stated), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(stated)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
