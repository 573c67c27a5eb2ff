"""Watch of files that a shop writes on a schedule: complete new versions are imported, bad ones change nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from recsys.errors import DataError, RecsysError
from recsys.storage.artifacts import read_json, write_json

WATCH_FILE = "watched.json"
"""File in the project's cache with the versions that were imported last, so that a restart imports nothing twice."""

Versions = dict[str, list[int]]
"""Size in bytes and time of change in ns of each file."""


@dataclass(slots=True)
class FileWatch:
    """Watch of files that are imported together.

    A version is complete if sizes and times of change stayed the same between two polls.

    Attributes:
        files: Files of the import.
        state: File with the versions that were imported last.
        load: Function that imports the files.
        say: Function that prints a line.
    """

    files: Sequence[Path]
    state: Path
    load: Callable[[], object]
    say: Callable[[str], None]
    _before: Versions = field(default_factory=dict)
    _tried: Versions = field(default_factory=dict)
    _waiting: str = ""

    def poll(self) -> bool:
        """Import the files if there is a complete version that was not tried yet; return whether it was imported."""
        if not self._tried:
            with suppress(DataError):
                self._tried = dict(read_json(self.state))
        now = self._versions()
        if now is None or now == self._tried:
            self._before = now or {}
            return False
        if now != self._before:
            # Still being written, perhaps.
            self._before = now
            return False
        try:
            self.load()
        except RecsysError as error:
            if self._versions() == now:
                self._tried = now
            self.say(f"not imported, and the data of before stay: {error}")
            return False
        self._tried = now
        self.state.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.state, now)
        return True

    def run(self, interval_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Poll for ever. A kill at any moment is safe: an import is whole or did not happen."""
        self.say(f"watching {', '.join(map(str, self.files))} every {interval_s:g} s")
        while True:
            self.poll()
            sleep(interval_s)

    def _versions(self) -> Versions | None:
        found: Versions = {}
        for file in self.files:
            try:
                status = file.stat()
            except OSError as error:
                reason = f"waiting for {file}: {error.strerror}"
                if reason != self._waiting:
                    self.say(reason)
                self._waiting = reason
                return None
            found[str(file.absolute())] = [status.st_size, status.st_mtime_ns]
        self._waiting = ""
        return found
