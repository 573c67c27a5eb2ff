"""Style references: swatches of the surface styles and artworks for scenes, flat and full-frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from render.color import Array, encode, ink, jitter, linear, mix, rgb, smoothstep
from render.noise import fbm, scatter, value_noise
from render.surfaces import STYLES, Canvas, Pen, Surface, _leaf, _turned, canvas, draw

Rng = np.random.Generator
Artwork = Callable[[Rng, Canvas], Surface]


@dataclass(frozen=True, slots=True)
class Reference:
    """Style reference: `scenes` separated by `|`; `drawn` is (surface style, color), or an artwork."""

    style_id: str
    title: str
    scenes: str
    drawn: tuple[str, str] | Artwork


def _paper(c: Canvas, painted: Array, rng: Rng, rough: float = 0.7) -> Surface:
    tooth = fbm(rng, c.u * 38, c.v * 38, 3)
    albedo = np.clip(painted * (1 + 0.05 * tooth[..., None]), 0, 1).astype(np.float32)
    return Surface(albedo, 0.0015 * tooth, c.zeros(), c.full(rough), c.extent)


def _fir(pen: Pen, at: NDArray[np.float64], size: float, color: Array) -> None:
    for tier in range(3):
        low, half = -0.5 + 0.30 * tier, 0.40 - 0.09 * tier
        points = np.array([[-half, low], [half, low], [0, low + 0.5]]) * size
        pen.polygon(points + at, color * (1 + 0.18 * tier))
    pen.line(np.array([[0, -0.5], [0, -0.62]]) * size + at, rgb("6b4226"), 0.07 * size)


def _snowflake(pen: Pen, at: NDArray[np.float64], size: float, color: Array, turn: float) -> None:
    for arm in range(6):
        angle = turn + arm * np.pi / 3
        pen.line(_turned(np.array([[0, 0], [size, 0]]), angle) + at, color, size * 0.09)
        for out in (0.45, 0.72):
            for side in (-1, 1):
                twig = np.array([[out, 0], [out + 0.22, side * 0.22]]) * size
                pen.line(_turned(twig, angle) + at, color, size * 0.07)


def _star(pen: Pen, at: NDArray[np.float64], size: float, color: Array, points: int = 5) -> None:
    angle = np.arange(points * 2) * np.pi / points + np.pi / 2
    reach = np.where(np.arange(points * 2) % 2, 0.42, 1.0) * size
    pen.polygon(np.stack([np.cos(angle), np.sin(angle)], 1) * reach[:, None] + at, color)


def wrapping_paper(rng: Rng, c: Canvas) -> Surface:
    """Firs, stars, baubles and flakes on red."""
    pen = Pen(c, rgb("a8121f"))
    gold, white = rgb("eebf5c"), rgb("fff6e8")
    for turn, spot in enumerate(scatter(rng, c.span, 0.30)):
        kind = int((turn + rng.integers(0, 2)) % 4)
        if kind == 0:
            _fir(pen, spot, rng.uniform(0.26, 0.33), rgb("1d6a3f"))
        elif kind == 1:
            _snowflake(pen, spot, rng.uniform(0.10, 0.14), white, rng.uniform(0, 1))
        elif kind == 2:
            _star(pen, spot, rng.uniform(0.08, 0.11), gold)
        else:
            pen.disc(spot, 0.085, rgb(str(rng.choice(["f4e3c3", "d9a13b", "157a4f"]))))
            pen.line(np.array([[-0.08, 0], [0.08, 0]]) + spot, rgb("a8121f"), 0.018)
            pen.disc(spot + np.array([0, 0.10]), 0.02, gold)
    for spot in scatter(rng, c.span, 0.14):
        pen.disc(spot, 0.010, gold)
    return _paper(c, linear(pen.array()), rng, 0.4)


def winter_night(rng: Rng, c: Canvas) -> Surface:
    """Northern lights over falling snow."""
    lift = 0.25 * fbm(rng, c.u * 1.3, c.v * 0.25, 3)
    sky = mix(c.fill(ink("0b1440")), ink("274b8f"), smoothstep(-0.9, 0.9, -c.v + lift))
    for color, level in (("39c9a5", 0.28), ("7fd6e8", 0.0), ("8d6be0", 0.52)):
        curtain = c.v - level - 0.35 * fbm(rng, c.u * 1.6, c.v * 0.15, 3)
        rays = 0.55 + 0.45 * value_noise(rng, c.u * 22 + 2 * curtain, c.v * 0.6)
        glow = np.exp(-np.maximum(curtain, 0) / 0.28) * smoothstep(-0.05, 0.03, curtain) * rays
        sky = mix(sky, ink(color), 0.75 * np.clip(glow, 0, 1))
    pen = Pen(c, np.zeros(3, dtype=np.float32))
    for spot in scatter(rng, c.span, 0.27):
        _snowflake(pen, spot, rng.uniform(0.05, 0.12), np.full(3, rng.uniform(0.6, 1), np.float32), rng.uniform(0, 1))
    for spot in scatter(rng, c.span, 0.11):
        pen.disc(spot, rng.uniform(0.005, 0.016), np.full(3, rng.uniform(0.4, 1), np.float32))
    return _paper(c, mix(sky, ink("f2f8ff"), pen.array()[..., 0]), rng)


def comic_burst(rng: Rng, c: Canvas) -> Surface:
    """Burst of rays under printer's dots."""
    angle = np.arctan2(c.v + 0.12, c.u - 0.1) + 0.02 * fbm(rng, c.u * 3, c.v * 3, 2)
    radius = np.hypot(c.v + 0.12, c.u - 0.1)
    rays = smoothstep(-0.04, 0.04, np.sin(angle * 14) * np.minimum(radius * 3, 1))
    albedo = mix(c.fill(ink("e4162b")), ink("ffce1f"), rays)
    pitch = 0.075
    x, y = (c.u + c.v) / pitch, (c.u - c.v) / pitch
    cell = np.hypot(x - np.round(x), y - np.round(y))
    size = 0.10 + 0.42 * smoothstep(0.2, 1.0, radius)
    dots = smoothstep(-0.05, 0.05, size - cell)
    albedo = mix(albedo, ink("1b1f5e"), dots * smoothstep(0.35, 0.5, radius))
    edge = 0.36 + 0.10 * np.abs((angle / np.pi * 8) % 1.0 - 0.5) * 2
    albedo = mix(albedo, ink("15151c"), smoothstep(-0.01, 0.01, edge + 0.035 - radius))
    albedo = mix(albedo, ink("fff7e0"), smoothstep(-0.01, 0.01, edge - radius))
    inner = smoothstep(-0.05, 0.05, 0.40 * smoothstep(0.0, 0.42, radius) - cell) * (edge > radius)
    return _paper(c, mix(albedo, ink("ff5fa2"), inner.astype(np.float32)), rng)


