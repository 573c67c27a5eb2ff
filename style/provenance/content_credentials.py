"""Content Credentials (C2PA): signed manifest in the image, which shows who restyled it and that it was not changed.

Needs the extra `c2pa`. The manifest says that the image was created as a composite by the engine, and repeats the mark.
It names no ingredient: nothing of the photo under the paint is published.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from style.errors import CredentialError, ExtraError
from style.provenance.mark import DIGITAL_SOURCE_TYPE, ImageFormat, Mark

MARK_LABEL = "org.style-recsys.restyle"
# A thumbnail of an image this small would be most of the file.
_OPTIONS = {"builder": {"thumbnail": {"enabled": False}}}


class SigningAlgorithm(StrEnum):
    """Algorithm of a signing key that C2PA allows."""

    ES256 = "es256"
    ES384 = "es384"
    ES512 = "es512"
    PS256 = "ps256"
    PS384 = "ps384"
    PS512 = "ps512"
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """Signer: certificate chain (PEM, own certificate first, no root needed) and private key (PEM, PKCS 8).

    `timestamp_url`: a time-stamping authority (RFC 3161) that is called at each signature. Without one, signatures lose
    their value when the certificate expires.
    """

    chain: bytes
    key: bytes = field(repr=False)
    algorithm: SigningAlgorithm = SigningAlgorithm.ES256
    timestamp_url: str | None = None

    @classmethod
    def read(cls, chain: Path, key: Path, algorithm: SigningAlgorithm = SigningAlgorithm.ES256) -> SigningIdentity:
        """Read both files. Raises CredentialError that names the file which cannot be read."""
        return cls(_read(chain), _read(key), algorithm)


def sign(data: bytes, image_format: ImageFormat, mark: Mark, identity: SigningIdentity) -> bytes:
    """Add a signed manifest to the image; its pixels and its XMP stay unchanged.

    Args:
        data: Image file.
        image_format: Format of the file.
        mark: Mark to repeat in the manifest.
        identity: Certificate and key.

    Raises:
        ExtraError: If `c2pa-python` is not installed.
        CredentialError: If the key and certificate cannot sign.
    """
    c2pa = _library()
    engine = {"name": mark.engine, "version": mark.version}
    created = {"action": "c2pa.created", "digitalSourceType": DIGITAL_SOURCE_TYPE, "softwareAgent": engine}
    manifest = {
        "claim_generator_info": [{"name": "style-recsys"}],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": MARK_LABEL, "data": mark.properties()},
        ],
    }
    signed = io.BytesIO()
    try:
        info = c2pa.C2paSignerInfo(identity.algorithm.value, identity.chain, identity.key, identity.timestamp_url)
        with (
            c2pa.Signer.from_info(info) as signer,
            c2pa.Context.from_dict(_OPTIONS) as context,
            c2pa.Builder(manifest, context) as builder,
        ):
            builder.sign(signer, image_format.media_type, io.BytesIO(data), signed)
    except c2pa.C2paError as error:
        raise CredentialError(
            f"the image cannot be signed with this certificate and key ({identity.algorithm}): {error}"
        ) from None
    return signed.getvalue()


def read_manifest(data: bytes, image_format: ImageFormat) -> dict[str, Any]:
    """Read the active manifest of a signed image after checking signature and hashes.

    Trust in the signer is not checked.

    Raises:
        ExtraError: If `c2pa-python` is not installed.
        CredentialError: If there is no manifest or the image was changed after it was signed.
    """
    c2pa = _library()
    try:
        with c2pa.Reader(image_format.media_type, io.BytesIO(data)) as reader:
            state, store = reader.get_validation_state(), json.loads(reader.json())
    except c2pa.C2paError as error:
        raise CredentialError(f"the image has no manifest that can be read: {error}") from None
    if state not in ("Valid", "Trusted"):
        raise CredentialError(f"the manifest does not match the image ({state}): it was changed after it was signed")
    manifest: dict[str, Any] = store["manifests"][store["active_manifest"]]
    return manifest


def _library() -> Any:
    try:
        import c2pa
    except ImportError:
        raise ExtraError("c2pa-python", "c2pa") from None
    return c2pa


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CredentialError(f"{path}: cannot be read: {error.strerror}") from None
