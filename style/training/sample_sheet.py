"""Sample sheets: images beside their paintings, to look at while a network learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor


def write_sheet(path: Path, samples: Tensor) -> None:
    """Write samples `(N, 3, H, W)` in [0, 1] below each other as a JPEG."""
    rows = samples.permute(0, 2, 3, 1).flatten(0, 1)  # (N*H, W, 3)
    pixels = (rows.clamp(0, 1) * 255).round().numpy().astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=90)
