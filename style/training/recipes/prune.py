"""Prune `FilmNet`: build a thinner network from a trained one by removing its least important channels.

Structured pruning by the size of weights (Li et al. 2017, "Pruning filters for efficient convnets"). Departs from the
paper in the measure of a channel. The size of a filter before an instance normalization has no meaning, so a channel
is measured by the weights that read it. Residual channels, which many layers share, are measured by the mean over
these layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from style.errors import ShapeError
from style.transfer.film import FilmBlock, FilmNet, FilmShape

MULTIPLE = 4
"""Widths are multiples of it, which suits vector units."""


def shape_of(network: FilmNet) -> FilmShape:
    """Return the shape that a network was built with."""
    return shape_from_tensors(network.state_dict())


def shape_from_tensors(tensors: Mapping[str, Tensor]) -> FilmShape:
    """Return the shape of a network whose state is `tensors`."""
    return FilmShape(
        width=len(tensors["enter.weight"]),
        blocks=1 + max(int(key.split(".")[1]) for key in tensors if key.startswith("blocks.")),
        fine=len(tensors["widen.weight"]),
        colors=len(tensors["recolor.weight"]),
        hidden=len(tensors["condition.0.weight"]),
    )


def shrink_shape(shape: FilmShape, share: float) -> FilmShape:
    """Return the shape with `share` in [0, 1) of its channels removed, in multiples of four; blocks stay.

    Raises ShapeError for a share outside.
    """
    if not 0 <= share < 1:
        raise ShapeError(f"the share of channels to prune must lie in [0, 1), got {share}")

    def shrink(width: int) -> int:
        return max(MULTIPLE, MULTIPLE * round(width * (1 - share) / MULTIPLE))

    return FilmShape(shrink(shape.width), shape.blocks, shrink(shape.fine), shrink(shape.colors), shrink(shape.hidden))


@torch.no_grad()
def prune_film(network: FilmNet, shape: FilmShape) -> FilmNet:
    """Build a network of `shape` from the most important channels of `network`, with unchanged weights.

    Raises ShapeError if `shape` is wider than the network or has another number of blocks.
    """
    whole = shape_of(network)
    names = ("width", "fine", "colors", "hidden")
    if shape.blocks != whole.blocks or any(getattr(shape, name) > getattr(whole, name) for name in names):
        raise ShapeError(f"cannot prune {whole} to {shape}: ask for as many blocks, and for no more channels")
    small = FilmNet(shape)
    # Indices of the channels to keep, per kind of channel.
    readers = [*(block.first for block in _blocks(network)), network.widen]
    residual = _largest(torch.stack([_read_size(layer) for layer in readers]).mean(dim=0), shape.width)
    inner = [_largest(_read_size(block.second), shape.width) for block in _blocks(network)]
    fine = _largest(_read_size(network.leave)[: whole.fine], shape.fine)
    # Length of each function of color, times the length of the weights that mix it in.
    head, last = network.recolor, _linear(network, 4)
    own = torch.cat([head.weight, head.bias], dim=1).norm(dim=1)
    mixture = last.weight[-head.coefficients :][: head.sizes[0]]
    size: Tensor = own * mixture.view(3, len(head.weight), -1).norm(dim=(0, 2))
    colors = _largest(size, shape.colors)
    _copy_convolution(small.enter, network.enter, outputs=residual)
    for block, source, middle in zip(_blocks(small), _blocks(network), inner, strict=True):
        _copy_convolution(block.first, source.first, outputs=middle, inputs=residual)
        _copy_convolution(block.second, source.second, outputs=residual, inputs=middle)
    _copy_convolution(small.widen, network.widen, outputs=fine, inputs=residual)
    folded = torch.arange(whole.fine, network.leave.in_channels)
    _copy_convolution(small.leave, network.leave, inputs=torch.cat([fine, folded]))
    small.palette.load_state_dict(network.palette.state_dict())
    small.palette.requires_grad_(requires_grad=False)
    small.recolor.weight.copy_(network.recolor.weight[colors])
    small.recolor.bias.copy_(network.recolor.bias[colors])
    # The condition network's last layer outputs gammas and betas of each normalization, then mixtures of colors.
    pairs = [pair for middle in inner for pair in (_pairs(middle, whole.width), _pairs(residual, whole.width))]
    # Coefficients that mix the functions of color to keep.
    count = len(network.recolor.weight)
    mixture = torch.cat([row * count + colors for row in range(3)])
    rows = [
        *pairs,
        _pairs(fine, whole.fine),
        torch.cat([mixture, torch.arange(3 * count, network.recolor.coefficients)]),
    ]
    starts = torch.tensor([0, *network.sizes]).cumsum(0)
    _copy_condition(small, network, torch.cat([row + start for row, start in zip(rows, starts, strict=False)]))
    return small


def _blocks(network: FilmNet) -> Iterator[FilmBlock]:
    for block in network.blocks:
        assert isinstance(block, FilmBlock)  # noqa: S101
        yield block


def _read_size(layer: nn.Conv2d | nn.Linear) -> Tensor:
    """Return the length of the weights that read each input channel, in units of their mean."""
    size = layer.weight.transpose(0, 1).flatten(1).norm(dim=1)
    relative: Tensor = size / size.mean()
    return relative


def _largest(size: Tensor, count: int) -> Tensor:
    """Return the indices of the `count` largest values, in ascending order."""
    return size.topk(count).indices.sort().values


def _copy_convolution(
    to: nn.Conv2d, source: nn.Conv2d, *, outputs: Tensor | None = None, inputs: Tensor | None = None
) -> None:
    """Copy weights of the given output and input channels; None: all."""
    weight, bias = source.weight, source.bias
    assert to.bias is not None  # noqa: S101
    assert bias is not None  # noqa: S101
    outputs = torch.arange(source.out_channels) if outputs is None else outputs
    inputs = torch.arange(source.in_channels) if inputs is None else inputs
    to.weight.copy_(weight[outputs][:, inputs])
    to.bias.copy_(bias[outputs])


def _copy_condition(small: FilmNet, network: FilmNet, rows: Tensor) -> None:
    """Copy the condition network: `rows` of its last layer, and the most important hidden units."""
    hidden = _linear(small, 0).out_features
    first, second = (_largest(_read_size(_linear(network, index)), hidden) for index in (2, 4))
    everything = torch.arange(_linear(network, 0).in_features)
    for index, outputs, inputs in ((0, first, everything), (2, second, first), (4, rows, second)):
        source, to = _linear(network, index), _linear(small, index)
        to.weight.copy_(source.weight[outputs][:, inputs])
        to.bias.copy_(source.bias[outputs])


def _linear(network: FilmNet, index: int) -> nn.Linear:
    layer = network.condition[index]
    assert isinstance(layer, nn.Linear)  # noqa: S101
    return layer


def _pairs(channels: Tensor, width: int) -> Tensor:
    """Return the indices of gammas, then of betas, of the channels to keep, of `width` in all."""
    return torch.cat([channels, width + channels])
