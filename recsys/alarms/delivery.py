"""Delivery of messages: a signed POST to the operator's own address, or a command of the operator that sends mail.

Address and command are settings. No caller of the API and no experiment file can name them.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from recsys import __version__
from recsys.alarms.messages import Message
from recsys.errors import ConfigError, DeliveryError

if TYPE_CHECKING:
    from recsys.config import AlarmSettings

SECRET_VARIABLE = "RECSYS_ALARM_SECRET"  # noqa: S105 - a name, no secret
_SHORTEST_SECRET = 16
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_ANSWER_BYTES = 200


class Channel(Protocol):
    """Way to deliver a message."""

    @property
    def name(self) -> str:
        """Name under which deliveries are remembered."""

    def send(self, message: Message) -> None:
        """Deliver a message.

        Raises:
            DeliveryError: if it was not accepted.
        """


def open_channels(settings: AlarmSettings, environment: Mapping[str, str] | None = None) -> list[Channel]:
    """Return the channels of a project's settings; the webhook's secret is in RECSYS_ALARM_SECRET.

    Raises:
        ConfigError: for an address that is no HTTPS address, or a secret that is missing or short.
    """
    found: list[Channel] = []
    if settings.webhook:
        secret = (os.environ if environment is None else environment).get(SECRET_VARIABLE, "")
        if len(secret) < _SHORTEST_SECRET:
            raise ConfigError(
                f"{SECRET_VARIABLE}: the webhook needs a secret of at least {_SHORTEST_SECRET} characters, so that the "
                "receiver can check who sent an alarm; set it in the environment"
            )
        found.append(Webhook(settings.webhook, secret, settings.timeout_s, settings.retries))
    if settings.command:
        found.append(MailCommand(settings.command, settings.timeout_s, settings.retries))
    return found


@dataclass(frozen=True, slots=True)
class Webhook:
    """POST of JSON to one address, signed by HMAC-SHA256; redirects are not followed.

    The header `Recsys-Signature: t=SECONDS,v1=HEX` is the HMAC of "SECONDS.BODY" by the secret. `Idempotency-Key` is
    the message's id, the same for each try.
    """

    url: str
    secret: str
    timeout_s: float
    retries: int
    pause: Callable[[float], None] = time.sleep

    name = "webhook"

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise ConfigError(
                f"alarms.webhook: {parts.scheme}://{parts.hostname or ''}: give an https:// address; http:// only for "
                "this machine"
            )
        try:
            _ = parts.port
        except ValueError:
            raise ConfigError("alarms.webhook: the port is no number from 0 to 65535; correct the address") from None
        if parts.username or parts.password:
            raise ConfigError("alarms.webhook: leave user and password out of the address; the POST is signed")

    def send(self, message: Message) -> None:
        """Deliver a message; see `Channel.send`."""
        body = json.dumps({"id": message.id, "subject": message.subject, "text": message.text, **message.content})
        _repeat(lambda: self._post(message.id, body.encode()), self.retries, self.pause)

    def _post(self, key: str, body: bytes) -> None:
        parts = urlsplit(self.url)
        at = int(time.time())
        signature = hmac.new(self.secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"style-recsys/{__version__}",
            "Idempotency-Key": hashlib.sha256(key.encode()).hexdigest()[:32],
            "Recsys-Signature": f"t={at},v1={signature}",
        }
        host = parts.hostname or ""
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, parts.port, timeout=self.timeout_s, context=context)
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=self.timeout_s)
        try:
            # http.client follows no redirect.
            connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _AgainError(f"alarms.webhook: {host}: {error or type(error).__name__}") from None
        finally:
            connection.close()
        if 200 <= answer.status < 300:
            return
        what = "redirects are not followed; give the final address" if 300 <= answer.status < 400 else "not accepted"
        text = f"alarms.webhook: {host} answered {answer.status}: {what}"
        raise _AgainError(text) if answer.status in _AGAIN else DeliveryError(text)


@dataclass(frozen=True, slots=True)
class MailCommand:
    """Command of the operator, run without a shell; it reads a subject line, an empty line and the text from stdin."""

    command: tuple[str, ...]
    timeout_s: float
    retries: int
    pause: Callable[[float], None] = time.sleep

    name = "command"

    def send(self, message: Message) -> None:
        """Deliver a message; see `Channel.send`."""
        _repeat(lambda: self._run(message), self.retries, self.pause)

    def _run(self, message: Message) -> None:
        subject = " ".join(message.subject.split())
        text = f"Subject: {subject}\nX-Recsys-Alarm: {message.id}\n\n{message.text}"
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own argv, no shell
                self.command, input=text.encode(), capture_output=True, timeout=self.timeout_s, check=False
            )
        except FileNotFoundError:
            raise DeliveryError(f"alarms.command: no command {self.command[0]!r}; give its full path") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _AgainError(f"alarms.command: {self.command[0]}: {error}") from None
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip()[-_ANSWER_BYTES:]
            raise _AgainError(f"alarms.command: {self.command[0]} ended with {done.returncode}: {last}")


class _AgainError(DeliveryError):
    """Failure that may be over in some seconds."""


def _repeat(send: Callable[[], None], retries: int, pause: Callable[[float], None]) -> None:
    for number in range(retries + 1):
        try:
            send()
        except _AgainError as error:
            if number == retries:
                raise DeliveryError(f"{error} ({retries + 1} tries)") from None
            pause(2.0**number)
        else:
            return