def price_tags(rng: Rng, c: Canvas) -> Surface:
    """Torn strips of poster in hot colors, one over another."""
    albedo = c.fill(ink("ffd400"))
    for color in ("ff2d55", "ff7a00", "ffffff", "e6007a", "1a1a1f", "ffd400", "ff2d55", "00b8d9"):
        heading = rng.uniform(-0.5, 0.5)
        across = c.v * np.cos(heading) + c.u * np.sin(heading) - rng.uniform(-0.8, 0.8)
        tear = 0.03 * fbm(rng, c.u * 7, c.v * 7, 4)
        half = rng.uniform(0.05, 0.17)
        torn = smoothstep(-0.004, 0.004, half + 0.016 - np.abs(across + tear))
        strip = smoothstep(-0.004, 0.004, half - np.abs(across + tear + 0.01 * fbm(rng, c.u * 25, c.v * 25, 2)))
        albedo = mix(mix(albedo, ink("fffaf0"), torn), ink(color), strip)
        printed = np.sin((c.u * np.cos(heading) - c.v * np.sin(heading)) * 2 * np.pi / 0.09)
        if rng.random() < 0.5:
            albedo = mix(albedo, ink("fff3c4"), strip * smoothstep(0.55, 0.7, printed) * 0.8)
    worn = smoothstep(0.9, 1.5, fbm(rng, c.u * 9, c.v * 9, 5))
    return _paper(c, mix(albedo, ink("fff8ea"), 0.7 * worn), rng)


