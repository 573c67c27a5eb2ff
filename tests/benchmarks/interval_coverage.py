"""Coverage of 95 % intervals: of metrics per user for few users, and of off-policy estimates of money.

    python tests/benchmarks/interval_coverage.py [--logs 1000]

Each row has the older method as its baseline, on the same data: percentiles of a bootstrap for metrics, Student's t on
the influence function for off-policy estimates. `spoken`: share of logs in which the support check has no objection to
rewards; `silent miss`: share of all logs with a wrong interval and no objection.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from recsys.evaluation.significance import Values, mean_intervals
from recsys.experiments.off_policy import estimators as by
from recsys.experiments.off_policy.intervals import by_influence
from recsys.experiments.off_policy.support import FEW_REWARDS, measure_support
from recsys.experiments.stats.effect import Estimate

Random = np.random.Generator
TRUTH_DRAWS = 1_000_000
DISCOUNTS = 1.0 / np.log2(np.arange(2, 12))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares of intervals that contain the truth: `before` by the baseline, `now` by the library."""

    name: str
    before: float
    now: float
    spoken: float = 1.0
    silent_miss: float = 0.0

    def __str__(self) -> str:
        return f"| {self.name} | {self.before:.1%} | {self.now:.1%} | {self.spoken:.0%} | {self.silent_miss:.1%} |"


def one_relevant(random: Random, shape: tuple[int, int], hits: float) -> tuple[Values, float]:
    """NDCG@10 with one relevant item: a share `hits` of users has it, mostly in the first positions."""
    chances = 1.0 / np.arange(1, 11)
    chances /= chances.sum()
    found = random.choice(DISCOUNTS, p=chances, size=shape)
    return np.where(random.random(shape) < hits, found, 0.0), hits * float(DISCOUNTS @ chances)


def several_relevant(random: Random, shape: tuple[int, int], hits: float) -> tuple[Values, float]:
    """NDCG with several relevant items: 0, or small with a long tail."""
    return np.where(random.random(shape) < hits, random.beta(1.2, 4.0, shape), 0.0), hits * 1.2 / 5.2


def better_for_some(random: Random, shape: tuple[int, int], hits: float) -> tuple[Values, float]:
    """Differences of two models: few users gain much, fewer lose half as much, most have the same."""
    gains, up = several_relevant(random, shape, hits / 2)
    losses, down = several_relevant(random, shape, hits / 10)
    return gains - losses / 2, up - down / 2


def two_models(random: Random, shape: tuple[int, int], hits: float) -> tuple[Values, float]:
    """Differences of two models that find other items for the same users."""
    (first, high), (second, low) = (several_relevant(random, shape, share) for share in (hits, hits / 2))
    return first - second, high - low


USERS: dict[str, tuple[Callable[[Random, tuple[int, int], float], tuple[Values, float]], bool]] = {
    "mean, one relevant item": (one_relevant, False),
    "mean, several relevant items": (several_relevant, False),
    "difference, some users gain": (better_for_some, True),
    "difference, two models": (two_models, True),
}


def percentiles(values: Values, random: Random) -> tuple[Values, Values]:
    """Return percentile bootstrap bounds of the mean of each column of `values` (Q, M)."""
    users = len(values)
    means = random.multinomial(users, np.full(users, 1.0 / users), size=2_000) @ values / users
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low, high


def metric_coverage(logs: int, users: int, hits: float) -> Iterator[Coverage]:
    """Measure intervals of metrics of `users` users, a share `hits` of whom have a hit."""
    for name, (draw, signed) in USERS.items():
        random = np.random.default_rng([users, round(100 * hits)])
        values, truth = draw(random, (users, logs), hits)
        low, high = percentiles(values, random)
        now = mean_intervals(values, signed=signed)
        yield Coverage(
            f"{name}, {users} users, {hits:.0%} with a hit",
            float(np.mean((low <= truth) & (truth <= high))),
            float(np.mean([one.low <= truth <= one.high for one in now])),
        )


