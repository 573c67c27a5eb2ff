from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from PIL import Image

from style.backbone import load_backbone
from style.benchmarks.run import bench_style
from style.benchmarks.tables import Table
from style.benchmarks.transfer import pairs, transfer_lines
from style.benchmarks.vectors import vector_lines
from style.color_space import lab_statistics
from style.embedding import StyleEmbedder
from style.images import Pixels, read_image
from style.mask import Mask
from style.training.crops import find_images
from style.transfer.base import Painting, Stylizer
from style.transfer.reinhard import lab_transfer
from style.vector import StyleVector

ENGINES = ("film", "color", "reinhard")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two styles of eleven pictures: red noise and blue stripes, with a table that says which is which."""
    random = np.random.default_rng(0)
    rows = []
    for index in range(22):
        style = ("noise", "stripes")[index % 2]
        pixels = np.full((96, 96, 3), 0.5)
        if style == "noise":
            pixels[:, :, 0] += random.uniform(-0.5, 0.5, (96, 96))
        else:
            pixels[:, :, 2] += 0.5 * np.sign(np.sin(np.arange(96) * random.uniform(0.8, 1.2)))
        file = tmp_path / "pictures" / style / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 255).astype(np.uint8)).save(file)
        rows.append({"item_id": index, "image": f"{style}/{index}.png", "look": style})
    with (tmp_path / "pictures" / "items.csv").open("w", newline="", encoding="utf-8") as lines:
        table = csv.DictWriter(lines, rows[0])
        table.writeheader()
        table.writerows(rows)
    return tmp_path / "pictures"


def test_vectors_are_scored_by_folder_by_column_and_by_halves(pictures: Path) -> None:
    table = "\n".join(vector_lines(StyleEmbedder.load(), pictures, pictures))
    by_folder = [line for line in table.splitlines() if " folder " in line]
    assert len(by_folder) == 2
    assert "raw Gram" in by_folder[0]
    assert all(line.split()[-2:] == ["1.000", "1.000"] for line in by_folder)
    assert "look" in table
    assert "item_id" not in table
    assert "of 22 left halves" in table


def test_transfer_prints_a_row_per_engine_and_strength(pictures: Path) -> None:
    examples = pairs(pictures / "noise", pictures / "stripes", 2)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(examples[0], pairs(pictures / "noise", pictures / "stripes", 2)[0], strict=True)
    )
    lines = list(transfer_lines(StyleEmbedder.load(), load_backbone("vgg-slim"), examples, ENGINES))
    assert sum(line.startswith("film") for line in lines) == 5
    assert sum(line.startswith("color") for line in lines) == 5
    assert sum(line.startswith("reinhard") for line in lines) == 5
    baseline = [line.split() for line in lines if line.startswith("Lab")]
    assert [len(row) for row in baseline] == [8]
    assert len(lines[1].split()) == 2 + 7


def test_the_baseline_moves_a_picture_to_the_colors_of_the_other(pictures: Path) -> None:
    product, style = pairs(pictures / "noise", pictures / "stripes", 1)[0]
    np.testing.assert_allclose(lab_transfer(product, product), product, atol=1e-4)
    whole = np.ones(style.shape[:2], dtype=np.float32)
    moved, wanted = (lab_statistics(picture, whole) for picture in (lab_transfer(product, style), style))
    assert np.abs(moved - wanted).mean() < 0.5 * np.abs(lab_statistics(product, whole) - wanted).mean()


def test_one_table_alone(pictures: Path) -> None:
    lines = list(bench_style(pictures, pictures, None, only=Table.VECTORS))
    assert any(" folder " in line for line in lines)
    assert not any("ms" in line for line in lines)


@pytest.mark.slow
def test_one_command_prints_all_tables(pictures: Path) -> None:
    lines = list(bench_style(pictures, pictures, None))
    assert any(line.startswith("VGG-19 to relu4_1") for line in lines)
    assert any(line.startswith("AdaIN, VGG-19") for line in lines)


def test_products_painted_like_a_style_are_nearer_to_it(pictures: Path) -> None:
    style_lines = run_path(str(Path(__file__).parents[2] / "benchmarks" / "gan_style.py"))["style_lines"]
    stripes, noise = (
        [read_image(path) for path in find_images([pictures / name])[:6]] for name in ("stripes", "noise")
    )

    class Copy(Stylizer):
        """Paints the stripes themselves, then nothing."""

        version = "1"

        def __init__(self, name: str, share: float) -> None:
            self.name, self.share = name, np.float32(share)  # type: ignore[misc]

        def paint(
            self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
        ) -> list[Painting]:
            return [Painting(self.share * (stripes[0] - image), np.zeros_like(image)) for image in images]

    engines = [Copy("all", 1.0), Copy("none", 0.0)]
    judge = load_backbone("vgg-slim")
    lines = list(style_lines(StyleEmbedder.load(), judge, engines, noise[:3], stripes[:3], stripes[3:]))
    assert lines[0].startswith("3 products, 3 held-out paintings, 96 px")
    seen, products, painted, left = (float(line.split()[-1]) for line in lines[2:])
    assert seen < painted < products == left
    assert float(lines[4].split()[1]) > 0.5 > float(lines[5].split()[1]) == 0
