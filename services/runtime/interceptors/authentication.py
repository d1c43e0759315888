"""Who is calling: read from the call's metadata, checked, put into the request's context."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.runtime import context as request_context
from services.runtime.auth import Credentials, KeyRing
from services.runtime.interceptors.around import AroundInterceptor, Call, Context

OPEN_SERVICES = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
)


class AuthenticationInterceptor(AroundInterceptor):
    """Unauthenticated (API_KEY_MISSING, _INVALID, _REVOKED, _EXPIRED) without a good key.

    Health and reflection need none.
    """

    def __init__(self, keys: KeyRing) -> None:
        super().__init__()
        self._keys = keys

    @asynccontextmanager
    async def around(self, call: Call, context: Context) -> AsyncIterator[None]:
        """See the class."""
        if not call.method.startswith(OPEN_SERVICES):
            given = Credentials.of(context.invocation_metadata() or ())
            principal = await self._keys.principal(given)
            request = request_context.current()
            own_key = None if principal.kind == "service" else given.api_key
            request_context.enter(replace(request, principal=principal, api_key=own_key))
        yield
