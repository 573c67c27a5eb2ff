"""Restyling of frames of one product (a spin, a gallery, a video) without flicker.

Frames that are painted separately flicker: an engine paints other strokes after small noise and motion. Here the
texture is passed from frame to frame. It is warped by optical flow, and mixed into the new texture at pixels with a
reliable flow, as in the short-term consistency of Ruder et al. (2016, "Artistic style transfer for videos"). The paper
adds it to the loss of an optimization. Here it is a recursive filter of paintings, so it costs only the flow and works
with every engine. One table maps colors for all frames, and one strength holds for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from style.errors import ImageError
from style.fidelity import Composite, FidelityReport, limit_strength
from style.images import Pixels
from style.mask import Mask
from style.restyle import RestyleOptions, gallery_palette, judging_mask, paint_masks, paint_with_palette
from style.sequences.flow import flow_confidence, optical_flow, warp
from style.transfer.base import Painting, Stylizer
from style.vector import StyleVector

MEMORY = 0.95
"""Share of a reliable pixel's texture that comes from earlier frames."""
JUDGED = 8
"""Number of frames, spread over the sequence, that give the palette and that fidelity measures."""
STEPS = 33
"""Steps of the color table along each of r, g, b."""


@dataclass(frozen=True, slots=True, eq=False)
class RestyledSequence:
    """Restyled frames `(H, W, 3)` in [0, 1], and the fidelity report of the frame that limits all."""

    frames: list[Pixels]
    report: FidelityReport


def restyle_sequence(
    engine: Stylizer, frames: Sequence[Pixels], style: StyleVector, options: RestyleOptions, *, memory: float = MEMORY
) -> RestyledSequence:
    """Restyle frames toward z; each keeps its size, and a frame of another size starts afresh.

    Strength 0 returns the frames bit for bit. Fidelity measures `JUDGED` frames; the strength that it allows for all of
    these is used for every frame.

    Args:
        engine: Engine that paints.
        frames: `(H, W, 3)` in [0, 1] each.
        style: Style vector to follow.
        options: Strength, mode and limits.
        memory: In [0, 1), share of the texture from earlier frames; 0 paints each frame separately.

    Raises:
        ImageError: If there is no frame, or `memory` is outside its range.
        BackdropError: If the mode is `background` and a frame has no backdrop.
    """
    if not frames:
        raise ImageError("a sequence needs at least one frame")
    if not 0 <= memory < 1:
        raise ImageError(f"the memory of a sequence must lie in [0, 1), got {memory}")
    chosen = [frames[index] for index in np.unique(np.linspace(0, len(frames) - 1, JUDGED).astype(int))]
    if not options.strength.largest:
        return RestyledSequence(
            [frame.copy() for frame in frames], FidelityReport(options.strength, options.strength, None, ())
        )
    painter = _Painter.from_frames(engine, style, options, chosen)
    reports = [
        limit_strength(painter.fresh(frame).composite(options), options.strength, options.limits) for frame in chosen
    ]
    report = min(reports, key=lambda each: each.used.largest)
    restyled: list[Pixels] = []
    last: _Painted | None = None
    for frame in frames:
        fresh = painter.fresh(frame)
        follows = memory > 0 and last is not None and last.frame.shape == frame.shape
        last = fresh.after(last, memory) if last is not None and follows else fresh
        restyled.append(last.composite(options).at(report.used))
    return RestyledSequence(restyled, report)


@dataclass(frozen=True, slots=True, eq=False)
class _Painted:
    """Frame, its painting, the painted area, and the product's mask."""

    frame: Pixels
    painting: Painting
    where: Mask
    product: Mask

    def after(self, last: _Painted, memory: float) -> _Painted:
        """Mix in the last frame's texture and painted area, as far as the flow is reliable."""
        there, back = optical_flow(self.frame, last.frame), optical_flow(last.frame, self.frame)
        weight = memory * flow_confidence(self.frame, last.frame, there, back)[:, :, None]
        fresh, before = (
            np.concatenate([each.painting.texture, each.where[:, :, None]], axis=2) for each in (self, last)
        )
        blend = fresh + weight * (warp(before, there) - fresh)
        texture = _match_spread(blend[:, :, :3], self.painting.texture)
        # Bicubic interpolation overshoots.
        where = np.clip(blend[:, :, 3], 0.0, 1.0)
        return _Painted(self.frame, Painting(texture, self.painting.color), where, self.product)

    def composite(self, options: RestyleOptions) -> Composite:
        return Composite(self.frame, self.painting, self.product, self.where, options.keep_color)


@dataclass(frozen=True, slots=True, eq=False)
class _Painter:
    """Painter of frames, with colors from one table `(STEPS, STEPS, STEPS, 3)` of changes by r, g, b.

    A painting's color depends only on each pixel's color, so a table holds all of it.
    """

    engine: Stylizer
    style: StyleVector
    options: RestyleOptions
    table: NDArray[np.float32]

    @classmethod
    def from_frames(
        cls, engine: Stylizer, style: StyleVector, options: RestyleOptions, frames: Sequence[Pixels]
    ) -> _Painter:
        """Build the color table, with colors judged by the product in all of `frames`."""
        palette = gallery_palette(frames, [paint_masks(frame, None, options.mode)[1] for frame in frames])
        levels = np.linspace(0, 1, STEPS, dtype=np.float32)
        colors = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
        sheet = colors.reshape(STEPS, STEPS * STEPS, 3)
        table = paint_with_palette(engine, sheet, palette, style).color.reshape(colors.shape)
        return cls(engine, style, options, table)

    def fresh(self, frame: Pixels) -> _Painted:
        where, product = paint_masks(frame, None, self.options.mode)
        texture = self.engine.paint([frame], self.style, [judging_mask(product)])[0].texture
        # Trilinear lookup of the table at each pixel's color.
        positions = np.moveaxis(frame * (STEPS - 1), 2, 0)  # (3, H, W)
        channels = [
            ndimage.map_coordinates(self.table[..., channel], positions, order=1, mode="nearest")
            for channel in range(3)
        ]
        color = np.stack(channels, axis=2).astype(np.float32)
        return _Painted(frame, Painting(texture, color), where, product)


def _match_spread(blend: Pixels, fresh: Pixels) -> Pixels:
    """Give a blend of textures the spread of a fresh one, channel by channel.

    Different strokes average out. Heitz and Neyret (2018, "High-performance by-example noise using a
    histogram-preserving blending operator") restore the variance of a blend in this way.
    """
    spread, target = (each.std(axis=(0, 1)) for each in (blend, fresh))
    mean = blend.mean(axis=(0, 1))
    matched = mean + (blend - mean) * np.clip(target / np.maximum(spread, 1e-6), 1.0, 1.5)
    return np.asarray(matched, dtype=np.float32)
