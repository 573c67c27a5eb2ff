"""Outbox: which message was delivered by which channel, kept in a file so that each is delivered once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recsys.alarms.delivery import Channel
from recsys.alarms.messages import Message
from recsys.errors import DeliveryError
from recsys.storage.artifacts import exclusive_lock, write_json

FILE = "sent.json"


@dataclass(slots=True)
class Outbox:
    """Deliveries by message id and channel, in `<project>/live/alarms/sent.json`.

    A delivery is recorded as soon as the channel accepted the message. If the process is killed before that, the next
    check delivers it again with the same id; nothing that was recorded is delivered again, and nothing is lost.
    """

    folder: Path
    failures: list[str] = field(default_factory=list)

    def deliver(self, messages: Sequence[Message], channels: Sequence[Channel], now: int) -> list[Message]:
        """Deliver the messages that a channel has not got yet; return those that a channel accepted now.

        One check at a time: a second process waits. Failures are collected in `failures`, and tried again at the next
        check.

        Args:
            messages: messages in the order of delivery.
            channels: ways to deliver them.
            now: present time, seconds since 1970 UTC.

        Raises:
            DeliveryError: if the file of deliveries cannot be read.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        new: list[Message] = []
        with exclusive_lock(self.folder, wait=True):
            done = self._read()
            for message in messages:
                got = done.setdefault(message.id, {"first_at": now, "subject": message.subject, "delivered": {}})
                for channel in channels:
                    if channel.name in got["delivered"]:
                        continue
                    try:
                        channel.send(message)
                    except DeliveryError as error:
                        self.failures.append(str(error))
                        continue
                    got["delivered"][channel.name] = now
                    if not new or new[-1] is not message:
                        new.append(message)
                    write_json(self.folder / FILE, done)
        return new

    def _read(self) -> dict[str, Any]:
        path = self.folder / FILE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise DeliveryError(
                f"{path}: cannot be read: {error}; restore it, or delete it to send all again"
            ) from None
        return dict(found)
