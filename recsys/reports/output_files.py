"""A restyled picture as files: signed if wished, with a sidecar if wished."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recsys.errors import RequestError
from recsys.reports.inline_images import write_file
from recsys.restyling.render_result import RenderResult
from style.fidelity import Limit
from style.provenance.content_credentials import SigningIdentity, sign
from style.provenance.mark import ImageFormat, Mark, read_mark
from style.provenance.sidecar import SUFFIX, sidecar


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a picture goes and what goes with it. `certificate` and `key` (PEM) are given together, or neither."""

    out: Path
    image_format: ImageFormat
    sidecar: bool = False
    certificate: Path | None = None
    key: Path | None = None

    def deliver(self, picture: RenderResult) -> list[Path]:
        """Write the files and name them. Originals have no mark, so that they are neither signed nor described.

        Raises RequestError where the mode had nothing to paint, CredentialError or ExtraError where the picture
        cannot be signed, ProjectError where a file cannot be written.
        """
        if Limit.NO_BACKDROP in picture.limited_by:
            raise RequestError("mode", "this photo has no plain backdrop, hence no background to paint; use another")
        mark = read_mark(picture.data)
        data = picture.data if mark is None else self._signed(picture.data, mark)
        write_file(self.out, data)
        if mark is None or not self.sidecar:
            return [self.out]
        beside = self.out.with_name(self.out.name + SUFFIX)
        write_file(beside, sidecar(data, mark).encode())
        return [self.out, beside]

    def _signed(self, data: bytes, mark: Mark) -> bytes:
        if self.certificate is None or self.key is None:
            return data
        return sign(data, self.image_format, mark, SigningIdentity.read(self.certificate, self.key))
