"""Adapter to torchvision, the only module that imports it.

On Linux the torchvision wheel of the public index is built for CUDA. With a CPU-only torch its compiled operators
cannot load, and `import torchvision` stops with "operator torchvision::nms does not exist" when it registers fake
kernels for them. Declaring the schemas of the two missing operators first lets models and transforms work. The
operators themselves stay absent, and nothing here calls them.
"""

from __future__ import annotations

import contextlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from style.errors import WeightsError

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []


def import_torchvision() -> Any:
    """Import torchvision, also if its compiled operators are absent."""
    if not _declared and not _operators_load():
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name, schema in _SCHEMAS.items():
            library.define(name + schema)  # type: ignore[no-untyped-call]
        _declared.append(library)
    import torchvision

    return torchvision


def _operators_load() -> bool:
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for compiled in Path(spec.origin).parent.glob("_C*"):
        with contextlib.suppress(OSError):
            torch.ops.load_library(str(compiled))  # type: ignore[no-untyped-call]
    return hasattr(torch.ops.torchvision, "nms")


def load_vgg19() -> Any:
    """Load torchvision's VGG-19 with ImageNet weights, downloaded and verified by torchvision on first use.

    Raises WeightsError if the download is impossible.
    """
    models = import_torchvision().models
    try:
        return models.vgg19(weights=models.VGG19_Weights.IMAGENET1K_V1)
    except OSError as error:
        raise WeightsError(
            f"vgg19: torchvision could not download its weights ({error}); connect to the network once, put the "
            f'file into {torch.hub.get_dir()}/checkpoints, or set backbone = "vgg-slim", which is packaged'
        ) from None
