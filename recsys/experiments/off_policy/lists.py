"""What another ranker would have earned, from logged lists with a propensity for each place.

Item-position model (Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay & Wen 2018, "Offline evaluation of ranking
policies with click models", section 5): a click depends on the item and its place alone, not on the other items of the
list. The position-based model (Richardson et al. 2007: a place is looked at, then an item attracts) is a case of it.
Then places are decisions of their own, weighted by w_ik = P(new: item in place k) / P(log: item in place k). The
estimator of the position-based model itself pools an item's places, but needs the log's probability of the item in
every place; logs tell that of the place in which it stood.

It fails where the rest of the list matters: who has found what they want looks no further (cascade).
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
    codes_of,
)
from recsys.experiments.off_policy.support import Support, attainable_size, measured
from recsys.experiments.off_policy.tables import check_columns
from recsys.experiments.off_policy.tuning import Tuned, limits_of, tuned
from recsys.experiments.off_policy.weights import check_overlap, clipped
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.schema import BoolArray, IntArray

LIST_ESTIMATORS = (Estimator.IPS, Estimator.CLIPPED_IPS, Estimator.SNIPS)
EXPOSURE_COLUMNS = ("request_id", "user_id", "items", "propensities")
EVENT_COLUMNS = ("request_id", "position", "item_id", "event")
RANKING_COLUMNS = ("request_id", "position", "item_id")


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """N lists, flat: one entry a place that was shown, m in all.

    `requests` (m,): codes in [0, N); `places` (m,) from 0; `propensities` (m,) in (0, 1], of the item in that place;
    `rewards` (m,); `units` (N,): codes of the people; `keys` (m,): request, place and item, by which a ranking joins.
    Raises DataError for propensities or rewards that are none.
    """

    requests: IntArray
    places: IntArray
    propensities: Values
    rewards: Values
    units: IntArray
    keys: pd.MultiIndex

    def __post_init__(self) -> None:
        check_propensities(self.propensities)
        check_finite("reward", self.rewards)

    @classmethod
    def of(cls, exposures: pd.DataFrame, events: pd.DataFrame, event: str = "click") -> Self:
        """From tables of exposures and of events, whose positions count from 1.

        The reward of a place is 1 if somebody did `event` with its item there, else 0. An exposure that was stored
        twice counts once; requests answered by several different lists are left out, as events do not say which list
        they come from. Sessions without an account are people of their own.
        """
        check_columns(exposures, EXPOSURE_COLUMNS, "exposures")
        check_columns(events, EVENT_COLUMNS, "events")
        shown = exposures.reset_index(drop=True).copy()
        shown["items"] = [tuple(map(str, items)) for items in shown["items"]]
        shown = shown[~shown[["request_id", "items"]].duplicated()]
        shown = shown[~shown["request_id"].duplicated(keep=False) & shown["items"].map(bool)]
        if shown.empty:
            raise DataError("exposures: there is no list in them")
        _check_lengths(shown)
        users = shown["user_id"].astype(object).where(shown["user_id"].notna(), "")
        names = ["request " + r if not u else "user " + str(u) for r, u in zip(shown["request_id"], users, strict=True)]
        lengths = shown["items"].map(len).to_numpy()
        requests = np.repeat(np.arange(len(shown)), lengths)
        places = np.concatenate([np.arange(length) for length in lengths])
        items = [item for one in shown["items"] for item in one]
        keys = pd.MultiIndex.from_arrays([shown["request_id"].to_numpy()[requests], places + 1, items])
        wanted = events[(events["event"].astype(str) == event) & events["position"].notna()]
        done = pd.MultiIndex.from_arrays(
            [wanted["request_id"].astype(object), wanted["position"].astype(int), wanted["item_id"].astype(str)]
        )
        propensities = np.array([p for one in shown["propensities"] for p in one], dtype=np.float64)
        rewards = keys.isin(done).astype(np.float64)
        return cls(requests, places, propensities, rewards, codes_of(names), keys)

    @property
    def totals(self) -> Values:
        """What each list earned, (N,)."""
        return self.sums(self.rewards)

    def sums(self, values: Values) -> Values:
        """Of `values` (m,) over each list, (N,)."""
        return np.bincount(self.requests, weights=values, minlength=len(self.units)).astype(np.float64)

    def by_place(self, values: Values) -> Values:
        """`values` (m,) as (N, longest list), 0 beyond a list's end."""
        found = np.zeros((len(self.units), int(self.places.max()) + 1))
        found[self.requests, self.places] = values
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The new ranker in the logged places: `shown` (m,), how probable the logged item is there; `any_` (m,), how
    probable any item is (0 beyond the end of its list, else 1)."""

    shown: Values
    any_: Values


def ranking_of(lists: Lists, table: pd.DataFrame) -> Ranking:
    """From a table with RANKING_COLUMNS and, if the ranker explores, `probability`: its lists for the logged requests.

    Positions count from 1; without `probability` each row is certain. Raises DataError for requests that the table
    lacks, items twice in a place, and probabilities that are none.
    """
    check_columns(table, RANKING_COLUMNS, "the policy")
    probability = table["probability"].to_numpy(np.float64) if "probability" in table else np.ones(len(table))
    check_finite("the policy's probability", probability)
    requests, positions = table["request_id"].astype(object), table["position"].astype(int)
    keys = pd.MultiIndex.from_arrays([requests, positions, table["item_id"].astype(str)])
    if keys.has_duplicates:
        raise DataError("the policy: an item stands twice in one position of a request; give one row for each")
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
    """What lists of the new ranker would earn, a mean a list over the places that were shown; SNIPS is the one to read.

    IPS: mean over lists of sum over k of w_ik r_ik; clipped IPS the same with bounded weights; SNIPS: for each place
    sum(w r) / sum(w), times the share of lists that have it. What the new ranker would put below the logged list's end
    is not in it. Raises DataError without any overlap, ConfigError for a level outside (0, 1).
    """
    check_between_0_and_1("level", level)
    weights = ranking.shown / lists.propensities
    check_overlap(weights)
    how = _tuned_clip(lists, weights)
    built: dict[Estimator, tuple[Terms, Tuned | None]] = {
        Estimator.IPS: (list_ips(lists, weights), None),
        Estimator.CLIPPED_IPS: (list_ips(lists, clipped(weights, how.best.limit)), how),
        Estimator.SNIPS: (list_snips(lists, weights, ranking.any_ > 0.0), None),
    }
    support = list_support(lists, ranking, weights)
    return with_intervals(built, lists.totals, lists.units, support, Estimator.SNIPS, level=level, seed=seed)


def list_ips(lists: Lists, weights: Values) -> Terms:
    """Item-position IPS (Li et al. 2018, eq. 9): unbiased under the item-position model; a row a list."""
    return by.ips(lists.sums(weights * lists.rewards), np.ones(len(lists.units)))


def list_snips(lists: Lists, weights: Values, open_: BoolArray) -> Terms:
    """Self-normalized place by place, over the places `open_` (m,) to which the new ranker brings anything.

    Bias of order 1 / n of each place. A place in which nothing of the new ranker was ever shown adds nothing, which is
    too little; the support check then names a mean weight below 1.
    """
    count = len(lists.units)
    lists_with = lists.by_place(open_.astype(np.float64)).sum(axis=0)
    corrections, normalizers = lists.by_place(weights * lists.rewards), lists.by_place(weights)
    some = normalizers.any(axis=0)
    share = lists_with[some] / count
    return Terms(np.zeros(count), share * corrections[:, some], normalizers[:, some])


def list_support(lists: Lists, ranking: Ranking, weights: Values) -> Support:
    """Support over the places to which the new ranker brings anything, each a decision."""
    open_ = ranking.any_ > 0.0
    any_, shown, propensities = ranking.any_[open_], ranking.shown[open_], lists.propensities[open_]
    other = any_ - shown
    untried = float(other[propensities == 1.0].sum() / max(any_.sum(), np.finfo(float).tiny))
    attainable = attainable_size(shown / any_, other / any_, propensities)
    return measured(weights[open_] / any_, lists.units[lists.requests][open_], attainable, untried)


def place_weights(lists: Lists, ranking: Ranking) -> Sequence[float]:
    """The mean weight of each place: 1 but for chance where the log could show what the new ranker would."""
    weights = lists.by_place(ranking.shown / lists.propensities).sum(axis=0)
    return [float(weight) for weight in weights / lists.by_place(ranking.any_).sum(axis=0)]


def _check_lengths(shown: pd.DataFrame) -> None:
    wrong = shown["items"].map(len) != shown["propensities"].map(len)
    if wrong.any():
        raise DataError(
            f"exposures: {int(wrong.sum())} lists have not as many propensities as items: log one for each place; "
            "lists without them cannot be evaluated"
        )


def _tuned_clip(lists: Lists, weights: Values) -> Tuned:
    return tuned(
        lambda limit: list_ips(lists, clipped(weights, limit)),
        lambda limit: lists.sums((clipped(weights, limit) - weights) * lists.rewards),
        lists.units,
        limits=limits_of(weights),
    )
