"""Tolerances that follow from the number format and from how much is computed in it, on any processor."""

from __future__ import annotations

import math

import numpy as np
from torch import nn

SPREAD = 2.0
"""Standard deviations of the accumulated rounding that a comparison allows."""


def rounding_tolerance(roundings: float, magnitude: float, number: type[np.floating] = np.float32) -> float:
    """Return how far two computations of the same values may be apart by rounding.

    Processors add in different orders: instruction sets differ in the number of terms that they add at once, libraries
    in their blocks. Whatever the order, `n` roundings in a row multiply a value by `n` factors `1 + d`, `|d| <= u`,
    with the unit roundoff `u = eps / 2`. Taken as independent with mean zero, they make a relative error of at most
    `s * sqrt(n) * u` (Higham and Mary 2019, "A new approach to probabilistic rounding error analysis", theorem 2.4),
    `s` being `SPREAD`. Two computations may err in opposite directions, hence `s * sqrt(n) * eps`.

    A wrong computation shows: bfloat16 has an `eps` 65,536 times that of float32.

    Args:
        roundings: Roundings one after another on the longest way from an input to an output. A sum of k products has k,
            a long sum `long_sum(k)`. A layer adds its own to those of the layer that it reads.
        magnitude: Largest absolute value among the outputs and what is added up on the way to them.
        number: Format that is computed in.
    """
    return SPREAD * math.sqrt(roundings) * float(np.finfo(number).eps) * magnitude


def long_sum(terms: int) -> float:
    """Return the roundings in a row of a sum over all pixels.

    Long sums are not added one by one: torch halves them, BLAS takes them in panels, OpenVINO in lanes. Blocks of
    `sqrt(k)` terms, whose sums are added in turn, take `2 * sqrt(k)`. One by one it would be `k`: at 512 x 512 pixels
    the error is then a hundred times what it needs to be, and shows.
    """
    return 2 * math.sqrt(terms)


def layer_roundings(network: nn.Module) -> int:
    """Return the roundings in a row of a network's layers: each output is a sum over the inputs of its layer."""
    return sum(weights[0].numel() for weights in network.parameters() if weights.ndim > 1)


def film_tolerance(network: nn.Module, pixels: int, magnitude: float, blocks: int) -> float:
    """Return the tolerance for a `FilmNet` with so many residual `blocks` on a picture of so many `pixels`.

    Beside its layers it takes the photo's color moments (the sum of the weights, means, products), and two moments of
    each normalized layer, at a quarter of the size: two layers a block and one behind them.
    """
    moments = 3 * long_sum(pixels) + 2 * (2 * blocks + 1) * long_sum(pixels // 16)
    return rounding_tolerance(layer_roundings(network) + moments, magnitude)
