"""Train the engine `gan`: unpaired products and paintings of one look (CycleGAN, Zhu et al. 2017).

Two generators lead from products to paintings and back, each against a critic of patches. A step asks of them that
- critics take what they make for real (least squares, Mao et al. 2017),
- there and back again gives the picture one began with (L1, the paper's eq. 2),
- a picture that is of the kind already stays as it is (L1, the paper's section 5.2),
and then of critics that they tell real pictures from made ones, old ones among them (`ReplayBuffer`). Adam; the rate is
constant, then falls to 0 along a line. Products are flipped, cropped where most of the product is, and jittered in
brightness, contrast and saturation; paintings keep their colors, which are what is learned.

Departures from the paper: small nets and crops; `style.transfer.gan` names those of the generator; critics see 34
pixels a side and not 70, as crops are small; cycle and identity weigh less against the critics, so that colors move in
short runs; gradients longer than 1 are shortened; what ships is a running average of the weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel
from tqdm import trange

from style.backbone import channels_last
from style.training.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from style.training.crops import Crops, find_images, not_held_out
from style.training.discriminator import PatchDiscriminator, ReplayBuffer, least_squares
from style.training.log import TrainingLog
from style.training.optim import descend, warming_average
from style.training.recipe import SHOWN
from style.training.sample_sheet import write_sheet
from style.transfer.gan import Generator, GeneratorShape


@dataclass(frozen=True, slots=True)
class GanSettings:
    """Steps over `batch` crops of `side` pixels of pictures whose short side is `keep`, and the weights of the losses.

    The rate is constant to `decay_from` of the steps. `average` is how much of the running average of weights a step
    leaves. `jitter` is how far brightness, contrast and saturation of products are changed, as a share. An epoch, after
    which samples and a checkpoint are written, has `epoch` steps. `tries`: see `Crops`. `bfloat16` computes in it,
    which is faster where the processor has it.
    """

    steps: int = 4000
    batch: int = 1
    side: int = 96
    keep: int = 160
    learning_rate: float = 5e-4
    decay_from: float = 0.5
    cycle: float = 4.0
    identity: float = 1.0
    width: int = 16
    blocks: int = 4
    critic: int = 32
    remembered: int = 50
    average: float = 0.995
    jitter: float = 0.15
    tries: int = 6
    epoch: int = 250
    bfloat16: bool = False
    seed: int = 0


class Players(nn.Module):
    """Everything that a checkpoint holds: generators, critics, what they remember, and the average that ships."""

    def __init__(self, settings: GanSettings) -> None:
        super().__init__()
        shape = GeneratorShape(settings.width, settings.blocks)
        self.paint, self.unpaint = Generator(shape), Generator(shape)
        self.critics = nn.ModuleDict({kind: PatchDiscriminator(settings.critic) for kind in ("style", "product")})
        self.made = nn.ModuleDict(
            {kind: ReplayBuffer(settings.remembered, settings.side) for kind in ("style", "product")}
        )
        channels_last(self)
        self.average = AveragedModel(self.paint, multi_avg_fn=warming_average(settings.average))

    @property
    def shipped(self) -> Generator:
        """The generator with averaged weights."""
        found = self.average.module
        assert isinstance(found, Generator)  # noqa: S101
        return found


def train_gan(products: Sequence[Path], styles: Sequence[Path], out: Path, settings: GanSettings) -> Generator:
    """Train, or go on training; writes `checkpoint.safetensors`, `gan.safetensors` and `samples-*.png` in `out`.

    A run that was stopped continues from its last checkpoint, the same as an unbroken one. Raises ImageError.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run = GanRun(products, styles, settings, device)
    checkpoint = out / "checkpoint.safetensors"
    done = load_checkpoint(checkpoint, run.players, run.optimizer)
    log = TrainingLog(out, done=done)
    for step in trange(done, settings.steps, initial=done, total=settings.steps, desc="gan", disable=None):
        log.write(step, run.step(step))
        if (step + 1) % settings.epoch == 0 or step + 1 == settings.steps:
            write_sheet(out / f"samples-{step + 1:06}.png", run.samples())
            save_tensors(out / "gan.safetensors", run.weights())
            save_checkpoint(checkpoint, run.players, run.optimizer, step + 1)
    log.close()
    return run.players.shipped


