"""A thinner `FilmNet` from a trained one: whole channels go, the least of them first.

Structured pruning by the size of weights (Li et al. 2017, "Pruning filters for efficient convnets"). Departs from the
paper in what is measured: a filter before an instance normalization has a size without meaning, so a channel counts by
the weights that read it, and residual channels, which many layers share, by the mean over these layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from style.errors import ShapeError
from style.transfer.film import ColorHead, FilmBlock, FilmNet, FilmShape

MULTIPLE = 4
"""Widths are kept multiples of it, as vector units like them."""


def shape_of(network: FilmNet) -> FilmShape:
    """The shape that a network was made with."""
    return shape_in(network.state_dict())


def shape_in(tensors: Mapping[str, Tensor]) -> FilmShape:
    """The shape of a network whose state is `tensors`."""
    return FilmShape(
        width=len(tensors["enter.weight"]),
        blocks=1 + max(int(key.split(".")[1]) for key in tensors if key.startswith("blocks.")),
        fine=len(tensors["widen.weight"]),
        colors=len(tensors["recolor.weight"]),
        hidden=len(tensors["condition.0.weight"]),
    )


def thinner(shape: FilmShape, share: float) -> FilmShape:
    """The shape with `share` in [0, 1) of its channels gone, rounded to multiples of four; as many blocks.

    Raises ShapeError for a share outside.
    """
    if not 0 <= share < 1:
        raise ShapeError(f"the share of channels to prune must lie in [0, 1), got {share}")

    def kept(width: int) -> int:
        return max(MULTIPLE, MULTIPLE * round(width * (1 - share) / MULTIPLE))

    return FilmShape(kept(shape.width), shape.blocks, kept(shape.fine), kept(shape.colors), kept(shape.hidden))


@torch.no_grad()
def prune_film(network: FilmNet, shape: FilmShape) -> FilmNet:
    """A network of `shape` made of the channels of `network` that count most; what is kept is kept as it was.

    Raises ShapeError where `shape` is wider than the network or has another number of blocks.
    """
    whole = shape_of(network)
    names = ("width", "fine", "colors", "hidden")
    if shape.blocks != whole.blocks or any(getattr(shape, name) > getattr(whole, name) for name in names):
        raise ShapeError(f"cannot prune {whole} to {shape}: ask for as many blocks, and for no more channels")
    small = FilmNet(shape)
    residual = _most(_residual_size(network), shape.width)
    inner = [_most(_read_size(block.second), shape.width) for block in _blocks(network)]
    fine = _most(_read_size(network.leave)[: whole.fine], shape.fine)
    colors = _most(_color_size(network), shape.colors)
    _copy_convolution(small.enter, network.enter, leaving=residual)
    for block, source, middle in zip(_blocks(small), _blocks(network), inner, strict=True):
        _copy_convolution(block.first, source.first, leaving=middle, entering=residual)
        _copy_convolution(block.second, source.second, leaving=residual, entering=middle)
    _copy_convolution(small.widen, network.widen, leaving=fine, entering=residual)
    folded = torch.arange(whole.fine, network.leave.in_channels)
    _copy_convolution(small.leave, network.leave, entering=torch.cat([fine, folded]))
    small.palette.load_state_dict(network.palette.state_dict())
    small.palette.requires_grad_(requires_grad=False)
    small.recolor.weight.copy_(network.recolor.weight[colors])
    small.recolor.bias.copy_(network.recolor.bias[colors])
    parts = [part for middle in inner for part in (_pairs(middle, whole.width), _pairs(residual, whole.width))]
    rows = [*parts, _pairs(fine, whole.fine), _coefficients(network.recolor, colors)]
    _copy_condition(small, network, _joined(rows, network.sizes))
    return small


def _blocks(network: FilmNet) -> Iterator[FilmBlock]:
    for block in network.blocks:
        assert isinstance(block, FilmBlock)  # noqa: S101
        yield block


def _read_size(layer: nn.Conv2d | nn.Linear) -> Tensor:
    """The length of the weights that read each entering channel, in units of their mean."""
    size = layer.weight.transpose(0, 1).flatten(1).norm(dim=1)
    relative: Tensor = size / size.mean()
    return relative


def _residual_size(network: FilmNet) -> Tensor:
    readers = [*(block.first for block in _blocks(network)), network.widen]
    return torch.stack([_read_size(layer) for layer in readers]).mean(dim=0)


def _color_size(network: FilmNet) -> Tensor:
    """How long a function of color is, times the weights that mix it in."""
    head, last = network.recolor, _linear(network, 4)
    own = torch.cat([head.weight, head.bias], dim=1).norm(dim=1)
    mixture = last.weight[-head.coefficients :][: head.sizes[0]]
    size: Tensor = own * mixture.view(3, len(head.weight), -1).norm(dim=(0, 2))
    return size


def _most(size: Tensor, count: int) -> Tensor:
    """The indices of the `count` largest, in order."""
    return size.topk(count).indices.sort().values


def _copy_convolution(
    to: nn.Conv2d, source: nn.Conv2d, *, leaving: Tensor | None = None, entering: Tensor | None = None
) -> None:
    weight, bias = source.weight, source.bias
    assert to.bias is not None  # noqa: S101
    assert bias is not None  # noqa: S101
    leaving = torch.arange(source.out_channels) if leaving is None else leaving
    entering = torch.arange(source.in_channels) if entering is None else entering
    to.weight.copy_(weight[leaving][:, entering])
    to.bias.copy_(bias[leaving])


def _copy_condition(small: FilmNet, network: FilmNet, rows: Tensor) -> None:
    kept = _linear(small, 0).out_features
    first, second = (_most(_read_size(_linear(network, index)), kept) for index in (2, 4))
    everything = torch.arange(_linear(network, 0).in_features)
    for index, leaving, entering in ((0, first, everything), (2, second, first), (4, rows, second)):
        source, to = _linear(network, index), _linear(small, index)
        to.weight.copy_(source.weight[leaving][:, entering])
        to.bias.copy_(source.bias[leaving])


def _linear(network: FilmNet, index: int) -> nn.Linear:
    layer = network.condition[index]
    assert isinstance(layer, nn.Linear)  # noqa: S101
    return layer


def _pairs(kept: Tensor, whole: int) -> Tensor:
    """Gammas, then betas, of the kept channels."""
    return torch.cat([kept, whole + kept])


def _coefficients(head: ColorHead, kept: Tensor) -> Tensor:
    functions = len(head.weight)
    mixture = torch.cat([row * functions + kept for row in range(3)])
    return torch.cat([mixture, torch.arange(3 * functions, head.coefficients)])


def _joined(parts: list[Tensor], sizes: list[int]) -> Tensor:
    """Indices within each part as indices of all parts laid end to end."""
    starts = torch.tensor([0, *sizes]).cumsum(0)
    return torch.cat([part + start for part, start in zip(parts, starts, strict=False)])
