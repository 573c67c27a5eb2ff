"""API keys: they identify callers and their scopes. Only hashes of keys are stored."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from starlette.concurrency import run_in_threadpool

from recsys.api.context import Caller
from recsys.schema import Scope

logger = logging.getLogger(__name__)


class StoredKey(Protocol):
    """Key in the database."""

    @property
    def name(self) -> str:
        """Name of the key."""

    @property
    def hash(self) -> bytes:
        """SHA-256 of the key, 32 bytes."""

    @property
    def scopes(self) -> frozenset[Scope]:
        """Scopes of the key."""


StoredKeys = Callable[[], Iterable[StoredKey]]
"""Function that returns the valid keys, such as `KeyStore.active`; called off the event loop."""


ANYBODY = Caller("anybody", frozenset({Scope.READ, Scope.EVENTS}))
"""Caller of a service without keys."""


class Keyring:
    """Keys of the environment and of the database.

    A key is looked up by an HMAC of its hash under a secret of this process. The compared values cannot be predicted
    from outside, so the time of the look-up reveals nothing about any key. Once there was a key the service needs keys,
    even after the last one was revoked.
    """

    def __init__(
        self, api_keys: Collection[str] = (), admin_keys: Collection[str] = (), stored: StoredKeys | None = None
    ) -> None:
        self._blind = secrets.token_bytes(32)
        self._stored = stored
        reader, everything = ANYBODY.scopes, frozenset(Scope)
        self._fixed = {
            **self._callers_by_key("environment", api_keys, reader),
            # A key in both lists has all scopes.
            **self._callers_by_key("environment-admin", admin_keys, everything),
        }
        self._callers = self._fixed
        self.is_open = not self._fixed
        self.reload()

    def _callers_by_key(self, prefix: str, keys: Iterable[str], scopes: frozenset[Scope]) -> dict[bytes, Caller]:
        return {
            self._blind_hash(_hash(key.encode(errors="replace"))): Caller(f"{prefix}-{number}", scopes)
            for number, key in enumerate(keys, start=1)
        }

    def _blind_hash(self, key_hash: bytes) -> bytes:
        return hmac.digest(self._blind, key_hash, "sha256")

    def caller(self, key: bytes | None) -> Caller | None:
        """Return the owner of a key, None for an unknown key; `ANYBODY` if the service has no keys."""
        if self.is_open:
            return ANYBODY
        return None if key is None else self._callers.get(self._blind_hash(_hash(key)))

    def reload(self) -> None:
        """Read the keys of the database again. Raises what the database raises, and then changes nothing."""
        if self._stored is not None:
            stored = {self._blind_hash(key.hash): Caller(key.name, key.scopes) for key in self._stored()}
            # Write access to the database must not change the keys of the environment.
            self._callers = {**stored, **self._fixed}
            self.is_open = self.is_open and not self._callers

    async def watch(self, interval_s: float) -> None:
        """Reload the keys periodically; if the database does not answer, the keys stay as they are."""
        if self._stored is None:
            return
        failing = False
        while True:
            await asyncio.sleep(interval_s)
            try:
                await run_in_threadpool(self.reload)
                failing = False
            except Exception as error:
                # Logged once, without the message, which may contain the database's address.
                if not failing:
                    logger.error("API keys cannot be read, known ones stay valid: %s", type(error).__name__)
                failing = True


def _hash(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
