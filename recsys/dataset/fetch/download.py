"""Download of one image: resumed after a kill, bounded, decoded before it gets its name."""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

from recsys import __version__
from recsys.dataset.fetch.connection import FetchLimits, Target, connect
from recsys.errors import DataError
from recsys.storage.artifacts import write_text
from style.errors import ImageError
from style.images import check_image, image_suffix

USER_AGENT = f"style-recsys/{__version__} (images fetch)"
MAX_REDIRECTS = 5
_CHUNK = 2**16
_REDIRECTS = {301, 302, 303, 307, 308}
_LATER = {429, 503}


class LaterError(Exception):
    """Server asks to come back later, or fails for the moment.

    `wait_s` is None if it does not say when. `soon`: another try in the same run makes sense.
    """

    def __init__(self, reason: str, wait_s: float | None = None, *, soon: bool = True) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.soon = soon


@dataclass(frozen=True, slots=True)
class PartialFile:
    """File of a download that is not complete, and beside it what identifies the version that it belongs to."""

    path: Path

    @property
    def _validator_file(self) -> Path:
        return self.path.with_suffix(".json")

    def resume_headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest; empty if the download starts anew."""
        try:
            size = self.path.stat().st_size
            validator = str(json.loads(self._validator_file.read_text(encoding="utf-8"))["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return {"Range": f"bytes={size}-", "If-Range": validator} if size and validator else {}

    def begin(self, answer: http.client.HTTPResponse) -> None:
        """Start a new version: forget the bytes, and keep its strong ETag or its date."""
        self.discard()
        tag = answer.headers.get("ETag", "")
        validator = tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
        write_text(self._validator_file, json.dumps({"validator": validator}))

    def discard(self) -> None:
        """Delete what is there."""
        for file in (self.path, self._validator_file):
            file.unlink(missing_ok=True)


def download(address: str, folder: Path, name: str, limits: FetchLimits) -> Path:
    """Download an image to `folder`/ab/`name`.jpg (or its own suffix) and return the path.

    Args:
        address: Web address; redirects are followed within the allowed hosts.
        folder: Folder of fetched images.
        name: Name of the file without suffix; its first two characters name the subfolder.
        limits: Limits of downloads.

    Raises:
        DataError: The address may not be fetched, or there is no image that can be read.
        LaterError: A later try may succeed.
    """
    parts = folder / ".parts"
    parts.mkdir(parents=True, exist_ok=True)
    partial = PartialFile(parts / f"{name}.part")
    until = time.monotonic() + limits.image_s
    target = Target.from_address(address, limits)
    for _ in range(MAX_REDIRECTS + 1):
        try:
            with closing(connect(target, limits)) as connection, _deadline(connection, until):
                headers = {"Host": target.authority, "User-Agent": USER_AGENT, "Accept": "image/*"}
                headers["Accept-Encoding"] = "identity"
                connection.request("GET", target.path, headers=headers | partial.resume_headers())
                answer = connection.getresponse()
                if answer.status not in _REDIRECTS:
                    _receive(answer, partial, limits, until, address)
                    return _finish(partial, folder, name, address)
                location = answer.headers.get("Location", "")
        except (OSError, http.client.HTTPException) as error:
            raise LaterError(f"{address}: {error or type(error).__name__}") from None
        target = Target.from_address(urljoin(str(target), location), limits)
    raise DataError(f"{address}: more than {MAX_REDIRECTS} redirects")


def _receive(
    answer: http.client.HTTPResponse, partial: PartialFile, limits: FetchLimits, until: float, address: str
) -> None:
    """Write the body behind the bytes that are there, or anew."""
    status = answer.status
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        raise LaterError(f"{address}: the server answers {status}", _wait(answer.headers.get("Retry-After", "")))
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        partial.discard()
        raise LaterError(f"{address}: the file on the server changed")
    held = partial.path.stat().st_size if partial.path.exists() else 0
    if status == HTTPStatus.PARTIAL_CONTENT:
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            partial.discard()
            raise LaterError(f"{address}: the server sends another part than it was asked for")
    elif status == HTTPStatus.OK:
        partial.begin(answer)
        held = 0
    else:
        raise DataError(f"{address}: the server answers {status} {answer.reason}")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise DataError(f"{address}: sent compressed, which was not asked for")
    declared = answer.headers.get("Content-Length", "")
    expected = held + int(declared) if declared.isdigit() else 0
    if expected > limits.max_bytes:
        partial.discard()
        raise DataError(f"{address}: {expected:,} bytes; at most {limits.max_bytes:,} are fetched")
    with partial.path.open("ab") as file:
        while block := answer.read1(_CHUNK):
            held += len(block)
            if held > limits.max_bytes:
                file.close()
                partial.discard()
                raise DataError(f"{address}: more than {limits.max_bytes:,} bytes")
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    # `read1` ends without an error if the connection does.
    if time.monotonic() > until:
        reason = f"{address}: took more than {limits.image_s:g} s; the next run goes on from here"
        raise LaterError(reason, soon=False)
    if declared.isdigit() and held < expected:
        raise LaterError(f"{address}: the connection ended early; the next run goes on from here")


@contextmanager
def _deadline(connection: http.client.HTTPConnection, until: float) -> Iterator[None]:
    """End a connection at a time: a server that sends a byte now and then never exceeds the limit of silence."""
    # The answer takes the socket over from the connection.
    opened = connection.sock

    def end() -> None:
        with suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, until - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _finish(partial: PartialFile, folder: Path, name: str, address: str) -> Path:
    try:
        check_image(partial.path)
        suffix = image_suffix(partial.path)
    except ImageError as error:
        partial.discard()
        raise DataError(f"{address}: {str(error).removeprefix(f'{partial.path}: ')}") from None
    final = folder / name[:2] / f"{name}{suffix}"
    final.parent.mkdir(exist_ok=True)
    partial.path.replace(final)
    partial.discard()
    return final


def _wait(text: str) -> float | None:
    """Return the seconds that a Retry-After header asks for; None without one."""
    if text.strip().isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
