"""Do bots in a log change the lists of people? Every attack, with and without protection, in the same run.

    python tests/benchmarks/bots.py                      # the packaged sample and a small log without photos
    python tests/benchmarks/bots.py --project myshop     # an imported project

Each attack adds users to the log: one crawler with 10, 100 or 1,000 times the median's events, or three of them, whose
events are with one item, with the most or the least popular tenth, or with all items, as views or as purchases, spread
over the whole period or within one hour. Then everything is trained anew. For each person and for somebody unknown,
the columns say by how many places at most an item of the first ten moved, in the worst list and on average over lists,
and how many lists differ. `leave_out_bots = false` shows what the caps alone do.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.bundle.types import Bundle
from recsys.config import ProjectSettings
from recsys.dataset import sample
from recsys.dataset.bots import find_suspects
from recsys.dataset.catalog import Catalog
from recsys.dataset.importers import import_data
from recsys.dataset.interactions import Interactions
from recsys.dataset.project import Project
from recsys.profiles.style_space import StyleSpace
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.schema import EVENT, ITEM_ID, TIMESTAMP, USER_ID, WEIGHT, FloatArray, IntArray, UserId
from recsys.training.build import Ingredients, prepare, train

K = 10
HOUR = 3600
Lists = dict[str | None, list[str]]


@dataclass(frozen=True)
class Attack:
    """Crawlers with `times` the median's events on one kind of target."""

    times: int
    target: str
    event: str = "view"
    hour: bool = False
    crawlers: int = 1

    def __str__(self) -> str:
        period = "in one hour" if self.hour else "all the time"
        return f"{self.crawlers} x {self.times:>5,} medians of {self.event}s, {self.target}, {period}"


ATTACKS = (
    Attack(10, "one item"),
    Attack(10, "all items"),
    *(Attack(100, target) for target in ("one item", "most popular", "least popular", "all items")),
    Attack(100, "one item", "purchase"),
    Attack(100, "least popular", "purchase", hour=True),
    Attack(100, "all items", hour=True),
    Attack(100, "least popular", crawlers=3),
    *(Attack(1_000, target) for target in ("one item", "all items")),
    Attack(1_000, "one item", hour=True),
    Attack(1_000, "most popular", "purchase", crawlers=3),
)


