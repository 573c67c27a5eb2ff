"""Bundles are swapped under load, a hundred times, and by processes that are killed: no answer fails or mixes two."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from recsys.bundle.store import current_version, load_bundle
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, Request
from recsys.schema import UserId
from recsys.serving.background import release_memory
from recsys.serving.model_host import ModelHost
from tests.small_bundles import two_bundles

THREADS, PAUSE_S = 4, 0.08
"""Together 50 requests a second."""
REQUESTS = [Request(), *(Request(user_id=UserId(f"u{user:02d}"), limit=12) for user in range(8))]
SWAPS = [10, pytest.param(100, marks=pytest.mark.slow)]
ACTIVATOR = """
import sys
from itertools import cycle
from pathlib import Path
from recsys.serving.model_host import ModelHost
bundles = Path(sys.argv[1])
host = ModelHost(bundles, bundles)
for version in cycle(sys.argv[2:]):
    host.activate(version)
    print(version, flush=True)
"""


@pytest.mark.parametrize("swaps", SWAPS)
def test_swaps_under_load(tmp_path: Path, swaps: int) -> None:
    versions = two_bundles(tmp_path)
    expected = {version: _answers(Recommender(load_bundle(tmp_path, tmp_path, version))) for version in versions}
    assert expected[versions[0]] != expected[versions[1]]
    host, done = ModelHost(tmp_path, tmp_path), threading.Event()
    wrong: list[object] = []
    seen: list[str] = []

    def ask(number: int) -> None:
        while not done.wait(PAUSE_S):
            number = (number + 1) % len(REQUESTS)
            try:
                served = host.current
                host.remember(REQUESTS[number])
                answer = served.recommender.recommend(REQUESTS[number])
                if answer != expected[served.version][number]:
                    wrong.append((served.version, answer))
                seen.append(answer.model_version)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for swap in range(swaps):
        host.activate(versions[swap % 2])
        time.sleep(PAUSE_S)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert set(seen) == set(versions)
    assert len(seen) > swaps


def _answers(recommender: Recommender) -> list[Answer]:
    return [recommender.recommend(request) for request in REQUESTS]


@pytest.mark.parametrize("swaps", SWAPS)
def test_memory_after_many_swaps(tmp_path: Path, swaps: int) -> None:
    versions = two_bundles(tmp_path)
    host = ModelHost(tmp_path, tmp_path)
    for version in versions:
        host.activate(version)
    before = _resident()
    for swap in range(swaps):
        host.activate(versions[swap % 2])
    release_memory()
    assert _resident() < 1.05 * before


def _resident() -> int:
    """Bytes."""
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_a_process_that_is_killed_while_it_activates(tmp_path: Path, kills: int) -> None:
    versions = two_bundles(tmp_path)
    for kill in range(kills):
        with subprocess.Popen(
            [sys.executable, "-c", ACTIVATOR, str(tmp_path), *versions], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == versions[0]
            time.sleep(0.007 * (kill + 1))
            process.send_signal(signal.SIGKILL)
        assert current_version(tmp_path) in versions
        assert load_bundle(tmp_path, tmp_path).version == current_version(tmp_path)
        assert ModelHost(tmp_path, tmp_path).rejection is None
