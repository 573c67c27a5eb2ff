"""Signed distance fields: negative inside, positive outside, in units. Points are float32 arrays (3, N).

The formulas of the primitives follow Inigo Quilez, "Distance functions" (2008-2020).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import map_coordinates

Array = NDArray[np.float32]
Field = Callable[[Array], Array]
Outline = Callable[[Array, Array], Array]


def box2(x: Array, y: Array, half_x: float, half_y: float, corner: float) -> Array:
    """Distance to a rounded rectangle about the origin."""
    qx, qy = np.abs(x) - (half_x - corner), np.abs(y) - (half_y - corner)
    outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
    return outside + np.minimum(np.maximum(qx, qy), 0) - np.float32(corner)


def extrude(flat: Array, z: Array, half: float, edge: float) -> Array:
    """Distance to a plate of an outline's distance `flat`, `half` thick either side, with rounded edges."""
    wx, wz = flat + edge, np.abs(z) - (half - edge)
    inside = np.minimum(np.maximum(wx, wz), 0)
    return inside + np.hypot(np.maximum(wx, 0), np.maximum(wz, 0)) - np.float32(edge)


def box(p: Array, half: tuple[float, float, float], corner: float) -> Array:
    """Distance to a rounded box about the origin."""
    q = np.abs(p) - (np.array(half, dtype=np.float32) - np.float32(corner))[:, None]
    outside = np.sqrt((np.maximum(q, 0) ** 2).sum(0))
    return outside + np.minimum(q.max(0), 0) - np.float32(corner)


def capsule(p: Array, start: tuple[float, float, float], end: tuple[float, float, float], radius: float) -> Array:
    """Distance to a round bar from `start` to `end`."""
    a = np.array(start, dtype=np.float32)[:, None]
    along = np.array(end, dtype=np.float32)[:, None] - a
    share = np.clip(((p - a) * along).sum(0) / (along * along).sum(), 0, 1)
    return np.sqrt(((p - a - along * share) ** 2).sum(0)) - np.float32(radius)


def smooth_union(a: Array, b: Array, blend: float) -> Array:
    """Union with a fillet of about `blend`."""
    h = np.clip(0.5 + 0.5 * (b - a) / blend, 0, 1)
    return b + (a - b) * h - np.float32(blend) * h * (1 - h)


def smooth_path(points: list[tuple[float, float]], count: int = 48) -> NDArray[np.float64]:
    """Monotone smooth curve (count, 2) through the points, by arc length."""
    knots = np.array(points, dtype=np.float64)
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(knots, axis=0).T))])
    at = np.linspace(0, length[-1], count)
    return np.stack([PchipInterpolator(length, knots[:, k])(at) for k in (0, 1)], 1)


def closed_outline(points: NDArray[np.float64], margin: float = 0.1, cells: int = 300) -> Outline:
    """Distance to a closed polygon (M, 2), tabulated once and read bilinearly.

    Outside the table, distance to its edge and distance from there meet at an obtuse angle, so the root of
    their squares is a lower bound and marching stays safe.
    """
    low, high = points.min(0) - margin, points.max(0) + margin
    step = float((high - low).max() / cells)
    nx, ny = (np.ceil((high - low) / step).astype(int) + 1).tolist()
    x = (low[0] + np.arange(nx) * step).astype(np.float32)[:, None]
    y = (low[1] + np.arange(ny) * step).astype(np.float32)[None, :]
    squared = np.full((nx, ny), np.inf, dtype=np.float32)
    inside = np.zeros((nx, ny), dtype=bool)
    for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0), strict=True):
        ex, ey = np.float32(bx - ax), np.float32(by - ay)
        wx, wy = x - np.float32(ax), y - np.float32(ay)
        share = np.clip((wx * ex + wy * ey) / max(float(ex * ex + ey * ey), 1e-12), 0, 1)
        squared = np.minimum(squared, (wx - ex * share) ** 2 + (wy - ey * share) ** 2)
        if ay != by:
            crosses = (y >= min(ay, by)) & (y < max(ay, by))
            inside ^= crosses & (wx < wy * ex / ey)
    table = np.sqrt(squared) * np.where(inside, -1, 1)

    def outline(px: Array, py: Array) -> Array:
        fx, fy = (px - low[0]) / step, (py - low[1]) / step
        cx, cy = np.clip(fx, 0, nx - 1), np.clip(fy, 0, ny - 1)
        away = np.hypot(fx - cx, fy - cy) * step
        inner = map_coordinates(table, [cx, cy], order=1, prefilter=False)
        return np.where(away > 0, np.hypot(away, inner), inner).astype(np.float32)

    return outline


def revolve(outline: Outline) -> Field:
    """Solid that an outline in (radius, y) sweeps about the y axis."""
    return lambda p: outline(np.hypot(p[0], p[2]), p[1])


def shell_outline(outer: NDArray[np.float64], wall: float, floor: float, roundness: float = 0.012) -> Outline:
    """Outline of a vessel: `outer` is its outside (radius, y) from the foot up; the inside is set in by `wall`.

    The lip and the foot are rounded by growing a thinner vessel.
    """
    wall, floor = wall - 2 * roundness, floor - 2 * roundness
    outside = outer.copy()
    outside[:, 0] = np.maximum(outside[:, 0] - roundness, 0.0)
    tangent = np.gradient(outside, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1) / np.hypot(*tangent.T)[:, None]
    inside = outside + normal * wall
    bottom = outside[0, 1] + floor
    keep = (inside[:, 1] > bottom) & (inside[:, 0] > 0.01)
    inside = inside[keep][::-1]
    inside[0, 1] = outside[-1, 1]
    ring = np.concatenate([[[0, outside[0, 1]]], outside, inside, [[inside[-1, 0], bottom], [0, bottom]]])
    thin = closed_outline(ring)
    return lambda x, y: thin(x, y) - np.float32(roundness)
