"""API keys: who asks, and what that key may do. Keys are known by their hashes alone."""

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
    """A key as the database keeps it: `hash` is the SHA-256 of the key."""

    @property
    def name(self) -> str:
        """What its owner calls it."""

    @property
    def hash(self) -> bytes:
        """32 bytes."""

    @property
    def scopes(self) -> frozenset[Scope]:
        """What it may do."""


StoredKeys = Callable[[], Iterable[StoredKey]]
"""Gives the keys that hold now, such as `KeyStore.active`; called off the event loop."""


ANYBODY = Caller("anybody", frozenset({Scope.READ, Scope.EVENTS}))
"""Who asks where the service has no keys."""


class Keyring:
    """The keys of the environment and of the database.

    A key is found by an HMAC of its hash under a secret of this process, so that the time of the look-up tells nothing
    of any key: what is compared cannot be predicted from outside. Once there was a key the service stays closed, even
    when the last one is revoked.
    """

    def __init__(
        self, api_keys: Collection[str] = (), admin_keys: Collection[str] = (), stored: StoredKeys | None = None
    ) -> None:
        self._blind = secrets.token_bytes(32)
        self._stored = stored
        reader, everything = ANYBODY.scopes, frozenset(Scope)
        self._fixed = {
            **self._named("environment", api_keys, reader),
            # A key that is named in both lists has all scopes.
            **self._named("environment-admin", admin_keys, everything),
        }
        self._callers = self._fixed
        self.is_open = not self._fixed
        self.reload()

    def _named(self, prefix: str, keys: Iterable[str], scopes: frozenset[Scope]) -> dict[bytes, Caller]:
        return {
            self._blinded(_hash(key.encode(errors="replace"))): Caller(f"{prefix}-{number}", scopes)
            for number, key in enumerate(keys, start=1)
        }

    def _blinded(self, key_hash: bytes) -> bytes:
        return hmac.digest(self._blind, key_hash, "sha256")

    def caller(self, key: bytes | None) -> Caller | None:
        """Who has this key; None for nobody's. Anybody, where the service has no keys."""
        if self.is_open:
            return ANYBODY
        return None if key is None else self._callers.get(self._blinded(_hash(key)))

    def reload(self) -> None:
        """Take the database's keys as they are now. Raises what the database raises, and then changes nothing."""
        if self._stored is not None:
            found = {self._blinded(key.hash): Caller(key.name, key.scopes) for key in self._stored()}
            # What the environment says is not to be changed by anybody who can write to the database.
            self._callers = {**found, **self._fixed}
            self.is_open = self.is_open and not self._callers

    async def watch(self, every_s: float) -> None:
        """Refresh for ever; a database that does not answer leaves the keys as they were."""
        if self._stored is None:
            return
        failing = False
        while True:
            await asyncio.sleep(every_s)
            try:
                await run_in_threadpool(self.reload)
                failing = False
            except Exception as error:
                # Said once, without the message, which may quote the database's address.
                if not failing:
                    logger.error("API keys cannot be read, those known stay valid: %s", type(error).__name__)
                failing = True


def _hash(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