def attacked(frame: pd.DataFrame, attack: Attack, settings: ProjectSettings) -> pd.DataFrame:
    """Return a log with the events of an attack."""
    random = np.random.default_rng(7)
    count = attack.times * int(frame[USER_ID].value_counts().median())
    people = frame.groupby(ITEM_ID)[USER_ID].nunique().sort_values(kind="stable").index.to_numpy()
    tenth = max(1, len(people) // 10)
    targets = {
        "one item": people[len(people) // 2 :][:1],
        "most popular": people[-tenth:],
        "least popular": people[:tenth],
        "all items": people,
    }[attack.target]
    first, last = int(frame[TIMESTAMP].min()), int(frame[TIMESTAMP].max())
    if attack.hour:
        first = last - HOUR
    parts = [frame]
    for number in range(attack.crawlers):
        columns = {
            USER_ID: f"crawler-{number}",
            ITEM_ID: random.choice(targets, count),
            EVENT: attack.event,
            WEIGHT: np.float32(getattr(settings.events, attack.event)),
            TIMESTAMP: random.integers(first, last, count, endpoint=True),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def lists(bundle: Bundle, users: list[str]) -> Lists:
    """Return the first items for each user, and for somebody unknown."""
    recommender = Recommender(bundle)
    people: list[str | None] = [None, *users]
    requests = {user: Request(user_id=None if user is None else UserId(user), limit=K) for user in people}
    answers = {user: recommender.recommend(request) for user, request in requests.items()}
    return {user: [str(item.item_id) for item in answer.recommendations] for user, answer in answers.items()}


def moves(before: Lists, after: Lists) -> IntArray:
    """Return by how many places an item of each list moved at most (n,); one that left comes after the last place."""
    most = []
    for user, items in before.items():
        places = {item: place for place, item in enumerate(after[user])}
        most.append(max(abs(places.get(item, K) - place) for place, item in enumerate(items)))
    return np.array(most)


def small_log() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return items and events without photos: 120 people with 8 clicks each in 60 days, on 40 items of two kinds."""
    random = np.random.default_rng(1)
    people = np.repeat(np.arange(120), 8)
    items = np.minimum(random.exponential(6, len(people)).astype(int), 19) * 2 + people % 2
    frame = pd.DataFrame(
        {
            USER_ID: [f"u{user}" for user in people],
            ITEM_ID: [f"i{item:02d}" for item in items],
            EVENT: "click",
            WEIGHT: np.float32(2.0),
            TIMESTAMP: 1_700_000_000 + random.integers(0, 60 * 86_400, len(people)),
        }
    )
    rows = {"item_id": [f"i{n:02d}" for n in range(40)], "title": [f"Item {n}" for n in range(40)]}
    facts = {"category": ["AB"[n % 2] for n in range(40)], "price": [10.0 + n for n in range(40)]}
    return pd.DataFrame({**rows, **facts, "available": True, "image": ""}), frame


def without_photos(items: pd.DataFrame) -> Ingredients:
    """Return the inputs of training for items without photos."""
    catalog, nothing = Catalog.from_frame(items), np.zeros((0, 128), dtype=np.float32)
    vectors: FloatArray = np.zeros((len(items), 128), dtype=np.float32)
    return Ingredients(
        items=items,
        catalog=catalog,
        space=StyleSpace.from_vectors(vectors, catalog.category_codes),
        styles=(),
        style_vectors=nothing,
        settings=ProjectSettings(),
        embedder="none",
        image_root=Path(),
    )


def with_bots(ingredients: Ingredients) -> Ingredients:
    """Return the same inputs, with settings that learn from bots too."""
    events = ingredients.settings.events.model_copy(update={"leave_out_bots": False})
    return replace(ingredients, settings=ingredients.settings.model_copy(update={"events": events}))


def measure(
    ingredients: Ingredients, frame: pd.DataFrame, attacks: tuple[Attack, ...] = ATTACKS
) -> Iterator[tuple[Attack, int, dict[str, IntArray]]]:
    """Yield each attack with the number of suspects, and by how many places lists moved with and without protection."""
    users = sorted(set(frame[USER_ID]))
    arms = {"left out": ingredients, "kept": with_bots(ingredients)}
    before = lists(train(ingredients, Interactions.from_frame(frame, ingredients.catalog.ids)), users)
    for attack in attacks:
        events = Interactions.from_frame(attacked(frame, attack, ingredients.settings), ingredients.catalog.ids)
        found = {name: moves(before, lists(train(each, events), users)) for name, each in arms.items()}
        yield attack, len(find_suspects(events)), found


def report(title: str, ingredients: Ingredients, frame: pd.DataFrame, write: Callable[[str], object] = print) -> None:
    """Print the table of all attacks on one log."""
    people = frame[USER_ID].nunique()
    write(f"\n{title}: {people:,} people, {len(frame):,} events, {frame[ITEM_ID].nunique():,} items with events")
    arms = "".join(f"{name + ': most':>16}{'mean':>7}{'lists':>7}" for name in ("left out", "kept"))
    write(f"{'attack':<62}{'suspects':>9}{arms}")
    for attack, suspects, found in measure(ingredients, frame):
        figures = "".join(f"{each.max():>16}{each.mean():>7.2f}{(each > 0).mean():>7.0%}" for each in found.values())
        write(f"{attack!s:<62}{suspects:>9}{figures}")
        sys.stdout.flush()


def main() -> None:
    """Read the arguments and print a table for each log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path)
    project = parser.parse_args().project
    if project is not None:
        opened = Project.open(project)
        report(str(project), prepare(opened), opened.load_interactions())
        return
    items, frame = small_log()
    report("small log without photos", without_photos(items), frame)
    with tempfile.TemporaryDirectory() as folder:
        opened = Project.init(Path(folder) / "sample", "sample")
        import_data(opened, items=sample.items_file(), interactions=sample.interactions_file())
        report("sample", prepare(opened), opened.load_interactions())


if __name__ == "__main__":
    main()
