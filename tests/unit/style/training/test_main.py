"""The command of the recipes: options reach the recipe, and files lie where it says."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from style.images import read_image
from style.training.__main__ import main
from style.training.recipes import adain, compress, distill, embedding, film, gan
from style.transfer.film import FilmShape
from style.transfer.gan import Generator, GeneratorShape


@pytest.fixture
def folders(images: list[Path], tmp_path: Path) -> list[str]:
    """Return options that name a folder of products and one of styles."""
    shutil.copytree(images[0].parent, tmp_path / "styles")
    return ["--products", str(images[0].parent), "--styles", str(tmp_path / "styles")]


def test_gan_writes_weights_and_a_sample_sheet_per_epoch(folders: list[str], tmp_path: Path) -> None:
    sizes = {"steps": 2, "epoch": 1, "side": 32, "keep": 40, "width": 4, "blocks": 1, "critic": 4, "tries": 2}
    options = [part for name, value in sizes.items() for part in (f"--{name}", str(value))]
    main(["gan", *folders, "--out", str(tmp_path / "run"), *options])
    sheets = sorted(path.name for path in (tmp_path / "run").glob("*.jpg"))
    assert sheets == ["samples-000001.jpg", "samples-000002.jpg"]
    assert read_image(tmp_path / "run" / sheets[0]).shape == (6 * 32, 3 * 32, 3)
    network = Generator(GeneratorShape(4, 1))
    network.load_state_dict({key: value.float() for key, value in load_file(tmp_path / "run/gan.safetensors").items()})


def test_options_reach_the_recipes(
    folders: list[str], images: list[Path], teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, tuple[Any, ...]] = {}
    for module, name in (
        (film, "train_film"),
        (adain, "train_adain"),
        (gan, "train_gan"),
        (compress, "compress"),
        (distill, "distill"),
        (embedding, "fit_embedding"),
    ):
        monkeypatch.setattr(module, name, lambda *given, name=name: calls.__setitem__(name, given))
    taught = ["--teacher", str(teacher), "--out", str(tmp_path)]
    source = ["--images", str(images[0].parent), "--styles", str(images[0].parent)]
    main(["film", *folders, *taught, "--per-folder", "2", "--content", "0.7", "--learning-rate", "1e-4"])
    main(["adain", *folders, *taught, "--contents", "3", "--content", "1.5", "--views", "2"])
    main(["gan", *folders, "--out", str(tmp_path), "--most", "2", "--bfloat16", "--cycle", "2"])
    main(["compress", *folders, "--out", str(tmp_path), "--steps", "7", "--width", "20"])
    main(["distill", *source, *taught, "--blocks", "0.25"])
    main(["embedding", *source, *taught, "--per-folder", "1"])

    def changed(settings: Any, default: Any) -> Mapping[str, object]:
        return {name: value for name, value in asdict(settings).items() if value != asdict(default)[name]}

    assert changed(calls["train_film"][-1], film.FilmSettings()) == {"content": 0.7, "learning_rate": 1e-4}
    assert [len(paths) for paths in calls["train_film"][:2]] == [4, 3 + 2], "of four styles the first is held out"
    assert changed(calls["train_adain"][-1], adain.AdaInSettings()) == {"content": 1.5, "views": 2}
    assert len(calls["train_adain"][0]) == 3
    assert changed(calls["train_gan"][-1], gan.GanSettings()) == {"bfloat16": True, "cycle": 2.0}
    assert [len(paths) for paths in calls["train_gan"][:2]] == [2, 3]
    assert changed(calls["compress"][-1], compress.CompressSettings()) == {"steps": 7}
    assert calls["compress"][1] == FilmShape(width=20, blocks=4, fine=12, colors=8, hidden=128)
    assert calls["compress"][3].shape == (3, 128)
    assert changed(calls["distill"][-1], distill.DistillSettings()) == {"blocks": 0.25}
    assert [len(calls["distill"][0]), calls["distill"][1]] == [4 + 3, teacher]
    assert (len(calls["fit_embedding"][0]), calls["fit_embedding"][2:]) == (1 + 3, ("vgg-slim", teacher))


def test_unknown_recipes_and_missing_folders_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in ((["oil"], "invalid choice: 'oil'"), (["gan", "--out", "x"], "--products, --styles")):
        with pytest.raises(SystemExit):
            main(arguments)
        assert words in capsys.readouterr().err
