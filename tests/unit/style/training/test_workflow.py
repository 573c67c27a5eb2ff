"""A run of the training workflow: stopped early, resumed as if never stopped, and told by its card."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from style.errors import ExtraError, ImageError, RightsError, TrainingError
from style.training.crops import Crops, jittered
from style.training.optim import descend, learning_rate, warming_average
from style.training.recipe import RunSettings
from style.training.recipes.feedforward import FeedforwardRecipe
from style.training.registry import RECIPES
from style.training.workflow import BEST_FILE, TrainingJob, check_rights, learn, stated_license, train, warm_up
from style.transfer.feedforward import FeedforwardShape
from style.transfer.trained import KINDS, load_trained


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of 12 products and one of a style."""
    random = np.random.default_rng(0)
    folders = tmp_path_factory.mktemp("products"), tmp_path_factory.mktemp("styles")
    for folder, count in zip(folders, (12, 1), strict=True):
        for number in range(count):
            pixels = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((72, 64)).save(folder / f"{number}.png")
    return folders


SMALL = FeedforwardRecipe(network=FeedforwardShape(width=4, blocks=1, reach=3))
QUICK = RunSettings(steps=4, batch=2, side=32, keep=32, validate_every=2)


@dataclass(eq=False)
class Descent:
    """A training whose validation is written down beforehand: two numbers go toward 1, each by its own rule."""

    losses: tuple[float, ...]
    state: nn.Linear = field(default_factory=lambda: nn.Linear(1, 1))
    rates: list[float] = field(default_factory=list)
    after: dict[int, Tensor] = field(default_factory=dict)
    """The weight after so many steps."""
    dies_at: int | None = None

    def __post_init__(self) -> None:
        torch.nn.init.zeros_(self.state.weight)
        torch.nn.init.zeros_(self.state.bias)
        self.optimizers = {
            "weight": torch.optim.Adam([self.state.weight], lr=0.1),
            "bias": torch.optim.SGD([self.state.bias], lr=0.01, momentum=0.9),
        }
        self.asked = 0

    def step(self, step: int) -> Mapping[str, Tensor]:
        if step == self.dies_at:
            raise KeyboardInterrupt
        self.rates.append(self.optimizers["weight"].param_groups[0]["lr"])
        noise = np.random.default_rng((0, step)).normal()
        for optimizer in self.optimizers.values():
            loss = (self.state(torch.tensor([[1.0 + noise]])) - 1).square().mean()
            descend(optimizer, {"loss": loss})
        self.after[step + 1] = self.state.weight.detach().clone()
        return {"loss": loss}

    def validate(self) -> Mapping[str, float]:
        self.asked += 1
        return {"loss": self.losses[self.asked - 1]}

    def weights(self) -> dict[str, Tensor]:
        return dict(self.state.state_dict())

    def samples(self) -> Tensor:
        return torch.zeros(1, 3, 16, 32)


def quiet(_: str) -> None:
    """Say nothing."""


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    """Validation is best after the second round of two steps; two rounds without gain end the run."""
    training = Descent((3.0, 1.0, 2.0, 1.5, 0.0))
    progress = learn(training, RunSettings(steps=100, validate_every=2, patience=2), tmp_path, quiet)
    assert (int(progress.done), int(progress.best_step), float(progress.best)) == (8, 4, 1.0)
    seen = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["validation loss"] for line in seen if "validation loss" in line] == [3.0, 1.0, 2.0, 1.5]
    kept = load_file(tmp_path / BEST_FILE)["weight"]
    assert torch.equal(kept, training.after[4])
    assert not torch.equal(kept, training.after[8])


def test_several_optimizers_resume_and_keep_to_the_schedule(tmp_path: Path) -> None:
    settings = RunSettings(steps=40, validate_every=10)
    whole, first, second = (Descent((4.0, 3.0, 2.0, 1.0)[skipped:]) for skipped in (0, 0, 2))
    learn(whole, settings, tmp_path / "whole", quiet)
    first.dies_at = 25
    with pytest.raises(KeyboardInterrupt):
        learn(first, settings, tmp_path / "parts", quiet)
    learn(second, settings, tmp_path / "parts", quiet)
    assert torch.equal(whole.weights()["weight"], second.weights()["weight"])
    assert torch.equal(whole.weights()["bias"], second.weights()["bias"])
    assert len(second.rates) == 20
    assert whole.rates == pytest.approx([0.1 * learning_rate(step, 40, warm_up(40)) for step in range(40)])
    assert whole.rates[20:] == second.rates
    logs = [(tmp_path / part / "log.jsonl").read_text() for part in ("whole", "parts")]
    assert logs[0] == logs[1]


