"""Frames of one product (a spin, a gallery, a video) restyled without flicker.

Painted one by one, frames flicker: an engine answers noise and small motion with other strokes. Here a state goes from
frame to frame: the texture so far, moved along by optical flow, and mixed into the new one where the flow can be
trusted, as the short-term consistency of Ruder et al. (2016, "Artistic style transfer for videos"). They put it into
the loss of an optimization; here it is a recursive filter of paintings, so that it costs no more than the flow, and
serves every engine. Colors are mapped by one table for all frames, and one strength holds for all.
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
"""How much of a trusted pixel's texture is that of the frames before."""
JUDGED = 8
"""Frames, spread over the sequence, whose colors are the palette and which fidelity judges."""
STEPS = 33
"""Steps of the color table along each of r, g, b."""


@dataclass(frozen=True, slots=True, eq=False)
class RestyledSequence:
    """Frames `(H, W, 3)` in [0, 1] as they went in, restyled, and the report of the frame that limits them all."""

    frames: list[Pixels]
    report: FidelityReport


def restyle_sequence(
    engine: Stylizer, frames: Sequence[Pixels], style: StyleVector, wish: RestyleOptions, *, memory: float = MEMORY
) -> RestyledSequence:
    """Frames `(H, W, 3)` in [0, 1] restyled toward z; each keeps its size, and a frame of another size starts afresh.

    `memory` in [0, 1): 0 paints each frame's texture by itself. Strength 0 gives the frames bit for bit. Fidelity looks
    at `JUDGED` frames; what it allows for all of these holds for every frame. Raises ImageError without a frame or for
    a memory outside its range, and like `restyle_photo`.
    """
    if not frames:
        raise ImageError("a sequence needs at least one frame")
    if not 0 <= memory < 1:
        raise ImageError(f"the memory of a sequence must lie in [0, 1), got {memory}")
    chosen = [frames[index] for index in np.unique(np.linspace(0, len(frames) - 1, JUDGED).astype(int))]
    if not wish.strength.largest:
        return RestyledSequence(
            [frame.copy() for frame in frames], FidelityReport(wish.strength, wish.strength, None, ())
        )
    painter = _Painter.from_frames(engine, style, wish, chosen)
    reports = [limit_strength(painter.fresh(frame).composite(wish), wish.strength, wish.limits) for frame in chosen]
    report = min(reports, key=lambda each: each.used.largest)
    found: list[Pixels] = []
    last: _Painted | None = None
    for frame in frames:
        fresh = painter.fresh(frame)
        follows = memory > 0 and last is not None and last.frame.shape == frame.shape
        last = fresh.after(last, memory) if last is not None and follows else fresh
        found.append(last.composite(wish).at(report.used))
    return RestyledSequence(found, report)


@dataclass(frozen=True, slots=True, eq=False)
class _Painted:
    """A frame, what is painted on it, where, and which of it is the product."""

    frame: Pixels
    painting: Painting
    where: Mask
    product: Mask

    def after(self, last: _Painted, memory: float) -> _Painted:
        """This frame with as much of the last one's texture, and of where it was, as can be trusted."""
        there, back = optical_flow(self.frame, last.frame), optical_flow(last.frame, self.frame)
        weight = memory * flow_confidence(self.frame, last.frame, there, back)[:, :, None]
        fresh, before = (
            np.concatenate([each.painting.texture, each.where[:, :, None]], axis=2) for each in (self, last)
        )
        blend = fresh + weight * (warp(before, there) - fresh)
        texture = _as_rough(blend[:, :, :3], self.painting.texture)
        # Bicubic interpolation overshoots.
        where = np.clip(blend[:, :, 3], 0.0, 1.0)
        return _Painted(self.frame, Painting(texture, self.painting.color), where, self.product)

    def composite(self, wish: RestyleOptions) -> Composite:
        return Composite(self.frame, self.painting, self.product, self.where, wish.keep_color)


@dataclass(frozen=True, slots=True, eq=False)
class _Painter:
    """Paints frames one by one, with colors from one table `(STEPS, STEPS, STEPS, 3)` of what is added to r, g, b.

    A painting's color is a function of each pixel's color alone, so that a table holds all of it.
    """

    engine: Stylizer
    style: StyleVector
    wish: RestyleOptions
    table: NDArray[np.float32]

    @classmethod
    def from_frames(
        cls, engine: Stylizer, style: StyleVector, wish: RestyleOptions, frames: Sequence[Pixels]
    ) -> _Painter:
        """With colors judged by the product in all of `frames`."""
        palette = gallery_palette(frames, [paint_masks(frame, None, wish.mode)[1] for frame in frames])
        levels = np.linspace(0, 1, STEPS, dtype=np.float32)
        colors = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
        sheet = colors.reshape(STEPS, STEPS * STEPS, 3)
        table = paint_with_palette(engine, sheet, palette, style).color.reshape(colors.shape)
        return cls(engine, style, wish, table)

    def fresh(self, frame: Pixels) -> _Painted:
        where, product = paint_masks(frame, None, self.wish.mode)
        texture = self.engine.paint([frame], self.style, [judging_mask(product)])[0].texture
        places = np.moveaxis(frame * (STEPS - 1), 2, 0)
        looked_up = [
            ndimage.map_coordinates(self.table[..., channel], places, order=1, mode="nearest") for channel in range(3)
        ]
        color = np.stack(looked_up, axis=2).astype(np.float32)
        return _Painted(frame, Painting(texture, color), where, product)


def _as_rough(blend: Pixels, fresh: Pixels) -> Pixels:
    """A blend of textures with the spread of a fresh one, channel by channel.

    Strokes that are not the same average out; Heitz and Neyret (2018, "High-performance by-example noise using a
    histogram-preserving blending operator") give a blend its variance back in this way.
    """
    spread, asked = (each.std(axis=(0, 1)) for each in (blend, fresh))
    mean = blend.mean(axis=(0, 1))
    rough = mean + (blend - mean) * np.clip(asked / np.maximum(spread, 1e-6), 1.0, 1.5)
    return np.asarray(rough, dtype=np.float32)
