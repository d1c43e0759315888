"""Keys, callers, page tokens, settings and statuses: the parts without a server."""

import asyncio
import io
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2
from pydantic import SecretStr, ValidationError

from mnema.v1 import error_reason_pb2, memory_service_pb2
from services.runtime import context, errors, logs
from services.runtime.auth import CachedAuthenticator, Credentials, KeyRing, generate_key, hash_key
from services.runtime.config import RuntimeSettings, TelemetrySettings, unknown_variables
from services.runtime.context import Principal, RequestContext
from services.runtime.errors import (
    InvalidArgument,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from services.runtime.ids import TenantId, owner_of
from services.runtime.paging import PageTokens, page_size
from services.runtime.scope import Scope
from services.runtime.status import details_of

TENANT = TenantId(uuid4())
SECRET = SecretStr("internal-key-of-at-least-32-characters")


@pytest.fixture(autouse=True)
def no_request_is_left_behind() -> Iterator[None]:
    """A request entered by a test is not the next test's."""
    token = context._current.set(None)
    yield
    context._current.reset(token)


def acting(principal: Principal) -> None:
    context.enter(RequestContext("r", principal=principal))


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """Answers as told and counts the questions."""

    def __init__(self, answer: Principal | Exception) -> None:
        self.answer = answer
        self.count = 0

    async def authenticate(self, _: str) -> Principal:
        self.count += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_keys_have_their_form_and_are_all_different() -> None:
    keys = {generate_key("tenant") for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("mk_tenant_") and len(key) == 53 for key in keys)
    assert len(hash_key(keys.pop())) == 64


async def test_answers_are_remembered_for_a_short_time() -> None:
    clock = Clock()
    for answer in (Principal("tenant", TENANT), Unauthenticated("no", reason="API_KEY_REVOKED")):
        asked = Asked(answer)
        cached = CachedAuthenticator(asked, seconds=5, clock=clock)
        for now, expected in ((0.0, 1), (4.9, 1), (0.2, 2)):
            clock.now += now
            if isinstance(answer, Exception):
                with pytest.raises(Unauthenticated) as caught:
                    await cached.authenticate("k")
                assert caught.value.reason == "API_KEY_REVOKED"
            else:
                assert await cached.authenticate("k") == answer
            assert asked.count == expected


async def test_failures_to_ask_are_not_remembered_and_the_cache_is_bounded() -> None:
    asked = Asked(Unavailable("down"))
    cached = CachedAuthenticator(asked, entries=2)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await cached.authenticate("k")
    assert asked.count == 2
    asked.answer = Principal("tenant", TENANT)
    for key in ("a", "b", "c", "c", "b", "a"):
        await cached.authenticate(key)
    assert asked.count == 6  # "a" had to make room


async def test_one_caller_giving_up_does_not_fail_the_others() -> None:
    release = asyncio.Event()

    class Slow:
        async def authenticate(self, _: str) -> Principal:
            await release.wait()
            return Principal("tenant", TENANT)

    cached = CachedAuthenticator(Slow())
    first, second = (asyncio.create_task(cached.authenticate("k")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    release.set()
    assert (await second).tenant_id == TENANT


async def test_only_services_and_admins_may_name_a_tenant() -> None:
    own = Principal("user", TENANT, "caroline")
    key = generate_key("user")
    other = str(uuid4())
    ring = KeyRing(Asked(own), SECRET)
    given = Credentials.of([("x-api-key", key), ("x-mnema-tenant", other), ("x-mnema-user", "m")])
    assert await ring.principal(given) == own
    given = Credentials.of(
        [
            ("authorization", f"Bearer {SECRET.get_secret_value()}"),
            ("x-mnema-tenant", other),
            ("x-mnema-user", "Zo%C3%AB"),
        ]
    )
    assert await ring.principal(given) == Principal("service", TenantId(UUID(other)), "Zoë")
    admin = KeyRing(Asked(Principal("admin")), None)
    found = await admin.principal(Credentials(generate_key("admin"), other))
    assert found.tenant_id == UUID(other)
    with pytest.raises(InvalidArgument):
        await admin.principal(Credentials(generate_key("admin"), "no uuid"))
    assert key not in repr(Credentials(key))


@pytest.mark.parametrize(
    ("principal", "user", "tenant"),
    [
        (Principal("tenant", TENANT), None, None),
        (Principal("user", TENANT, "caroline"), None, "TENANT_KEY_REQUIRED"),
        (Principal("user", TENANT, "melanie"), "USER_NOT_ALLOWED", "TENANT_KEY_REQUIRED"),
        (Principal("admin"), "TENANT_KEY_REQUIRED", "TENANT_KEY_REQUIRED"),
        (Principal("admin", TENANT), "TENANT_KEY_REQUIRED", None),
        (Principal("service", TENANT), None, None),
        (Principal("service", TENANT, "caroline"), None, "TENANT_KEY_REQUIRED"),
        (Principal("service", TENANT, "melanie"), "USER_NOT_ALLOWED", "TENANT_KEY_REQUIRED"),
        (Principal("service"), "TENANT_KEY_REQUIRED", "TENANT_KEY_REQUIRED"),
    ],
)
def test_who_may_act_for_whom(principal: Principal, user: str | None, tenant: str | None) -> None:
    acting(principal)
    if user is None:
        owner = owner_of(TENANT, "caroline")
        assert context.require_user("caroline") == owner
        assert context.user_scope("caroline") == Scope(TENANT, owner)
    else:
        with pytest.raises(PermissionDenied) as caught:
            context.require_user("caroline")
        assert caught.value.reason == user
    if tenant is None:
        assert context.require_tenant() == TENANT
    else:
        with pytest.raises(PermissionDenied) as caught:
            context.require_tenant()
        assert caught.value.reason == tenant
    if principal.kind == "admin":
        assert context.require_admin() == principal
    else:
        with pytest.raises(PermissionDenied):
            context.require_admin()


def test_a_call_may_take_what_is_left() -> None:
    assert context.call_timeout(3) == 3
    with context.act_for(TENANT, timeout=1000):
        assert context.call_timeout(500) == 500
        assert 900 < context.call_timeout(3000) <= 1000
    with context.act_for(TENANT, timeout=-1):
        assert context.remaining() == 0.0


def request(**fields: Any) -> memory_service_pb2.ListMemoriesRequest:
    return memory_service_pb2.ListMemoriesRequest(**({"user_id": "u"} | fields))


def test_a_page_token_gives_its_cursor_back() -> None:
    tokens = PageTokens(SECRET)
    cursor = ("2026-01-01T00:00:00+00:00", 0.25, 7, None, "é")
    token = tokens.encode(cursor, request(page_size=5))
    assert tokens.decode(request(page_size=9, page_token=token)) == cursor
    assert tokens.decode(request()) is None


def test_a_foreign_old_or_broken_page_token_is_refused() -> None:
    clock = Clock()
    tokens = PageTokens(SECRET, clock=clock)
    acting(Principal("tenant", TENANT))
    token = tokens.encode(("a",), request())
    flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
    wrong = [request(user_id="v", page_token=token), request(page_token="x")]
    wrong += [request(page_token=each) for each in ("é", "!", "=", flipped, token + token)]
    for each in wrong:
        with pytest.raises(InvalidArgument) as caught:
            tokens.decode(each)
        assert caught.value.reason == "PAGE_TOKEN_INVALID"
    with pytest.raises(InvalidArgument):
        PageTokens(None, clock=clock).decode(request(page_token=token))
    assert tokens.decode(request(page_token=token)) == ("a",)
    acting(Principal("tenant", TenantId(uuid4())))
    with pytest.raises(InvalidArgument):
        tokens.decode(request(page_token=token))
    acting(Principal("tenant", TENANT))
    clock.now += 24 * 3600 + 1
    with pytest.raises(InvalidArgument):
        tokens.decode(request(page_token=token))


def test_page_sizes() -> None:
    assert page_size(0, default=20, maximum=100) == 20
    assert page_size(7, default=20, maximum=100) == 7
    assert page_size(500, default=20, maximum=100) == 100
    with pytest.raises(InvalidArgument):
        page_size(-1)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMA_SERVER__PORT", "7000")
    monkeypatch.setenv("MNEMA_DATABASE__DSN", "postgresql://u:hidden@h/d")
    settings = RuntimeSettings()
    assert settings.server.port == 7000
    assert "hidden" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.server.port = 1
    monkeypatch.setenv("MNEMA_SERVER__PRT", "1")
    with pytest.raises(ValidationError):
        RuntimeSettings()
    monkeypatch.setenv("MNEMA_INTERNAL_KEY", "too-short-secret")
    with pytest.raises(ValidationError, match="internal_key") as caught:
        RuntimeSettings()
    assert "too-short-secret" not in str(caught.value)
    names = ["MNEMA_SERVR__PORT", "MNEMA_HOME", "MNEMA_DATABASE__DSN", "PATH"]
    assert unknown_variables(RuntimeSettings, names) == ("MNEMA_SERVR__PORT",)


def test_a_status_fits_into_the_trailers() -> None:
    violations = [errors.FieldViolation("f" * 300, "é" * 5000, "FIELD_TOO_LONG")] * 16
    for error in (InvalidArgument(violations), errors.NotFound("memory", "☕" * 5000)):
        data = details_of(error)
        assert len(data) <= 5000
        status = status_pb2.Status.FromString(data)
        info = error_details_pb2.ErrorInfo()
        assert status.details[0].Unpack(info)
        assert info.domain == "mnema"


def test_the_reasons_of_the_errors_are_in_the_contract() -> None:
    kinds: list[type[errors.MnemaError]] = [errors.MnemaError, *errors.MnemaError.__subclasses__()]
    for kind in kinds:
        assert f"ERROR_REASON_{kind.default_reason}" in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118


def test_logs_are_json_with_the_request_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    key = generate_key("tenant")
    try:
        logs.configure(TelemetrySettings())
        context.enter(RequestContext("request-1"))
        log = structlog.get_logger()
        log.debug("not written")
        log.info(f"used {key}", api_key=key, url="postgresql://me:pass@host/db")
    finally:
        structlog.reset_defaults()
    (line,) = written.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["request_id"] == "request-1"
    assert entry["level"] == "info"
    assert key not in line
    assert ":pass@" not in line
    assert entry["timestamp"][:4] == time.strftime("%Y", time.gmtime())
