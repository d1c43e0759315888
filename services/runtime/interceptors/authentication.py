"""Who is calling: a key is checked before anything else of a call is looked at."""

from services.runtime import context as request_context
from services.runtime.auth import Credentials, KeyRing
from services.runtime.interceptors.requests import Request

OPEN_SERVICES = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
)
# What they ask for carries a proof of its own that it may be had.
OPEN_METHODS = frozenset({"/mnema.v1.FileService/DownloadByLink"})


def needs_key(method: str) -> bool:
    """Whether a method is for those with a key only: all but health, reflection and links."""
    return method not in OPEN_METHODS and not method.startswith(OPEN_SERVICES)


async def admit(request: Request, keys: KeyRing) -> None:
    """Puts the caller into the request's context.

    Unauthenticated (API_KEY_MISSING, _INVALID, _REVOKED, _EXPIRED) without a good key.
    """
    given = Credentials.of(request.metadata)
    principal = await keys.principal(given)
    own_key = None if principal.kind == "service" else given.api_key
    request_context.enter(request_context.current().of(principal, own_key))
