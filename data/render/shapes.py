"""Product categories as solids: each maker draws one member of its family from a generator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from render.color import Array, ink, smoothstep
from render.fields import (
    Field,
    box,
    box2,
    capsule,
    closed_outline,
    extrude,
    revolve,
    shell_outline,
    smooth_path,
    smooth_union,
)
from render.scene import STYLED, Part, Plain, Product, turned

Rng = np.random.Generator
Maker = Callable[[Rng, list[Plain]], Product]

LINING, TRIM, PAPER, GLASS, CORD, MARK = range(6)

TRIMS = {
    "brass": Plain(ink("d9a95b"), metal=1.0, rough=0.22),
    "black": Plain(ink("1b1b1e"), rough=0.35),
    "steel": Plain(ink("c9ccd0"), metal=1.0, rough=0.2),
}


def plains(lining: str, trim: str, rough: float, dark: bool) -> list[Plain]:
    """Plain materials beside the surface, in the order of the names above; MARK reads on a `dark` surface."""
    return [
        Plain(ink(lining), rough=rough),
        TRIMS[trim],
        Plain(ink("f3ecdd"), rough=0.95),
        Plain(ink("0c0d12"), rough=0.08),
        Plain(ink("ddd0b4"), rough=0.95),
        Plain(ink("f4ead2" if dark else "16161a"), rough=0.4),
    ]


def _around(radius: float) -> Callable[[Array], tuple[Array, Array]]:
    """Wrap a surface about the y axis, its middle at the height 0.9; the seam is at the back."""
    return lambda p: (np.arctan2(p[0], p[2]) * np.float32(radius), p[1] - 0.9)


def _dome(p: Array) -> tuple[Array, Array]:
    """Spread a surface from the axis outwards, so that dishes show it whole."""
    radius = np.hypot(p[0], p[2])
    stretch = np.hypot(radius, 0.6 * p[1]) / np.maximum(radius, 1e-4)
    stretch = np.where(radius < 0.05, 1.0, np.minimum(stretch, 1.8))
    return p[0] * stretch, -p[2] * stretch


def _from_above(p: Array) -> tuple[Array, Array]:
    return p[0], -p[2]


def _lined(outline_inner: Callable[[Array], Array]) -> Callable[[Array], NDArray[np.int64]]:
    """LINING inside the given radius at each height, STYLED outside it."""
    return lambda p: np.where(np.hypot(p[0], p[2]) < outline_inner(p[1]), LINING, STYLED)


def _radius_at(profile: NDArray[np.float64], inset: float) -> Callable[[Array], Array]:
    return lambda y: np.interp(y, profile[:, 1], profile[:, 0]).astype(np.float32) - np.float32(inset)


def mug(rng: Rng, materials: list[Plain]) -> Product:
    height, radius = rng.uniform(1.15, 1.45), rng.uniform(0.54, 0.64)
    taper, belly = rng.uniform(0.86, 1.0), rng.uniform(-0.02, 0.05)
    foot = radius * taper
    wall = smooth_path(
        [(foot - 0.05, 0), (foot, 0.06), ((foot + radius) / 2 + belly, height / 2), (radius, height)], 60
    )
    body = revolve(shell_outline(wall, 0.07, 0.09))
    half_y, reach = height * rng.uniform(0.28, 0.34), rng.uniform(0.27, 0.34)
    middle = height * rng.uniform(0.48, 0.56)
    thick = rng.uniform(0.055, 0.07)
    corner = min(half_y, reach) * rng.uniform(0.75, 0.98)
    inner, outer = _radius_at(wall, 0.045), _radius_at(wall, -0.05)
    lip = _radius_at(wall, 0.024)

    def handle(p: Array) -> Array:
        ring = np.abs(box2(p[0] - np.float32(radius * 0.97), p[1] - middle, reach, half_y, corner))
        bar = np.hypot(ring, p[2] * 0.72) - np.float32(thick)
        return np.maximum(bar * 0.85, inner(p[1]) - np.hypot(p[0], p[2]))

    def whole(p: Array) -> Array:
        return smooth_union(body(p), handle(p), 0.04)

    azimuth = rng.uniform(-0.75, 0.35) * (1 if rng.random() < 0.75 else -1)
    plain_handle = rng.random() < 0.6

    def material(p: Array) -> NDArray[np.int64]:
        r = np.hypot(p[0], p[2])
        return np.where((r < lip(p[1])) | (plain_handle & (r > outer(p[1]))), LINING, STYLED)

    part = Part(whole, material, _around(radius))
    return Product((part,), tuple(materials), azimuth, rng.uniform(0.24, 0.45), fill=0.72)


VASES: tuple[list[tuple[float, float]], ...] = (
    [(0.30, 0), (0.36, 0.05), (0.58, 0.55), (0.50, 1.05), (0.20, 1.45), (0.19, 1.60), (0.26, 1.78)],
    [(0.34, 0), (0.40, 0.05), (0.46, 0.8), (0.44, 1.45), (0.40, 1.75)],
    [(0.26, 0), (0.30, 0.05), (0.40, 0.7), (0.60, 1.2), (0.50, 1.48), (0.30, 1.6), (0.32, 1.70)],
    [(0.36, 0), (0.44, 0.05), (0.72, 0.50), (0.62, 0.95), (0.26, 1.20), (0.24, 1.28), (0.30, 1.38)],
    [(0.30, 0), (0.36, 0.05), (0.34, 0.55), (0.44, 1.1), (0.62, 1.62)],
    [(0.34, 0), (0.42, 0.05), (0.52, 0.4), (0.30, 0.92), (0.17, 1.3), (0.16, 1.72), (0.20, 1.86)],
)


def vase(rng: Rng, materials: list[Plain]) -> Product:
    wide, tall = rng.uniform(0.92, 1.12), rng.uniform(0.95, 1.08)
    points = [(r * wide * rng.uniform(0.95, 1.05), y * tall) for r, y in VASES[int(rng.integers(len(VASES)))]]
    profile = smooth_path(points, 80)
    body = revolve(shell_outline(profile, 0.055, 0.08))
    part = Part(body, _lined(_radius_at(profile, 0.018)), _around(float(profile[:, 0].max()) * 0.92))
    return Product((part,), tuple(materials), rng.uniform(-0.4, 0.4), rng.uniform(0.14, 0.30), fill=0.78)


def bowl(rng: Rng, materials: list[Plain]) -> Product:
    deep, curve = rng.uniform(0.48, 0.66), rng.uniform(1.7, 2.6)
    r = np.linspace(0.34, 0.95, 60)
    y = 0.06 + deep * ((r - 0.34) / 0.61) ** curve
    foot = np.stack([np.full(6, 0.34), np.linspace(0, 0.05, 6)], 1)
    profile = np.concatenate([foot, np.stack([r, y], 1)])
    part = Part(revolve(shell_outline(profile, 0.07, 0.13)), STYLED, _dome)
    inside = rng.random() < 0.3
    if inside:
        rim = _radius_at(profile, 0.05)
        part = Part(part.field, _lined(rim), _around(0.72))
    return Product((part,), tuple(materials), rng.uniform(-0.6, 0.6), rng.uniform(0.42, 0.68), fill=0.78)


def plate(rng: Rng, materials: list[Plain]) -> Product:
    lip, rise = rng.uniform(0.62, 0.76), rng.uniform(0.10, 0.17)
    profile = smooth_path([(0.50, 0), (0.54, 0.03), (lip, 0.07), (0.90, rise), (1.0, rise + 0.03)], 60)
    body = revolve(shell_outline(profile, 0.045, 0.07, 0.010))
    edge = rng.random() < 0.5

    def material(p: Array) -> NDArray[np.int64]:
        return np.where(np.hypot(p[0], p[2]) > 0.972, TRIM if edge else LINING, STYLED)

    part = Part(body, material, _from_above)
    yaw = turned(yaw=rng.uniform(-3, 3))
    return Product((part,), tuple(materials), 0.0, rng.uniform(0.85, 1.15), turn=yaw, fill=0.80)


LAMPS: tuple[list[tuple[float, float]], ...] = (
    [(0.30, 0), (0.34, 0.04), (0.42, 0.35), (0.30, 0.70), (0.10, 0.88), (0.06, 0.95)],
    [(0.22, 0), (0.28, 0.04), (0.28, 0.55), (0.26, 0.78), (0.10, 0.86), (0.06, 0.95)],
    [(0.20, 0), (0.24, 0.03), (0.44, 0.40), (0.22, 0.76), (0.09, 0.85), (0.06, 0.95)],
    [(0.34, 0), (0.36, 0.05), (0.10, 0.16), (0.07, 0.5), (0.05, 0.95)],
)


def table_lamp(rng: Rng, materials: list[Plain]) -> Product:
    kind = int(rng.integers(len(LAMPS)))
    profile = smooth_path([(r * rng.uniform(0.95, 1.08), y) for r, y in LAMPS[kind]], 60)
    base_table = closed_outline(np.concatenate([[[0, 0]], profile, [[0, 0.95]]]))
    low, high = rng.uniform(0.56, 0.70), rng.uniform(0.34, 0.52)
    bottom, top = 0.92, rng.uniform(1.62, 1.80)
    lean = (high - low) / (top - bottom)
    cosine = 1 / np.hypot(1, lean)

    def shade(p: Array) -> Array:
        r = np.hypot(p[0], p[2]) - np.float32(low) - np.float32(lean) * (p[1] - bottom)
        sheet = np.abs(r * cosine) - np.float32(0.014)
        return np.maximum(sheet, np.maximum(bottom - p[1], p[1] - top))

    def rod(p: Array) -> Array:
        return capsule(p, (0, 0.8, 0), (0, top - 0.1, 0), 0.028)

    def shade_side(p: Array) -> NDArray[np.int64]:
        r = np.hypot(p[0], p[2]) - np.float32(low) - np.float32(lean) * (p[1] - bottom)
        return np.where(r < 0, len(materials), STYLED)

    glowing = [*materials, Plain(ink("fff1d8"), rough=0.9, glow=0.9)]
    both = kind != 3 and rng.random() < 0.35
    base_material = STYLED if both else (TRIM if kind == 3 or rng.random() < 0.35 else LINING)
    parts = (
        Part(revolve(base_table), base_material, _around(0.34)),
        Part(shade, shade_side, _around((low + high) / 2), glow=rng.uniform(0.16, 0.34)),
        Part(rod, TRIM),
    )
    return Product(parts, tuple(glowing), rng.uniform(-0.3, 0.3), rng.uniform(0.06, 0.16), fill=0.80, step=0.9)


def _ripples(rng: Rng, count: int, size: float) -> Callable[[Array, Array], Array]:
    """Low folds of cloth: a few waves of random heading; amplitude about `size`."""
    turns, rates = rng.uniform(0, np.pi, count), rng.uniform(2.5, 6.5, count)
    waves = np.stack([np.cos(turns) * rates, np.sin(turns) * rates, rng.uniform(0, 6.28, count)], 1)
    waves = waves.astype(np.float32)

    def height(x: Array, y: Array) -> Array:
        total = np.zeros_like(x)
        for along_x, along_y, phase in waves:
            total += np.sin(x * along_x + y * along_y + phase)
        return total * np.float32(size / count**0.5)

    return height


def _pillow(half_x: float, half_y: float, plump: float, folds: Callable[[Array, Array], Array]) -> Field:
    """Two cloths sewn at the rim and stuffed: thick in the middle, pointed at the corners."""

    def distance(p: Array) -> Array:
        x, y = p[0], p[1]
        sag_x = half_x * (1 - 0.07 * (1 - np.minimum((y / half_y) ** 2, 1)))
        sag_y = half_y * (1 - 0.07 * (1 - np.minimum((x / half_x) ** 2, 1)))
        tx, ty = np.clip(1 - (x / sag_x) ** 2, 0, 1), np.clip(1 - (y / sag_y) ** 2, 0, 1)
        body = (tx * ty) ** 0.46
        # Tucks run from the corners where the stuffing cannot fill the cloth.
        tuck = 0.03 * np.sin(26 * (x * y) / (half_x * half_y)) * np.sqrt(np.clip(tx * ty, 0, 1)) * (1 - tx * ty)
        thick = plump * body + (folds(x, y) + tuck) * np.minimum(body, 0.8) + 0.012
        rim = np.maximum(np.abs(x) - sag_x, np.abs(y) - sag_y)
        return (np.maximum(np.abs(p[2]) - thick, rim) * 0.62).astype(np.float32)

    return distance


def cushion(rng: Rng, materials: list[Plain]) -> Product:
    half_x = rng.uniform(0.86, 1.0)
    half_y = half_x * (1.0 if rng.random() < 0.7 else rng.uniform(0.64, 0.72))
    body = _pillow(half_x, half_y, rng.uniform(0.30, 0.38), _ripples(rng, 4, 0.016))

    def piping(p: Array) -> Array:
        sag_x = half_x * (1 - 0.07 * (1 - np.minimum((p[1] / half_y) ** 2, 1)))
        sag_y = half_y * (1 - 0.07 * (1 - np.minimum((p[0] / half_x) ** 2, 1)))
        rim = np.maximum(np.abs(p[0]) - sag_x, np.abs(p[1]) - sag_y)
        return ((np.hypot(rim, p[2]) - 0.024) * 0.8).astype(np.float32)

    parts = [Part(body)]
    if rng.random() < 0.65:
        parts.append(Part(piping, LINING))
    pose = turned(yaw=rng.uniform(-0.45, 0.45), pitch=-rng.uniform(0.12, 0.24), roll=rng.uniform(-0.06, 0.06))
    return Product(tuple(parts), tuple(materials), 0.0, rng.uniform(0.12, 0.26), turn=pose, step=0.85, fill=0.80)


def tote_bag(rng: Rng, materials: list[Plain]) -> Product:
    top, bottom, height = rng.uniform(0.66, 0.74), rng.uniform(0.58, 0.68), rng.uniform(0.70, 0.80)
    folds = _ripples(rng, 5, 0.018)
    plump = rng.uniform(0.14, 0.20)

    def body(p: Array) -> Array:
        x, y = p[0], p[1]
        rise = np.clip((y + height) / (2 * height), 0, 1)
        half_x = bottom + (top - bottom) * rise + 0.03 * np.sin(np.pi * rise)
        inner = np.clip(1 - (x / half_x) ** 2, 0, 1)
        thick = (plump * (1 - rise**1.5) * np.minimum(1, 6 * rise + 0.35) + 0.03) * inner**0.4
        thick = thick + folds(x, y) * inner**0.5 * (1.1 - rise) + 0.014
        flat = np.maximum(np.abs(x) - half_x, np.abs(y) - height)
        return ((np.maximum(np.abs(p[2]) - thick, flat + 0.01) - 0.008) * 0.62).astype(np.float32)

    drop, apart = rng.uniform(0.70, 0.95), top * rng.uniform(0.46, 0.56)

    def strap(depth: float, lean: float) -> Field:
        def distance(p: Array) -> Array:
            y, z = p[1] - np.float32(height - 0.16), p[2] - np.float32(depth)
            z = z - np.float32(lean) * np.maximum(y, 0)
            loop = np.hypot(p[0] / apart, np.maximum(y, 0) / drop) - 1
            loop = np.abs(loop) * min(apart, drop) * 0.85
            flat = np.where(y > 0, loop, np.maximum(np.abs(np.abs(p[0]) - apart), -y))
            return ((np.maximum(np.maximum(flat - 0.026, np.abs(z) - 0.012), -y - 0.12) - 0.006) * 0.7).astype(
                np.float32
            )

        return distance

    strap_material = CORD if rng.random() < 0.5 else LINING
    parts = (
        Part(body),
        Part(strap(0.050, 0.05), strap_material),
        Part(strap(-0.050, -0.16), strap_material),
    )
    pose = turned(yaw=rng.uniform(-0.4, 0.4), pitch=-rng.uniform(0.02, 0.08))
    return Product(parts, tuple(materials), 0.0, rng.uniform(0.06, 0.2), turn=pose, step=0.85, fill=0.84)


def notebook(rng: Rng, materials: list[Plain]) -> Product:
    half_x, half_y = rng.uniform(0.66, 0.74), rng.uniform(0.90, 1.0)
    thick = rng.uniform(0.07, 0.12)

    def cover(p: Array) -> Array:
        board = box2(p[0], p[1], half_x, half_y, 0.05)
        faces = extrude(board, np.abs(p[2]) - np.float32(thick), 0.018, 0.008)
        spine = box(p + np.array([[half_x - 0.02], [0], [0]], dtype=np.float32), (0.022, half_y, thick), 0.015)
        return np.minimum(faces, spine).astype(np.float32)

    def pages(p: Array) -> Array:
        q = p.copy()
        q[0] += 0.012
        return box(q, (half_x - 0.022, half_y - 0.022, thick), 0.005)

    band_x = half_x * rng.uniform(0.66, 0.78)

    def band(p: Array) -> Array:
        q = p.copy()
        q[0] -= band_x
        return box(q, (0.026, half_y + 0.008, thick + 0.026), 0.006)

    def ribbon(p: Array) -> Array:
        q = p.copy()
        q[0] += half_x * 0.3
        q[1] += half_y
        return box(q, (0.022, 0.12, 0.004), 0.003)

    parts = [Part(cover), Part(pages, PAPER)]
    if rng.random() < 0.7:
        parts.append(Part(band, LINING))
    if rng.random() < 0.5:
        pose = turned(yaw=rng.uniform(-0.8, -0.35), pitch=-rng.uniform(0.02, 0.06))
        return Product(tuple(parts), tuple(materials), 0.0, rng.uniform(0.16, 0.3), turn=pose, fill=0.76)
    if rng.random() < 0.7:
        parts.append(Part(ribbon, LINING))
    flat = turned(yaw=rng.uniform(-0.6, 0.6)) @ turned(pitch=-np.pi / 2)
    return Product(tuple(parts), tuple(materials), 0.0, rng.uniform(0.80, 1.1), turn=flat, fill=0.78)


def _shirt_outline(rng: Rng, neck_drop: float) -> NDArray[np.float64]:
    """Half of a T-shirt laid flat, mirrored; hem at y = -0.95, collar near y = 0.85."""
    sleeve, flare = rng.uniform(-0.03, 0.03), rng.uniform(-0.02, 0.03)
    side = smooth_path([(0.56 + flare, -0.95), (0.545, -0.5), (0.53, 0.05), (0.55, 0.28)], 20)
    arm = np.array([[0.56, 0.30], [0.80 + sleeve, 0.10], [0.84 + sleeve, 0.08], [1.02 + sleeve, 0.32]])
    arm = np.concatenate([arm, [[1.02 + sleeve, 0.36]]])
    shoulder = smooth_path([(1.02 + sleeve, 0.37), (0.72, 0.70), (0.52, 0.82), (0.25, 0.92)], 24)
    t = np.linspace(0, 1, 14)
    neck = np.stack([0.25 * np.cos(t * np.pi / 2), 0.92 - neck_drop * np.sin(t * np.pi / 2)], 1)
    hem = np.stack([np.linspace(0, 0.54, 8), -0.97 + 0.02 * np.linspace(0, 1, 8) ** 2], 1)
    right = np.concatenate([hem, side, arm, shoulder, neck])
    return np.concatenate([right, (right * [-1, 1])[::-1][:-1]])


def t_shirt(rng: Rng, materials: list[Plain]) -> Product:
    drop = rng.uniform(0.20, 0.27)
    cut = rng.integers(1 << 30)
    front = closed_outline(_shirt_outline(np.random.default_rng(cut), drop), cells=360)
    back = closed_outline(_shirt_outline(np.random.default_rng(cut), 0.06), cells=360)
    folds, creases = _ripples(rng, 6, 0.022), _ripples(rng, 3, 0.010)

    def panel(outline: Callable[[Array, Array], Array], depth: float, plump: float) -> Field:
        def distance(p: Array) -> Array:
            flat = outline(p[0], p[1])
            inner = np.maximum(-flat, 0)
            swell = plump * (1 - np.exp(-inner / 0.10))
            drape = folds(p[0] * 1.3, p[1] * 0.6) + creases(p[0] * 3, p[1] * 1.4)
            thick = 0.022 + swell + drape * smoothstep(0.0, 0.25, inner)
            z = np.abs(p[2] - np.float32(depth))
            return (np.maximum(z - thick, flat) * 0.85).astype(np.float32)

        return distance

    def collar(p: Array) -> Array:
        angle = np.hypot(p[0] / 0.262, (p[1] - 0.925) / (drop + 0.012)) - 1
        ring = np.abs(angle) * min(0.262, drop) * 0.9
        body = np.maximum(np.maximum(ring - 0.030, np.abs(p[2] - 0.03) - 0.045), p[1] - np.float32(0.93))
        return ((body - 0.006) * 0.7).astype(np.float32)

    def inside(p: Array) -> NDArray[np.int64]:
        return np.where(p[1] > 0.3, len(materials), STYLED)

    dim = materials[LINING]
    shade = Plain(dim.color * np.float32(0.55), rough=0.95)
    trim = STYLED if rng.random() < 0.5 else LINING
    parts = (Part(panel(front, 0.05, 0.075)), Part(panel(back, -0.06, 0.0), inside), Part(collar, trim))
    pose = turned(roll=rng.uniform(-0.05, 0.05))
    return Product(
        parts, (*materials, shade), rng.uniform(-0.16, 0.16), rng.uniform(-0.02, 0.10), turn=pose, wall=True,
        step=0.85, fill=0.84,
    )  # fmt: skip


def wall_clock(rng: Rng, materials: list[Plain]) -> Product:
    corner = 0.9 if rng.random() < 0.7 else rng.uniform(0.16, 0.3)

    def outline(p: Array, half: float) -> Array:
        return box2(p[0], p[1], half, half, corner * half / 0.9)

    def face(p: Array) -> Array:
        return extrude(outline(p, 0.86), p[2], 0.05, 0.01)

    def rim(p: Array) -> Array:
        ring = np.abs(outline(p, 0.88)) - np.float32(0.030)
        return extrude(ring, p[2] - np.float32(0.02), 0.085, 0.014)

    minute, hour = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi)

    def hand(angle: float, length: float, width: float, z: float) -> Field:
        sin, cos = np.float32(np.sin(angle)), np.float32(np.cos(angle))

        def distance(p: Array) -> Array:
            q = np.stack([p[0] * cos - p[1] * sin, p[0] * sin + p[1] * cos - np.float32(length * 0.40), p[2] - z])
            return box(q, (width, length * 0.60, 0.010), 0.008)

        return distance

    def ticks(p: Array) -> Array:
        step = np.pi / 6
        angle = np.arctan2(p[0], p[1])
        local = angle - np.round(angle / step) * step
        r = np.hypot(p[0], p[1])
        quarter = np.abs(np.round(angle / step) % 3) < 0.5
        q = np.stack([r * np.sin(local), r * np.cos(local) - 0.72, p[2] - 0.056])
        long = box(q, (0.022, 0.075, 0.014), 0.006)
        short = box(q, (0.014, 0.045, 0.014), 0.006)
        return np.where(quarter, long, short).astype(np.float32)

    def hub(p: Array) -> Array:
        return extrude(np.hypot(p[0], p[1]) - np.float32(0.05), p[2] - 0.09, 0.045, 0.015)

    trim = TRIM if rng.random() < 0.75 else LINING
    parts = (
        Part(face),
        Part(rim, trim),
        Part(hand(hour, 0.44, 0.034, 0.085), MARK),
        Part(hand(minute, 0.66, 0.025, 0.110), MARK),
        Part(ticks, MARK),
        Part(hub, MARK),
    )
    return Product(
        parts, tuple(materials), rng.uniform(-0.38, 0.38), rng.uniform(-0.06, 0.16), wall=True, fill=0.74, bump=0.6
    )


def rug(rng: Rng, materials: list[Plain]) -> Product:
    round_one = rng.random() < 0.2
    half_x, half_z = (0.98, 0.98) if round_one else (rng.uniform(0.92, 1.05), rng.uniform(1.25, 1.45))
    corner = 0.97 if round_one else 0.02
    waves = _ripples(rng, 3, 0.006)

    def pile(p: Array) -> Array:
        flat = box2(p[0], p[2], half_x, half_z, corner)
        return (extrude(flat, p[1] - waves(p[0], p[2]), 0.024, 0.016) * 0.9).astype(np.float32)

    pitch = 0.055
    bend = rng.uniform(0, 6.28)

    def fringe(p: Array) -> Array:
        cell = np.round(p[0] / pitch)
        sway = 0.02 * np.sin(cell * 12.9 + bend) * (np.abs(p[2]) - half_z) / 0.14
        x = p[0] - cell * pitch - sway
        z = np.abs(p[2]) - np.float32(half_z + 0.07)
        tuft = np.hypot(np.hypot(x, p[1] + 0.016), np.maximum(np.abs(z) - 0.09, 0)) - np.float32(0.017)
        return (np.maximum(tuft, np.abs(p[0]) - np.float32(half_x - 0.02)) * 0.7).astype(np.float32)

    def border(p: Array) -> NDArray[np.int64]:
        return np.where(box2(p[0], p[2], half_x, half_z, corner) > -0.05, LINING, STYLED)

    edged = rng.random() < 0.5
    parts = [Part(pile, border if edged else STYLED, _from_above)]
    if not round_one:
        parts.append(Part(fringe, CORD))
    pose = turned(yaw=rng.uniform(-0.75, 0.75) + (np.pi / 2 if rng.random() < 0.4 else 0))
    return Product(
        tuple(parts), tuple(materials), 0.0, rng.uniform(0.62, 0.95), turn=pose, step=0.8, fill=0.88,
        bump=1.6,
    )  # fmt: skip


def phone_case(rng: Rng, materials: list[Plain]) -> Product:
    half_x, half_y, thick = 0.50, rng.uniform(1.0, 1.06), 0.062
    square = rng.random() < 0.5
    camera = (0.215, 0.225) if square else (0.12, 0.30)
    at_x, at_y = -half_x + camera[0] + 0.06, half_y - camera[1] - 0.06

    def case(p: Array) -> Array:
        shell = extrude(box2(p[0], p[1], half_x, half_y, 0.15), p[2], thick, 0.05)
        hole = box2(p[0] - np.float32(at_x), p[1] - np.float32(at_y), *camera, 0.09)
        return np.maximum(shell, np.where(p[2] > 0, -hole, -1.0))

    def island(p: Array) -> Array:
        hole = box2(p[0] - np.float32(at_x), p[1] - np.float32(at_y), camera[0] - 0.012, camera[1] - 0.012, 0.08)
        return extrude(hole, p[2] - np.float32(thick - 0.04), 0.03, 0.008)

    spots = [(-0.09, 0.10), (-0.09, -0.10), (0.09, 0.0)] if square else [(0, 0.16), (0, -0.02)]

    def lenses(p: Array) -> Array:
        rings = [np.hypot(p[0] - np.float32(at_x + x), p[1] - np.float32(at_y + y)) for x, y in spots]
        nearest = np.minimum.reduce(rings) - np.float32(0.075)
        return extrude(nearest, p[2] - np.float32(thick), 0.035, 0.012)

    def lens_material(p: Array) -> NDArray[np.int64]:
        rings = [np.hypot(p[0] - np.float32(at_x + x), p[1] - np.float32(at_y + y)) for x, y in spots]
        return np.where(np.minimum.reduce(rings) < 0.058, GLASS, TRIM)

    parts = (Part(case), Part(island, LINING), Part(lenses, lens_material))
    if rng.random() < 0.6:
        pose = turned(yaw=rng.uniform(-0.55, 0.55), pitch=-rng.uniform(0.10, 0.18))
        return Product(parts, tuple(materials), 0.0, rng.uniform(0.06, 0.18), turn=pose, fill=0.80)
    flat = turned(yaw=rng.uniform(-0.7, 0.7)) @ turned(pitch=-np.pi / 2)
    return Product(parts, tuple(materials), 0.0, rng.uniform(0.85, 1.15), turn=flat, fill=0.80)


MAKERS: dict[str, Maker] = {
    "mug": mug,
    "vase": vase,
    "bowl": bowl,
    "plate": plate,
    "table lamp": table_lamp,
    "cushion": cushion,
    "tote bag": tote_bag,
    "notebook": notebook,
    "t-shirt": t_shirt,
    "wall clock": wall_clock,
    "rug": rug,
    "phone case": phone_case,
}
