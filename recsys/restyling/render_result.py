"""What a render gives: a picture's bytes, and what was used to make them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from style.fidelity import FidelityReport, Limit, Measures
from style.images import Pixels
from style.modes import Strength
from style.provenance.mark import ImageFormat, encode


class RestyleStatus(StrEnum):
    """Where the bytes come from: rendered now, rendered before, or the photo as it is."""

    COMPUTED = "computed"
    CACHED = "cached"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class RenderResult:
    """An encoded picture.

    `etag` is the SHA-256 of `data` in hexadecimal. `engine` is the engine's version, None for an original.
    `settled` is False where an original stands in for a restyled picture that could not be had in time: asking
    again may give another answer. `report` says what was asked, what was used and why; None where nothing was tried.
    """

    data: bytes
    media_type: str
    status: RestyleStatus
    etag: str
    engine: str | None
    settled: bool
    report: FidelityReport | None

    @classmethod
    def of(
        cls, data: bytes, image_format: ImageFormat, status: RestyleStatus, engine: str, report: FidelityReport
    ) -> RenderResult:
        """A rendering; one whose strength was lowered to 0 is the original."""
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
    def original(cls, pixels: Pixels, image_format: ImageFormat, *, settled: bool) -> RenderResult:
        """A photo as it is, without a mark."""
        data = encode(pixels, image_format, None)
        etag = hashlib.sha256(data).hexdigest()
        return cls(data, image_format.media_type, RestyleStatus.ORIGINAL, etag, None, settled, None)

    @property
    def strength(self) -> float:
        """The strength used, of texture or color, whichever is larger; 0 for an original."""
        return 0.0 if self.report is None else self.report.used.largest

    @property
    def limited_by(self) -> tuple[Limit, ...]:
        """What held the strength back."""
        return () if self.report is None else self.report.limited_by


def pack(data: bytes, report: FidelityReport) -> bytes:
    """A rendering as the cache keeps it: the report as one line of JSON, then the picture."""
    return json.dumps(asdict(report)).encode() + b"\n" + data


def unpack(packed: bytes) -> tuple[bytes, FidelityReport]:
    """The picture and the report in bytes of `pack`."""
    line, _, data = packed.partition(b"\n")
    return data, _report(json.loads(line))


def _report(found: dict[str, Any]) -> FidelityReport:
    return FidelityReport(
        asked=Strength(**found["asked"]),
        used=Strength(**found["used"]),
        measures=None if found["measures"] is None else Measures(**found["measures"]),
        limited_by=tuple(map(Limit, found["limited_by"])),
    )
