"""Bundles of a few items, in milliseconds, and how to make one lie: what it holds is changed, and its hashes made
right."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recsys.bundle.store import MANIFEST, current_version, make_current, manifest_version, save_bundle
from recsys.bundle.types import Bundle
from recsys.profiles.style_library import StyleCard
from recsys.profiles.text_style import TextStyleMap
from recsys.schema import FloatArray, ItemId
from recsys.storage.artifacts import sha256_file
from recsys.training.build import DEFAULT_BLEND, fit
from tests.unit.recsys.training.test_build import SIZE, block_events, block_ingredients


@dataclass(frozen=True)
class Change:
    """A live change of an item."""

    item_id: ItemId
    seq: int
    deleted: bool = False
    title: str = "Changed"
    category: str = "cup"
    price: float | None = 5.0
    available: bool = True
    image: str = ""
    vector: FloatArray | None = None
    embedder: str | None = "drawn"
    fields: frozenset[str] | None = None


class Changes:
    """Live changes in memory."""

    def __init__(self, *changes: Change) -> None:
        self.all = list(changes)

    def last_seq(self) -> int:
        return max((change.seq for change in self.all), default=0)

    def changes(self, after: int) -> list[Change]:
        return [change for change in self.all if change.seq > after]


def small_bundle(diversity: float = 0.15) -> Bundle:
    """40 items in 4 blocks with two styles; as `test_build` has it."""
    given = block_ingredients()
    settings = given.settings.model_copy(
        update={"rank": given.settings.rank.model_copy(update={"diversity": diversity})}
    )
    cards = tuple(StyleCard(f"s{n}", f"Style {n}", "", ("sale",), "", "CC0") for n in range(2))
    vectors = given.space.vectors[np.arange(2) * SIZE]
    given = replace(given, settings=settings, styles=cards, style_vectors=vectors)
    bundle = fit(given, block_events(given), DEFAULT_BLEND, {"ndcg": 0.5})
    return replace(bundle, text_style=TextStyleMap(("plain",), vectors[:1], ()))


def two_bundles(folder: Path) -> tuple[str, str]:
    """Two bundles that answer differently; the second is current."""
    first, second = (
        save_bundle(small_bundle(diversity), folder, created) for created, diversity in ((1, 0.0), (2, 1.0))
    )
    return first, second


def lie(bundles: Path, change: Callable[[Path], object]) -> str:
    """Change the current bundle's folder, and make its hashes and version right again."""
    folder = bundles / current_version(bundles)
    change(folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] = {name: sha256_file(folder / name) for name in manifest["files"]}
    manifest["version"] = manifest_version(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    folder.rename(bundles / manifest["version"])
    make_current(bundles, manifest["version"])
    return str(manifest["version"])
