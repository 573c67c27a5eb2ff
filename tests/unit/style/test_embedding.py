from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from style.embedding import StyleEmbedder
from style.errors import ImageError, WeightsError
from style.images import Pixels
from style.training.recipes.embedding import fit_color_map, fit_whitening


@pytest.fixture(scope="module")
def embedder() -> StyleEmbedder:
    return StyleEmbedder.load()


def stripes(period: int, color: tuple[float, float, float], size: int = 96, shift: int = 0) -> Pixels:
    x = (np.arange(size) + shift) // period % 2
    picture = np.where(x[None, :, None] == 0, np.array(color), 0.95)
    return np.repeat(picture, size, axis=0).astype(np.float32)


def test_style_is_what_repeats_not_where_it_is(embedder: StyleEmbedder) -> None:
    fine, moved, coarse = (
        embedder.embed(stripes(4, (0.8, 0.1, 0.1))),
        embedder.embed(stripes(4, (0.8, 0.1, 0.1), shift=2)),
        embedder.embed(stripes(24, (0.1, 0.2, 0.8))),
    )
    assert fine.similarity(moved) > 0.9 > fine.similarity(coarse)


def test_the_backdrop_does_not_count(embedder: StyleEmbedder) -> None:
    full = stripes(4, (0.1, 0.5, 0.2), size=192)
    on_white = np.full((192, 192, 3), 0.97, dtype=np.float32)
    on_white[40:152, 40:152] = full[40:152, 40:152]
    whole = np.ones((192, 192), dtype=np.float32)
    masked, unmasked = embedder.embed(on_white), embedder.embed(on_white, whole)
    reference = embedder.embed(full, whole)
    assert masked.similarity(reference) > unmasked.similarity(reference) + 0.1


def test_files_equal_pixels_in_any_order(embedder: StyleEmbedder, tmp_path: Path) -> None:
    paths = []
    for index, period in enumerate((4, 8, 16)):
        path = tmp_path / f"{index}.png"
        Image.fromarray((stripes(period, (0.2, 0.4, 0.9), size=224) * 255).astype(np.uint8)).save(path)
        paths.append(path)
    forward, backward = embedder.embed_files(paths), embedder.embed_files(paths[::-1])
    assert forward.shape == (3, 128)
    assert np.allclose(np.linalg.norm(forward, axis=1), 1, atol=1e-5)
    assert np.array_equal(forward, backward[::-1])


def test_an_unreadable_file_is_named(embedder: StyleEmbedder, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"bad.jpg: not an image"):
        embedder.embed_files([tmp_path / "bad.jpg"])


def test_a_backbone_without_whitening_says_how_to_fit_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("style.embedding.load_backbone", lambda name: None)
    with pytest.raises(WeightsError, match=r"vgg19: has no packaged whitening; fit one"):
        StyleEmbedder.load("vgg19")


def test_whitening_makes_directions_equally_strong() -> None:
    random = torch.Generator().manual_seed(0)
    mixed = torch.randn(600, 300, generator=random) * torch.linspace(0.1, 20, 300)
    whitening = fit_whitening(mixed, torch.arange(300) >= 200, shrinkage=0.0)
    projected = (mixed - whitening["center"]) @ whitening["projection"]
    covariance = projected.T @ projected / len(projected)
    assert torch.allclose(covariance, torch.eye(128), atol=1e-3)


def test_whitening_survives_entries_that_never_vary() -> None:
    statistics = torch.randn(300, 200, generator=torch.Generator().manual_seed(0))
    statistics[:, :20] = 1.0
    whitening = fit_whitening(statistics, torch.arange(200) >= 100)
    assert whitening["projection"].half().isfinite().all()


def test_the_color_map_recovers_a_linear_rule() -> None:
    random = torch.Generator().manual_seed(0)
    vectors, rule = torch.randn(500, 128, generator=random), torch.randn(6, 128, generator=random)
    fitted = fit_color_map(vectors, vectors @ rule.T + 3.0, ridge=1e-9)
    assert torch.allclose(fitted["weight"], rule, atol=1e-3)
    assert torch.allclose(fitted["bias"], torch.full((6,), 3.0), atol=1e-3)
