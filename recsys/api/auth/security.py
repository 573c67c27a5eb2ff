"""Access: API keys, and signed links to images, which browsers open without a key."""

from __future__ import annotations

import hmac
import ipaddress
import json
import os
import secrets
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from fastapi.security import APIKeyHeader
from starlette.requests import HTTPConnection

from recsys.api.auth.keys import Keyring, StoredKeys
from recsys.api.context import RequestContext, request_context_of
from recsys.api.problems.answers import ProblemError
from recsys.api.problems.types import BAD_SIGNATURE, MISSING_KEY, MISSING_SCOPE
from recsys.errors import ConfigError
from recsys.schema import Scope

API_KEYS_VARIABLE = "RECSYS_API_KEYS"
ADMIN_KEYS_VARIABLE = "RECSYS_ADMIN_KEYS"
LINK_KEY_VARIABLE = "RECSYS_LINK_KEY"
SIGNATURE = "signature"
_MIN_KEY_LENGTH = 16
LINK_KEY_FILE = "link.key"


def load_link_key(folder: Path) -> str:
    """Return the key that signs a project's links; the first call creates its file, readable only by its owner."""
    file = folder / LINK_KEY_FILE
    with suppress(FileExistsError):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as written:
            written.write(secrets.token_urlsafe(32))
    return file.read_text(encoding="ascii")


class Security:
    """API keys of callers, and the key that signs links and cursors.

    Without any key the service is open, except for its admin routes.

    Args:
        api_keys: Keys with the scopes read and events.
        link_key: Key that signs links. By default a random one: links then are valid as long as this process, and no
            other worker accepts them.
        admin_keys: Keys with all scopes.
        stored: Function that returns the keys of the database.

    Raises:
        ConfigError: A key has fewer than 16 characters.
    """

    def __init__(
        self,
        api_keys: Collection[str] = (),
        link_key: str | None = None,
        *,
        admin_keys: Collection[str] = (),
        stored: StoredKeys | None = None,
    ) -> None:
        named = [
            *((API_KEYS_VARIABLE, key) for key in api_keys),
            *((ADMIN_KEYS_VARIABLE, key) for key in admin_keys),
            (LINK_KEY_VARIABLE, link_key),
        ]
        for variable, key in named:
            if key is not None and len(key) < _MIN_KEY_LENGTH:
                raise ConfigError(f"{variable}: a key needs at least {_MIN_KEY_LENGTH} characters, one has {len(key)}")
        self.keys = Keyring(api_keys, admin_keys, stored)
        self._link_key = secrets.token_bytes(32) if link_key is None else link_key.encode()
        self.links_survive_restart = link_key is not None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], stored: StoredKeys | None = None) -> Security:
        """Create from RECSYS_API_KEYS, RECSYS_ADMIN_KEYS (separated by commas) and RECSYS_LINK_KEY.

        Each variable may be absent, but not blank.
        """
        return cls(
            _split_keys(environment, API_KEYS_VARIABLE, "leave the service open"),
            environment.get(LINK_KEY_VARIABLE),
            admin_keys=_split_keys(environment, ADMIN_KEYS_VARIABLE, "have no key for admin routes"),
            stored=stored,
        )

    @property
    def is_open(self) -> bool:
        """Return whether requests need no key."""
        return self.keys.is_open

    def derived_key(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for another purpose than links, derived from the key that signs links."""
        return hmac.digest(self._link_key, purpose.encode(), "sha256")

    def sign(self, path: str, query: Iterable[tuple[str, str]]) -> str:
        """Return the signature of a link: HMAC-SHA256 over its decoded path and query.

        Path and query are decoded and sorted, so that a proxy may write the same address in another way.
        """
        message = json.dumps([path, sorted(query)]).encode()
        return hmac.digest(self._link_key, message, "sha256").hex()

    def is_signed(self, path: str, query: Iterable[tuple[str, str]], signature: str) -> bool:
        """Return whether `signature` is the signature of this link."""
        return hmac.compare_digest(self.sign(path, query).encode(), signature.encode(errors="replace"))


class _Require(APIKeyHeader):
    """Dependency that ends the request with a problem unless the caller's key has a scope.

    It is also a security scheme of FastAPI, so that OpenAPI describes it without a second dependency per request.
    """

    def __init__(self, scope: Scope) -> None:
        super().__init__(
            name="X-API-Key",
            scheme_name="APIKeyHeader",
            auto_error=False,
            description="Needed if the service has API keys.",
        )
        self.scope = scope

    async def __call__(self, request: HTTPConnection) -> None:
        authorize(request, self.scope)


def authorize(request: HTTPConnection, scope: Scope) -> None:
    """Raise ProblemError unless the caller has a scope; like `require(scope)`, without the cost of a dependency."""
    host = None if request.client is None else request.client.host
    check_scope(request_context_of(request.scope), host, scope, is_open=_security(request).is_open)


def check_scope(context: RequestContext, host: str | None, scope: Scope, *, is_open: bool) -> None:
    """Raise ProblemError unless a request may use a scope.

    Args:
        context: Context of the request, with its caller.
        host: Address of the caller, None if unknown.
        scope: Scope that the route needs.
        is_open: Whether the service has no keys.
    """
    caller = context.caller
    if caller is None:
        raise ProblemError(MISSING_KEY, "The header X-API-Key is absent or wrong.")
    if scope in caller.scopes:
        return
    if not is_open:
        raise ProblemError(MISSING_SCOPE, f"The key needs the scope {scope}.")
    if not _is_local(context, host):
        raise ProblemError(
            MISSING_SCOPE,
            f"This service has no keys, so only its own machine has the scope {scope}; {ADMIN_KEYS_VARIABLE} or "
            "`recsys key` create keys.",
        )


def _is_local(context: RequestContext, host: str | None) -> bool:
    """Return whether the request comes from the service's own machine, without a proxy and not from a browser.

    A page that is open on that machine can send requests, too; browsers mark them with `Origin`.
    """
    if host is None or not _REMOTE_HEADERS.isdisjoint(context.headers):
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_REMOTE_HEADERS = {b"x-forwarded-for", b"x-forwarded-host", b"forwarded", b"via", b"x-real-ip", b"origin"}


class _RequireOrSignature(_Require):
    """Dependency like `_Require`, but a signed link needs no key; a wrong signature is always rejected."""

    async def __call__(self, request: HTTPConnection) -> None:
        signature = request.query_params.get(SIGNATURE)
        if signature is None:
            await super().__call__(request)
            return
        query = [(name, value) for name, value in request.query_params.multi_items() if name != SIGNATURE]
        if not _security(request).is_signed(request_context_of(request.scope).path, query, signature):
            raise ProblemError(BAD_SIGNATURE, "The link was changed or is not from this service.")


@cache
def require(scope: Scope) -> _Require:
    """Return the dependency that needs a key with this scope: 401 without a key, 403 without the scope."""
    return _Require(scope)


require_key = require(Scope.READ)
"""Dependency that needs a key with the scope read."""
require_key_or_signature = _RequireOrSignature(Scope.READ)
"""Dependency that needs a key with the scope read, or a signed link."""


def _security(request: HTTPConnection) -> Security:
    security: Security = request.app.state.services.security
    return security


def _split_keys(environment: Mapping[str, str], variable: str, unset: str) -> list[str]:
    listed = environment.get(variable)
    keys = [] if listed is None else [key.strip() for key in listed.split(",") if key.strip()]
    if listed is not None and not keys:
        raise ConfigError(f"{variable} is set but holds no key: unset it to {unset}")
    return keys
