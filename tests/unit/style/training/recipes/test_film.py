"""The palette of `film` is fitted, not trained."""

from __future__ import annotations

import torch

from style.training.recipes.film import fit_palette
from style.training.targets import Statistics, Styles


def test_the_palette_starts_where_least_squares_puts_it() -> None:
    random = torch.Generator().manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(400, 128, generator=random), dim=1)
    rule = torch.randn(128, 6, generator=random)
    means, spreads = (0.1 * z @ rule).split([3, 3], dim=1)
    moments = torch.cat([4 * means, 4 * spreads.exp(), torch.zeros(400, 3)], dim=1)
    layer = torch.nn.Linear(128, 6)
    fit_palette(layer, Styles(z, Statistics({}, {}), torch.zeros(400, 12, 32), moments), ridge=1e-6)
    assert torch.allclose(layer(z * 128**0.5), torch.cat([means, spreads], dim=1), atol=1e-3)
