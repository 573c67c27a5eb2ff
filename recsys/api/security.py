"""Who may ask: API keys, and signed links for pictures, which a browser fetches without a key."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from recsys.api.limits import own_path
from recsys.api.problem_types import BAD_SIGNATURE, MISSING_KEY
from recsys.api.problems import ProblemError
from recsys.errors import ConfigError

API_KEYS_VARIABLE = "RECSYS_API_KEYS"
LINK_KEY_VARIABLE = "RECSYS_LINK_KEY"
SIGNATURE = "signature"
_MIN_KEY_LENGTH = 16
LINK_KEY_FILE = "link.key"


def kept_link_key(folder: Path) -> str:
    """The key that signs a project's links, made at the first call and kept in its folder for its owner alone."""
    file = folder / LINK_KEY_FILE
    with suppress(FileExistsError):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as written:
            written.write(secrets.token_urlsafe(32))
    return file.read_text(encoding="ascii")


class Security:
    """API keys, kept as hashes and compared in constant time, and the key that signs links.

    Without API keys the service is open to all. Without `link_key` a random one is made: links then hold as long
    as this process, and no other worker accepts them. Raises ConfigError for keys under 16 characters.
    """

    def __init__(self, api_keys: Collection[str] = (), link_key: str | None = None) -> None:
        for variable, key in [*((API_KEYS_VARIABLE, k) for k in api_keys), (LINK_KEY_VARIABLE, link_key)]:
            if key is not None and len(key) < _MIN_KEY_LENGTH:
                raise ConfigError(f"{variable}: a key needs at least {_MIN_KEY_LENGTH} characters, one has {len(key)}")
        self._hashes = tuple(_hash(key) for key in api_keys)
        self._link_key = secrets.token_bytes(32) if link_key is None else link_key.encode()
        self.is_open = not self._hashes
        self.links_survive_restart = link_key is not None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Security:
        """From RECSYS_API_KEYS (separated by commas) and RECSYS_LINK_KEY; both may be absent, neither blank."""
        listed = environment.get(API_KEYS_VARIABLE)
        keys = [] if listed is None else [key.strip() for key in listed.split(",") if key.strip()]
        if listed is not None and not keys:
            raise ConfigError(f"{API_KEYS_VARIABLE} is set but holds no key: unset it to leave the service open")
        return cls(keys, environment.get(LINK_KEY_VARIABLE))

    def admits(self, key: str | None) -> bool:
        """Whether a caller with this key may ask."""
        if self.is_open:
            return True
        given = _hash(key or "")
        # All are compared, so that the time says nothing about which one fits.
        return sum(hmac.compare_digest(given, known) for known in self._hashes) > 0

    def sign(self, path: str, query: Iterable[tuple[str, str]]) -> str:
        """The signature of a link: HMAC-SHA256 over its decoded path and query.

        Decoded and sorted, so that a proxy which writes the same address in another way does not break the link.
        """
        message = json.dumps([path, sorted(query)]).encode()
        return hmac.new(self._link_key, message, hashlib.sha256).hexdigest()

    def signed(self, path: str, query: Iterable[tuple[str, str]], signature: str) -> bool:
        """Whether `signature` is the one of this link."""
        return hmac.compare_digest(self.sign(path, query).encode(), signature.encode(errors="replace"))


_key_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="Needed where the service has API keys.")


def require_key(request: Request, key: Annotated[str | None, Depends(_key_header)] = None) -> None:
    """Dependency: ends the request with a problem unless the caller has a key."""
    if not _security(request).admits(key):
        raise ProblemError(MISSING_KEY, "The header X-API-Key is absent or wrong.")


def require_key_or_signature(request: Request, key: Annotated[str | None, Depends(_key_header)] = None) -> None:
    """Dependency: like `require_key`, but a signed link needs no key; a wrong signature is always refused."""
    signature = request.query_params.get(SIGNATURE)
    if signature is None:
        require_key(request, key)
        return
    query = [(name, value) for name, value in request.query_params.multi_items() if name != SIGNATURE]
    if not _security(request).signed(own_path(request.scope), query, signature):
        raise ProblemError(BAD_SIGNATURE, "The link was changed or is not from this service.")


def _security(request: Request) -> Security:
    security: Security = request.app.state.services.security
    return security


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()
