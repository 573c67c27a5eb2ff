"""A program that stores numbered batches of events until it is killed.

It forks one writer for each line `FIRST BATCHES SIZE` of its input, so that imports take their time once. It says
`PID n`, then `STORED batch` when `EventStore.append` has acknowledged one, then `GONE` when the writer has ended.
"""

from __future__ import annotations

import os
import sys

from recsys.errors import StorageError
from recsys.schema import EventKind, ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore


def batch_of(number: int, size: int) -> list[Event]:
    """The events of a batch: always the same ones."""
    user = UserId(f"user-{number}")
    return [Event(f"{number}-{n}", user, ItemId(f"item-{n}"), EventKind.CLICK, number) for n in range(size)]


def write(url: str, first: int, batches: int, size: int) -> None:
    store = EventStore(Database.open(url))
    for number in range(first, first + batches):
        try:
            store.append(batch_of(number, size), received_at=0)
        except StorageError:
            return
        say(f"STORED {number}")


def say(line: str) -> None:
    # One write for each line: a kill leaves none in a buffer.
    os.write(1, f"{line}\n".encode())


def main() -> None:
    url = sys.argv[1]
    for line in sys.stdin:
        first, batches, size = map(int, line.split())
        writer = os.fork()
        if writer == 0:
            say(f"PID {os.getpid()}")
            write(url, first, batches, size)
            os._exit(0)
        os.waitpid(writer, 0)
        say("GONE")


if __name__ == "__main__":
    main()
