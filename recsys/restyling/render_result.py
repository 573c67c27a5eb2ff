"""Render results: an encoded image and the report of how it was made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from style.fidelity import FidelityReport, Limit, Measures
from style.images import Pixels
from style.modes import Strength
from style.provenance.mark import ImageFormat, encode


class RestyleStatus(StrEnum):
    """Source of an image: rendered now, rendered before, or the original."""

    COMPUTED = "computed"
    CACHED = "cached"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class RenderResult:
    """Encoded image.

    Attributes:
        data: Bytes of the file.
        media_type: Media type of the file.
        status: Source of the image.
        etag: SHA-256 of `data` in hexadecimal.
        engine: Version of the engine, None for an original.
        settled: False if the original replaces a restyled image that was not ready in time. The same request may
            then give another answer later.
        report: Requested and used strength, and the limits that lowered it. None if nothing was painted.
    """

    data: bytes
    media_type: str
    status: RestyleStatus
    etag: str
    engine: str | None
    settled: bool
    report: FidelityReport | None

    @classmethod
    def from_rendering(
        cls, data: bytes, image_format: ImageFormat, status: RestyleStatus, engine: str, report: FidelityReport
    ) -> RenderResult:
        """Return the result of a rendering. If its strength was lowered to 0, it is an original.

        Args:
            data: Bytes of the file.
            image_format: Format of the file.
            status: Whether the image was computed or cached.
            engine: Version of the engine.
            report: Report of fidelity.
        """
        painted = report.used.largest > 0
        return cls(
            data,
            image_format.media_type,
            status if painted else RestyleStatus.ORIGINAL,
            hashlib.sha256(data).hexdigest(),
            engine if painted else None,
            settled=True,
            report=report,
        )

    @classmethod
    def from_photo(cls, pixels: Pixels, image_format: ImageFormat) -> RenderResult:
        """Encode a photo `(H, W, 3)` without a mark."""
        data = encode(pixels, image_format, None)
        etag = hashlib.sha256(data).hexdigest()
        return cls(data, image_format.media_type, RestyleStatus.ORIGINAL, etag, None, settled=True, report=None)

    @property
    def strength(self) -> float:
        """Used strength of texture or color, the larger of both; 0 for an original."""
        return 0.0 if self.report is None else self.report.used.largest

    @property
    def limited_by(self) -> tuple[Limit, ...]:
        """Limits that lowered the strength."""
        return () if self.report is None else self.report.limited_by


def pack(data: bytes, report: FidelityReport) -> bytes:
    """Return a rendering as bytes for the cache: the report as one line of JSON, then the image."""
    return json.dumps(asdict(report)).encode() + b"\n" + data


def unpack(packed: bytes) -> tuple[bytes, FidelityReport]:
    """Return the image and the report in bytes of `pack`."""
    line, _, data = packed.partition(b"\n")
    fields = json.loads(line)
    report = FidelityReport(
        requested=Strength(**fields["requested"]),
        used=Strength(**fields["used"]),
        measures=None if fields["measures"] is None else Measures(**fields["measures"]),
        limited_by=tuple(map(Limit, fields["limited_by"])),
    )
    return data, report
