"""From a product and a surface to a photograph: sphere tracing, shading and development.

Sphere tracing: J. C. Hart, "Sphere tracing" (1996). Soft shadows and occlusion from the distance field follow
Inigo Quilez's notes; microfacets follow Walter et al. (2007) with Schlick's Fresnel term.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from render.color import Array, encode, filmic, smoothstep
from render.fields import Field
from render.light import Studio, environment, studio
from render.surfaces import Surface
from scipy.ndimage import map_coordinates, zoom

Mapping = Callable[[Array], tuple[Array, Array]]

STYLED = -1
EPSILON = 0.004
PALE = 0.5


@dataclass(frozen=True, slots=True)
class Plain:
    """Material of one color: `color` linear light (3,); the rest in [0, 1]; `glow` is emitted light."""

    color: Array
    metal: float = 0.0
    rough: float = 0.5
    glow: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """One solid of a product, in its own coordinates.

    `material` is a position in the product's plain materials, or STYLED for the surface, or a function of the
    points (3, N) that gives one such number each. `mapping` lays the surface on the solid.
    """

    field: Field
    material: int | Callable[[Array], NDArray[np.int64]] = STYLED
    mapping: Mapping = lambda p: (p[0], p[1])
    glow: float = 0.0


@dataclass(frozen=True, slots=True)
class Product:
    """Parts, their pose and the view. `wall` hangs it on the wall z = 0; otherwise it stands on the floor y = 0.

    `turn` (3, 3) takes own coordinates to the world's. `azimuth` and `elevation` of the camera in radians;
    `step` < 1 shortens marching for fields that are not exact; `bump` scales the relief of the surface.
    """

    parts: tuple[Part, ...]
    plains: tuple[Plain, ...]
    azimuth: float
    elevation: float
    turn: Array = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    wall: bool = False
    step: float = 0.95
    bump: float = 1.0
    fill: float = 0.70


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Array:
    """Rotation (3, 3): roll about z first, then pitch about x, then yaw about y; radians."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (about_y @ about_x @ about_z).astype(np.float32)


