"""Off-policy evaluation of another ranker, from logged lists with a propensity for each position.

Item-position model (Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay & Wen 2018, "Offline evaluation of ranking
policies with click models", section 5): a click depends only on the item and its position, not on the other items of
the list. The position-based model (Richardson et al. 2007: a position is examined, then an item attracts) is a special
case. Positions are then separate decisions, weighted by w_ik = P(new: item in position k) / P(log: item in position k).
The estimator of the position-based model itself pools an item's positions, but needs the log's probability of the item
in all positions; logs have only the probability in its logged position.

It fails if the rest of the list matters: a user who has found an item examines no further position (cascade).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from recsys.errors import DataError
from recsys.experiments.off_policy import estimators as by
from recsys.experiments.off_policy.estimators import Estimator, Terms
from recsys.experiments.off_policy.evaluate import Evaluation, with_intervals
from recsys.experiments.off_policy.log import (
    SUM_SLACK,
    Values,
    check_finite,
    check_propensities,
    encode_units,
)
from recsys.experiments.off_policy.support import Support, attainable_size, measure_support
from recsys.experiments.off_policy.tables import check_columns
from recsys.experiments.off_policy.tuning import Tuned, candidate_limits, tune_limit
from recsys.experiments.off_policy.weights import check_overlap, clip
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.schema import BoolArray, IntArray

LIST_ESTIMATORS = (Estimator.IPS, Estimator.CLIPPED_IPS, Estimator.SNIPS)
EXPOSURE_COLUMNS = ("request_id", "user_id", "items", "propensities")
EVENT_COLUMNS = ("request_id", "position", "item_id", "event")
RANKING_COLUMNS = ("request_id", "position", "item_id")


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Logged lists (N), flat: one entry per position that was shown, m in all.

    `requests` (m,): codes in [0, N); `positions` (m,) from 0; `propensities` (m,) in (0, 1], of the item in that
    position; `rewards` (m,); `units` (N,): codes of the users; `keys` (m,): request, position and item, which join a
    ranking. Raises DataError for invalid propensities or rewards.
    """

    requests: IntArray
    positions: IntArray
    propensities: Values
    rewards: Values
    units: IntArray
    keys: pd.MultiIndex

    def __post_init__(self) -> None:
        check_propensities(self.propensities)
        check_finite("reward", self.rewards)

    @classmethod
    def from_tables(cls, exposures: pd.DataFrame, events: pd.DataFrame, event: str = "click") -> Self:
        """Build from tables of exposures and of events, whose positions count from 1.

        The reward of a position is 1 if there is an `event` with its item there, else 0. An exposure that was stored
        twice counts once. Requests answered by several different lists are left out, because events do not name the
        list. Each session without an account counts as one user.
        """
        check_columns(exposures, EXPOSURE_COLUMNS, "exposures")
        check_columns(events, EVENT_COLUMNS, "events")
        shown = exposures.reset_index(drop=True).copy()
        shown["items"] = [tuple(map(str, items)) for items in shown["items"]]
        shown = shown[~shown[["request_id", "items"]].duplicated()]
        shown = shown[~shown["request_id"].duplicated(keep=False) & shown["items"].map(bool)]
        if shown.empty:
            raise DataError("exposures: the table has no list; give exposures with items")
        wrong = shown["items"].map(len) != shown["propensities"].map(len)
        if wrong.any():
            raise DataError(
                f"exposures: {int(wrong.sum())} lists have not as many propensities as items: log one per position; "
                "lists without them cannot be evaluated"
            )
        users = shown["user_id"].astype(object).where(shown["user_id"].notna(), "")
        names = ["request " + r if not u else "user " + str(u) for r, u in zip(shown["request_id"], users, strict=True)]
        lengths = shown["items"].map(len).to_numpy()
        requests = np.repeat(np.arange(len(shown)), lengths)
        ranks = np.concatenate([np.arange(length) for length in lengths])
        items = [item for one in shown["items"] for item in one]
        keys = pd.MultiIndex.from_arrays([shown["request_id"].to_numpy()[requests], ranks + 1, items])
        wanted = events[(events["event"].astype(str) == event) & events["position"].notna()]
        done = pd.MultiIndex.from_arrays(
            [wanted["request_id"].astype(object), wanted["position"].astype(int), wanted["item_id"].astype(str)]
        )
        propensities = np.array([p for one in shown["propensities"] for p in one], dtype=np.float64)
        rewards = keys.isin(done).astype(np.float64)
        return cls(requests, ranks, propensities, rewards, encode_units(names), keys)

    @property
    def totals(self) -> Values:
        """Reward of each list, (N,)."""
        return self.sums(self.rewards)

    def sums(self, values: Values) -> Values:
        """Sum `values` (m,) over each list, (N,)."""
        return np.bincount(self.requests, weights=values, minlength=len(self.units)).astype(np.float64)

    def by_position(self, values: Values) -> Values:
        """Return `values` (m,) as (N, longest list), 0 beyond the end of a list."""
        found = np.zeros((len(self.units), int(self.positions.max()) + 1))
        found[self.requests, self.positions] = values
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """New ranker in the logged positions.

    `shown` (m,): probability of the logged item there; `any_` (m,): probability of any item there (0 beyond the end of
    its list, else 1).
    """

    shown: Values
    any_: Values


