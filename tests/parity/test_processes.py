"""The same input gives the same answer in any process: other hash seed, other number of threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from recsys.bundle.store import current_version
from recsys.dataset.project import Project
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.schema import UserId

USERS = ("u001", "u050", "u300", "nobody")

ANSWERS = """
import json, sys
from pathlib import Path
from recsys.bundle.store import load_bundle
from recsys.dataset.project import Project
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
project = Project.open(Path(sys.argv[1]))
recommender = Recommender(load_bundle(project.bundles, project.root))
answers = [recommender.recommend(Request(user_id=user)) for user in sys.argv[2:]]
print(json.dumps([[(r.item_id, round(r.score, 5), r.reason) for r in a.recommendations] for a in answers]))
"""

BUILD = """
import sys
from pathlib import Path
from recsys.dataset.project import Project
from recsys.training.build import build
print(build(Project.open(Path(sys.argv[1]))))
"""


def run(code: str, *arguments: str, hash_seed: str, threads: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_answers_are_equal_across_processes(sample_project: Project, recommender: Recommender) -> None:
    here = [recommender.recommend(Request(user_id=UserId(user))) for user in USERS]
    expected = [[[r.item_id, round(r.score, 5), r.reason] for r in answer.recommendations] for answer in here]
    for hash_seed, threads in (("1", "1"), ("2", "2")):
        printed = run(ANSWERS, str(sample_project.root), *USERS, hash_seed=hash_seed, threads=threads)
        assert json.loads(printed) == expected


def test_building_again_gives_the_same_version(sample_project: Project) -> None:
    before = current_version(sample_project.bundles)
    assert run(BUILD, str(sample_project.root), hash_seed="3", threads="1") == before
