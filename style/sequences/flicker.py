"""How much a restyled sequence flickers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from style.images import Pixels
from style.sequences.flow import Flow, flow_confidence, optical_flow, points_inside, warp


def flicker(frames: Sequence[Pixels], restyled: Sequence[Pixels], flows: Sequence[Flow] | None = None) -> float:
    """The warped temporal error of restyled frames, less that of the frames themselves; 0: as calm as they are.

    The error of a sequence is the mean over frames of the mean squared difference between a frame and the one before,
    moved along by the flow of the originals, where that can be trusted (Lai et al. 2018, "Learning blind video
    temporal consistency"). Subtracting the originals' own error takes out noise and what flow cannot follow.
    Frames with no place in common with the one before do not count; NaN where that leaves none.
    `flows` are those from each frame but the first to the one before, where they are known (default: found).
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
