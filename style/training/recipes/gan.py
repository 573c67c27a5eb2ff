"""Train the engine `gan` on unpaired products and paintings of one style (CycleGAN, Zhu et al. 2017).

Two generators translate products to paintings and back, each against a discriminator of patches. A step asks that
- discriminators rate generated images as real (least squares, Mao et al. 2017),
- an image that is translated and translated back is the image again (L1, the paper's eq. 2),
- an image that is of the target kind already stays as it is (L1, the paper's section 5.2).
Then discriminators learn to tell real images from generated ones, old ones among them (`ReplayBuffer`). The optimizer
is Adam; its rate is constant, then falls linearly to 0. Products are flipped, cropped to show most of the product, and
jittered in brightness, contrast and saturation. Paintings keep their colors, which are what is learned.

Departures from the paper: Networks and crops are small; `style.transfer.gan` lists departures of the generator.
Discriminators see 34 pixels a side and not 70, as crops are small. Cycle and identity weigh less against the
discriminators, so that colors move in short runs. Gradients are clipped to length 1. The result is a running average
of the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from style.backbone import channels_last
from style.training.checkpoint import to_half
from style.training.crops import Crops
from style.training.discriminator import PatchDiscriminator, ReplayBuffer, least_squares
from style.training.loop import LoopOptions, learn
from style.training.optim import descend, warming_average
from style.training.recipe import SHEET_ROWS
from style.training.run import Training
from style.transfer.gan import Generator, GeneratorShape


@dataclass(frozen=True, slots=True)
class GanSettings:
    """Settings of the recipe.

    Attributes:
        steps: Steps of Adam.
        batch: Crops in a step.
        side: Side of a crop, in pixels.
        keep: Short side of images in memory, in pixels.
        learning_rate: Learning rate until it falls.
        decay_from: Share of the steps after which the learning rate falls.
        cycle: Weight of the way there and back.
        identity: Weight of images that are of the target kind already.
        width: Width of the generators.
        blocks: Residual blocks of the generators.
        critic: Width of the discriminators.
        remembered: Images in a replay buffer.
        average: Share of the running average of weights that a step keeps.
        jitter: Largest change of brightness, contrast and saturation of products, as a share.
        tries: Places from which a crop of a product is chosen, see `Crops`.
        epoch: Steps after which samples and a checkpoint are written.
        bfloat16: Whether to compute in bfloat16, which is faster if the processor supports it.
        seed: Seed of all random numbers.
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


class GanNetworks(nn.Module):
    """State of a run: generators, discriminators, replay buffers, and the averaged generator that is the result."""

    def __init__(self, settings: GanSettings) -> None:
        super().__init__()
        shape = GeneratorShape(settings.width, settings.blocks)
        self.paint, self.unpaint = Generator(shape), Generator(shape)
        self.discriminators = nn.ModuleDict(
            {kind: PatchDiscriminator(settings.critic) for kind in ("style", "product")}
        )
        self.replay = nn.ModuleDict(
            {kind: ReplayBuffer(settings.remembered, settings.side) for kind in ("style", "product")}
        )
        channels_last(self)
        self.average = AveragedModel(self.paint, multi_avg_fn=warming_average(settings.average))

    @property
    def result(self) -> Generator:
        """Return the generator with averaged weights."""
        generator = self.average.module
        assert isinstance(generator, Generator)  # noqa: S101
        return generator