def blossom(rng: Rng, c: Canvas) -> Surface:
    """Branches in flower against a pale sky, in thick paint."""
    cloud = fbm(rng, c.u * 2, c.v * 3, 4)
    pen = Pen(c, rgb("bfe0ea"))
    for _ in range(20):
        start, heading = rng.uniform(-1.2, 0.9, 2), rng.uniform(0.2, 1.2)
        bends = heading + np.cumsum(rng.normal(0, 0.16, 14))
        branch = start + np.cumsum(np.stack([np.cos(bends), np.sin(bends)], 1) * 0.11, axis=0)
        pen.line(branch, rgb("5b3b34"), rng.uniform(0.016, 0.04))
        for at in branch[::1]:
            for _ in range(3):
                _petals(rng, pen, at + rng.normal(0, 0.075, 2))
    painted = linear(pen.array())
    return _paper(c, np.clip(painted * (1 + 0.10 * cloud[..., None]), 0, 1).astype(np.float32), rng)


def _petals(rng: Rng, pen: Pen, at: NDArray[np.float64]) -> None:
    size, start = rng.uniform(0.045, 0.08), rng.uniform(0, 6.28)
    color = rgb(jitter(rng, str(rng.choice(["f7b9cc", "fbd9e3", "ee8fb0"])), 0.01, 0.03))
    for k in range(5):
        pen.disc(at + _turned(np.array([[size * 0.6, 0]]), start + k * 1.2566)[0], size * 0.48, color)
    pen.disc(at, size * 0.2, rgb("c2356b"))


def sun_and_waves(rng: Rng, c: Canvas) -> Surface:
    """Low sun over bands of sea, brushed sideways."""
    drift = 0.05 * fbm(rng, c.u * 3, c.v * 1.5, 3)
    albedo = mix(c.fill(ink("ff8a4c")), ink("ffe08a"), smoothstep(0.9, 0.0, c.v + drift))
    ring = np.hypot(c.u - 0.15, c.v - 0.28)
    for reach, color in ((0.42, "ffb04a"), (0.30, "ff7043"), (0.20, "fff0b8")):
        albedo = mix(albedo, ink(color), smoothstep(-0.012, 0.012, reach + 0.3 * drift - ring))
    bands = ("7fd8d0", "2fb5bd", "118ab2", "0d6fa0", "2a9d9a", "0b4f7d", "073b63")
    for k, color in enumerate(bands):
        crest = 0.02 - 0.15 * k + 0.05 * np.sin(c.u * (5 + k) + 2.1 * k) + 0.02 * drift
        below = smoothstep(-0.006, 0.006, crest - c.v)
        foam = np.exp(-(((crest - c.v - 0.012) / 0.010) ** 2))
        albedo = mix(mix(albedo, ink(color), below), ink("fff9ea"), 0.85 * foam.astype(np.float32))
    stroke = fbm(rng, c.u * 5, c.v * 60, 3)
    return _paper(c, np.clip(albedo * (1 + 0.16 * stroke[..., None]), 0, 1).astype(np.float32), rng)


def autumn_leaves(rng: Rng, c: Canvas) -> Surface:
    """Fallen leaves in ochre and rust, heaped."""
    pen = Pen(c, rgb("5a2d16"))
    hues = ("b5451d", "d9822b", "e8b04a", "8c2f1b", "7a6a2a", "c8671f")
    for spacing, size in ((0.12, 0.30), (0.15, 0.26), (0.24, 0.22)):
        for spot in rng.permutation(scatter(rng, c.span, spacing)):
            color = rgb(jitter(rng, str(rng.choice(hues)), 0.015, 0.05))
            turn, length = rng.uniform(0, 6.28), size * rng.uniform(0.8, 1.15)
            leaf = _turned(_leaf(length, length * 0.27), turn)
            pen.polygon(leaf + spot - [0.012, 0.014], rgb("3a1c0e"))
            pen.polygon(leaf + spot, color)
            rib = _turned(np.array([[-0.14 * length, 0], [0.95 * length, 0]]), turn)
            pen.line(rib + spot, color * 0.62, 0.009)
            for k in (0.25, 0.42, 0.6):
                for side in (-1, 1):
                    vein = np.array([[k, 0], [k + 0.15, side * 0.15]]) * length
                    pen.line(_turned(vein, turn) + spot, color * 0.75, 0.005)
    return _paper(c, linear(pen.array()), rng)


