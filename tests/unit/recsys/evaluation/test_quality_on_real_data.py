"""ALS against popularity on real data, with default settings: full ranking, k = 10."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation.protocol import evaluate
from recsys.models.als import AlsModel
from recsys.models.popularity import PopularityModel

DATA = Path(__file__).parents[4].parent / "shared" / "data"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside the checkout"),
]


def movielens() -> tuple[csr_matrix, csr_matrix]:
    """MovieLens 100k, likes (4 stars and up) 5 and the others -5: the first 80 % by time, and the rest."""
    table = pd.read_csv(DATA / "ml-100k-posters" / "ml-100k.inter", sep="\t")
    table.columns = pd.Index(["user", "item", "rating", "time"])
    table = table.sort_values(["time", "user", "item"], kind="stable")
    users, items = table["user"].to_numpy() - 1, table["item"].to_numpy() - 1
    weights = np.where(table["rating"] >= 4, 5.0, -5.0).astype(np.float32)
    shape, cut = (users.max() + 1, items.max() + 1), int(0.8 * len(table))
    return (
        csr_matrix((weights[:cut], (users[:cut], items[:cut])), shape=shape),
        csr_matrix((weights[cut:], (users[cut:], items[cut:])), shape=shape),
    )


def lastfm() -> tuple[csr_matrix, csr_matrix]:
    """LightGCN's split of Last.fm play counts."""
    parts = [np.loadtxt(DATA / "lastfm" / name) for name in ("data1.txt", "test1.txt")]
    shape = tuple(np.vstack(parts)[:, :2].astype(int).max(axis=0) + 1)
    train, test = (csr_matrix((part[:, 2], part[:, :2].astype(int).T), shape=shape) for part in parts)
    return train, test


@pytest.mark.parametrize(
    ("load", "recall", "ndcg", "gain"), [(movielens, 0.115, 0.175, 1.1), (lastfm, 0.185, 0.178, 5.0)]
)
def test_als_beats_popularity_with_default_settings(load, recall: float, ndcg: float, gain: float) -> None:
    train, test = load()
    users = np.flatnonzero(np.diff(train.indptr))
    als = evaluate(AlsModel().fit(train), train, test, users).summary
    popularity = evaluate(PopularityModel().fit(train), train, test, users).summary
    assert als["recall@10"] > max(recall, gain * popularity["recall@10"])
    assert als["ndcg@10"] > max(ndcg, gain * popularity["ndcg@10"])