def train_gan(products: Sequence[Path], styles: Sequence[Path], out: Path, settings: GanSettings) -> Generator:
    """Train the networks, or continue a stopped run.

    Args:
        products: Product photos.
        styles: Paintings of one style.
        out: Folder that receives `checkpoint.safetensors`, `log.jsonl`, `gan.safetensors` and `samples-*.jpg`.
        settings: Settings of the recipe.

    Returns:
        Generator of paintings with averaged weights.

    Raises:
        ImageError: Images cannot be read.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    training = GanTraining(products, styles, settings, device)
    learn(training, LoopOptions(settings.steps, settings.epoch, weights_file="gan.safetensors"), out, title="gan")
    return training.state.result


class GanTraining(Training):
    """Run of two generators against two discriminators."""

    def __init__(
        self, products: Sequence[Path], styles: Sequence[Path], settings: GanSettings, device: torch.device
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.device = device
        self.products, self.styles = load_crops(products, styles, settings, settings.jitter)
        self.state: GanNetworks = GanNetworks(settings).to(device)
        # One optimizer serves both sides: networks whose turn it is not have no gradients, and Adam skips them.
        generators = nn.ModuleList([self.state.paint, self.state.unpaint])
        trainable = [*generators.parameters(), *self.state.discriminators.parameters()]
        self.optimizer = torch.optim.Adam(trainable, lr=settings.learning_rate, betas=(0.5, 0.999))
        self.optimizers = {"players": self.optimizer}

    def rate(self, step: int, steps: int, warm_up: int) -> float:  # noqa: ARG002  there is no warm-up
        """Return the share of the learning rate: 1 until `decay_from` of the steps, then linearly down to 0."""
        return min(1.0, (1 - step / steps) / max(1 - self.settings.decay_from, 1e-9))

    def step(self, step: int) -> dict[str, Tensor]:
        """Update the generators once, then the discriminators."""
        settings, networks = self.settings, self.state
        random = np.random.default_rng((settings.seed, 11, step))
        products = self.products.batch(step, settings.batch).to(self.device)
        styles = self.styles.batch(step, settings.batch, stream=1).to(self.device)
        networks.discriminators.requires_grad_(False)
        with self._precision():
            painted, unpainted, losses = generator_losses(networks, products, styles, settings)
        descend(self.optimizer, losses)
        networks.average.update_parameters(networks.paint)
        networks.discriminators.requires_grad_(True)
        # The order of the draws, style before product, is part of the recipe.
        pairs = {}
        for kind, real, generated in (("style", styles, painted), ("product", products, unpainted)):
            buffer = networks.replay[kind]
            assert isinstance(buffer, ReplayBuffer)  # noqa: S101
            pairs[kind] = (real, buffer.swap(generated.float(), random))
        with self._precision():
            rated = {
                f"critic {kind}": discriminator_loss(networks.discriminators[kind], *pair)
                for kind, pair in pairs.items()
            }
        descend(self.optimizer, rated)
        return {**losses, **rated}

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Return products, their paintings and these translated back, `(N, 3, side, 3 * side)` in [0, 1]."""
        products = self.products.batch(0, SHEET_ROWS, stream=2).to(self.device)
        painted = self.state.result(products)
        return torch.cat([products, painted, self.state.unpaint(painted)], dim=3).clamp(0, 1).cpu()

    def weights(self) -> dict[str, Tensor]:
        """Return the averaged weights in half precision."""
        return to_half(self.state.result.state_dict())

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.settings.bfloat16)


def load_crops(
    products: Sequence[Path], styles: Sequence[Path], settings: GanSettings, jitter: float
) -> tuple[Crops, Crops]:
    """Return crops of products, chosen to show most of the product, and crops of paintings with unchanged colors."""
    side, keep, seed = settings.side, settings.keep, settings.seed
    return (
        Crops(products, side=side, keep=keep, seed=seed, jitter=jitter, tries=settings.tries),
        Crops(styles, side=side, keep=keep, seed=seed),
    )


def generator_losses(
    networks: GanNetworks, products: Tensor, styles: Tensor, settings: GanSettings
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Translate a batch both ways.

    Args:
        networks: Networks of the run.
        products: Products `(B, 3, H, W)` in [0, 1].
        styles: Paintings `(B, 3, H, W)` in [0, 1].
        settings: Weights of the losses.

    Returns:
        Paintings of the products, products of the paintings, `(B, 3, H, W)` each, and the generators' losses.
    """
    painted, unpainted = networks.paint(products), networks.unpaint(styles)
    fool_style = least_squares(networks.discriminators["style"](painted), 1.0)
    fool_product = least_squares(networks.discriminators["product"](unpainted), 1.0)
    cycle = F.l1_loss(networks.unpaint(painted), products) + F.l1_loss(networks.paint(unpainted), styles)
    same = F.l1_loss(networks.paint(styles), styles) + F.l1_loss(networks.unpaint(products), products)
    losses = {
        "fool style": fool_style,
        "fool product": fool_product,
        "cycle": settings.cycle * cycle,
        "identity": settings.identity * same,
    }
    return painted, unpainted, losses


def discriminator_loss(discriminator: nn.Module, real: Tensor, generated: Tensor) -> Tensor:
    """Return half the sum of the least-squares losses of both kinds of images, as in the paper's section 7.1."""
    return (least_squares(discriminator(real), 1.0) + least_squares(discriminator(generated), 0.0)) / 2
