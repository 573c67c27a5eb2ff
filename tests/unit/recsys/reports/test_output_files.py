"""Pictures as files: what goes beside them, what is refused, and what is never overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from recsys.config import RestyleSettings
from recsys.errors import ConfigError, RequestError
from recsys.reports.inline_images import refuse_overwriting
from recsys.reports.output_files import Delivery
from recsys.restyling.renderer import Renderer
from recsys.storage.cache import DiskCache
from style.modes import PaintMode
from style.provenance.mark import ImageFormat, read_mark
from style.provenance.sidecar import read_sidecar
from style.transfer.color import ColorStylizer
from style.vector import StyleVector
from tests.render_requests import request_for

STYLE = StyleVector.from_values(np.random.default_rng(1).normal(size=128))


@pytest.fixture
def restyler(tmp_path: Path) -> Iterator[Renderer]:
    cache = DiskCache(tmp_path / "cache", 10_000_000)
    with Renderer(RestyleSettings(engine="color"), cache, load_engine=lambda _: ColorStylizer.load()) as made:
        yield made


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A two-colored thing on a white sheet."""
    image = Image.new("RGB", (120, 120), (250, 250, 250))
    ImageDraw.Draw(image).rectangle((35, 35, 85, 85), fill=(30, 60, 160))
    ImageDraw.Draw(image).rectangle((50, 50, 70, 70), fill=(190, 160, 60))
    image.save(tmp_path / "studio.png")
    return tmp_path / "studio.png"


def test_a_picture_and_its_sidecar(restyler: Renderer, studio: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "r.webp"
    picture = restyler.render_or_raise(request_for(restyler, studio, STYLE, image_format=ImageFormat.WEBP))
    assert Delivery(out, ImageFormat.WEBP).deliver(picture) == [out]
    beside = out.with_name("r.webp.json")
    assert not beside.exists()
    assert Delivery(out, ImageFormat.WEBP, sidecar=True).deliver(picture) == [out, beside]
    mark = read_mark(out.read_bytes())
    assert mark is not None
    assert read_sidecar(beside.read_text(encoding="utf-8"), out.read_bytes()) == mark


def test_an_original_is_neither_described_nor_signed(restyler: Renderer, studio: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.jpg"
    original = restyler.render_or_raise(request_for(restyler, studio, STYLE, strength=0.0))
    delivery = Delivery(out, ImageFormat.JPEG, sidecar=True, certificate=tmp_path / "absent", key=tmp_path / "absent")
    assert delivery.deliver(original) == [out]
    assert out.read_bytes() == original.data


def test_a_background_that_is_not_there_is_refused(restyler: Renderer, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((200, 240)).save(tmp_path / "busy.png")
    picture = restyler.render_or_raise(request_for(restyler, tmp_path / "busy.png", STYLE, mode=PaintMode.BACKGROUND))
    with pytest.raises(RequestError, match="no plain backdrop"):
        Delivery(tmp_path / "r.jpg", ImageFormat.JPEG).deliver(picture)
    assert not (tmp_path / "r.jpg").exists()


@pytest.mark.parametrize("way", ["itself", "another path", "a symbolic link", "a hard link"])
def test_a_photo_is_recognized_under_any_name(studio: Path, tmp_path: Path, way: str) -> None:
    out = {"itself": studio, "another path": tmp_path / "cache" / ".." / "studio.png"}.get(way, tmp_path / "out.png")
    (tmp_path / "cache").mkdir()
    if way == "a symbolic link":
        (tmp_path / "between.png").symlink_to(studio)
        out.symlink_to(tmp_path / "between.png")
    elif way == "a hard link":
        out.hardlink_to(studio)
    with pytest.raises(ConfigError, match="never overwrite"):
        refuse_overwriting(out, [tmp_path / "missing.png", studio])


def test_other_files_may_be_overwritten(studio: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.png").write_bytes(studio.read_bytes())
    for out in (tmp_path / "copy.png", tmp_path / "new.png"):
        refuse_overwriting(out, [studio, tmp_path / "missing.png"])
