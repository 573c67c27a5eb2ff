"""Restyled images as files, optionally signed or with a sidecar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recsys.errors import RequestError
from recsys.reports.inline_images import write_file
from recsys.restyling.render_result import RenderResult
from style.fidelity import Limit
from style.provenance.content_credentials import SigningIdentity, sign
from style.provenance.mark import ImageFormat, read_mark
from style.provenance.sidecar import SUFFIX, sidecar


@dataclass(frozen=True, slots=True)
class Delivery:
    """Output of an image; `certificate` and `key` (PEM) are given together, or neither."""

    out: Path
    image_format: ImageFormat
    sidecar: bool = False
    certificate: Path | None = None
    key: Path | None = None

    def deliver(self, image: RenderResult) -> list[Path]:
        """Write the files and return their paths. Originals have no mark, so they get no signature and no sidecar.

        Raises:
            RequestError: the photo has no background to paint.
            CredentialError: the image cannot be signed.
            ExtraError: a package for signing is not installed.
            ProjectError: a file cannot be written.
        """
        if Limit.NO_BACKDROP in image.limited_by:
            raise RequestError("mode", "this photo has no plain backdrop, so no background to paint; use another mode")
        mark = read_mark(image.data)
        data = image.data
        if mark is not None and self.certificate is not None and self.key is not None:
            data = sign(data, self.image_format, mark, SigningIdentity.read(self.certificate, self.key))
        write_file(self.out, data)
        if mark is None or not self.sidecar:
            return [self.out]
        beside = self.out.with_name(self.out.name + SUFFIX)
        write_file(beside, sidecar(data, mark).encode())
        return [self.out, beside]