def test_the_learning_rate_rises_then_falls_to_a_hundredth() -> None:
    rates = [learning_rate(step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


def test_a_running_average_forgets_where_it_began() -> None:
    average, keep = [torch.zeros(1)], warming_average(0.999)
    for count in range(1, 21):
        keep(average, [torch.ones(1)], count)
    assert float(average[0]) > 0.95
    late = [torch.zeros(1)]
    keep(late, [torch.ones(1)], 10**6)
    assert float(late[0]) == pytest.approx(0.001, rel=1e-3)


def test_jitter_changes_colors_by_the_seed_alone(pictures: tuple[Path, Path]) -> None:
    images = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
    one, same = (jittered(images, np.random.default_rng(5), 0.2) for _ in range(2))
    assert torch.equal(one, same)
    brightness = one.mean(dim=(1, 2, 3)) / images.mean(dim=(1, 2, 3))
    assert 0.8 - 1e-4 < float(brightness.min()) < 0.85
    assert 1.15 < float(brightness.max()) < 1.2 + 1e-4
    plain, colored = (
        Crops(sorted(pictures[0].iterdir()), side=32, keep=32, seed=0, jitter=jitter).batch(0, 4) for jitter in (0, 0.3)
    )
    assert 0.01 < float((plain - colored).abs().mean()) < 0.3


def test_a_small_run_from_folders_to_an_engine(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    order = TrainingJob(SMALL, [pictures[0]], [pictures[1]], tmp_path / "ours", QUICK, license="CC0-1.0")
    said: list[str] = []
    assert train(order, said.append) == tmp_path / "ours"
    assert [line.split(":")[0] for line in said] == ["step 2 of 4", "step 4 of 4"]
    engine = load_trained(tmp_path / "ours", threads=1)
    card = json.loads((tmp_path / "ours" / "card.json").read_text())
    assert card["steps"] == 4
    assert card["license"] == "CC0-1.0"
    assert [card["pictures"]["products"][part] for part in ("train", "validation", "test")] == [9, 2, 1]
    assert card["figures"].keys() == {"ours", "film", "color"}
    assert card["size"] == (tmp_path / "ours" / "engine.safetensors").stat().st_size
    assert card["figures"]["ours"]["ssim"] < 1
    assert engine.version in f"ours-{engine.model_sha256}"
    text = (tmp_path / "ours" / "card.md").read_text()
    assert "| products | 9 | 2 | 1 |" in text
    assert sorted(file.name for file in (tmp_path / "ours" / "training").glob("*.jpg")) == [
        "samples-000002.jpg",
        "samples-000004.jpg",
    ]
    train(order, said.append)
    assert said[-1].endswith("is trained already")
    with pytest.raises(TrainingError, match=r"other pictures or settings: settings.steps was 4, now 5\. Give the same"):
        train(replace(order, settings=replace(QUICK, steps=5)), said.append)


def test_what_cannot_be_trained_is_refused(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    order = TrainingJob(SMALL, [pictures[0]], [pictures[1]], tmp_path / "ours", QUICK)
    with pytest.raises(TrainingError, match="'film' is an engine that ships"):
        train(replace(order, out=tmp_path / "film"))
    with pytest.raises(TrainingError, match="cannot be called 'My Brand'"):
        train(replace(order, out=tmp_path / "My Brand"))
    with pytest.raises(TrainingError, match="1 different pictures; at least 8 are needed"):
        train(replace(order, products=[pictures[1]]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no images below this folder"):
        train(replace(order, styles=[tmp_path / "empty"]))
    bad = tmp_path / "bad"
    bad.mkdir()
    for picture in pictures[0].iterdir():
        (bad / picture.name).write_bytes(
            picture.read_bytes() if picture.name > "3" else b"no picture" + picture.name.encode()
        )
    with pytest.raises(ImageError, match=r"pictures cannot be read: .*bad/\d+\.png: not an image.*mend or remove them"):
        train(replace(order, products=[bad]))


def test_tensorboard_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    settings = RunSettings(steps=2, validate_every=2)
    learn(Descent((1.0,)), settings, tmp_path / "without", quiet)
    assert not list((tmp_path / "without").glob("events.*"))
    if find_spec("tensorboard") is None:
        with pytest.raises(ExtraError, match=r"style-recsys\[train\]"):
            learn(Descent((1.0,)), settings, tmp_path / "with", quiet, tensorboard=True)
    else:
        learn(Descent((1.0,)), settings, tmp_path / "with", quiet, tensorboard=True)
        assert b"validation loss" in next((tmp_path / "with").glob("events.*")).read_bytes()


def test_licenses_are_those_that_a_library_states(tmp_path: Path) -> None:
    assert stated_license([tmp_path]) == "not stated"
    (tmp_path / "a.jpg").touch()
    head = "style_id,title,image,scenes,artist,license,source\n"
    (tmp_path / "styles.csv").write_text(f"{head}a,A,a.jpg,,x,CC0-1.0,y\nb,B,a.jpg,,x,CC BY 4.0,y\n")
    assert stated_license([tmp_path, tmp_path / "a.jpg"]) == "CC BY 4.0, CC0-1.0"


def test_every_recipe_makes_a_kind_that_can_be_loaded() -> None:
    assert {recipe.kind for recipe in RECIPES.values()} <= set(KINDS)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", list(RECIPES))
def test_a_killed_run_ends_as_an_unbroken_one(pictures: tuple[Path, Path], tmp_path: Path, engine: str) -> None:
    """SIGKILL in the middle, then the same command again: the same weights, byte by byte, and the same log."""

    def command(out: str) -> list[str]:
        options = {
            "products": pictures[0],
            "styles": pictures[1],
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


def test_styles_that_forbid_training_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    columns = "style_id,title,image,scenes,artist,license,source,uses"
    (tmp_path / "styles.csv").write_text(f"{columns}\nwaves,,a.png,,,CC-BY-ND-4.0,,\n")
    with pytest.raises(RightsError, match=r"'waves'.*does not allow training on it"):
        check_rights([tmp_path])
    (tmp_path / "styles.csv").write_text(f"{columns}\nwaves,,a.png,,,CC-BY-ND-4.0,,train\n")
    check_rights([tmp_path, tmp_path / "a.png"])
