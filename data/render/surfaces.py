"""Surface styles: each is a pattern, a family of palettes, a material and a finish.

A surface is drawn flat, in the units of the product (a mug is about 1.4 high), and wrapped on the shape later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from render.color import Array, ink, jitter, mix, rgb, smoothstep
from render.noise import fbm, nearest, scatter, value_noise
from scipy.ndimage import gaussian_filter

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Surface:
    """One drawn surface of `extent` by `extent` units; arrays are (n, n), row 0 at the top.

    `albedo` (n, n, 3) linear light; `height` in units; `metal` and `rough` in [0, 1].
    """

    albedo: Array
    height: Array
    metal: Array
    rough: Array
    extent: float


@dataclass(frozen=True, slots=True)
class Canvas:
    """Coordinates to draw on: u to the right, v up, both (n, n), in units, turned and scaled per product."""

    n: int
    extent: float
    u: Array
    v: Array

    @property
    def span(self) -> float:
        """Side of a square, centered on the origin, that covers every (u, v)."""
        return float(2 * max(np.abs(self.u).max(), np.abs(self.v).max())) + 0.6

    def zeros(self) -> Array:
        return np.zeros((self.n, self.n), dtype=np.float32)

    def full(self, value: float) -> Array:
        return np.full((self.n, self.n), value, dtype=np.float32)

    def fill(self, color: Array) -> Array:
        return np.broadcast_to(color, (self.n, self.n, 3)).astype(np.float32)


def canvas(n: int, extent: float, scale: float = 1.0, turn: float = 0.0) -> Canvas:
    """Coordinates for a drawing of n by n pixels; `turn` in radians, `scale` > 1 draws larger features."""
    axis = ((np.arange(n, dtype=np.float32) + 0.5) / n - 0.5) * np.float32(extent / scale)
    u, v = np.meshgrid(axis, -axis)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return Canvas(n, extent, u * cos - v * sin, u * sin + v * cos)


class Pen:
    """Antialiased filled shapes, drawn at twice the pixels in the canvas's own units."""

    over = 2

    def __init__(self, sheet: Canvas, ground: Array) -> None:
        self.sheet = sheet
        side = sheet.n * self.over
        self.image = Image.new("RGB", (side, side), self._paint(ground))
        self.draw = ImageDraw.Draw(self.image)
        # The canvas is an affine map of the pixels, so three corners give its inverse.
        u, v = sheet.u, sheet.v
        step = np.array([[u[0, 1] - u[0, 0], u[1, 0] - u[0, 0]], [v[0, 1] - v[0, 0], v[1, 0] - v[0, 0]]])
        self.inverse = np.linalg.inv(step.astype(np.float64))
        self.origin = np.array([u[0, 0], v[0, 0]], dtype=np.float64)
        self.pixels_per_unit = float(np.sqrt(abs(np.linalg.det(self.inverse)))) * self.over

    @staticmethod
    def _paint(srgb: Array) -> tuple[int, int, int]:
        red, green, blue = (round(float(c) * 255) for c in srgb)
        return red, green, blue

    def pixels(self, points: NDArray[np.float64]) -> list[tuple[float, float]]:
        xy = (np.asarray(points, dtype=np.float64) - self.origin) @ self.inverse.T * self.over + self.over / 2
        return [(float(x), float(y)) for x, y in xy]

    def polygon(self, points: NDArray[np.float64], color: Array) -> None:
        self.draw.polygon(self.pixels(points), fill=self._paint(color))

    def line(self, points: NDArray[np.float64], color: Array, width: float) -> None:
        thick = max(1, round(width * self.pixels_per_unit))
        path = self.pixels(points)
        self.draw.line(path, fill=self._paint(color), width=thick, joint="curve")
        for x, y in (path[0], path[-1]):
            self._dot(x, y, thick / 2, color)

    def disc(self, center: NDArray[np.float64], radius: float, color: Array) -> None:
        ((x, y),) = self.pixels(np.asarray(center)[None])
        self._dot(x, y, radius * self.pixels_per_unit, color)

    def _dot(self, x: float, y: float, radius: float, color: Array) -> None:
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=self._paint(color))

    def array(self) -> Array:
        """Drawing, (n, n, 3) sRGB in [0, 1]."""
        small = self.image.resize((self.sheet.n, self.sheet.n), Image.Resampling.BOX)
        return (np.asarray(small, dtype=np.float32) / 255).astype(np.float32)


def _soft(x: Array, width: float) -> Array:
    """0 where x < 0, 1 where x > 0, with an edge of `width`."""
    return smoothstep(-width, width, x)


def _shade(albedo: Array, factor: Array) -> Array:
    return np.clip(albedo * factor[..., None], 0.0, 1.0).astype(np.float32)