@dataclass(frozen=True, slots=True)
class Shop:
    """Shop of which a share of visits ends in an order of lognormal size; 4 actions, chosen by two softmax policies.

    `huge`: one visit of each log, drawn at random, has a further order of 100 times the mean. A law whose rare orders
    are missing in most logs cannot be covered by any interval, so the order is in each of them.
    """

    visits: int
    buyers: float
    sigma: float
    huge: bool = False

    def draw(self, random: Random, visits: int) -> tuple[Values, Values, Values]:
        """Return weights (n,), rewards (n,) and expected rewards under the new policy (n,)."""
        context, taste = random.normal(size=(visits, 1)), np.array([-0.6, -0.2, 0.2, 0.6])
        old = np.exp(context * taste)
        new = np.exp(2.0 * context * taste + np.array([0.0, 0.3, 0.0, 0.5]))
        old, new = old / old.sum(axis=1, keepdims=True), new / new.sum(axis=1, keepdims=True)
        rows = np.arange(visits)
        chosen = (old.cumsum(axis=1)[:, :-1] < random.random((visits, 1))).sum(axis=1)
        rates = self.buyers * np.exp(0.3 * context * taste + np.linspace(-0.15, 0.05, 4))
        orders = np.where(random.random(visits) < rates[rows, chosen], random.lognormal(3.0, self.sigma, visits), 0.0)
        mean = float(np.exp(3.0 + self.sigma**2 / 2.0))
        extra = 0.0
        if self.huge:
            extra = 100.0 * mean / self.visits
            orders[random.integers(visits)] += 100.0 * mean
        return new[rows, chosen] / old[rows, chosen], orders, (new * rates).sum(axis=1) * mean + extra


def money_coverage(shop: Shop, logs: int) -> Iterator[Coverage]:
    """Measure intervals of IPS and SNIPS."""
    random = np.random.default_rng([shop.visits, round(1_000 * shop.buyers), round(10 * shop.sigma), shop.huge])
    weights, _, expected = shop.draw(random, TRUTH_DRAWS)
    value = float(expected.mean())
    names = ("IPS", "SNIPS")
    kept: dict[str, list[tuple[bool, bool, bool]]] = {name: [] for name in names}
    for _ in range(logs):
        weights, rewards, _ = shop.draw(random, shop.visits)
        units = np.arange(shop.visits)
        spoken = measure_support(weights, units, rewards).rewards >= FEW_REWARDS
        for name, terms in zip(names, (by.ips(rewards, weights), by.snips(rewards, weights)), strict=True):
            before, now = (by_influence(terms, units, rewards=given) for given in (None, rewards))
            kept[name].append((_contains(before, value), _contains(now, value), spoken))
    tail = ", one huge order" if shop.huge else ""
    for name, found in kept.items():
        before, now, spoken = np.array(found).T
        yield Coverage(
            f"{name}, {shop.visits:,} visits, {shop.buyers:.0%} buy, sigma {shop.sigma:g}{tail}",
            float(before.mean()),
            float(now.mean()),
            float(spoken.mean()),
            float((spoken & ~now).mean()),
        )


def _contains(found: Estimate, truth: float) -> bool:
    return found.low <= truth <= found.high


SHOPS = [
    Shop(visits, buyers, sigma)
    for visits in (2_000, 10_000)
    for buyers in (0.02, 0.06, 0.12)
    for sigma in (0.5, 1.0, 1.5, 2.0)
] + [Shop(visits, 0.06, 1.0, huge=True) for visits in (2_000, 10_000)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=int, default=1_000)
    logs = parser.parse_args().logs
    print("| | before | now | spoken | silent miss |\n|---|---|---|---|---|")
    for users in (20, 50, 200):
        for hits in (0.05, 0.1, 0.2, 0.3, 0.5, 0.8):
            for row in metric_coverage(logs, users, hits):
                print(row, flush=True)
    for shop in SHOPS:
        for row in money_coverage(shop, logs):
            print(row, flush=True)


if __name__ == "__main__":
    main()
