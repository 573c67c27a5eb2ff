"""Studio: a key light, a fill, a seamless backdrop, and what shiny things see of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from render.color import ink, jitter, smoothstep

Array = NDArray[np.float32]

BACKDROPS = ("f6f4f0", "f5f3f0", "f5f6f7", "f1e8dc", "e4ebf0", "f5e6df", "e6ede4", "f7efde", "ebe6f1", "e2eceb")
TINTS = ("dccbb5", "c9d5dc", "e6cdc1", "cbd6c6", "d9d0e2", "d6cdbf", "efdcb8", "c4d6d3")


@dataclass(frozen=True, slots=True)
class Studio:
    """Directions are unit vectors (3,) in world space; colors are linear light (3,)."""

    key: Array
    key_light: Array
    strip: Array
    fill_light: Array
    backdrop: Array
    softness: float


def _unit(x: float, y: float, z: float) -> Array:
    vector = np.array([x, y, z], dtype=np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def _temperature(warmth: float) -> Array:
    """Light color: warmth 1 is tungsten-like, -1 is open shade."""
    return np.array([1 + 0.07 * warmth, 1.0, 1 - 0.10 * warmth], dtype=np.float32)


def studio(rng: np.random.Generator, wall: bool, pale: bool) -> Studio:
    """Set-up of its own for each product: side, height and warmth of the key, color of the paper.

    Against a `wall` the key comes more from the front, as for a flat lay. A `pale` product gets tinted paper, so
    that its outline shows.
    """
    side = -1.0 if rng.random() < 0.7 else 1.0
    key = _unit(side * rng.uniform(0.45, 0.95), rng.uniform(1.25, 1.75), rng.uniform(0.7, 1.1) + 0.25 * wall)
    warmth = rng.uniform(-0.5, 1.0)
    papers = TINTS if pale or rng.random() < 0.2 else BACKDROPS
    return Studio(
        key=key,
        key_light=_temperature(warmth) * np.float32(rng.uniform(1.75, 2.05)),
        strip=_unit(-side, 0.30, 0.55),
        fill_light=_temperature(-0.4 * warmth) * np.float32(rng.uniform(0.62, 0.78)),
        backdrop=ink(jitter(rng, str(rng.choice(papers)), 0.02, 0.01)),
        softness=rng.uniform(6.0, 10.0),
    )


def _softbox(direction: Array, towards: Array, half_x: float, half_y: float, blur: Array) -> Array:
    """How much of a rectangular light is seen along `direction` (3, N); `blur` (N,) widens its edges."""
    right = np.cross(np.array([0, 1, 0], dtype=np.float32), towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    ahead = np.maximum(towards @ direction, 1e-3)
    x, y = np.abs(right @ direction) / ahead, np.abs(up @ direction) / ahead
    edge = 0.03 + 1.1 * blur
    seen_x = np.clip(0.5 + (half_x - x) / (2 * edge), 0, 1)
    seen_y = np.clip(0.5 + (half_y - y) / (2 * edge), 0, 1)
    front = smoothstep(0.0, 0.15, towards @ direction)
    return seen_x * seen_y * front * half_x / (half_x + 0.6 * blur)


def environment(set_up: Studio, direction: Array, rough: Array) -> Array:
    """Radiance (3, N) that a reflection along `direction` meets, blurred by roughness (N,)."""
    blur = (rough**1.5).astype(np.float32)
    height = direction[1]
    room = 0.34 + 0.42 * smoothstep(-0.2, 1.0, height)
    floor = 1 - smoothstep(-0.14, 0.06, height)
    light = room[None] * set_up.fill_light[:, None] * 1.25
    light = light * (1 - floor) + 0.78 * set_up.backdrop[:, None] * floor
    # Black flags either side of the set give metal and glaze their dark edges.
    flag = smoothstep(0.55, 0.95, np.abs(direction[0])) * (1 - floor)
    light = light * (1 - 0.62 * flag)
    key = _softbox(direction, set_up.key, 0.42, 0.50, blur)
    strip = _softbox(direction, set_up.strip, 0.16, 0.75, blur)
    return light + key * 3.6 * set_up.key_light[:, None] + strip * 2.0 * set_up.fill_light[:, None]
