"""The training workflow: from folders to an engine with its card, resumed after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from style.errors import ImageError, RightsError, TrainingError
from style.training.recipe import RunSettings
from style.training.recipes.feedforward import FeedforwardRecipe
from style.training.registry import RECIPES
from style.training.workflow import TrainingJob, check_rights, stated_license, train
from style.transfer.feedforward import FeedforwardShape
from style.transfer.trained import KINDS, load_trained


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a folder of 12 products and a folder of one style reference."""
    random = np.random.default_rng(0)
    folders = tmp_path_factory.mktemp("products"), tmp_path_factory.mktemp("styles")
    for folder, count in zip(folders, (12, 1), strict=True):
        for number in range(count):
            pixels = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((72, 64)).save(folder / f"{number}.png")
    return folders


SMALL = FeedforwardRecipe(network=FeedforwardShape(width=4, blocks=1, reach=3))
QUICK = RunSettings(steps=4, batch=2, side=32, keep=32, validate_every=2)


def test_a_small_run_from_folders_to_an_engine(images: tuple[Path, Path], tmp_path: Path) -> None:
    job = TrainingJob(SMALL, [images[0]], [images[1]], tmp_path / "ours", QUICK, license="CC0-1.0")
    lines: list[str] = []
    assert train(job, lines.append) == tmp_path / "ours"
    assert [line.split(":")[0] for line in lines] == ["step 2 of 4", "step 4 of 4"]
    engine = load_trained(tmp_path / "ours", threads=1)
    card = json.loads((tmp_path / "ours" / "card.json").read_text())
    assert card["steps"] == 4
    assert card["license"] == "CC0-1.0"
    assert [card["images"]["products"][part] for part in ("train", "validation", "test")] == [9, 2, 1]
    assert card["results"].keys() == {"ours", "film", "color"}
    assert card["size"] == (tmp_path / "ours" / "engine.safetensors").stat().st_size
    assert card["results"]["ours"]["ssim"] < 1
    assert engine.version in f"ours-{engine.model_sha256}"
    text = (tmp_path / "ours" / "card.md").read_text()
    assert "| products | 9 | 2 | 1 |" in text
    assert sorted(file.name for file in (tmp_path / "ours" / "training").glob("*.jpg")) == [
        "samples-000002.jpg",
        "samples-000004.jpg",
    ]
    train(job, lines.append)
    assert lines[-1].endswith("is trained already")
    with pytest.raises(TrainingError, match=r"other images or settings: settings.steps was 4, now 5\. Give the same"):
        train(replace(job, settings=replace(QUICK, steps=5)), lines.append)


def test_jobs_that_cannot_be_trained_are_rejected(images: tuple[Path, Path], tmp_path: Path) -> None:
    job = TrainingJob(SMALL, [images[0]], [images[1]], tmp_path / "ours", QUICK)
    with pytest.raises(TrainingError, match="'film' is an engine that ships"):
        train(replace(job, out=tmp_path / "film"))
    with pytest.raises(TrainingError, match="cannot be called 'My Brand'"):
        train(replace(job, out=tmp_path / "My Brand"))
    with pytest.raises(TrainingError, match="1 different images; at least 8 are needed"):
        train(replace(job, products=[images[1]]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no images below this folder"):
        train(replace(job, styles=[tmp_path / "empty"]))
    bad = tmp_path / "bad"
    bad.mkdir()
    for image in images[0].iterdir():
        (bad / image.name).write_bytes(image.read_bytes() if image.name > "3" else b"no image" + image.name.encode())
    with pytest.raises(ImageError, match=r"images cannot be read: .*bad/\d+\.png: not an image.*repair or remove them"):
        train(replace(job, products=[bad]))


def test_licenses_are_those_that_a_library_states(tmp_path: Path) -> None:
    assert stated_license([tmp_path]) == "not stated"
    (tmp_path / "a.jpg").touch()
    head = "style_id,title,image,scenes,artist,license,source\n"
    (tmp_path / "styles.csv").write_text(f"{head}a,A,a.jpg,,x,CC0-1.0,y\nb,B,a.jpg,,x,CC BY 4.0,y\n")
    assert stated_license([tmp_path, tmp_path / "a.jpg"]) == "CC BY 4.0, CC0-1.0"


def test_engines_of_all_recipes_can_be_loaded() -> None:
    assert {recipe.kind for recipe in RECIPES.values()} <= set(KINDS)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", list(RECIPES))
def test_a_killed_run_ends_as_an_uninterrupted_one(images: tuple[Path, Path], tmp_path: Path, engine: str) -> None:
    """SIGKILL in the middle, then the same command again: the same weights, byte by byte, and the same log."""

    def command(out: str) -> list[str]:
        options = {
            "products": images[0],
            "styles": images[1],
            "name": "ours",
            "engine": engine,
            "out": tmp_path / out,
        }
        options |= {"steps": 12, "batch": 2, "side": 32, "validate-every": 3}
        run = "from recsys.cli.main import main; main()"
        return [sys.executable, "-c", run, "train-style", *(f"--{key}={value}" for key, value in options.items())]

    subprocess.run(command("whole"), check=True, capture_output=True)
    running = subprocess.Popen(command("parts"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "parts" / "ours" / "training" / "checkpoint.safetensors"
    while not checkpoint.is_file():
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "parts" / "ours" / "engine.json").exists()
    subprocess.run(command("parts"), check=True, capture_output=True)
    for file in ("engine.safetensors", "training/log.jsonl", "training/best.safetensors"):
        whole, parts = ((tmp_path / part / "ours" / file).read_bytes() for part in ("whole", "parts"))
        assert whole == parts, file


def test_styles_that_forbid_training_are_rejected(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    columns = "style_id,title,image,scenes,artist,license,source,uses"
    (tmp_path / "styles.csv").write_text(f"{columns}\nwaves,,a.png,,,CC-BY-ND-4.0,,\n")
    with pytest.raises(RightsError, match=r"'waves'.*does not allow training on it"):
        check_rights([tmp_path])
    (tmp_path / "styles.csv").write_text(f"{columns}\nwaves,,a.png,,,CC-BY-ND-4.0,,train\n")
    check_rights([tmp_path, tmp_path / "a.png"])