def _turned(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def linen(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Plain weave with slubs and grain-sack stripes."""
    base, stripe, pale = map(ink, palette)
    pitch = 0.036
    warp, weft = c.u / pitch, c.v / pitch
    tone_u = value_noise(rng, np.floor(warp), c.v * 1.6)
    tone_v = value_noise(rng, c.u * 1.6, np.floor(weft))
    over = ((np.floor(warp) + np.floor(weft)) % 2).astype(np.float32)
    bulge = np.abs(np.sin(np.pi * warp)) * over + np.abs(np.sin(np.pi * weft)) * (1 - over)
    period = rng.uniform(0.75, 1.05)
    place = np.abs((c.u + rng.uniform(0, period)) % period - period / 2)
    wide, thin = rng.uniform(0.05, 0.09), rng.uniform(0.012, 0.02)
    bands = _soft(wide - place, 0.01) + _soft(thin - np.abs(place - wide - 3 * thin), 0.008)
    albedo = mix(c.fill(base), pale, smoothstep(0.0, 1.4, tone_u * over + tone_v * (1 - over)))
    albedo = mix(albedo, stripe, np.clip(bands, 0, 1) * (0.75 + 0.25 * over))
    slub = 0.80 + 0.22 * bulge + 0.10 * (tone_u * over + tone_v * (1 - over))
    return Surface(_shade(albedo, slub), 0.006 * bulge, c.zeros(), c.full(0.95), c.extent)


def deco_fan(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Overlapping fans of gold arcs on enamel, as on the facades of the nineteen-twenties."""
    ground, gold, second = map(ink, palette)
    size = 0.27
    rings = int(rng.integers(4, 6))
    radius, angle, picked = c.full(0), c.full(0), c.full(-1)
    row = np.floor(c.v / (size / 2))
    # A fan covers the ones above it, so the lowest row whose disc holds the point wins.
    for below in (2, 1, 0, -1):
        j = row - below
        shift = (j % 2) * size
        i = np.round((c.u - shift) / (2 * size))
        du, dv = c.u - i * 2 * size - shift, c.v - j * size / 2
        distance = np.hypot(du, dv) / size
        take = (picked < 0) & (distance <= 1.0)
        radius, angle = np.where(take, distance, radius), np.where(take, np.arctan2(du, dv), angle)
        picked = np.where(take, j % 2, picked)
    arcs = _soft(0.16 - np.abs((radius * rings) % 1.0 - 0.12), 0.05)
    spokes = _soft(0.10 - np.abs((angle / np.pi * 14) % 1.0 - 0.5), 0.06) * _soft(1 / rings * 2 - radius, 0.02)
    line = np.clip(np.maximum(arcs, spokes), 0, 1).astype(np.float32)
    enamel = mix(c.fill(ground), second, 0.5 * (picked > 0).astype(np.float32) * _soft(radius - 0.45, 0.3))
    worn = 0.93 + 0.07 * fbm(rng, c.u * 9, c.v * 9, 3)
    albedo = mix(enamel, gold, line)
    return Surface(_shade(albedo, worn), 0.010 * line, 0.95 * line, 0.32 - 0.06 * line, c.extent)


def _leaf(length: float, width: float) -> NDArray[np.float64]:
    t = np.linspace(0, 1, 14)
    half = width * np.sin(np.pi * t**0.8) ** 1.1
    return np.concatenate([np.stack([t * length, half], 1), np.stack([t[::-1] * length, -half[::-1]], 1)])


def _sprig(rng: Rng, root: NDArray[np.float64], heading: float, pens: list[Pen], grey: Callable[[], Array]) -> None:
    """Bent stem with paired leaves and, at times, a flower; leaves go to one wash, flowers to another."""
    length, bend = rng.uniform(0.45, 0.75), rng.uniform(-0.9, 0.9)
    t = np.linspace(0, 1, 12)
    turn = heading + bend * t
    stem = root + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1) * length / 12, axis=0)
    wash = pens[int(rng.integers(2))]
    wash.line(stem, grey(), 0.012)
    leaf_size, slim = rng.uniform(0.15, 0.24), rng.uniform(0.16, 0.3)
    for k in range(2, 12, 2):
        size = leaf_size * (1.1 - 0.05 * k)
        for side in (-1, 1):
            leaf = _turned(_leaf(size, size * slim), turn[k] + side * rng.uniform(0.6, 0.95))
            wash.polygon(leaf + stem[k], grey())
    wash.polygon(_turned(_leaf(leaf_size, leaf_size * slim), turn[-1]) + stem[-1], grey())


def _flower(rng: Rng, at: NDArray[np.float64], pen: Pen, heart: Pen, grey: Callable[[], Array]) -> None:
    size, start = rng.uniform(0.11, 0.17), rng.uniform(0, 6.28)
    petals = int(rng.integers(5, 7))
    for k in range(petals):
        angle = start + k * 2 * np.pi / petals
        pen.polygon(_turned(_leaf(size, size * 0.36), angle) + at, grey())
    heart.disc(at, size * 0.22, grey())


