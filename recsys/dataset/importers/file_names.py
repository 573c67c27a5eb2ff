r"""Names of files as other systems write them: `images\a.jpg`, `b%20c.jpg`, other Unicode forms, other case.

An exact name is used as it is. Else the file that differs in these ways alone is meant, if there is one such file.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote

_EXAMPLES = 3


class FileFinder:
    """Finds files below a folder; folders are listed once, and only if a name is not exact."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listings: dict[Path, dict[str, list[str]]] = {}
        self._guesses: dict[str, str] = {}

    def find(self, name: str) -> Path:
        """Return the absolute path that a name means; links are not followed, and the file may not exist."""
        exact = Path(os.path.abspath(self._root / name))  # noqa: PTH100  Path.resolve would follow links
        if exact.exists():
            return exact
        for text in dict.fromkeys((name.replace("\\", "/"), unquote(name.replace("\\", "/")))):
            found = self._walk(text)
            if found is not None:
                self._guesses[name] = str(found.relative_to(self._root) if found.is_relative_to(self._root) else found)
                return found
        return exact

    def describe(self) -> tuple[str, ...]:
        """Return a note on the names that were not exact, with examples; none if all were."""
        if not self._guesses:
            return ()
        examples = ", ".join(f"{name} -> {file}" for name, file in list(self._guesses.items())[:_EXAMPLES])
        return (
            f"{len(self._guesses):,} names of files differ from the files in case, slashes or letters ({examples})",
        )

    def _walk(self, name: str) -> Path | None:
        path = Path(os.path.abspath(self._root / name))  # noqa: PTH100
        start = self._root if path.is_relative_to(self._root) else Path(path.anchor)
        for part in path.relative_to(start).parts:
            if (start / part).exists():
                start = start / part
                continue
            found = self._list(start).get(_plain(part), [])
            if len(found) != 1:
                return None
            start = start / found[0]
        return start if start.is_file() else None

    def _list(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listings:
            names: dict[str, list[str]] = {}
            for name in sorted(os.listdir(folder)) if folder.is_dir() else ():  # noqa: PTH208  names, not paths
                names.setdefault(_plain(name), []).append(name)
            self._listings[folder] = names
        return self._listings[folder]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