class Placed:
    """Product set down in the world: distances, bounds and the plane it rests on."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.offset = np.zeros((3, 1), dtype=np.float32)
        self.axis = 2 if product.wall else 1
        axis = np.linspace(-2.2, 2.2, 56, dtype=np.float32)
        grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")).reshape(3, -1)
        distance = self.distance(grid)
        near = distance < axis[1] - axis[0]
        band, distance = grid[:, near], distance[near]
        # No point of the band lies closer to the ground than its height less its distance to the solid.
        self.offset[self.axis] = -float((band[self.axis] + distance).min())
        self.cloud = band + self.offset
        low, high = self.cloud.min(1), self.cloud.max(1)
        self.center = ((low + high) / 2).astype(np.float32)
        self.radius = float(np.linalg.norm(self.cloud - self.center[:, None], axis=0).max())

    def local(self, p: Array) -> Array:
        return (self.product.turn.T @ (p - self.offset)).astype(np.float32)

    def distance(self, p: Array) -> Array:
        q = self.local(p)
        total = self.product.parts[0].field(q)
        for part in self.product.parts[1:]:
            total = np.minimum(total, part.field(q))
        return total.astype(np.float32)

    def distance_with_ground(self, p: Array) -> Array:
        return np.minimum(self.distance(p), p[self.axis])


@dataclass(frozen=True, slots=True)
class Camera:
    """`eye` (3,), and `frame` (3, 3) with rows right, up, forward; `zoom` is one over the half view's tangent."""

    eye: Array
    frame: Array
    zoom: float
    shift: Array

    def rays(self, side: int) -> Array:
        """Unit directions (3, side*side), rows from the top."""
        axis = ((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1) / np.float32(self.zoom)
        x, y = np.meshgrid(axis + self.shift[0], -axis + self.shift[1])
        rays = self.frame.T @ np.stack([x.ravel(), y.ravel(), np.ones(side * side, dtype=np.float32)])
        return (rays / np.linalg.norm(rays, axis=0)).astype(np.float32)


def aim(placed: Placed) -> Camera:
    """Camera that looks at the product from its azimuth and elevation and fills `fill` of the frame."""
    product = placed.product
    forward = -np.array(
        [
            np.sin(product.azimuth) * np.cos(product.elevation),
            np.sin(product.elevation),
            np.cos(product.azimuth) * np.cos(product.elevation),
        ]
    )
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    frame = np.stack([right, np.cross(right, forward), forward]).astype(np.float32)
    eye = (placed.center - forward * placed.radius * 4.6).astype(np.float32)
    seen = frame @ (placed.cloud - eye[:, None])
    x, y = seen[0] / seen[2], seen[1] / seen[2]
    shift = np.array([(x.max() + x.min()) / 2, (y.max() + y.min()) / 2 - 0.008], dtype=np.float32)
    half = max(x.max() - x.min(), y.max() - y.min()) / 2
    return Camera(eye, frame, product.fill / float(half), shift)


def trace(placed: Placed, eye: Array, rays: Array, steps: int = 90) -> Array:
    """Distance along each ray (N,) to the product, inf where it is missed."""
    to_center = placed.center - eye
    along = to_center @ rays
    miss = to_center @ to_center - along**2
    found = np.full(rays.shape[1], np.inf, dtype=np.float32)
    active = np.flatnonzero(miss < placed.radius**2)
    reach = np.sqrt(placed.radius**2 - miss[active])
    t, end = np.maximum(along[active] - reach, 0.01), along[active] + reach
    for _ in range(steps):
        gap = placed.distance(eye[:, None] + rays[:, active] * t) * np.float32(placed.product.step)
        hit = gap < 0.0012
        found[active[hit]] = t[hit]
        t = t + gap
        go = ~hit & (t < end)
        active, t, end = active[go], t[go], end[go]
        if active.size == 0:
            break
    return found


def normals(placed: Placed, p: Array) -> Array:
    """Unit normals (3, N) by differences over a tetrahedron."""
    total = np.zeros_like(p)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        k = np.array(corner, dtype=np.float32)[:, None]
        total += k * placed.distance(p + k * np.float32(EPSILON))
    return total / np.maximum(np.linalg.norm(total, axis=0), 1e-9)


def shadow(placed: Placed, p: Array, towards: Array, softness: float) -> Array:
    """Share of the key light (N,) that reaches p, with a penumbra that widens with distance."""
    lit = np.ones(p.shape[1], dtype=np.float32)
    to_center = placed.center[:, None] - p
    along = towards @ to_center
    miss = np.sqrt(np.maximum((to_center**2).sum(0) - along**2, 0))
    active = np.flatnonzero((miss < placed.radius * 1.25) & (along > -placed.radius))
    t = np.full(active.size, 0.02, dtype=np.float32)
    end = along[active] + placed.radius
    for _ in range(30):
        gap = placed.distance(p[:, active] + towards[:, None] * t)
        lit[active] = np.minimum(lit[active], 0.5 + 0.5 * softness * gap / t)
        t = t + np.clip(gap * 0.9, 0.02, 0.25)
        go = (lit[active] > 0) & (t < end)
        active, t, end = active[go], t[go], end[go]
        if active.size == 0:
            break
    return smoothstep(0.0, 1.0, lit)


def occlusion(distance: Field, p: Array, n: Array, reach: float, strength: float) -> Array:
    """Share of the ambient light (N,) that reaches p: how fast the distance grows along the normal."""
    blocked = np.zeros(p.shape[1], dtype=np.float32)
    weight = 1.0
    for k in range(1, 6):
        h = np.float32(0.01 + reach * k / 5)
        blocked += np.float32(weight) * np.maximum(h - distance(p + n * h), 0) / h
        weight *= 0.78
    return np.clip(1 - strength * blocked / 3.2, 0, 1).astype(np.float32)


def _sample(image: Array, row: Array, column: Array) -> Array:
    return map_coordinates(image, [row, column], order=1, mode="mirror", prefilter=False)


@dataclass(slots=True)
class Shading:
    """What the lights need to know of N visible points."""

    albedo: Array
    metal: Array
    rough: Array
    glow: Array
    normal: Array


def _styled(surface: Surface, part: Part, q: Array, n: Array, product: Product) -> Shading:
    """Surface values at own points q (3, N) with own normals n, the relief tilting the normals."""
    size = surface.albedo.shape[0]
    scale = size / surface.extent

    def pixel(points: Array) -> tuple[Array, Array]:
        u, v = part.mapping(points)
        return size / 2 - 0.5 - v * scale, size / 2 - 0.5 + u * scale

    row, column = pixel(q)
    albedo = np.stack([_sample(surface.albedo[..., k], row, column) for k in range(3)])
    slope_v, slope_u = np.gradient(surface.height * scale)
    slope_u, slope_row = _sample(slope_u, row, column), _sample(slope_v, row, column)
    gradient = np.zeros_like(n)
    for k in range(3):
        ahead = q.copy()
        ahead[k] += EPSILON
        row_k, column_k = pixel(ahead)
        # A jump is the mapping's seam, not a slope.
        d_row = np.clip((row_k - row) / (EPSILON * scale), -1.5, 1.5)
        d_column = np.clip((column_k - column) / (EPSILON * scale), -1.5, 1.5)
        gradient[k] = slope_u * d_column + slope_row * d_row
    gradient -= n * (gradient * n).sum(0)
    bent = n - np.float32(product.bump) * gradient
    bent /= np.linalg.norm(bent, axis=0)
    metal, rough = _sample(surface.metal, row, column), _sample(surface.rough, row, column)
    return Shading(albedo, metal, rough, np.full(q.shape[1], part.glow, dtype=np.float32), bent)


def shade_points(placed: Placed, surface: Surface, p: Array, n: Array) -> Shading:
    """Material of each visible point (3, N); normals in world space."""
    product = placed.product
    q, own = placed.local(p), product.turn.T @ n
    owner = np.argmin(np.stack([part.field(q) for part in product.parts]), axis=0)
    count = p.shape[1]
    result = Shading(np.zeros((3, count), np.float32), *(np.zeros(count, np.float32) for _ in range(3)), own.copy())
    for k, part in enumerate(product.parts):
        mine = np.flatnonzero(owner == k)
        chosen = part.material(q[:, mine]) if callable(part.material) else np.full(mine.size, part.material)
        for value in np.unique(chosen):
            at = mine[chosen == value]
            if value == STYLED:
                found = _styled(surface, part, q[:, at], own[:, at], product)
                result.albedo[:, at], result.normal[:, at] = found.albedo, found.normal
                result.metal[at], result.rough[at], result.glow[at] = found.metal, found.rough, found.glow
            else:
                plain = product.plains[value]
                result.albedo[:, at] = plain.color[:, None]
                result.metal[at], result.rough[at], result.glow[at] = plain.metal, plain.rough, plain.glow
    result.normal = product.turn @ result.normal
    return result


def _highlight(n: Array, view: Array, light: Array, rough: Array) -> Array:
    """GGX distribution with a simple visibility term, times cosine; (N,)."""
    alpha = np.maximum(rough, 0.16) ** 2
    half = view + light[:, None]
    half /= np.linalg.norm(half, axis=0)
    nh, nl, nv = (np.maximum((n * half).sum(0), 0), np.maximum(light @ n, 0), np.maximum((n * view).sum(0), 0.05))
    spread = alpha**2 / (np.pi * (nh**2 * (alpha**2 - 1) + 1) ** 2)
    k = alpha / 2
    return spread * nl / (4 * (nl * (1 - k) + k) * (nv * (1 - k) + k) + 1e-4)


def light_points(placed: Placed, set_up: Studio, s: Shading, p: Array, n: Array, rays: Array) -> Array:
    """Radiance (3, N) towards the camera."""
    axis = placed.axis
    lit = shadow(placed, p + n * 0.012, set_up.key, set_up.softness)
    near = occlusion(placed.distance_with_ground, p, n, 0.30, 0.85)
    facing = set_up.key @ s.normal
    # Cloth and bisque wrap light a little past the terminator.
    wrap = 0.18 * smoothstep(0.4, 1.0, s.rough)
    diffuse = np.clip((facing + wrap) / (1 + wrap), 0, 1) * np.clip(lit, 0, 1)
    from_above = 0.5 + 0.5 * s.normal[axis]
    bounce = set_up.backdrop[:, None] * 0.62 * (1 - from_above)
    ambient = (set_up.fill_light[:, None] * (0.45 + 0.55 * from_above) + bounce) * near
    body = s.albedo * (1 - s.metal) * (set_up.key_light[:, None] * diffuse * 0.80 + ambient * 0.85)
    view = -rays
    cosine = np.clip((s.normal * view).sum(0), 0, 1)
    f0 = 0.04 * (1 - s.metal) + s.albedo * s.metal
    gloss = 1 - s.rough
    fresnel = f0 + (np.maximum(gloss, f0) - f0) * (1 - cosine) ** 5
    mirrored = rays + 2 * s.normal * cosine
    seen = environment(set_up, mirrored, s.rough) * (0.25 + 0.75 * near) * (0.45 + 0.55 * lit)
    sheen = fresnel * seen * np.maximum(gloss, s.metal * 0.8)
    spot = f0 * _highlight(s.normal, view, set_up.key, s.rough) * lit * set_up.key_light[:, None]
    return body + sheen + 0.6 * spot + s.albedo * s.glow * np.array([[1.25], [1.0], [0.72]], dtype=np.float32)


def ground_light(placed: Placed, set_up: Studio, camera: Camera, rays: Array, bleed: Array) -> Array:
    """Radiance (3, N) of the seamless paper along each ray: floor or wall near by, backdrop far off."""
    axis = placed.axis
    count = rays.shape[1]
    down = np.minimum(rays[axis], -1e-3)
    t = -camera.eye[axis] / down
    p = (camera.eye[:, None] + rays * t).astype(np.float32)
    away = np.linalg.norm(p - placed.center[:, None], axis=0)
    close = np.flatnonzero((rays[axis] < -1e-3) & (away < placed.radius * 3.0))
    lit, near = np.ones(count, dtype=np.float32), np.ones(count, dtype=np.float32)
    up = np.zeros((3, 1), dtype=np.float32)
    up[axis] = 1
    lit[close] = shadow(placed, p[:, close], set_up.key, set_up.softness * 0.7)
    near[close] = occlusion(placed.distance, p[:, close], up, 0.50, 1.15)
    fade = np.where(rays[axis] < -1e-3, 1 - smoothstep(placed.radius * 1.2, placed.radius * 3.0, away), 0)
    lit, near = 1 - (1 - lit) * fade, 1 - (1 - near) * fade
    # A flat lay is lit evenly; paper on the floor falls off behind the product.
    pool = 1.0 - 0.10 * smoothstep(0.8, 4.0, away / placed.radius)
    open_light = set_up.key_light[:, None] * 0.50 + set_up.fill_light[:, None] * 0.62
    shaded = set_up.fill_light[:, None] * 0.62 * near + bleed[:, None] * (1 - near) * 0.22
    received = set_up.key_light[:, None] * 0.50 * (0.10 + 0.90 * lit) * (0.55 + 0.45 * near) + shaded
    level = 1.7 / float(open_light.mean())
    return set_up.backdrop[:, None] * received * pool * np.float32(level)


def photograph(product: Product, surface: Surface, rng: np.random.Generator, side: int = 256) -> Image.Image:
    """Product photo, side by side pixels: traced at twice the size, shaded, toned and reduced."""
    placed, set_up = Placed(product), studio(rng, product.wall, bool(surface.albedo.mean() > PALE))
    camera = aim(placed)
    big = side * 2
    rays = camera.rays(big)
    depth = trace(placed, camera.eye, rays)
    hit = np.isfinite(depth)
    p = camera.eye[:, None] + rays[:, hit] * depth[hit]
    n = normals(placed, p)
    shading = shade_points(placed, surface, p, n)
    picture = np.empty((3, big * big), dtype=np.float32)
    bleed = shading.albedo.mean(1)
    # Light on the paper varies slowly, so it is found at half the resolution.
    ground = ground_light(placed, set_up, camera, camera.rays(side), bleed).reshape(3, side, side)
    ground = zoom(ground, (1, 2, 2), order=1, mode="nearest", grid_mode=True).reshape(3, -1)
    picture[:, ~hit] = ground[:, ~hit]
    picture[:, hit] = light_points(placed, set_up, shading, p, n, rays[:, hit])
    toned = filmic(np.maximum(picture, 0)).reshape(3, side, 2, side, 2).mean((2, 4))
    return Image.fromarray((encode(toned.transpose(1, 2, 0)) * 255 + 0.5).astype(np.uint8))
