"""All models on the same data in the same run: quality, time and memory.

    python tests/benchmarks/models.py --events data1.txt test1.txt          # user, item, weight by line
    python tests/benchmarks/models.py --lists train.txt test.txt            # a user and their items by line
    python tests/benchmarks/models.py --project myshop [--features category]

With --events and --lists the models are fitted to the first file and tested on the second: Recall@20 and NDCG@20 over
all items without an event of the user in the first file, no sampled negatives. Models have their default settings;
--models selects some. Each runs in its own process, whose peak memory is printed. Times are CPU time; set
OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1 for the time on one core.

With --project a fifth of the items loses all events (new items) and a fifth of the other events is held out (known
items), --rounds times with different draws. Models with style use the style vectors of the project's photos, or, with
--features category, the words of the items' categories. Chance ranks by random numbers.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from recsys.dataset.project import Project
from recsys.evaluation.protocol import ScoreFunction, evaluate
from recsys.models.base import Model
from recsys.models.registry import NAMES, PLAIN, ModelInputs, make_model
from recsys.rng import generator
from recsys.schema import BoolArray, FloatArray, IntArray

K = 20
Figures = tuple[float, float]


@dataclass(frozen=True)
class Data:
    train: csr_matrix
    test: csr_matrix


def read_events(train: Path, test: Path) -> Data:
    """Read two files of user, item and weight, whose numbers are rows."""
    parts = [np.loadtxt(path) for path in (train, test)]
    return _data([(part[:, 0].astype(int), part[:, 1].astype(int), part[:, 2]) for part in parts])


def read_lists(train: Path, test: Path) -> Data:
    """Read two files of lines with a user and their items, whose numbers are rows."""
    return _data([_list_entries(path) for path in (train, test)])


def _list_entries(path: Path) -> tuple[IntArray, IntArray, FloatArray]:
    lines = [np.array(line.split(), dtype=np.int64) for line in path.read_text().splitlines()]
    users = np.concatenate([np.repeat(line[:1], len(line) - 1) for line in lines])
    items = np.concatenate([line[1:] for line in lines])
    return users, items, np.ones(len(items), dtype=np.float32)


def _data(parts: Sequence[tuple[IntArray, IntArray, FloatArray]]) -> Data:
    shape = tuple(1 + max(int(part[axis].max()) for part in parts) for axis in (0, 1))
    train, test = (csr_matrix((weights, (users, items)), shape=shape) for users, items, weights in parts)
    return Data(train.astype(np.float32), test.astype(np.float32))


def measure(name: str, read: Callable[[Path, Path], Data], paths: tuple[Path, Path]) -> str:
    """Return one row of the table; runs in its own process."""
    data = read(*paths)
    start = time.process_time()
    model = make_model(name, ModelInputs(threads=1)).fit(data.train)
    fitted = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = evaluate(model, data.train, data.test, k=K)
    ranked = time.process_time() - start - fitted
    recall, ndcg = result.summary[f"recall@{K}"], result.summary[f"ndcg@{K}"]
    speed = 1000 * ranked / len(result.users)
    return f"| {name} | {recall:.4f} | {ndcg:.4f} | {fitted:.1f} | {speed:.2f} | {peak:.0f} |"


def compare(read: Callable[[Path, Path], Data], paths: tuple[Path, Path], names: Sequence[str]) -> None:
    data = read(*paths)
    print(f"\n{paths[0]}: {data.train.shape[0]} users, {data.train.shape[1]} items, {data.train.nnz} pairs\n")
    print(f"| model | Recall@{K} | NDCG@{K} | fit CPU s | rank CPU ms/user | peak MB of the fit |")
    print("|---|---|---|---|---|---|")
    for name in names:
        # a fresh process each, so that no model's memory counts for the next
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            print(pool.submit(measure, name, read, paths).result(), flush=True)


def compare_new_items(project: Path, features: str, rounds: int, names: Sequence[str]) -> None:
    matrix, vectors = read_project(project, features)
    print(f"\n{project}: {matrix.shape[0]} users, {matrix.shape[1]} items, {matrix.nnz} pairs; {rounds} rounds\n")
    print("| model | known items | new among new | new among all |\n|---|---|---|---|")
    for name in ("chance", *names):
        found = np.array([_round(name, matrix, vectors, seed) for seed in range(rounds)])  # (R, 3, 2)
        cells = [
            f"{recall:.3f} / {ndcg:.3f} ± {spread:.3f}"
            for (recall, ndcg), (_, spread) in zip(found.mean(axis=0), found.std(axis=0), strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def read_project(path: Path, features: str) -> tuple[csr_matrix, FloatArray]:
    """Return a project's matrix and its item vectors (I, D)."""
    from recsys.training.build import load_interactions, prepare

    ingredients = prepare(Project.open(path))
    matrix = load_interactions(Project.open(path), ingredients.catalog).matrix()
    if features == "style":
        return matrix, ingredients.space.vectors
    words = ingredients.items["category"].fillna("").str.replace("|", " ").str.get_dummies(" ").to_numpy(np.float32)
    return matrix, words / np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1.0)


def _round(name: str, matrix: csr_matrix, vectors: FloatArray, seed: int) -> list[Figures]:
    train, known, new, is_new = _held_out(matrix, seed)
    score: Model | ScoreFunction
    if name == "chance":
        noise = generator(seed, "chance").random(matrix.shape, dtype=np.float32)
        score = noise.__getitem__
    else:
        score = make_model(name, ModelInputs(vectors, threads=1)).fit(train)
    asked = ((known, None), (new, is_new), (new, None))
    results = [evaluate(score, train, test, k=K, items=items).summary for test, items in asked]
    return [(result[f"recall@{K}"], result[f"ndcg@{K}"]) for result in results]


def _held_out(matrix: csr_matrix, seed: int) -> tuple[csr_matrix, csr_matrix, csr_matrix, BoolArray]:
    """Return the train matrix, held-out events of known items, all events of new items, and the mask of new items."""
    random, entries = generator(seed, "new items"), matrix.tocoo()
    is_new = random.random(matrix.shape[1]) < 0.2
    new = is_new[entries.col]
    held = ~new & (random.random(matrix.nnz) < 0.2)
    parts = [
        csr_matrix((entries.data[part], (entries.row[part], entries.col[part])), shape=matrix.shape)
        for part in (~new & ~held, held, new)
    ]
    return parts[0], parts[1], parts[2], is_new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", nargs=2, type=Path, metavar=("TRAIN", "TEST"))
    parser.add_argument("--lists", nargs=2, type=Path, metavar=("TRAIN", "TEST"))
    parser.add_argument("--project", type=Path)
    parser.add_argument("--features", choices=("style", "category"), default="style")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=NAMES)
    arguments = parser.parse_args()
    for read, paths in ((read_events, arguments.events), (read_lists, arguments.lists)):
        if paths:
            compare(read, tuple(paths), arguments.models or list(PLAIN))
    if arguments.project:
        compare_new_items(arguments.project, arguments.features, arguments.rounds, arguments.models or NAMES)


if __name__ == "__main__":
    main()
