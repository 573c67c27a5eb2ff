"""Uploads: what is stored is the picture alone, under its own hash, and its style is the one a build would give it."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.dataset.project import Project
from recsys.errors import ProjectError
from recsys.serving.uploads import MAX_SIDE, Upload, decode_base64, embed_upload
from style.embedding import StyleEmbedder
from style.errors import ImageError, WeightsError
from style.images import UPLOAD_LIMITS, decode_image, read_image


def photo(size: tuple[int, int] = (120, 80), name: str = "JPEG", **options: object) -> bytes:
    noise = np.random.default_rng(3).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize(size).save(buffer, name, **options)
    return buffer.getvalue()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "shop", "shop")


def test_it_is_stored_once_under_its_hash_as_the_catalog_names_it(project: Project) -> None:
    upload = Upload.from_bytes(photo())
    image = upload.store(project)
    assert image == f"live/uploads/{hashlib.sha256(upload.jpeg).hexdigest()}.jpg"
    assert project.resolve_image(image).read_bytes() == upload.jpeg
    before = project.resolve_image(image).stat()
    assert Upload.from_bytes(photo()).store(project) == image
    assert project.resolve_image(image).stat().st_mtime_ns == before.st_mtime_ns
    assert Upload.from_bytes(photo((121, 80))).store(project) != image
    assert len(list((project.live / "uploads").iterdir())) == 2


def test_many_at_once_store_one_whole_file(project: Project) -> None:
    upload = Upload.from_bytes(photo())
    with ThreadPoolExecutor(8) as pool:
        images = set(pool.map(lambda _: upload.store(project), range(24)))
    assert len(images) == 1
    (file,) = (project.live / "uploads").iterdir()
    assert file.read_bytes() == upload.jpeg


def test_it_is_turned_upright_and_nothing_of_the_file_but_pixels_stays() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = "Jane Photographer"
    exif.get_ifd(0x8825)[1] = "N"
    jpeg = Upload.from_bytes(photo(exif=exif, comment=b"Jane's flat") + b"Jane's archive").jpeg
    assert b"Jane" not in jpeg
    stored = Image.open(io.BytesIO(jpeg))
    assert (stored.size, stored.mode, stored.format) == ((80, 120), "RGB", "JPEG")
    assert not stored.getexif()
    assert set(stored.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize(
    ("size", "stored"), [((3000, 2000), (1600, 1067)), ((900, 3200), (450, 1600)), ((1600, 100), (1600, 100))]
)
def test_it_is_shrunk_and_never_enlarged(size: tuple[int, int], stored: tuple[int, int]) -> None:
    assert decode_image(Upload.from_bytes(photo(size)).jpeg).size == stored
    assert max(stored) <= MAX_SIDE


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"<svg/>", "not an image"),
        (photo()[:300], "not a whole image"),
        (photo((7, 7)), "7x7 pixels; each side needs at least 8"),
        (photo((16_000, 9), "PNG"), "too long for its width"),
        (photo((9_000, 5_000), "PNG"), "at most 16384 a side and 36000000 in all"),
        (bytes(UPLOAD_LIMITS.max_bytes + 1), "at most 12582912 are accepted"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        Upload.from_bytes(data)


def test_a_folder_that_cannot_be_written_is_named(project: Project) -> None:
    project.live.write_text("a file in the folder's place")
    with pytest.raises(ProjectError, match="cannot be written"):
        Upload.from_bytes(photo()).store(project)


def test_base64_is_strict() -> None:
    data = photo()
    text = base64.b64encode(data).decode()
    assert decode_base64(text) == data
    assert decode_base64("") == b""
    assert decode_base64("data:image/jpeg;base64," + text) == data
    with pytest.raises(ImageError, match="data URI without base64"):
        decode_base64("data:image/svg+xml,%3Csvg%3E")
    unpadded = base64.b64encode(b"1234").decode()
    for wrong in (
        text + "\n",
        "data:image/jpeg;base64," + text + "\n",
        " " + text,
        unpadded[:-1],
        unpadded + "=",
        "Zm9v-_==",
        "Zg==Zg==",
        "Zm9vé",
        "A",
        "http://127.0.0.1/a.jpg",
        "file:///etc/passwd",
    ):
        with pytest.raises(ImageError, match="not base64"):
            decode_base64(wrong)


def test_base64_is_measured_before_it_is_decoded() -> None:
    assert decode_base64("AAAA" * 4, max_bytes=12) == bytes(12)
    for size in (13, 14, 15, 16):
        text = base64.b64encode(bytes(size)).decode()
        if len(text) > 16:
            with pytest.raises(ImageError, match="more than 12 bytes"):
                decode_base64(text, max_bytes=12)
    with pytest.raises(ImageError, match="more than 12 bytes"):
        decode_base64("!" * 10_000_000, max_bytes=12)


def test_its_style_is_the_one_a_build_gives_the_stored_file(project: Project) -> None:
    upload = Upload.from_bytes(photo((400, 300)))
    stored = project.resolve_image(upload.store(project))
    vector = embed_upload(upload, "vgg-slim")
    np.testing.assert_array_equal(vector.values, StyleEmbedder.load("vgg-slim").embed_files([stored])[0])
    assert read_image(stored).shape == (300, 400, 3)


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(WeightsError, match="vgg-none"):
        embed_upload(Upload.from_bytes(photo()), "vgg-none")


def test_importing_loads_no_torch() -> None:
    code = "import sys, recsys.serving.uploads; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