def botanical(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Leaves and flowers in watercolour: transparent washes, darker rims, pigment gathered in the paper's grain."""
    paper, *washes = palette
    black = np.zeros(3, dtype=np.float32)
    pens = [Pen(c, black) for _ in washes]

    def grey() -> Array:
        return np.full(3, rng.uniform(0.45, 0.95), dtype=np.float32)

    for spot in scatter(rng, c.span, 0.36):
        if rng.random() < 0.66:
            _sprig(rng, spot, rng.uniform(0, 6.28), pens, grey)
        else:
            _flower(rng, spot, pens[2], pens[3], grey)
    tooth = fbm(rng, c.u * 40, c.v * 40, 2)
    pool = fbm(rng, c.u * 5, c.v * 5, 3)
    albedo = c.fill(ink(paper))
    pixel = c.n / c.extent
    for pen, wash in zip(pens, washes, strict=True):
        mask = gaussian_filter(pen.array()[..., 0], 0.004 * pixel)
        rim = np.clip(mask - gaussian_filter(mask, 0.028 * pixel), 0, 1)
        density = np.clip(mask * (0.85 + 0.30 * pool) + 0.5 * rim + 0.05 * tooth * mask, 0, 1.25)
        # Pigment absorbs: transmission falls with the power of its density.
        albedo = albedo * np.maximum(ink(wash), 0.01) ** density[..., None]
    return Surface(albedo.astype(np.float32), 0.0012 * tooth, c.zeros(), c.full(0.8), c.extent)


def tartan(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Mirrored sett of stripes in warp and weft, woven in two-two twill."""
    a, b, thin, pale = (ink(code) for code in palette)
    sett = [(a, 0.22), (thin, 0.02), (a, 0.05), (b, 0.13), (pale, 0.016), (b, 0.05), (thin, 0.012), (b, 0.05)]
    scale = rng.uniform(0.85, 1.1)
    edges = np.cumsum([width * scale for _, width in sett])
    stripes = np.stack([color for color, _ in sett])
    period = float(edges[-1])

    def threads(x: Array) -> Array:
        mirrored = np.abs((x + rng.uniform(0, 2 * period)) % (2 * period) - period)
        return stripes[np.minimum(np.searchsorted(edges, mirrored), len(sett) - 1)]

    pitch = 0.022
    twill = smoothstep(-0.35, 0.35, np.sin(np.pi * (c.u + c.v) / pitch / 1.6).astype(np.float32))
    fluff = fbm(rng, c.u * 30, c.v * 30, 3)
    albedo = mix(threads(c.u), threads(c.v), 0.22 + 0.56 * twill)
    return Surface(
        _shade(albedo, 0.95 + 0.12 * fluff + 0.08 * (twill - 0.5)),
        0.003 * twill + 0.003 * fluff,
        c.zeros(),
        c.full(0.95),
        c.extent,
    )


def terrazzo(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Stone chips of three sizes set in cement and ground flat."""
    ground, *chips = palette
    pen = Pen(c, rgb(ground))
    for spacing, size in ((0.34, 0.135), (0.17, 0.055), (0.085, 0.018)):
        for spot in scatter(rng, c.span, spacing):
            corners = int(rng.integers(5, 8))
            angles = np.sort(rng.uniform(0, 0.8, corners) + np.arange(corners)) * 2 * np.pi / corners
            reach = size * rng.uniform(0.55, 1.15) * rng.uniform(0.8, 1.1, corners)
            chip = np.stack([np.cos(angles) * reach * rng.uniform(0.6, 1), np.sin(angles) * reach], 1)
            color = rgb(jitter(rng, chips[int(rng.integers(len(chips)))], 0.012, 0.04))
            pen.polygon(_turned(chip, rng.uniform(0, 6.28)) + spot, color)
    from_paint = pen.array() ** 2.2
    speck = 1 + 0.07 * fbm(rng, c.u * 45, c.v * 45, 2)
    return Surface(_shade(from_paint, speck), c.zeros(), c.zeros(), c.full(0.3), c.extent)


def shibori(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Cloth folded, bound and dipped in indigo: pale resist lines that bleed."""
    pale, mid, deep = map(ink, palette)
    warp_u = c.u + 0.05 * fbm(rng, c.u * 3, c.v * 3, 3)
    warp_v = c.v + 0.05 * fbm(rng, c.u * 3, c.v * 3, 3)
    size = rng.uniform(0.40, 0.52)
    x, y = warp_u / size, warp_v / size
    kind = rng.integers(3)
    if kind == 0:
        cell = np.hypot(x - np.round(x), y - np.round(y))
        resist = np.cos(cell * 2 * np.pi * 3.2) * smoothstep(0.75, 0.1, cell)
    elif kind == 1:
        fold = np.abs((x + y) % 1 - 0.5) + np.abs((x - y) % 1 - 0.5)
        resist = 1.4 * np.cos(fold * 2 * np.pi * 1.5)
    else:
        fold = np.abs(x % 2 - 1) * 0.8
        resist = 1.2 * np.cos((y * 3 + fold * 3) * np.pi) + 0.3 * np.cos(x * np.pi * 2)
    bleed = 0.55 * fbm(rng, c.u * 9, c.v * 9, 4) + 0.25 * fbm(rng, c.u * 40, c.v * 12, 2)
    dye = smoothstep(-1.0, 1.0, (-resist + bleed).astype(np.float32))
    albedo = mix(mix(c.fill(pale), mid, smoothstep(0.08, 0.55, dye)), deep, smoothstep(0.4, 0.95, dye))
    thread = 0.94 + 0.06 * np.sin(2 * np.pi * c.u / 0.03) * np.sin(2 * np.pi * c.v / 0.03)
    return Surface(_shade(albedo, thread), 0.004 * thread, c.zeros(), c.full(0.9), c.extent)


def walnut(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Flat-sawn boards: growth rings cut lengthwise into flames, with fine dark pores."""
    dark, mid, light = map(ink, palette)
    board = np.floor((c.u + 10) / 0.62 + rng.uniform())
    offset = value_noise(rng, board * 3.7, board * 0) * 5
    across = (c.u + 10) % 0.62 - 0.31
    wander = 0.12 * fbm(rng, c.u * 1.2 + offset, c.v * 0.7 + offset, 3)
    # Rings are shells about an axis inside the trunk; the saw cuts them at a slant.
    depth = np.hypot(across * 1.3 + wander, 0.16 + 0.10 * np.sin(c.v * 0.8 + offset))
    ring = (depth + 0.012 * fbm(rng, c.u * 14, c.v * 2.5, 3)) * 17
    phase = ring % 1.0
    late = smoothstep(0.15, 0.95, phase) * (1 - smoothstep(0.95, 1.0, phase))
    streak = fbm(rng, c.u * 60, c.v * 2.2, 3)
    pores = smoothstep(0.75, 1.3, value_noise(rng, c.u * 95, c.v * 7) + 0.4 * streak)
    albedo = mix(c.fill(light), mid, np.clip(0.35 + 0.35 * streak, 0, 1))
    albedo = mix(mix(albedo, dark, 0.72 * late), ink("1a0e08"), 0.55 * pores)
    tone = 1 + 0.16 * value_noise(rng, board * 5.3, board * 0 + 7)
    joint = _soft(0.306 - np.abs(across), 0.006)
    height = 0.004 * joint - 0.001 * pores
    return Surface(_shade(albedo, tone * (0.45 + 0.55 * joint)), height, c.zeros(), c.full(0.42), c.extent)


def copper(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Copper beaten by hand: shallow facets, with verdigris in the hollows."""
    metal, dark, patina = map(ink, palette)
    spacing = rng.uniform(0.12, 0.17)
    wu, wv = c.u + 0.02 * fbm(rng, c.u * 6, c.v * 6, 2), c.v + 0.02 * fbm(rng, c.u * 6, c.v * 6, 2)
    distance, _ = nearest(scatter(rng, c.span, spacing), wu, wv, 3)
    dent = np.clip(distance[..., 0] / spacing, 0, 1.2)
    ridge = np.clip((distance[..., 1] - distance[..., 0]) / spacing, 0, 1)
    age = fbm(rng, c.u * 2.2, c.v * 2.2, 5, 0.6) + 0.35 * fbm(rng, c.u * 14, c.v * 14, 3)
    green = smoothstep(0.55, 1.25, age - 0.9 * ridge)
    albedo = mix(c.fill(metal), dark, np.clip(0.35 * (1 - ridge) + 0.22 * age, 0, 0.8))
    albedo = mix(albedo, patina, 0.85 * green)
    height = 0.045 * dent**2 * spacing / 0.15
    return Surface(albedo, height, 1 - 0.9 * green, 0.26 + 0.45 * green, c.extent)


def _squiggle(rng: Rng) -> NDArray[np.float64]:
    t = np.linspace(-0.5, 0.5, 60)
    wave = np.abs(((t * rng.choice([3, 4])) % 1.0) - 0.5) - 0.25
    smooth = np.convolve(np.pad(wave, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return np.stack([t * 0.42, smooth * 0.26], 1)


def _memphis_mark(rng: Rng, pen: Pen, at: NDArray[np.float64], color: Array, kind: int) -> None:
    angle, black = rng.uniform(0, 6.28), rgb("1c1b22")
    shift = np.array([0.022, -0.022])
    t = np.linspace(0, np.pi, 20)
    if kind == 0:
        pen.line(_turned(_squiggle(rng), angle) + at, color, 0.034)
    elif kind == 1:
        triangle = _turned(np.array([[0, 0.15], [-0.13, -0.08], [0.13, -0.08]]), angle)
        pen.polygon(triangle + at + shift, black)
        pen.polygon(triangle + at, color)
    elif kind == 2:
        half = _turned(np.stack([np.cos(t), np.sin(t)], 1) * 0.13, angle)
        pen.polygon(half + at + shift, black)
        pen.polygon(half + at, color)
    elif kind == 3:
        for i in range(-2, 3):
            for j in range(-1, 2):
                pen.disc(_turned(np.array([[i * 0.05, j * 0.05]]), angle)[0] + at, 0.013, black)
    elif kind == 4:
        pen.disc(at, 0.10, color)
        pen.disc(at, 0.052, rgb("fffaf0"))
    else:
        for k in (-1, 0, 1):
            bar = _turned(np.array([[-0.12, k * 0.05], [0.12, k * 0.05]]), angle)
            pen.line(bar + at, black if k else color, 0.02)


def memphis(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Squiggles, confetti and shadowed triangles of Milan, 1981."""
    ground, *paints = palette
    pen = Pen(c, rgb(ground))
    for turn, spot in enumerate(scatter(rng, c.span, 0.30)):
        paint = rgb(paints[int(rng.integers(len(paints)))])
        _memphis_mark(rng, pen, spot, paint, int((turn + rng.integers(0, 3)) % 6))
    for spot in scatter(rng, c.span, 0.2):
        pen.disc(spot, 0.012, rgb("1c1b22"))
    return Surface(pen.array() ** 2.2, c.zeros(), c.zeros(), c.full(0.25), c.extent)


def marble(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Carrara: clouds of grey, long veins that branch, and a rare thread of gold."""
    white, grey, vein, gold = map(ink, palette)
    a, b = fbm(rng, c.u * 0.9, c.v * 0.9, 5), fbm(rng, c.u * 0.9, c.v * 0.9, 5)
    wu, wv = c.u + 0.38 * a, c.v + 0.38 * b
    slant = wu * 0.75 + wv * 0.65
    main = np.abs(fbm(rng, slant * 1.5, (wu - wv) * 0.45, 4))
    fine = np.abs(fbm(rng, wu * 2.6, wv * 2.6, 4))
    cloud = smoothstep(-0.4, 1.1, fbm(rng, slant * 1.3, (wu - wv) * 0.5, 4))
    heavy = np.exp(-main / 0.085) * smoothstep(-1.2, 0.0, a)
    light = np.exp(-fine / 0.045) * smoothstep(-0.9, 0.4, b)
    thread = np.exp(-np.abs(main - 0.10) / 0.012) * smoothstep(0.1, 0.6, b - 0.2 * a)
    albedo = mix(c.fill(white), grey, 0.75 * cloud)
    albedo = mix(albedo, vein, np.clip(0.95 * heavy + 0.6 * light, 0, 1).astype(np.float32))
    share = np.clip(1.3 * thread, 0, 1).astype(np.float32)
    return Surface(mix(albedo, gold, share), c.zeros(), 0.9 * share, c.full(0.13), c.extent)


def leopard(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Rosettes: broken dark rings about a warmer heart, over short hair."""
    tan, heart, dark = map(ink, palette)
    spacing = rng.uniform(0.20, 0.25)
    wu = c.u + 0.030 * fbm(rng, c.u * 9, c.v * 9, 2)
    wv = c.v + 0.030 * fbm(rng, c.u * 9, c.v * 9, 2)
    points = scatter(rng, c.span, spacing)
    distance, index = nearest(points, wu, wv, 2)
    size = rng.uniform(0.34, 0.50, len(points)).astype(np.float32)[index[..., 0]] * spacing
    d = distance[..., 0] / size
    center = points[index[..., 0]].astype(np.float32)
    angle = np.arctan2(wv - center[..., 1], wu - center[..., 0])
    start = rng.uniform(0, 6.28, len(points)).astype(np.float32)[index[..., 0]]
    lobes = rng.integers(2, 4, len(points)).astype(np.float32)[index[..., 0]]
    arc = np.cos(angle * lobes + start)
    ring = _soft(0.34 + 0.12 * arc - np.abs(d - 0.85), 0.09) * _soft(arc + 0.72, 0.22)
    fur = fbm(rng, c.u * 55, c.v * 9, 3)
    shade = value_noise(rng, c.u * 1.5, c.v * 1.5)
    albedo = mix(c.fill(tan), heart, np.clip(0.85 * _soft(0.9 - d, 0.2) + 0.25 * shade, 0, 1))
    albedo = mix(albedo, dark, ring)
    return Surface(_shade(albedo, 0.96 + 0.15 * fur), 0.003 * fur, c.zeros(), c.full(0.62), c.extent)


def houndstooth(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Four dark threads and four pale ones in both directions, in two-two twill: the check draws itself."""
    dark, pale = map(ink, palette)
    thread = rng.uniform(0.027, 0.034)
    over = 3
    total = c.zeros()
    pixel = c.extent / c.n
    for a in range(over):
        for b in range(over):
            i = np.floor((c.u + (a / over - 0.5) * pixel) / thread).astype(np.int32)
            j = np.floor((c.v + (b / over - 0.5) * pixel) / thread).astype(np.int32)
            warp = (i + j) % 4 < 2
            total += np.where(warp, (i // 4) % 2, (j // 4) % 2)
    fluff = fbm(rng, c.u * 34, c.v * 34, 3)
    albedo = mix(c.fill(dark), pale, total / over**2)
    twill = np.sin(2 * np.pi * (c.u + c.v) / thread / 2)
    height = 0.004 * fluff + 0.002 * twill
    return Surface(_shade(albedo, 0.96 + 0.10 * fluff), height, c.zeros(), c.full(0.9), c.extent)


def _delft_motif(rng: Rng) -> list[tuple[NDArray[np.float64], float]]:
    """Strokes of one eighth of a tile: (points, tone); tone 0 is the darkest blue, width 0 fills."""
    strokes: list[tuple[NDArray[np.float64], float]] = []
    petals = _turned(_leaf(0.155, 0.05), np.pi / 4) + 0.03
    strokes.append((petals, 0.15))
    strokes.append((_turned(_leaf(0.12, 0.032), 0.0) + np.array([0.05, 0.0]), 0.5))
    strokes.append((_turned(_leaf(0.11, 0.03), np.pi / 4 + 0.75) + np.array([0.13, 0.13]), 0.55))
    strokes.append((_turned(_leaf(0.11, 0.03), np.pi / 4 - 0.75) + np.array([0.13, 0.13]), 0.55))
    reach = rng.uniform(0.10, 0.15)
    strokes.append((_turned(_leaf(reach, 0.045), -3 * np.pi / 4) + 0.335, 0.2))
    strokes.append((_turned(_leaf(0.09, 0.028), -3 * np.pi / 4 + 0.8) + np.array([0.32, 0.33]), 0.45))
    strokes.append((_turned(_leaf(0.09, 0.028), -3 * np.pi / 4 - 0.8) + np.array([0.33, 0.32]), 0.45))
    return strokes


def delft(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Tin-glazed tiles painted in cobalt: one motif turned four times about each center."""
    white, pale, deep = (rgb(code) for code in palette)
    side = 0.70
    pen = Pen(c, white)
    motif = _delft_motif(rng)
    ring = rng.uniform(0.205, 0.235)
    t = np.linspace(0, 2 * np.pi, 60)
    count = int(np.ceil(c.span / side / 2)) + 1
    for i in range(-count, count + 1):
        for j in range(-count, count + 1):
            center = np.array([i, j]) * side
            pen.line(np.stack([np.cos(t), np.sin(t)], 1) * ring + center, deep, 0.010)
            pen.line(np.stack([np.cos(t), np.sin(t)], 1) * (ring + 0.022) + center, pale, 0.007)
            for quarter in range(4):
                for points, tone in motif:
                    stroke = _turned(points, quarter * np.pi / 2) + center
                    pen.polygon(stroke, deep * (1 - tone) + pale * tone)
            pen.disc(center, 0.038, deep)
            pen.disc(center, 0.016, white)
            frame = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * (side / 2 - 0.022)
            pen.line(frame + center, deep, 0.006)
    paint = pen.array() ** 2.2
    wash = 1 + 0.35 * fbm(rng, c.u * 7, c.v * 7, 3)
    blue = (1 - paint[..., 0]) * np.clip(wash, 0.5, 1.3)
    albedo = mix(c.fill(ink(palette[0])), paint, np.clip(blue * 1.4, 0, 1))
    edge = side / 2 - np.maximum(np.abs((c.u + side / 2) % side - side / 2), np.abs((c.v + side / 2) % side - side / 2))
    joint = _soft(edge - 0.006, 0.005)
    return Surface(_shade(albedo, 0.72 + 0.28 * joint), 0.006 * joint, c.zeros(), c.full(0.14), c.extent)


def raku(rng: Rng, c: Canvas, palette: list[str]) -> Surface:
    """Glaze that ran, pooled and crazed; smoke darkened the cracks."""
    glaze, pool, lustre, soot = map(ink, palette)
    wu = c.u + 0.05 * fbm(rng, c.u * 4, c.v * 4, 3)
    wv = c.v + 0.05 * fbm(rng, c.u * 4, c.v * 4, 3)
    cracks = c.zeros()
    for spacing, width, weight in ((0.30, 0.011, 1.0), (0.13, 0.006, 0.75)):
        distance, _ = nearest(scatter(rng, c.span, spacing), wu, wv, 2)
        gap = distance[..., 1] - distance[..., 0]
        cracks = np.maximum(cracks, weight * (1 - smoothstep(width * 0.4, width * 1.8, gap)))
    run = fbm(rng, c.u * 2.4, c.v * 1.1, 4)
    bloom = fbm(rng, c.u * 1.6, c.v * 1.6, 5, 0.6)
    albedo = mix(c.fill(glaze), pool, smoothstep(-0.5, 0.9, run))
    shine = smoothstep(0.65, 1.15, bloom)
    albedo = mix(albedo, lustre, 0.85 * shine)
    albedo = mix(albedo, soot, 0.9 * cracks)
    height = -0.004 * cracks + 0.006 * run
    return Surface(albedo, height, 0.7 * shine * (1 - cracks), 0.12 + 0.1 * shine, c.extent)


def as_cloth(rng: Rng, surface: Surface, pile: float) -> Surface:
    """Pattern printed or woven: metal turned to lustre, relief flattened, threads or a pile of size `pile`."""
    c = canvas(surface.albedo.shape[0], surface.extent)
    tufts = fbm(rng, c.u / pile, c.v / pile, 2)
    worn = fbm(rng, c.u * 2.5, c.v * 2.5, 3)
    albedo = _shade(surface.albedo, 1 + 0.14 * tufts + 0.04 * worn)
    height = 0.35 * surface.height + 0.10 * pile * tufts
    return Surface(albedo, height, 0.45 * surface.metal, np.maximum(surface.rough, 0.66), surface.extent)


@dataclass(frozen=True, slots=True)
class SurfaceStyle:
    """Hidden style of the sample: how it is drawn and how a shop would describe it.

    `palettes` maps a color word to the hex codes that `paint` takes; `lining` is the plain color that goes
    with it (inside of a mug, strap of a bag); `trim` the metal or black of small parts; `turn` the largest
    angle, in radians, by which the pattern may be turned.
    """

    name: str
    adjective: str
    pattern: str
    hard: str
    soft: str
    finish: str
    paint: Callable[[Rng, Canvas, list[str]], Surface]
    palettes: dict[str, list[str]]
    lining: dict[str, str]
    trim: str
    turn: float


def _style(
    name: str,
    words: tuple[str, str, str, str, str],
    paint: Callable[[Rng, Canvas, list[str]], Surface],
    palettes: dict[str, tuple[str, str]],
    trim: str,
    turn: float = 0.0,
) -> SurfaceStyle:
    adjective, pattern, hard, soft, finish = words
    codes = {color: row.split() for color, (row, _) in palettes.items()}
    lining = {color: code for color, (_, code) in palettes.items()}
    return SurfaceStyle(name, adjective, pattern, hard, soft, finish, paint, codes, lining, trim, turn)


STYLES: tuple[SurfaceStyle, ...] = (
    _style(
        "nordic_linen",
        ("Nordic linen", "stripe", "stoneware", "linen", "matte"),
        linen,
        {
            "oatmeal": ("d3c3a5 4a6078 efe6d2", "f2ecdf"),
            "fog grey": ("b9b8b0 3f4b52 dedcd4", "e9e8e3"),
            "sage": ("b4bca0 f1eee2 d5dac4", "eef0e4"),
        },
        "black",
    ),
    _style(
        "art_deco_fan",
        ("Deco fan", "geometric", "enamel", "velvet", "satin"),
        deco_fan,
        {
            "navy and gold": ("101f42 e0b25a 1d4470", "e0b25a"),
            "emerald and gold": ("06382f dcb060 0d6a54", "dcb060"),
            "black and gold": ("141316 e3b866 3a2a30", "e3b866"),
        },
        "brass",
    ),
    _style(
        "botanical_watercolour",
        ("Botanical", "floral", "porcelain", "cotton", "matte"),
        botanical,
        {
            "garden green": ("fbf7ec 5f9e62 86b58a e58aa0 d9a036", "fbf7ec"),
            "blush": ("fdf3ec 86a985 b9c7a0 e8788a d58a3a", "fbe9e2"),
            "blue meadow": ("f7f8f4 5a9a92 8fb7b0 7c8fd6 e0b04a", "f3f5f2"),
        },
        "brass",
        0.4,
    ),
    _style(
        "tartan_wool",
        ("Tartan", "check", "enamel", "wool", "matte"),
        tartan,
        {
            "highland red": ("a5121c 123c2a 0e1526 f3d37a", "8e1119"),
            "forest green": ("174a35 14264e 0c1a18 d9c25a", "1b4634"),
            "midnight blue": ("182a5c 0f3a33 a81c28 e6e2d2", "1a2a55"),
        },
        "black",
    ),
    _style(
        "terrazzo",
        ("Terrazzo", "speckled", "composite", "cotton", "satin"),
        terrazzo,
        {
            "coral": ("f4ece1 e0705a 2f5d62 e9b44c 8c8a86 c94f4f", "f0dfd2"),
            "mint": ("eef3ea 5fa88f 26404d e8a598 b7b3a8 d8c06a", "dcebe2"),
            "charcoal": ("3c3f45 e9e3d6 d9805f 8fa3a6 c9a65b f4f0e8", "4a4d53"),
        },
        "brass",
        3.1,
    ),
    _style(
        "indigo_shibori",
        ("Shibori", "abstract", "stoneware", "cotton", "matte"),
        shibori,
        {
            "indigo": ("f2f0e6 6484b0 1d2f5c", "f0eee4"),
            "deep indigo": ("dfe6ee 46639a 131f45", "1a2b60"),
            "washed indigo": ("f6f3ea 86a1c4 32497f", "f4f1e8"),
        },
        "black",
        0.8,
    ),
    _style(
        "walnut_grain",
        ("Walnut", "wood grain", "wood", "cotton", "satin"),
        walnut,
        {
            "walnut": ("3b2114 7a4a2c a06a40", "5a3520"),
            "teak": ("5a2f16 a5652f c88c50", "8a5528"),
            "smoked oak": ("2a1d16 5c4433 84684f", "463428"),
        },
        "brass",
        0.12,
    ),
    _style(
        "beaten_copper",
        ("Hammered copper", "textured", "copper", "jacquard", "metallic"),
        copper,
        {
            "copper": ("e48a5c 8a4326 4fa08c", "a9573a"),
            "rose copper": ("eb9a7c 98503e 6fae9c", "b76a56"),
            "antique copper": ("c87644 5e2f1e 3f8f80", "7d4128"),
        },
        "brass",
        3.1,
    ),
    _style(
        "memphis_neon",
        ("Memphis", "geometric", "melamine", "cotton", "glossy"),
        memphis,
        {
            "pink": ("ffc4d4 13b5b1 ffd23f ff4f79 5b3fd1", "ffd23f"),
            "mint": ("b8efdc ff5d8f ffc71f 3d5afe ff7a3d", "ff6f91"),
            "yellow": ("ffe066 ff3d7f 00a6c7 6a3de8 ff7b24", "13b5b1"),
        },
        "black",
        3.1,
    ),
    _style(
        "carrara_marble",
        ("Marble", "abstract", "marble", "satin", "glossy"),
        marble,
        {
            "white": ("f1efeb b9bbbf 5d6168 cfa35a", "f3f1ed"),
            "grey": ("dcdcdd 95999f 3f444b cfa35a", "c5c6c8"),
            "blush white": ("f5e8e3 d2b5ad 7d5f5c d3a25c", "f2e2dc"),
        },
        "brass",
        3.1,
    ),
    _style(
        "leopard",
        ("Leopard", "animal", "stoneware", "velvet", "satin"),
        leopard,
        {
            "honey": ("d9a862 a9662c 20140e", "24170f"),
            "sand": ("e6cfa3 b98a52 2b1d15", "2e2118"),
            "amber": ("cf8f3d 8e4a18 180e0a", "1c110c"),
        },
        "brass",
        0.5,
    ),
    _style(
        "houndstooth",
        ("Houndstooth", "check", "porcelain", "wool", "matte"),
        houndstooth,
        {
            "black and white": ("17171a f3f1ec", "17171a"),
            "charcoal and cream": ("2f2e33 f0e7d3", "f0e7d3"),
            "ink and ecru": ("1a2130 ece6da", "1a2130"),
        },
        "black",
    ),
    _style(
        "delft_blue",
        ("Delft tile", "floral", "porcelain", "cotton", "glossy"),
        delft,
        {
            "cobalt": ("f3f5f6 7fa0d8 17398f", "f3f5f6"),
            "royal blue": ("f7f6f0 8aa6e0 1d2f9a", "f7f6f0"),
            "soft blue": ("f1f4f5 9dbbe0 2f5ea8", "f1f4f5"),
        },
        "steel",
    ),
    _style(
        "raku_crackle",
        ("Raku", "abstract", "raku ware", "satin", "glossy"),
        raku,
        {
            "turquoise": ("3fb3ae 14736f b8743a 14181a", "1d2224"),
            "celadon": ("a8c9a9 5f9a84 b98a4a 1c1f1c", "dfe6d6"),
            "peacock": ("1f93a8 155a86 a8642e 101418", "14181c"),
        },
        "black",
        0.3,
    ),
)


def draw(rng: Rng, style: SurfaceStyle, color: str, n: int, extent: float) -> Surface:
    """One surface of a style in the palette named `color`, with a scale, a turn and a hue of its own."""
    palette = [jitter(rng, code) for code in style.palettes[color]]
    sheet = canvas(n, extent, rng.uniform(0.85, 1.2), rng.uniform(-style.turn, style.turn))
    return style.paint(rng, sheet, palette)
