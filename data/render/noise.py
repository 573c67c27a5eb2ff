"""Noise over the plane and scattered points: what makes a drawn surface look grown or made by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float32]
LATTICE = 256


def value_noise(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Smooth noise in [-1, 1] with one feature per unit of (u, v); any shape."""
    table = rng.uniform(-1, 1, (LATTICE, LATTICE)).astype(np.float32)
    u, v = u.astype(np.float32), v.astype(np.float32)
    left, low = np.floor(u), np.floor(v)
    fu, fv = u - left, v - low
    fu, fv = fu * fu * fu * (fu * (fu * 6 - 15) + 10), fv * fv * fv * (fv * (fv * 6 - 15) + 10)
    i, j = left.astype(np.int32) & (LATTICE - 1), low.astype(np.int32) & (LATTICE - 1)
    i1, j1 = (i + 1) & (LATTICE - 1), (j + 1) & (LATTICE - 1)
    flat = table.ravel()
    i, i1 = i * LATTICE, i1 * LATTICE
    bottom = flat[i + j] * (1 - fu) + flat[i1 + j] * fu
    top = flat[i + j1] * (1 - fu) + flat[i1 + j1] * fu
    return (bottom * (1 - fv) + top * fv).astype(np.float32)


def fbm(rng: np.random.Generator, u: Array, v: Array, octaves: int = 4, gain: float = 0.5) -> Array:
    """Sum of value noise at doubling frequencies, scaled to about [-1, 1]."""
    total = np.zeros_like(u)
    weight, norm = 1.0, 0.0
    for octave in range(octaves):
        # A turn by an irrational angle hides the lattice's axes.
        angle = 0.7 + 1.1 * octave
        cos, sin = np.float32(np.cos(angle) * 2**octave), np.float32(np.sin(angle) * 2**octave)
        total += np.float32(weight) * value_noise(rng, u * cos - v * sin, u * sin + v * cos)
        norm += weight**2
        weight *= gain
    return (total / np.float32(np.sqrt(norm))).astype(np.float32)


def scatter(rng: np.random.Generator, extent: float, spacing: float, tries: int = 12) -> NDArray[np.float64]:
    """Points (N, 2) over [-extent/2, extent/2]^2, evenly irregular: a jittered grid pushed apart a few times."""
    count = max(2, int(np.ceil(extent / spacing)))
    axis = (np.arange(count) + 0.5) / count - 0.5
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2) * extent
    points = grid + rng.uniform(-0.55, 0.55, grid.shape) * spacing
    for _ in range(tries):
        distance, neighbor = cKDTree(points).query(points, k=2)
        close = distance[:, 1] < 0.75 * spacing
        points[close] += 0.2 * (points[close] - points[neighbor[close, 1]])
    return points


def nearest(points: NDArray[np.float64], u: Array, v: Array, k: int) -> tuple[Array, NDArray[np.int64]]:
    """Distances and indices (..., k) of the k nearest points of each (u, v)."""
    distance, index = cKDTree(points).query(np.stack([u, v], axis=-1), k=k)
    return distance.astype(np.float32), index
