"""Pictures that callers send: checked, decoded, stripped of all metadata, stored by content, and embedded.

What is stored is a new JPEG of the pixels alone, so nothing of a stranger's file reaches another reader of it.
"""

from __future__ import annotations

import binascii
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from recsys.dataset.project import Project
from recsys.errors import ProjectError
from recsys.profiles.style_vectors import shared_embedder
from recsys.storage.artifacts import write_bytes
from style.errors import ImageError
from style.images import UPLOAD_LIMITS, decode_image
from style.vector import StyleVector

MAX_SIDE = 1600
"""Pixels that the longer side of a stored picture has at most."""
FOLDER = "uploads"
_STORED = re.compile(rf"live/{FOLDER}/[0-9a-f]{{64}}\.jpg")
_QUALITY = 92
_NAME = "the picture"


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture as it is stored: `jpeg`, upright RGB, at most `MAX_SIDE` a side, without metadata."""

    jpeg: bytes

    @classmethod
    def of(cls, data: bytes) -> Upload:
        """Of the bytes that somebody sent. Raises ImageError where they are no picture or pass `UPLOAD_LIMITS`."""
        image = decode_image(data, name=_NAME, short_side=MAX_SIDE, limits=UPLOAD_LIMITS)
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
        if min(image.size) < UPLOAD_LIMITS.min_side:
            raise ImageError(f"{_NAME}: too long for its width; the longer side is brought to {MAX_SIDE} pixels")
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=_QUALITY)
        return cls(buffer.getvalue())

    @property
    def name(self) -> str:
        """The file's name: the SHA-256 of its content."""
        return f"{hashlib.sha256(self.jpeg).hexdigest()}.jpg"

    def store(self, project: Project) -> str:
        """Keep it in the project, and return the path as the catalog names it.

        The same picture is stored once; its file is there whole or not at all. Raises ProjectError where it cannot be
        written.
        """
        path = project.live / FOLDER / self.name
        if not path.is_file():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, self.jpeg)
            except OSError as error:
                raise ProjectError(f"{path}: cannot be written: {error.strerror}") from None
        return project.image_reference(path)


def stored_upload(project: Project, image: str) -> Path:
    """The file of a path that `Upload.store` gave. Raises ImageError for any other path, and where it is gone.

    Callers may name pictures by such paths alone: all others would open files that are none of their business.
    """
    path = project.live / FOLDER / image.rpartition("/")[2]
    if not (_STORED.fullmatch(image) and path.is_file() and not path.is_symlink()):
        raise ImageError(f"{image[:120]!r}: no picture that was sent here before; send its bytes")
    return path


def decode_base64(text: str, max_bytes: int = UPLOAD_LIMITS.max_bytes) -> bytes:
    """The bytes in base64 of RFC 4648, with padding and without line breaks. Raises ImageError for any other text.

    The limit is checked before anything is decoded; an address, `data:` included, is none of it.
    """
    if len(text) > 4 * ((max_bytes + 2) // 3):
        raise ImageError(f"{_NAME}: more than {max_bytes} bytes, which is the most that is accepted")
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ImageError(f"{_NAME}: not base64; send the file's bytes in base64, without a prefix or breaks") from None


def embed_upload(upload: Upload, backbone: str, steps: tuple[str, ...] = ()) -> StyleVector:
    """The style vector of an upload, the same that a build gives its stored file; `steps`: its preprocessing.

    Takes some ten milliseconds, and seconds when the network is first needed. Raises WeightsError.
    """
    return shared_embedder(backbone, steps).embed_bytes(upload.jpeg)
