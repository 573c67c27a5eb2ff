"""Uploads: images of callers are checked, decoded, stripped of metadata, stored by content, and embedded.

The stored file is a new JPEG of the pixels, so no other content of the upload reaches its readers.
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
"""Largest longer side of a stored image, in pixels."""
FOLDER = "uploads"
_STORED = re.compile(rf"live/{FOLDER}/[0-9a-f]{{64}}\.jpg")
_QUALITY = 92
_NAME = "the image"


@dataclass(frozen=True, slots=True)
class Upload:
    """Image as it is stored: a JPEG file, upright RGB, at most `MAX_SIDE` pixels a side, without metadata."""

    jpeg: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Upload:
        """Decode an image file. Raises ImageError if it is no image or exceeds `UPLOAD_LIMITS`."""
        image = decode_image(data, name=_NAME, short_side=MAX_SIDE, limits=UPLOAD_LIMITS)
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
        if min(image.size) < UPLOAD_LIMITS.min_side:
            raise ImageError(f"{_NAME}: too long for its width; the longer side is brought to {MAX_SIDE} pixels")
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=_QUALITY)
        return cls(buffer.getvalue())

    @property
    def name(self) -> str:
        """Name of the file: the SHA-256 of its content."""
        return f"{hashlib.sha256(self.jpeg).hexdigest()}.jpg"

    def store(self, project: Project) -> str:
        """Store the image in the project, and return its path for the catalog.

        The same image is stored once, by an atomic write. Raises ProjectError if it cannot be written.
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
    """Return the file of a path that `Upload.store` returned. Raises ImageError for other paths and missing files.

    Callers may name images only by such paths, because other paths could open any file of the server.
    """
    path = project.live / FOLDER / image.rpartition("/")[2]
    if not (_STORED.fullmatch(image) and path.is_file() and not path.is_symlink()):
        raise ImageError(f"{image[:120]!r}: no image that was sent here before; send its bytes")
    return path


def decode_base64(text: str, max_bytes: int = UPLOAD_LIMITS.max_bytes) -> bytes:
    """Decode base64 of RFC 4648 with padding and without line breaks. Raises ImageError for any other text.

    A `data:` URI is its base64. The limit is checked before the text is decoded. Addresses are rejected.
    """
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise ImageError(f"{_NAME}: a data URI without base64; it begins with data:image/jpeg;base64,")
    if len(text) > 4 * ((max_bytes + 2) // 3):
        raise ImageError(f"{_NAME}: more than {max_bytes} bytes, which is the most that is accepted")
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ImageError(f"{_NAME}: not base64; send the file's bytes in base64, without a prefix or breaks") from None


def embed_upload(upload: Upload, backbone: str, steps: tuple[str, ...] = ()) -> StyleVector:
    """Return the style vector (128,) of an upload, equal to the one that a build computes from its stored file.

    It takes about ten milliseconds, and seconds when the network is first loaded.

    Args:
        upload: The image.
        backbone: Name of the network.
        steps: Names of the preprocessing steps.

    Raises:
        WeightsError: The weights of the network are missing.
    """
    return shared_embedder(backbone, steps).embed_bytes(upload.jpeg)
