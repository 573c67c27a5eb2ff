"""Descriptors of a project's catalog; computed once, cached, resumable, like its style vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recsys.dataset.catalog import Catalog
from recsys.dataset.project import Project
from recsys.profiles.product_descriptors import ProductDescriptors, with_dominant_color
from recsys.profiles.style_vectors import COLOR_SIDE, cached_photo_arrays
from recsys.schema import FloatArray
from style.descriptors.base import Descriptor, Family
from style.descriptors.registry import descriptors
from style.images import Pixels, read_image
from style.mask import product_mask
from style.preprocess.recipe import Recipe


def catalog_descriptors(project: Project, catalog: Catalog, names: Sequence[str] | None = None) -> ProductDescriptors:
    """Compute the descriptors `names` (default: those in the settings) of the catalog's photos.

    A photo in which no product stands out has no shape, and one that cannot be read has zeros in all. Photos go through
    the project's recipe first. Raises ExtraError if OpenCV or scikit-image is needed and missing.
    """
    recipe = Recipe.from_texts(project.settings.preprocess.steps)
    asked = with_dominant_color(project.settings.descriptors.names) if names is None else tuple(names)
    arrays: dict[str, FloatArray] = {}
    for each in descriptors(asked):
        folder = "-".join(filter(None, (each.name, str(each.version), recipe.identity)))
        arrays[each.name] = cached_photo_arrays(
            project, catalog, f"descriptors/{folder}", each.name, _Described(each, recipe), each.dimensions
        )
    return ProductDescriptors(arrays)


class _Described:
    """Computes one descriptor of files."""

    def __init__(self, descriptor: Descriptor, recipe: Recipe) -> None:
        self.descriptor, self.recipe = descriptor, recipe

    def __call__(self, paths: Sequence[Path]) -> FloatArray:
        return np.stack([self._of(self.recipe(read_image(path, short_side=COLOR_SIDE))) for path in paths])

    def _of(self, pixels: Pixels) -> FloatArray:
        mask = product_mask(pixels)
        if self.descriptor.family is Family.SHAPE and mask.min() == 1:
            return np.zeros(self.descriptor.dimensions, dtype=np.float32)
        return self.descriptor.describe(pixels, mask)
