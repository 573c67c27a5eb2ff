"""Flicker of restyled sequences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from style.images import Pixels
from style.sequences.flow import Flow, flow_confidence, optical_flow, points_inside, warp


def flicker(frames: Sequence[Pixels], restyled: Sequence[Pixels], flows: Sequence[Flow] | None = None) -> float:
    """Return the warped temporal error of restyled frames minus that of the original frames; 0: no added flicker.

    The error of a sequence compares each frame with the previous one, warped by the optical flow of the originals (Lai
    et al. 2018, "Learning blind video temporal consistency"). It is the mean squared difference at pixels with a
    reliable flow, averaged over frames. Subtracting the originals' own error removes noise and motion that flow cannot
    follow. Frames without common positions with the previous one do not count; NaN if no frame is left.

    Args:
        frames: Original frames.
        restyled: The same frames, restyled.
        flows: Flows from each frame but the first to the previous one, if known; default: estimated.
    """
    errors: list[float] = []
    for index in range(1, len(frames)):
        now, last = frames[index], frames[index - 1]
        there = optical_flow(now, last) if flows is None else flows[index - 1]
        counted = points_inside(there) if flows else flow_confidence(now, last, there, optical_flow(last, now)) > 0.5
        if not counted.any():
            continue
        pair = [
            float(np.square(own[index] - warp(own[index - 1], there))[counted].mean()) for own in (restyled, frames)
        ]
        errors.append(pair[0] - pair[1])
    return float(np.mean(errors)) if errors else math.nan
