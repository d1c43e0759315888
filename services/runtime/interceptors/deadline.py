"""Every call has an end: the client's, or the configured one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.runtime import context as request_context
from services.runtime.config import ServerSettings
from services.runtime.errors import DeadlineExceeded
from services.runtime.interceptors.around import AroundInterceptor, Call, Context


class DeadlineInterceptor(AroundInterceptor):
    """Puts the deadline into the request's context and ends the handler when it passes."""

    def __init__(self, settings: ServerSettings) -> None:
        super().__init__()
        self._unary = settings.default_deadline_seconds
        self._streaming = settings.stream_deadline_seconds

    @asynccontextmanager
    async def around(self, call: Call, context: Context) -> AsyncIterator[None]:
        """See the class."""
        left = context.time_remaining()
        if left is None:
            left = self._streaming if call.streaming else self._unary
        request = request_context.current()
        request_context.enter(replace(request, deadline=time.monotonic() + left))
        timer = asyncio.timeout(left)
        try:
            async with timer:
                yield
        except TimeoutError as error:
            if timer.expired():
                raise DeadlineExceeded("the call's time ran out") from error
            raise
