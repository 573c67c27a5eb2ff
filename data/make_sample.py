"""Draw the sample shop: product photos, style references, users and events.

    python data/make_sample.py                         redraw everything into the package
    python data/make_sample.py --out DIR --limit 8     a few products elsewhere, to look at
    python data/make_sample.py --resume                keep the pictures that are there, draw the others

Everything follows from the seed: the same versions of the libraries give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# One thread for each process: the pool is the parallelism.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from PIL import Image
from render.references import REFERENCES, picture
from render.scene import photograph
from render.shapes import MAKERS, plains
from render.surfaces import STYLES, SurfaceStyle, as_cloth, draw
from tqdm import tqdm

from recsys.rng import generator
from recsys.schema import AVAILABLE, CATEGORY, EVENT, IMAGE, ITEM_ID, PRICE, TIMESTAMP, TITLE, USER_ID
from recsys.simulation.interactions import simulate_interactions

SEED = 20240901
END = 1_725_148_800  # 2024-09-01T00:00:00Z
USERS = 600
DAYS = 90
ITEMS = 400
QUALITY = 84
TEXTURE_PIXELS, TEXTURE_EXTENT = 560, 3.2
ROUGHNESS = {"matte": 0.9, "satin": 0.4, "glossy": 0.15, "metallic": 0.3}
DARK = 0.2

PRICES = {
    "mug": 16, "vase": 42, "bowl": 24, "plate": 19, "table lamp": 96, "cushion": 36, "tote bag": 28,
    "notebook": 14, "t-shirt": 29, "wall clock": 58, "rug": 180, "phone case": 25,
}  # fmt: skip
# Category to the size of its threads or pile, in units of the drawing.
CLOTH = {"cushion": 0.020, "tote bag": 0.022, "t-shirt": 0.014, "rug": 0.040}
# Small things are not made of what their pattern shows.
PRINTED = {"notebook": "paper", "phone case": "polycarbonate", "wall clock": "aluminium"}

DEFAULT_OUT = Path(__file__).resolve().parent.parent / "recsys" / "dataset" / "sample" / "files"


@dataclass(frozen=True, slots=True)
class Plan:
    """One product before it is drawn."""

    item_id: str
    category: str
    style: SurfaceStyle
    color: str


def plan_items() -> list[Plan]:
    """List all styles in all categories two or three times, in an order that is unrelated to style."""
    rng = generator(SEED, "catalogue")
    pairs = [(category, style) for category in MAKERS for style in STYLES]
    extra = rng.choice(len(pairs), size=ITEMS - 2 * len(pairs), replace=False)
    chosen = [*pairs, *pairs, *(pairs[k] for k in extra)]
    turns: dict[tuple[str, str], int] = {}
    plans = []
    for place in rng.permutation(len(chosen)):
        category, style = chosen[place]
        turn = turns.get((category, style.name), int(rng.integers(3)))
        turns[category, style.name] = turn + 1
        colors = list(style.palettes)
        plans.append(Plan(f"p{len(plans) + 1:04d}", category, style, colors[turn % len(colors)]))
    return plans


def render(plan: Plan) -> Image.Image:
    """Photo of one product, from its own generator."""
    rng = generator(SEED, "photo", plan.item_id)
    surface = draw(rng, plan.style, plan.color, TEXTURE_PIXELS, TEXTURE_EXTENT)
    if plan.category in CLOTH:
        surface = as_cloth(rng, surface, CLOTH[plan.category])
    dark = bool(surface.albedo.mean() < DARK)
    materials = plains(plan.style.lining[plan.color], plan.style.trim, ROUGHNESS[plan.style.finish], dark)
    return photograph(MAKERS[plan.category](rng, materials), surface, rng)


def _save(image: Image.Image, path: Path) -> None:
    # A run that is stopped leaves no half-written picture for `--resume` to keep.
    partial = path.with_suffix(".part")
    image.save(partial, "JPEG", quality=QUALITY, optimize=True, subsampling="4:2:0")
    partial.replace(path)


def _render_to(job: tuple[Plan, Path]) -> None:
    plan, folder = job
    _save(render(plan), folder / f"{plan.item_id}.jpg")


def _material(plan: Plan) -> str:
    if plan.category in CLOTH:
        return plan.style.soft
    return PRINTED.get(plan.category, plan.style.hard)


def _price(plan: Plan) -> float:
    rng = generator(SEED, "price", plan.item_id)
    dear = 1.25 if plan.style.finish in ("metallic", "glossy") else 1.0
    price = PRICES[plan.category] * dear * float(np.exp(rng.normal(0, 0.18)))
    return max(round(price), 5) - (0.05 if rng.random() < 0.5 else 0.5)


def items_table(plans: list[Plan]) -> pd.DataFrame:
    """`items.csv`; the surface style itself is left out."""
    gone = set(generator(SEED, "available").choice(len(plans), size=round(0.02 * len(plans)), replace=False))
    return pd.DataFrame(
        {
            ITEM_ID: plan.item_id,
            TITLE: f"{plan.style.adjective} {plan.category}, {plan.color}",
            CATEGORY: plan.category,
            PRICE: f"{_price(plan):.2f}",
            AVAILABLE: str(row not in gone).lower(),
            IMAGE: f"images/{plan.item_id}.jpg",
            "material": _material(plan),
            "pattern": plan.style.pattern,
            "color": plan.color,
            "finish": "matte" if plan.category in CLOTH else plan.style.finish,
        }
        for row, plan in enumerate(plans)
    )


def styles_table() -> pd.DataFrame:
    """`styles.csv`."""
    return pd.DataFrame(
        {
            "style_id": reference.style_id,
            "title": reference.title,
            "image": f"styles/{reference.style_id}.jpg",
            "scenes": reference.scenes,
            "artist": "drawn by data/make_sample.py",
            "license": "CC0-1.0",
            "source": "synthetic",
        }
        for reference in REFERENCES
    )


def write_tables(plans: list[Plan], out: Path) -> None:
    """Write all CSV files of the sample."""
    items = items_table(plans)
    labels = pd.Series({plan.item_id: plan.style.name for plan in plans})
    shop = items.assign(**{AVAILABLE: items[AVAILABLE] == "true"})
    drawn = simulate_interactions(shop, labels, users=USERS, days=DAYS, end=END, seed=SEED)
    tables = {
        "items": items,
        "styles": styles_table(),
        "users": drawn.users,
        "interactions": drawn.interactions[[USER_ID, ITEM_ID, EVENT, TIMESTAMP]],
        "truth_items": labels.rename("surface_style").rename_axis(ITEM_ID).reset_index(),
        "truth_users": drawn.truth,
    }
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")


def write_references(folder: Path) -> None:
    """Draw the style references that are missing."""
    missing = [reference for reference in REFERENCES if not (folder / f"{reference.style_id}.jpg").exists()]
    for reference in tqdm(missing, desc="styles"):
        rng = generator(SEED, "reference", reference.style_id)
        _save(picture(reference, rng), folder / f"{reference.style_id}.jpg")


def write_photos(plans: list[Plan], folder: Path, jobs: int) -> None:
    """Draw the product photos that are missing, `jobs` at a time."""
    missing = [(plan, folder) for plan in plans if not (folder / f"{plan.item_id}.jpg").exists()]
    with ProcessPoolExecutor(jobs) as pool:
        for _ in tqdm(pool.map(_render_to, missing), desc="products", total=len(missing)):
            pass


def _folder(folder: Path, resume: bool) -> Path:
    """Return the output folder; empty it first unless this run resumes another, so that no older image stays."""
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the sample shop.")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder to write to")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that draw")
    parser.add_argument("--limit", type=int, default=ITEMS, help="draw only the first products")
    parser.add_argument("--resume", action="store_true", help="keep the pictures that are there")
    parser.add_argument("--tables-only", action="store_true", help="write the CSV files and keep the pictures")
    options = parser.parse_args()
    plans = plan_items()
    options.out.mkdir(parents=True, exist_ok=True)
    write_tables(plans, options.out)
    if options.tables_only:
        return
    write_references(_folder(options.out / "styles", options.resume))
    write_photos(plans[: options.limit], _folder(options.out / "images", options.resume), options.jobs)


if __name__ == "__main__":
    main()
