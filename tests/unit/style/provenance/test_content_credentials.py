"""Signed manifests, with a certificate authority that exists for the test alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from style.credit import StyleCredit
from style.errors import CredentialError, ExtraError
from style.images import Pixels, decode_image
from style.modes import PaintMode, Strength
from style.provenance.content_credentials import MARK_LABEL, SigningAlgorithm, SigningIdentity, read_manifest, sign
from style.provenance.mark import DIGITAL_SOURCE_TYPE, ImageFormat, Mark, encode, read_mark

MARK = Mark("film", "film-1a2b", Strength(0.5, 0.6), PaintMode.FULL, False, "ab" * 32, StyleCredit("linen", "CC0-1.0"))


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return np.random.default_rng(0).uniform(0, 1, (40, 60, 3)).astype(np.float32)


@pytest.mark.parametrize("image_format", list(ImageFormat))
def test_the_manifest_is_read_back_and_the_picture_stays(
    picture: Pixels, signing_identity: SigningIdentity, image_format: ImageFormat
) -> None:
    plain = encode(picture, image_format, MARK)
    signed = sign(plain, image_format, MARK, signing_identity)
    manifest = read_manifest(signed, image_format)
    assertions = {assertion["label"]: assertion["data"] for assertion in manifest["assertions"]}
    (action,) = assertions["c2pa.actions.v2"]["actions"]
    assert (action["action"], action["digitalSourceType"]) == ("c2pa.created", DIGITAL_SOURCE_TYPE)
    assert action["softwareAgent"] == {"name": "film", "version": "film-1a2b"}
    assert assertions[MARK_LABEL] == MARK.properties()
    assert manifest["signature_info"]["common_name"] == "Shop"
    assert not manifest.get("ingredients")
    assert read_mark(signed) == MARK
    assert decode_image(signed).tobytes() == decode_image(plain).tobytes()


def test_a_picture_that_was_changed_after_it_was_signed_is_told(
    picture: Pixels, signing_identity: SigningIdentity
) -> None:
    signed = bytearray(sign(encode(picture, ImageFormat.JPEG, MARK), ImageFormat.JPEG, MARK, signing_identity))
    signed[-40] ^= 1
    with pytest.raises(CredentialError, match="changed after it was signed"):
        read_manifest(bytes(signed), ImageFormat.JPEG)


def test_a_picture_without_a_manifest_is_told(picture: Pixels, signing_identity: SigningIdentity) -> None:
    with pytest.raises(CredentialError, match="no manifest"):
        read_manifest(encode(picture, ImageFormat.PNG, MARK), ImageFormat.PNG)


def test_what_cannot_sign_is_told_without_the_key(picture: Pixels, signing_identity: SigningIdentity) -> None:
    data = encode(picture, ImageFormat.PNG, MARK)
    wrong = [
        SigningIdentity(signing_identity.chain, b"no key"),
        SigningIdentity(b"no certificate", signing_identity.key),
        SigningIdentity(signing_identity.chain, signing_identity.key, SigningAlgorithm.PS256),
    ]
    for one in wrong:
        with pytest.raises(CredentialError, match="cannot be signed"):
            sign(data, ImageFormat.PNG, MARK, one)
    assert "PRIVATE" not in repr(signing_identity)


def test_files_that_are_not_there_are_named(tmp_path: Path, signing_identity: SigningIdentity) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(signing_identity.chain)
    with pytest.raises(CredentialError, match=r"key\.pem"):
        SigningIdentity.read(chain, key)
    key.write_bytes(signing_identity.key)
    assert SigningIdentity.read(chain, key) == signing_identity


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, picture: Pixels) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(ExtraError, match=r"c2pa-python is not installed: pip install 'style-recsys\[c2pa\]'"):
        sign(encode(picture, ImageFormat.PNG, MARK), ImageFormat.PNG, MARK, SigningIdentity(b"", b""))


def test_the_module_is_imported_without_the_library() -> None:
    code = "import sys; sys.modules['c2pa'] = None; import style.provenance.content_credentials"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
