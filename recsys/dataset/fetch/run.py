"""Fetch of all images of a project: polite to hosts, resumable, and swapped into the item table as a whole."""

from __future__ import annotations

import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from recsys.dataset.fetch.connection import FetchLimits
from recsys.dataset.fetch.download import LaterError, download
from recsys.dataset.importers.images import FETCHED_FOLDER, address_name, find_images, link_fetched_images
from recsys.dataset.project import ITEMS_FILE, Project
from recsys.errors import ConfigError, DataError
from recsys.progress import stage
from recsys.schema import IMAGE, IMAGE_URLS
from recsys.storage.artifacts import exclusive_lock, read_json, replacing_folder, write_frame, write_json

THREADS = 8
TRIES = 3
"""Tries of an image whose server fails for the moment."""
EXAMPLES = 3
FAILED_FILE = "failed.json"
"""File of addresses without a usable image, with reasons; they are not asked again unless that is wanted."""


@dataclass(slots=True)
class FetchReport:
    """Result of a fetch.

    Attributes:
        fetched: Images that were downloaded.
        present: Addresses whose images were there already.
        linked: Items that got an image.
        failed: Reason for each address that has no usable image.
        later: Reason for each address that a later run may bring.
        known: Addresses that failed in an earlier run and were not asked again.
        left: Items that wait for a later run, because this one had its most images.
    """

    fetched: int = 0
    present: int = 0
    linked: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    later: dict[str, str] = field(default_factory=dict)
    known: int = 0
    left: int = 0

    def __str__(self) -> str:
        lines = [f"fetched       {self.fetched:,} images", f"items         {self.linked:,} got an image"]
        if self.present:
            lines.append(f"present       {self.present:,} were fetched before")
        for name, reasons in (("failed", self.failed), ("try again", self.later)):
            if reasons:
                examples = "; ".join(list(reasons.values())[:EXAMPLES])
                lines.append(f"{name:<13} {len(reasons):,}: {examples}{'; ...' if len(reasons) > EXAMPLES else ''}")
        if self.known:
            lines.append(f"note          {self.known:,} failed in an earlier run; --retry-failed asks for them again")
        if self.left:
            lines.append(f"note          {self.left:,} items wait for the next run")
        return "\n".join(lines)


def fetch_images(project: Project, limits: FetchLimits, *, retry_failed: bool = False) -> FetchReport:
    """Download images of items that have addresses (`image_urls`) and no image, and write their paths to the items.

    Of an item's addresses the first that brings an image is used. Files have their names only when they are complete;
    after a kill, the next run goes on from the bytes that are there. The project is locked only while the item table is
    swapped. The next build embeds the images.

    Args:
        project: Project with imported items.
        limits: Hosts and limits.
        retry_failed: Also ask for addresses that had no usable image before.

    Raises:
        ConfigError: No host is allowed.
        ProjectError: Nothing was imported, or another process writes to the project.
    """
    if not limits.hosts:
        raise ConfigError("no host is allowed: name those that serve the images with --host cdn.example.com")
    items = project.load_imported_items()
    folder = project.root / FETCHED_FOLDER
    folder.mkdir(exist_ok=True)
    failed: dict[str, str] = {}
    if not retry_failed and (folder / FAILED_FILE).exists():
        with suppress(DataError):
            failed = dict(read_json(folder / FAILED_FILE))
    waiting = items[items[IMAGE] == ""] if IMAGE_URLS in items else items[:0]
    wanted = list(dict.fromkeys(str(text) for text in waiting.get(IMAGE_URLS, ()) if text))
    report = FetchReport(left=max(0, len(wanted) - limits.max_images))
    fetcher = _Fetcher(folder, limits, report, failed, set(find_images(folder)))
    wanted = wanted[: limits.max_images]
    with ThreadPoolExecutor(THREADS) as pool, stage("images", len(wanted), "image") as counting:
        try:
            for _ in pool.map(fetcher.fetch_first, (text.split() for text in wanted)):
                counting.advance()
        finally:
            # After Ctrl-C, what is there counts.
            pool.shutdown(wait=True, cancel_futures=True)
            write_json(folder / FAILED_FILE, failed | report.failed)
            report.linked = _link(project)
    return report


class _Fetcher:
    """Fetches addresses, each once, with pauses between requests to one host. Shared by threads."""

    def __init__(
        self, folder: Path, limits: FetchLimits, report: FetchReport, failed: Mapping[str, str], present: set[str]
    ) -> None:
        self._folder, self._limits, self._report = folder, limits, report
        self._failed, self._present = failed, present
        self._lock = threading.Lock()
        self._turns: defaultdict[str, _Turns] = defaultdict(lambda: _Turns(limits))

    def fetch_first(self, addresses: Sequence[str]) -> None:
        """Fetch addresses in order until one brings an image."""
        for address in addresses:
            if self._fetch(address):
                return

    def _fetch(self, address: str) -> bool:
        """Return whether the image of an address is there, now or before."""
        name = address_name(address)
        with self._lock:
            if name in self._present:
                self._report.present += 1
                return True
            if address in self._failed:
                self._report.known += 1
                return False
        try:
            self._try(address, name)
        except DataError as error:
            with self._lock:
                self._report.failed[address] = str(error)
            return False
        except LaterError as error:
            with self._lock:
                self._report.later[address] = str(error)
            # Another picture of the item would take its place for good.
            return True
        with self._lock:
            self._report.fetched += 1
            self._present.add(name)
        return True

    def _try(self, address: str, name: str) -> None:
        with self._lock:
            turns = self._turns[urlsplit(address).netloc.lower()]
        for attempt in range(1, TRIES + 1):
            with turns.take(address):
                try:
                    download(address, self._folder, name, self._limits)
                    return
                except LaterError as error:
                    wait_s = self._limits.retry_s * 2 ** (attempt - 1) if error.wait_s is None else error.wait_s
                    if wait_s > self._limits.longest_wait_s:
                        turns.closed = f"the server asks to wait {wait_s:,.0f} s"
                        raise
                    if attempt == TRIES or not error.soon:
                        raise
                    # Inside of the host's turn: nobody asks it while it wants a pause.
                    time.sleep(wait_s)


class _Turns:
    """Turns at one host: so many at a time, so many per second. `closed`: why nobody asks it any more in this run."""

    def __init__(self, limits: FetchLimits) -> None:
        self._places = threading.BoundedSemaphore(limits.connections)
        self._pause_s = 1 / limits.per_second
        self._next = 0.0
        self._lock = threading.Lock()
        self.closed = ""

    @contextmanager
    def take(self, address: str) -> Iterator[None]:
        """Wait for a turn. Raises LaterError once the host is closed."""
        with self._places:
            if self.closed:
                raise LaterError(f"{address}: {self.closed}", wait_s=float("inf"))
            with self._lock:
                start = max(time.monotonic(), self._next)
                self._next = start + self._pause_s
            time.sleep(max(0.0, start - time.monotonic()))
            yield


def _link(project: Project) -> int:
    """Write the paths of fetched images to the item table; return the number of items that got one."""
    with exclusive_lock(project.root, wait=True):
        # Read again: an import may have replaced the items meanwhile.
        before = project.load_imported_items()
        after = link_fetched_images(before, project)
        linked = int((after[IMAGE] != before[IMAGE]).sum())
        if linked:
            with replacing_folder(project.data) as staging:
                for file in project.data.iterdir():
                    if file.name == ITEMS_FILE:
                        write_frame(staging / ITEMS_FILE, after)
                    else:
                        shutil.copy2(file, staging)
    return linked
