"""Figures of live changes and of swaps are of what happened."""

from __future__ import annotations

from pathlib import Path

from recsys.benchmarks.live import changes_line, draw_changes, swap_lines
from recsys.bundle.store import current_version
from recsys.ranking.recommender import Recommender
from tests.small_bundles import small_bundle, two_bundles


def test_a_batch_has_new_changed_and_deleted_items() -> None:
    recommender = Recommender(small_bundle())
    draw_names = list(draw_changes(recommender, 20))
    assert sum(change.item_id.startswith("new ") for change in draw_names) == 10
    assert sum(change.deleted for change in draw_names) == 5
    assert changes_line(recommender, 20, times=1).startswith("20 new, changed and deleted items")


def test_swaps_are_timed_while_somebody_asks(tmp_path: Path) -> None:
    versions = two_bundles(tmp_path)
    lines = list(swap_lines(tmp_path, versions, quiet_s=0.1))
    assert next(line.split("  ")[0] for line in lines) == "nothing else"
    assert all("p99" in line for line in lines)
    assert current_version(tmp_path) == versions[1]
