"""Time of restyling in batches, and effect of restyling on the latency of lists.

    python tests/benchmarks/restyling.py batches [--threads 1]
    python tests/benchmarks/restyling.py ranking PROJECT [--rounds 5]

`batches`: milliseconds per image of 256 x 256 in the network, one by one and in batches, in turns. `ranking`: 100 lists
per second of a built project, without other load and while the service's renderer paints all the time, with engines of
one and of two threads, in turns; medians of the rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from recsys.bundle.store import load_bundle
from recsys.config import RestyleSettings
from recsys.dataset.project import Project
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.restyling.renderer import Renderer
from recsys.schema import UserId
from recsys.storage.cache import DiskCache
from style.backbone import WEIGHTS, read_weights
from style.runtime import compile_network
from style.transfer.base import Stylizer
from style.transfer.film import FILM_SHA256, FilmNet
from style.transfer.registry import load_stylizer
from style.vector import DIMENSIONS, StyleVector
from tests.render_requests import request_for

SIDE = 256
BATCHES = (2, 4, 8)
TURNS = 15
LISTS = 300
PAUSE_S = 0.01


def batches(threads: int) -> None:
    network = FilmNet().eval().requires_grad_(False)
    network.load_state_dict(read_weights(Path(str(WEIGHTS / "film.safetensors")), FILM_SHA256))
    example = (torch.rand(1, 3, 32, 32), torch.zeros(1, DIMENSIONS), torch.rand(1, 1, 32, 32))
    run = compile_network(network, example, threads=threads)
    one = (torch.rand(1, 3, SIDE, SIDE), torch.randn(1, DIMENSIONS) / 11, torch.ones(1, 1, SIDE, SIDE))
    many = {size: tuple(torch.cat([part] * size) for part in one) for size in BATCHES}
    for inputs in (one, *many.values()):
        run(*inputs)
    alone: dict[int, list[float]] = {size: [] for size in BATCHES}
    together: dict[int, list[float]] = {size: [] for size in BATCHES}
    for _ in range(TURNS):
        for size in BATCHES:
            alone[size].append(_ms(lambda size=size: [run(*one) for _ in range(size)]) / size)
            together[size].append(_ms(lambda size=size: run(*many[size])) / size)
    print(f"{run.name}, {threads} threads, ms a picture, medians of {TURNS}")
    for size in BATCHES:
        single, batch = np.median(alone[size]), np.median(together[size])
        print(
            f"  {size} pictures   one by one {single:6.1f}   in a batch {batch:6.1f}   gain {single / batch - 1:+.0%}"
        )


def ranking(project: Project, rounds: int) -> None:
    recommender = Recommender(load_bundle(project.bundles, project.root))
    users = [str(user) for user in recommender.bundle.user_ids.values[:LISTS]]
    photos = [photo for photo in recommender.catalog.image_paths() if photo.is_file()]
    engines = {threads: load_stylizer("film", threads=threads) for threads in (1, 2)}
    # As in the service, whose NumPy and torch have to share the cores with ranking.
    torch.set_num_threads(1)
    loads = {"alone": None, "engine of 1 thread": engines[1], "engine of 2 threads": engines[2]}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in loads}
    for user in users:
        recommender.recommend(Request(user_id=UserId(user)))
    for _ in range(rounds):
        for name, engine in loads.items():
            with _painting(engine, photos) as painted:
                before, started = painted(), time.perf_counter()
                took = [_list_ms(recommender, user, started + PAUSE_S * place) for place, user in enumerate(users)]
                rate = (painted() - before) / (time.perf_counter() - started)
            found[name].append((float(np.percentile(took, 50)), float(np.percentile(took, 99)), rate))
    print(f"{1 / PAUSE_S:.0f} lists a second, medians of {rounds} rounds of {LISTS}")
    for name, rows in found.items():
        p50, p99, rate = np.median(rows, axis=0)
        print(f"  {name:20} p50 {p50:5.1f} ms   p99 {p99:5.1f} ms   {rate:5.1f} pictures/s")


def _list_ms(recommender: Recommender, user: str, due: float) -> float:
    """Measure from the scheduled time of a list, so that a list that delays the next one is counted."""
    time.sleep(max(0.0, due - time.perf_counter()))
    recommender.recommend(Request(user_id=UserId(user)))
    return 1000 * (time.perf_counter() - due)


@contextmanager
def _painting(engine: Stylizer | None, photos: list[Path]) -> Iterator[Callable[[], int]]:
    """Keep two images in the queue of the service's renderer; return how many were painted."""
    if engine is None:
        yield lambda: 0
        return
    over, painted, random = threading.Event(), [0], np.random.default_rng(0)
    with (
        tempfile.TemporaryDirectory() as folder,
        Renderer(RestyleSettings(), DiskCache(Path(folder), 10**8), load_engine=lambda _: engine) as restyler,
    ):

        def ask() -> None:
            while not over.is_set():
                style = StyleVector.from_values(random.normal(size=DIMENSIONS))
                pair = [photos[int(place)] for place in random.integers(len(photos), size=2)]
                for future in [
                    restyler.submit(request_for(restyler, photo, style, deadline_ms=60_000)) for photo in pair
                ]:
                    painted[0] += future.result().settled

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.3)
        yield lambda: painted[0]
        over.set()
        thread.join()


def _ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("batches").add_argument("--threads", type=int, default=1)
    ranked = commands.add_parser("ranking")
    ranked.add_argument("project", type=Path)
    ranked.add_argument("--rounds", type=int, default=5)
    ranked.add_argument("--switch-ms", type=float, default=1000 * sys.getswitchinterval(), help="sys.setswitchinterval")
    arguments = parser.parse_args()
    if arguments.command == "batches":
        batches(arguments.threads)
    else:
        sys.setswitchinterval(arguments.switch_ms / 1000)
        ranking(Project.open(arguments.project), arguments.rounds)


if __name__ == "__main__":
    main()
