"""Engines compared: the figures follow what engines do, and slow ones are asked less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from recsys.dataset.sample import sample_folder
from style.backbone import load_backbone
from style.benchmarks.engines import Comparison, compare_engines, embed_styles, result_lines, run_within
from style.benchmarks.memory import engine_memory
from style.benchmarks.run import bench_engines
from style.embedding import StyleEmbedder
from style.errors import UnknownEngineError
from style.images import Pixels, read_image
from style.mask import Mask
from style.metrics import psnr
from style.transfer.base import Painting, Stylizer
from style.transfer.style_images import StyleImages
from style.vector import StyleVector


class Oracle(Stylizer):
    """Paints the style picture itself over the product: no style is nearer, and no product is less kept."""

    name: ClassVar[str] = "oracle"
    version = "oracle-1"

    def __init__(self, pictures: StyleImages) -> None:
        self.pictures = pictures

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        shown = self.pictures.mixture(style)[0][0].pixels
        return [Painting(shown - image, np.zeros_like(image)) for image in images]


class Idle(Oracle):
    """Changes nothing."""

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        return [Painting(np.zeros_like(image), np.zeros_like(image)) for image in images]


@pytest.fixture(scope="module")
def embedder() -> StyleEmbedder:
    return StyleEmbedder.load()


@pytest.fixture(scope="module")
def examples() -> list[tuple[Pixels, Pixels]]:
    files = sample_folder()
    return [
        (
            read_image(files / "images" / product, short_side=64),
            read_image(files / "styles" / style, short_side=64),
        )
        for product, style in [("p0003.jpg", "delft.jpg"), ("p0100.jpg", "memphis.jpg"), ("p0060.jpg", "delft.jpg")]
    ]


@pytest.fixture(scope="module")
def compared(embedder: StyleEmbedder, examples: list[tuple[Pixels, Pixels]]) -> Comparison:
    return compare_engines(
        embedder,
        load_backbone("vgg-slim"),
        examples,
        ["looks", "reinhard"],
        extra={"oracle": Oracle, "idle": Idle},
        patience=float("inf"),
        memory=False,
    )


def test_figures_follow_what_engines_do(compared: Comparison) -> None:
    figures = {one.name: one for one in compared.results}
    assert list(figures) == ["looks", "reinhard", "oracle", "idle"]
    oracle, idle, looks = figures["oracle"], figures["idle"], figures["looks"]
    assert oracle.style_gain == pytest.approx(1.0, abs=1e-4)
    assert oracle.gram_gain == pytest.approx(1.0, abs=1e-4)
    assert (idle.style_gain, idle.content, idle.ssim, idle.edges) == pytest.approx((0, 1, 1, 1), abs=1e-5)
    assert idle.psnr == float("inf")
    assert oracle.psnr < looks.psnr < idle.psnr
    assert oracle.ssim < looks.ssim < idle.ssim
    assert oracle.content < looks.content


def test_slow_engines_run_on_fewer_pairs_and_the_table_says_so(compared: Comparison) -> None:
    assert all(one.pairs == len(compared.painted[one.name]) == 3 for one in compared.results)
    gray = np.full((8, 8, 3), 0.5, dtype=np.float32)
    assert len(list(run_within(0.0, [lambda: Painting(gray, gray)] * 3))) == 1
    slow = replace(compared.results[0], pairs=1)
    assert next(line for line in result_lines([slow], 3) if line.startswith("looks")).endswith("1 of 3")


def test_weights_are_found_by_their_hash(compared: Comparison) -> None:
    figures = {one.name: one for one in compared.results}
    assert figures["reinhard"].weights_mb == 0
    assert figures["looks"].weights_mb == pytest.approx(0.003, abs=0.002)


def test_one_picture_of_each_style_is_given_to_engines(
    embedder: StyleEmbedder, examples: list[tuple[Pixels, Pixels]]
) -> None:
    vectors, pictures = embed_styles(embedder, [style for _, style in examples])
    assert (len(vectors), len(pictures)) == (3, 2)
    for vector, (_, style) in zip(vectors, examples, strict=True):
        ((found, weight),) = pictures.mixture(vector)
        assert weight == 1
        assert np.array_equal(found.pixels, style)


def test_an_unknown_engine_is_refused_before_anything_is_painted() -> None:
    files = sample_folder()
    with pytest.raises(UnknownEngineError, match="unknown engine 'filme'; known ones: film, color"):
        bench_engines(files / "images", files / "styles", ["filme"], 1)


def test_signal_to_noise() -> None:
    gray = np.full((4, 4, 3), 0.5, dtype=np.float32)
    assert psnr(gray, gray + np.float32(0.1)) == pytest.approx(20.0, abs=1e-4)
    assert psnr(gray, gray) == float("inf")


@pytest.mark.slow
def test_memory_is_what_an_engine_adds() -> None:
    light, heavy = engine_memory("reinhard"), engine_memory("patch")
    assert 3 < light < heavy < 1000
