"""Page of a built project: one self-contained HTML file with embedded images, without scripts or requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from recsys.bundle.store import load_bundle
from recsys.dataset.project import Project
from recsys.progress import stage
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.reports.example_users import clear_tastes
from recsys.reports.inline_images import InlineImages, load_renderer, typical_aspect_ratio, write_file
from recsys.reports.labels import FEATURE_WORDS
from recsys.reports.shop_view import LogReader, Shopper, Strip
from recsys.restyling.renderer import Renderer
from recsys.restyling.target import StyleTarget
from recsys.schema import ItemId, ItemRow, UserId

SHOPPERS = 5
RATIO_SAMPLE = 50


def write_page(
    project: Project,
    out: Path,
    *,
    users: Sequence[UserId] = (),
    restyler: Renderer | None = None,
    note: str = "",
) -> None:
    """Write the page of a project's current bundle.

    Args:
        project: has a bundle.
        out: file to write.
        users: users on the page; default: five with clearly different tastes. Unknown users get popular items.
        restyler: renderer, which stays open; default: one with the project's settings.
        note: text below the introduction.

    Raises:
        BundleError: there is no bundle.
        WeightsError: the engine's weights are missing.
        ProjectError: `out` cannot be written.
    """
    recommender = Recommender(load_bundle(project.bundles, project.root))
    if restyler is None:
        with load_renderer(project) as own:
            html = _page(project, recommender, own, users, note)
    else:
        html = _page(project, recommender, restyler, users, note)
    write_file(out, html.encode())


def _page(project: Project, recommender: Recommender, restyler: Renderer, users: Sequence[UserId], note: str) -> str:
    gatherer = LogReader(recommender, InlineImages(restyler), project.load_interactions())
    shown = list(users) or clear_tastes(recommender, SHOPPERS)
    shoppers = []
    with stage("page", len(shown), "user") as counting:
        for user in shown:
            shoppers.append(gatherer.shopper(user))
            counting.advance()
    # A product of the first user in the taste of the last, and the plainest product in style references.
    strips = []
    items = gatherer.items_with_image(shown[0])
    target = StyleTarget.resolve(recommender, taste=recommender.profile(Request(user_id=shown[-1])).taste)
    if items and target is not None:
        strips.append(gatherer.strength_strip(items[0], target, f"the taste of {shown[-1]}"))
    plainest = plainest_item(recommender)
    if plainest is not None and recommender.styles.cards:
        strips.append(gatherer.style_strip(plainest))
    return render(recommender, restyler, shoppers, strips, note)


def plainest_item(recommender: Recommender) -> ItemId | None:
    """Return the product nearest to the catalog's center in style, if it has an image: other styles show best on it."""
    space, ids = recommender.bundle.space, recommender.bundle.catalog.ids
    row = int(np.argmax(space.vectors @ space.center))
    return ids.id(ItemRow(row)) if space.vectors[row].any() else None


def render(
    recommender: Recommender, restyler: Renderer, shoppers: Sequence[Shopper], strips: Sequence[Strip], note: str
) -> str:
    """Render the page as HTML; all texts of the data are escaped."""
    bundle = recommender.bundle
    environment = Environment(loader=PackageLoader("recsys.reports"), autoescape=True, undefined=StrictUndefined)
    images = (bundle.image_root / image for image in bundle.catalog.images if image)
    return environment.get_template("page.html.j2").render(
        name=bundle.settings.name,
        note=note,
        shoppers=shoppers,
        strips=strips,
        features=FEATURE_WORDS,
        ratio=typical_aspect_ratio(image for image, _ in zip(images, range(RATIO_SAMPLE), strict=False)),
        engine=restyler.settings.engine,
        strength=restyler.settings.strength,
        bundle=bundle,
    )