def build_ranking(lists: Lists, table: pd.DataFrame) -> Ranking:
    """Build the new ranker's lists for the logged requests from a table with RANKING_COLUMNS.

    Positions count from 1. If the ranker explores, the table has a column `probability`; without it each row is
    certain.

    Raises:
        DataError: for requests that the table lacks, items twice in a position, and invalid probabilities.
    """
    check_columns(table, RANKING_COLUMNS, "the policy")
    probability = table["probability"].to_numpy(np.float64) if "probability" in table else np.ones(len(table))
    check_finite("the policy's probability", probability)
    requests, positions = table["request_id"].astype(object), table["position"].astype(int)
    keys = pd.MultiIndex.from_arrays([requests, positions, table["item_id"].astype(str)])
    if keys.has_duplicates:
        raise DataError("the policy: an item is twice in one position of a request; give one row for each")
    known = set(requests)
    logged = set(lists.keys.get_level_values(0))
    if logged - known:
        raise DataError(
            f"the policy lacks {len(logged - known)} of {len(logged)} logged requests: rank all of them anew, or give "
            "only their exposures"
        )
    totals = pd.Series(probability).groupby([requests.to_numpy(), positions.to_numpy()]).sum()
    if (probability < 0.0).any() or (totals > 1.0 + SUM_SLACK).any():
        raise DataError(
            "the policy: probabilities of one position must be 0 or more and sum to 1 at most; without a column "
            "'probability' there is one item a position"
        )
    shown = pd.Series(probability, index=keys).reindex(lists.keys, fill_value=0.0)
    any_ = totals.reindex(lists.keys.droplevel(2), fill_value=0.0)
    return Ranking(shown.to_numpy(np.float64), any_.to_numpy(np.float64))


def evaluate_lists(lists: Lists, ranking: Ranking, *, level: float = 0.95, seed: int = 0) -> Evaluation:
    """Estimate the new ranker's mean reward per list, over the positions that were shown; read SNIPS.

    IPS: mean over lists of sum over k of w_ik r_ik; clipped IPS the same with bounded weights; SNIPS: for each position
    sum(w r) / sum(w), times the share of lists that have it. Items that the new ranker would put below the end of the
    logged list are not counted.

    Raises:
        DataError: if there is no overlap.
        ConfigError: if the level is outside (0, 1).
    """
    check_between_0_and_1("level", level)
    weights = ranking.shown / lists.propensities
    check_overlap(weights)
    how = tune_limit(
        lambda limit: list_ips(lists, clip(weights, limit)),
        lambda limit: lists.sums((clip(weights, limit) - weights) * lists.rewards),
        lists.units,
        limits=candidate_limits(weights),
    )
    built: dict[Estimator, tuple[Terms, Tuned | None]] = {
        Estimator.IPS: (list_ips(lists, weights), None),
        Estimator.CLIPPED_IPS: (list_ips(lists, clip(weights, how.best.limit)), how),
        Estimator.SNIPS: (list_snips(lists, weights, ranking.any_ > 0.0), None),
    }
    support = list_support(lists, ranking, weights)
    return with_intervals(built, lists.totals, lists.units, support, Estimator.SNIPS, level=level, seed=seed)


def list_ips(lists: Lists, weights: Values) -> Terms:
    """Return item-position IPS (Li et al. 2018, eq. 9), unbiased under the item-position model; one row per list."""
    return by.ips(lists.sums(weights * lists.rewards), np.ones(len(lists.units)))


def list_snips(lists: Lists, weights: Values, open_: BoolArray) -> Terms:
    """Return IPS self-normalized per position, over the positions `open_` (m,) that the new ranker fills.

    The bias of each position is of order 1 / n. A position in which no item of the new ranker was ever shown adds
    nothing, which is too little; the support check then names a mean weight below 1.
    """
    count = len(lists.units)
    lists_with = lists.by_position(open_.astype(np.float64)).sum(axis=0)
    corrections, normalizers = lists.by_position(weights * lists.rewards), lists.by_position(weights)
    some = normalizers.any(axis=0)
    share = lists_with[some] / count
    return Terms(np.zeros(count), share * corrections[:, some], normalizers[:, some])


def list_support(lists: Lists, ranking: Ranking, weights: Values) -> Support:
    """Compute support over the positions that the new ranker fills, each one decision."""
    open_ = ranking.any_ > 0.0
    any_, shown, propensities = ranking.any_[open_], ranking.shown[open_], lists.propensities[open_]
    other = any_ - shown
    untried = float(other[propensities == 1.0].sum() / max(any_.sum(), np.finfo(float).tiny))
    attainable = attainable_size(shown / any_, other / any_, propensities)
    units = lists.units[lists.requests][open_]
    return measure_support(weights[open_] / any_, units, lists.rewards[open_], attainable, untried)


def position_weights(lists: Lists, ranking: Ranking) -> Sequence[float]:
    """Return the mean weight of each position: 1 up to chance if the log could show the new ranker's items."""
    weights = lists.by_position(ranking.shown / lists.propensities).sum(axis=0)
    return [float(weight) for weight in weights / lists.by_position(ranking.any_).sum(axis=0)]