REFERENCES: tuple[Reference, ...] = (
    Reference("linen", "Grain-sack linen", "everyday|spring", ("nordic_linen", "oatmeal")),
    Reference("deco-gold", "Gold fans on navy", "holiday|sale", ("art_deco_fan", "navy and gold")),
    Reference("botanical", "Watercolour garden", "spring|summer|everyday", ("botanical_watercolour", "garden green")),
    Reference("tartan-red", "Highland tartan", "holiday|winter|autumn", ("tartan_wool", "highland red")),
    Reference("terrazzo", "Coral terrazzo", "everyday|summer", ("terrazzo", "coral")),
    Reference("shibori", "Indigo shibori", "summer|everyday", ("indigo_shibori", "indigo")),
    Reference("memphis", "Milan confetti", "sale|summer", ("memphis_neon", "pink")),
    Reference("delft", "Cobalt tiles", "everyday|winter", ("delft_blue", "cobalt")),
    Reference("raku", "Turquoise raku", "everyday|autumn", ("raku_crackle", "turquoise")),
    Reference("wrapping-paper", "Red wrapping paper", "holiday|winter|sale", wrapping_paper),
    Reference("winter-night", "Northern lights", "winter|holiday", winter_night),
    Reference("comic-burst", "Comic burst", "sale|everyday", comic_burst),
    Reference("torn-posters", "Torn posters", "sale", price_tags),
    Reference("blossom", "Cherry blossom", "spring|sale", blossom),
    Reference("sun-and-waves", "Sun and waves", "summer", sun_and_waves),
    Reference("autumn-leaves", "Fallen leaves", "autumn|sale", autumn_leaves),
)


def _lit(surface: Surface, rng: Rng) -> Array:
    """Flat surface under a raking lamp, (n, n, 3) linear: relief, a broad highlight on metal, a soft fall-off."""
    n = surface.albedo.shape[0]
    slope_v, slope_u = np.gradient(surface.height * (n / surface.extent))
    normal = np.stack([-slope_u, slope_v, np.ones_like(slope_u)])
    normal /= np.linalg.norm(normal, axis=0)
    lamp = np.array([-0.45, 0.50, 0.74], dtype=np.float32)
    diffuse = np.tensordot(lamp, normal, 1) / lamp[2]
    axis = np.linspace(-1, 1, n, dtype=np.float32)
    sheen = 0.55 + 0.55 * np.tanh(3 * (normal[0] * -1.0 + normal[1] * 1.1 - 0.25 * (axis[None] + axis[:, None])))
    body = surface.albedo * (diffuse * (1 - surface.metal) + surface.metal * (0.5 + 0.9 * sheen))[..., None]
    pool = 1.02 - 0.07 * ((axis[None] + 0.3) ** 2 + (axis[:, None] + 0.3) ** 2)
    return np.clip(body * pool[..., None] * rng.uniform(0.97, 1.0), 0, 1).astype(np.float32)


def picture(reference: Reference, rng: Rng, side: int = 256) -> Image.Image:
    """Reference as an image of side by side pixels, drawn at twice the size."""
    over = 2 * side
    if isinstance(reference.drawn, tuple):
        name, color = reference.drawn
        style = next(style for style in STYLES if style.name == name)
        surface = draw(rng, style, color, over, 1.9)
    else:
        surface = reference.drawn(rng, canvas(over, 1.9))
    flat = _lit(surface, rng).reshape(side, 2, side, 2, 3).mean((1, 3))
    return Image.fromarray((encode(flat) * 255 + 0.5).astype(np.uint8))
