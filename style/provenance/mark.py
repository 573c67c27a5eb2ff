"""Mark in restyled images that says they are synthetic: an XMP packet with the IPTC's digital source type.

The type is "composite with trained algorithmic media" in every mode, because there is always a photo under the paint.
The type "trained algorithmic media" would be wrong, as it means made by a network only. The type "algorithmically
enhanced" means minor corrections, which would understate new colors. Engine and version use the IPTC's own properties
(Photo Metadata Standard 2025.1). All other properties are in this project's namespace.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from style.credit import StyleCredit
from style.errors import ImageError, StyleError
from style.images import Pixels, from_pixels
from style.modes import PaintMode, Strength

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_OWN = "tag:style-recsys,2025:restyle/"
_IPTC_PROPERTIES = ("DigitalSourceType", "AISystemUsed", "AISystemVersionUsed")
_PREFIXES = {"x": "adobe:ns:meta/", "rdf": _RDF, "Iptc4xmpExt": _IPTC, "restyle": _OWN}
_PACKET_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_PACKET_END = '<?xpacket end="r"?>'
_PACKET_LIMIT = 65_000


class ImageFormat(StrEnum):
    """File format of restyled images."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        """Media type for an HTTP Content-Type header."""
        return f"image/{self.value}"


@dataclass(frozen=True, slots=True)
class Mark:
    """Content of the mark in a restyled image.

    `strength` is the one used, which may be less than requested; it is rounded to three decimals. `model_sha256`: the
    hash of the engine's weights, "" for an engine without weights.
    """

    engine: str
    version: str
    strength: Strength
    mode: PaintMode = PaintMode.PRODUCT
    keep_color: bool = False
    model_sha256: str = ""
    credit: StyleCredit | None = None

    def properties(self) -> dict[str, str]:
        """Return the mark as names and texts, `DigitalSourceType` first."""
        properties = {
            "DigitalSourceType": DIGITAL_SOURCE_TYPE,
            "AISystemUsed": self.engine,
            "AISystemVersionUsed": self.version,
            "ModelSha256": self.model_sha256,
            "Mode": self.mode.value,
            "KeepColor": str(self.keep_color),
            "TextureStrength": f"{self.strength.texture:.3f}",
            "ColorStrength": f"{self.strength.color:.3f}",
        }
        if self.credit is not None:
            properties |= {"StyleReference": self.credit.style_id, "StyleLicense": self.credit.license}
        return properties

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> Mark | None:
        """Parse the mark, or return None if the properties are not those of a mark."""
        if properties.get("DigitalSourceType") != DIGITAL_SOURCE_TYPE:
            return None
        try:
            return cls(
                engine=properties["AISystemUsed"],
                version=properties["AISystemVersionUsed"],
                strength=Strength(float(properties["TextureStrength"]), float(properties["ColorStrength"])),
                mode=PaintMode(properties["Mode"]),
                keep_color=properties["KeepColor"] == str(True),
                model_sha256=properties["ModelSha256"],
                credit=None
                if "StyleReference" not in properties
                else StyleCredit(properties["StyleReference"], properties["StyleLicense"]),
            )
        except (KeyError, ValueError, StyleError):
            return None


def encode(pixels: Pixels, image_format: ImageFormat, mark: Mark | None) -> bytes:
    """Encode an image `(H, W, 3)` in [0, 1] as a file; `mark` says that it is restyled (None: an original).

    The file holds pixels and the mark only: no EXIF, profile or comment of the input.
    """
    options = _SAVE_OPTIONS[image_format]
    if mark is not None:
        options = options | _metadata(image_format, _packet(mark))
    buffer = io.BytesIO()
    from_pixels(pixels).save(buffer, image_format.value, **options)
    return buffer.getvalue()


def encode_animation(
    frames: Sequence[Pixels], milliseconds: int, image_format: ImageFormat, mark: Mark | None
) -> bytes:
    """Encode frames `(H, W, 3)` of one size as one endless animation, PNG or WebP.

    Args:
        frames: Frames in [0, 1], in order.
        milliseconds: Duration of each frame.
        image_format: PNG or WebP.
        mark: Says that the frames are restyled (None: originals).

    Raises:
        ImageError: If the format holds only one image.
    """
    if image_format is ImageFormat.JPEG:
        raise ImageError("JPEG holds only one image; use webp or png for an animation")
    options = _SAVE_OPTIONS[image_format] | ({} if mark is None else _metadata(image_format, _packet(mark)))
    first, *others = (from_pixels(frame) for frame in frames)
    buffer = io.BytesIO()
    first.save(
        buffer, image_format.value, save_all=True, append_images=others, duration=milliseconds, loop=0, **options
    )
    return buffer.getvalue()


def read_mark(data: bytes) -> Mark | None:
    """Read the mark in a file's bytes, None if there is none. Raises ImageError if the bytes are no image."""
    try:
        with Image.open(io.BytesIO(data), formats=[kind.value for kind in ImageFormat]) as image:
            image.load()
            packet = image.info.get("xmp", b"")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"not a readable image ({error}); accepted: {', '.join(ImageFormat)}") from None
    packet = packet if isinstance(packet, bytes) else str(packet).encode()
    # XML declarations can expand without bound or read other files; no XMP packet needs one.
    if len(packet) > _PACKET_LIMIT or b"<!" in packet or b"\0" in packet:
        return None
    try:
        root = ElementTree.fromstring(packet)  # noqa: S314
    except (ElementTree.ParseError, ValueError):
        return None
    found = {element.tag: element.text or "" for element in root.iter()}
    return Mark.from_properties(
        {tag.rpartition("}")[2]: text for tag, text in found.items() if tag == _qualified_tag(tag)}
    )


_SAVE_OPTIONS: dict[ImageFormat, dict[str, Any]] = {
    ImageFormat.JPEG: {"quality": 90, "optimize": True},
    ImageFormat.PNG: {},
    ImageFormat.WEBP: {"quality": 88},
}


def _metadata(image_format: ImageFormat, packet: bytes) -> dict[str, Any]:
    if image_format is not ImageFormat.PNG:
        return {"xmp": packet}
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    return {"pnginfo": info}


def _packet(mark: Mark) -> bytes:
    for prefix, uri in _PREFIXES.items():
        ElementTree.register_namespace(prefix, uri)
    root = ElementTree.Element(f"{{{_PREFIXES['x']}}}xmpmeta")
    rdf = ElementTree.SubElement(root, f"{{{_RDF}}}RDF")
    description = ElementTree.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""})
    for name, value in mark.properties().items():
        ElementTree.SubElement(description, _qualified_tag(name)).text = value
    body = ElementTree.tostring(root, encoding="unicode")
    return f"{_PACKET_BEGIN}{body}{_PACKET_END}".encode()


def _qualified_tag(tag: str) -> str:
    """Return the tag, with namespace, of the property that a tag names."""
    name = tag.rpartition("}")[2]
    return f"{{{_IPTC if name in _IPTC_PROPERTIES else _OWN}}}{name}"