class GanRun:
    """A run in progress: `step` depends on `players`, `optimizer` and its number alone."""

    def __init__(
        self, products: Sequence[Path], styles: Sequence[Path], settings: GanSettings, device: torch.device
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.device = device
        self.products, self.styles = crops_of(products, styles, settings, settings.jitter)
        self.players = Players(settings).to(device)
        # One optimizer for both sides: whose turn it is not has no gradients, and Adam leaves it alone.
        learned = [*_generators(self.players).parameters(), *self.players.critics.parameters()]
        self.optimizer = torch.optim.Adam(learned, lr=settings.learning_rate, betas=(0.5, 0.999))

    def step(self, step: int) -> dict[str, Tensor]:
        """Generators descend once, then critics. Returns the losses by name."""
        settings, players = self.settings, self.players
        random = np.random.default_rng((settings.seed, 11, step))
        products = self.products.batch(step, settings.batch).to(self.device)
        styles = self.styles.batch(step, settings.batch, stream=1).to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_share(step, settings.steps, settings.decay_from)
        players.critics.requires_grad_(False)
        with self._precision():
            painted, unpainted, losses = generator_losses(players, products, styles, settings)
        descend(self.optimizer, losses)
        players.average.update_parameters(players.paint)
        players.critics.requires_grad_(True)
        shown = {
            "style": (styles, self._replayed("style", painted, random)),
            "product": (products, self._replayed("product", unpainted, random)),
        }
        with self._precision():
            judged = {f"critic {kind}": critic_loss(players.critics[kind], *pair) for kind, pair in shown.items()}
        descend(self.optimizer, judged)
        return {**losses, **judged}

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Products, the same each time, their paintings, and these led back: `(N, 3, side, 3 * side)` in [0, 1]."""
        products = self.products.batch(0, SHOWN, stream=2).to(self.device)
        painted = self.players.shipped(products)
        return torch.cat([products, painted, self.players.unpaint(painted)], dim=3).clamp(0, 1).cpu()

    def weights(self) -> dict[str, Tensor]:
        """The tensors of the averaged generator, half precision."""
        return {key: value.half().cpu() for key, value in self.players.shipped.state_dict().items()}

    def _replayed(self, kind: str, made: Tensor, random: np.random.Generator) -> Tensor:
        remembered = self.players.made[kind]
        assert isinstance(remembered, ReplayBuffer)  # noqa: S101
        return remembered.swap(made.float(), random)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.settings.bfloat16)


def crops_of(
    products: Sequence[Path], styles: Sequence[Path], settings: GanSettings, jitter: float
) -> tuple[Crops, Crops]:
    """Crops of products, where most of the product is, and of paintings, whose colors stay."""
    side, keep, seed = settings.side, settings.keep, settings.seed
    return (
        Crops(products, side=side, keep=keep, seed=seed, jitter=jitter, tries=settings.tries),
        Crops(styles, side=side, keep=keep, seed=seed),
    )


def generator_losses(
    players: Players, products: Tensor, styles: Tensor, settings: GanSettings
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Paintings of the products and products of the paintings `(B, 3, H, W)`, and the losses of having made them."""
    painted, unpainted = players.paint(products), players.unpaint(styles)
    fooled = [least_squares(players.critics[kind](made), 1.0) for kind, made in _both(painted, unpainted)]
    cycle = F.l1_loss(players.unpaint(painted), products) + F.l1_loss(players.paint(unpainted), styles)
    same = F.l1_loss(players.paint(styles), styles) + F.l1_loss(players.unpaint(products), products)
    return (
        painted,
        unpainted,
        {
            "fool style": fooled[0],
            "fool product": fooled[1],
            "cycle": settings.cycle * cycle,
            "identity": settings.identity * same,
        },
    )


def critic_loss(critic: nn.Module, real: Tensor, made: Tensor) -> Tensor:
    """Half the least-squares losses of both kinds of pictures, as in the paper's section 7.1."""
    return (least_squares(critic(real), 1.0) + least_squares(critic(made), 0.0)) / 2


def rate_share(step: int, steps: int, decay_from: float) -> float:
    """1 until `decay_from` of the steps, then along a line to 0 at the end."""
    return min(1.0, (1 - step / steps) / max(1 - decay_from, 1e-9))


def _both(style: Tensor, product: Tensor) -> tuple[tuple[str, Tensor], tuple[str, Tensor]]:
    return ("style", style), ("product", product)


def _generators(players: Players) -> nn.ModuleList:
    return nn.ModuleList([players.paint, players.unpaint])


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the recipe."""
    default = GanSettings()
    parser = argparse.ArgumentParser(description=train_gan.__doc__)
    parser.add_argument("--products", type=Path, nargs="+", required=True, help="folders; each fifth is held out")
    parser.add_argument("--styles", type=Path, nargs="+", required=True, help="folders of one look; as with products")
    parser.add_argument("--most", type=int, default=1000, help="products kept in memory, evenly from those there are")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log, samples and weights")
    for name, value in asdict(default).items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            parser.add_argument(option, action="store_true")
        else:
            parser.add_argument(option, type=type(value), default=value)
    given: Mapping[str, Any] = vars(parser.parse_args(arguments))
    folders = {name: not_held_out(find_images(given[name])) for name in ("products", "styles")}
    settings = GanSettings(**{name: given[name] for name in asdict(default)})
    every = -(-len(folders["products"]) // given["most"])
    train_gan(folders["products"][::every], folders["styles"], given["out"], settings)


if __name__ == "__main__":
    main()
