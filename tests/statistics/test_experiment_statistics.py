"""Tests and intervals of experiments keep what they promise, over 20,000 simulated experiments each.

Type-I error of A/A experiments is 5 % +- 0.5 points and coverage of 95 % intervals, with a planted effect, 94.5 to
95.5 %; the standard error of such a figure is 0.15 points. Seeds are fixed. Experiments are drawn in blocks; each is
analyzed by the functions that analyze real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy import special

from recsys.experiments.stats.bayes_beta import BetaPrior, beta_posterior
from recsys.experiments.stats.bayes_normal import NormalPrior, normal_posterior
from recsys.experiments.stats.cuped import adjust, fill_missing
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.experiments.stats.fixed import two_means
from recsys.experiments.stats.guardrails import non_inferiority_p_value
from recsys.experiments.stats.health import pre_period_imbalance, sample_ratio
from recsys.experiments.stats.moments import JointMoments, Moments, Values
from recsys.experiments.stats.multiplicity import correct_p_values
from recsys.experiments.stats.power import Baseline, Design, compute_power, sample_size
from recsys.experiments.stats.proportions import Proportion
from recsys.experiments.stats.sequential import always_valid, boundary
from recsys.experiments.stats.winsorize import pooled_cap, winsorize
from recsys.rng import generator

RUNS = 20_000
BLOCK = 500
LIFT = 0.1

Draw = Callable[[np.random.Generator, tuple[int, ...]], Values]
Record = Callable[[str], None]
Analysis = Callable[[Values, Values], Effect]


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Write measured values to the report of `pytest --junitxml`."""
    return lambda text: request.node.user_properties.append(("measured", text))


def lognormal(random: np.random.Generator, size: tuple[int, ...]) -> Values:
    """Skewness 6.2."""
    return random.lognormal(0.0, 1.0, size)


def revenue(random: np.random.Generator, size: tuple[int, ...]) -> Values:
    """One user in ten buys: skewness about 8."""
    return np.where(random.random(size) < 0.1, np.exp(0.8 * random.standard_normal(size)), 0.0)


def normal(random: np.random.Generator, size: tuple[int, ...]) -> Values:
    return 10.0 + 3.0 * random.standard_normal(size)


def with_past(random: np.random.Generator, size: tuple[int, ...]) -> Values:
    """Value and covariate (..., 2), skewed, of correlation 0.7 or so; a fifth are new and have no past."""
    habit = random.gamma(2.0, 1.0, size)
    now, past = (habit * random.gamma(4.0, 0.25, size) for _ in range(2))
    return np.stack([now, np.where(random.random(size) < 0.2, np.nan, past)], axis=-1)


def clicks(random: np.random.Generator, size: tuple[int, ...]) -> Values:
    """Clicks and requests (..., 2), with users who differ in both."""
    requests = 1 + random.poisson(random.gamma(2.0, 2.0, size))
    return np.stack([random.binomial(requests, random.beta(2.0, 8.0, size)), requests], axis=-1)


def mean(t: Values, c: Values) -> Effect:
    return two_means(Moments.from_values(t), Moments.from_values(c))


def capped(t: Values, c: Values) -> Effect:
    cap = pooled_cap(np.concatenate([t, c]))
    return mean(winsorize(t, cap), winsorize(c, cap))


def ratio(t: Values, c: Values) -> Effect:
    return two_means(*(JointMoments.from_columns(arm).ratio().marginal() for arm in (t, c)))


def cuped(t: Values, c: Values) -> Effect:
    adjusted = adjust([JointMoments.from_columns(arm[:, 0], fill_missing(arm[:, 1])) for arm in (t, c)])
    return two_means(*adjusted.arms, shared=adjusted.shared)


def conversion(t: Values, c: Values) -> Effect:
    return two_means(*(Proportion(int(np.count_nonzero(arm)), len(arm)).moments() for arm in (t, c)))


def experiments(name: str, draw: Draw, arms: tuple[int, int], runs: int = RUNS) -> Iterator[tuple[Values, Values]]:
    random = generator(6, "experiments", name)
    for _ in range(runs // BLOCK):
        yield from zip(*(draw(random, (BLOCK, n)) for n in arms), strict=True)


def outside(estimate: Estimate | None, truth: float) -> bool:
    assert estimate is not None
    return not estimate.low <= truth <= estimate.high


CASES = {
    "mean, normal, n 30 and 40": (normal, mean, (30, 40)),
    "mean, lognormal": (lognormal, mean, (1000, 1000)),
    "mean, revenue": (revenue, mean, (2000, 2000)),
    "mean, lognormal, split 1 to 2": (lognormal, mean, (1000, 2000)),
    "winsorized revenue": (revenue, capped, (2000, 2000)),
    "ratio": (clicks, ratio, (500, 500)),
    "CUPED with new users": (with_past, cuped, (500, 500)),
    "proportions": (revenue, conversion, (1000, 1000)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_type_1_error_and_coverage(name: str, record: Record) -> None:
    """A/A: p below 0.05 in 5 % of runs, and 0 outside the intervals of difference and lift as often."""
    draw, analyze, arms = CASES[name]
    effects = [analyze(t, c) for t, c in experiments(name, draw, arms)]
    errors = np.mean([effect.p_value < 0.05 for effect in effects])
    absolute = np.mean([outside(effect.absolute, 0.0) for effect in effects])
    relative = np.mean([outside(effect.relative, 0.0) for effect in effects])
    record(f"{name}: Type-I {errors:.4f}, outside absolute {absolute:.4f}, outside relative {relative:.4f}")
    assert 0.035 <= errors <= 0.055
    assert 0.035 <= absolute <= 0.055
    assert 0.035 <= relative <= 0.055


def planted(draw: Draw) -> Draw:
    """Treatment with a lift of 10 %: values, and numerators alone, are that much more."""

    def lifted(random: np.random.Generator, size: tuple[int, ...]) -> Values:
        values = draw(random, size)
        return values * (1.0 + LIFT) if draw not in (with_past, clicks) else values * np.array([1.0 + LIFT, 1.0])

    return lifted


TRUTHS: dict[str, tuple[Draw, Analysis, tuple[int, int], float]] = {
    "mean, normal": (normal, mean, (50, 80), 10.0),
    "mean, lognormal": (lognormal, mean, (2000, 2000), float(np.exp(0.5))),
    "mean, revenue": (revenue, mean, (4000, 4000), 0.1 * float(np.exp(0.32))),
    "CUPED with new users": (with_past, cuped, (1000, 1000), 2.0),
    # E[clicks] / E[requests] is the mean of the click rates, as these do not depend on the number of requests
    "ratio": (clicks, ratio, (500, 500), 0.2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUTHS)
def test_intervals_cover_a_planted_lift(name: str, record: Record) -> None:
    draw, analyze, (treated, kept), control_mean = TRUTHS[name]
    arms = zip(
        experiments(f"{name}, treated", planted(draw), (treated, 0)),
        experiments(f"{name}, control", draw, (0, kept)),
        strict=True,
    )
    effects = [analyze(t, c) for (t, _), (_, c) in arms]
    absolute = np.mean([not outside(effect.absolute, LIFT * control_mean) for effect in effects])
    relative = np.mean([not outside(effect.relative, LIFT) for effect in effects])
    record(f"{name}: coverage absolute {absolute:.4f}, relative {relative:.4f}")
    assert 0.945 <= absolute <= 0.955
    assert 0.945 <= relative <= 0.955


@pytest.mark.parametrize(("rates", "n"), [((0.1, 0.1), 1000), ((0.12, 0.1), 1000), ((0.033, 0.03), 5000)])
def test_intervals_of_proportions_cover(rates: tuple[float, float], n: int, record: Record) -> None:
    random = generator(6, "proportions", n, str(rates))
    counts = [random.binomial(n, rate, RUNS) for rate in rates]
    arms = ([Proportion(int(count), n).moments() for count in arm] for arm in counts)
    effects = [two_means(t, c) for t, c in zip(*arms, strict=True)]
    absolute = np.mean([not outside(effect.absolute, rates[0] - rates[1]) for effect in effects])
    relative = np.mean([not outside(effect.relative, rates[0] / rates[1] - 1) for effect in effects])
    record(f"proportions {rates}: coverage absolute {absolute:.4f}, relative {relative:.4f}")
    assert 0.945 <= absolute <= 0.955
    assert 0.945 <= relative <= 0.955


@pytest.mark.parametrize("control_mean", [0.2, 5.0, 3000.0])
def test_a_posterior_is_right_about_lifts_from_its_prior(control_mean: float, record: Record) -> None:
    """Lifts are drawn from the prior, whatever the metric's unit: 95 % intervals cover 94.5 to 95.5 %, chances to win
    are the shares of winners, expected losses the mean losses. A prior on the wrong scale fails all three."""
    random = generator(6, "posterior", str(control_mean))
    prior, n = NormalPrior(0.02, 0.05), 1000
    variance = control_mean**2
    error = control_mean / np.sqrt(n)
    lifts = random.normal(prior.mean, prior.deviation, RUNS)
    treated = random.normal(control_mean * (1 + lifts), error)
    # what the treatment is compared with is known well, as the prior's scale takes it for
    kept = random.normal(control_mean, error / 10, RUNS)
    posteriors = [
        normal_posterior(Moments(n, float(t), variance), Moments(100 * n, float(c), variance), prior)
        for t, c in zip(treated, kept, strict=True)
    ]
    truths = lifts * control_mean
    absolute = np.mean([not outside(p.absolute, x) for p, x in zip(posteriors, truths, strict=True)])
    relative = np.mean([not outside(p.relative, x) for p, x in zip(posteriors, lifts, strict=True)])
    record(f"posterior, control {control_mean}: coverage absolute {absolute:.4f}, relative {relative:.4f}")
    assert 0.945 <= absolute <= 0.955
    assert 0.945 <= relative <= 0.955
    assert np.mean([p.chance_to_win for p in posteriors]) == pytest.approx(np.mean(lifts > 0), abs=0.01)
    lost = np.mean(np.maximum(-truths, 0.0))
    assert np.mean([p.loss_if_shipped for p in posteriors]) == pytest.approx(lost, rel=0.05)


@pytest.mark.slow
def test_proportions_from_the_prior_are_covered(record: Record) -> None:
    """2,000 pairs from Beta(2, 8), 300 units each: coverage 95 % to 1.5 points (standard error 0.5)."""
    random = generator(6, "beta")
    prior, runs, n = BetaPrior(2.0, 8.0), 2_000, 300
    rates = random.beta(prior.a, prior.b, (runs, 2))
    counts = random.binomial(n, rates)
    posteriors = [beta_posterior(Proportion(int(t), n), Proportion(int(c), n), prior) for t, c in counts]
    absolute = np.mean([not outside(p.absolute, t - c) for p, (t, c) in zip(posteriors, rates, strict=True)])
    relative = np.mean([not outside(p.relative, t / c - 1) for p, (t, c) in zip(posteriors, rates, strict=True)])
    record(f"Beta posteriors: coverage absolute {absolute:.4f}, relative {relative:.4f}")
    assert absolute == pytest.approx(0.95, abs=0.015)
    assert relative == pytest.approx(0.95, abs=0.015)


def test_corrections_hold_the_errors_of_families(record: Record) -> None:
    """Ten tests of nothing: any found in 4.5 to 5.5 % of families by Holm; beside ten with an effect, 2 to 3 % of
    what is found is false by Benjamini-Hochberg (which promises 2.5 %, half of the tests being of nothing)."""
    random = generator(6, "families")
    z = random.standard_normal((RUNS // 2, 20))
    nothing = 2 * special.ndtr(-np.abs(z[:, :10]))
    both = 2 * special.ndtr(-np.abs(z + np.repeat([0.0, 3.0], 10)))
    any_found = np.mean([(correct_p_values(p) < 0.05).any() for p in nothing])
    found = np.array([correct_p_values(p, "benjamini-hochberg") < 0.05 for p in both])
    false_share = np.mean(found[:, :10].sum(axis=1) / np.maximum(found.sum(axis=1), 1))
    record(f"families: Holm {any_found:.4f}, false discoveries {false_share:.4f}, power {found[:, 10:].mean():.3f}")
    assert 0.045 <= any_found <= 0.055
    assert 0.02 <= false_share <= 0.03


LOOKS = np.unique(np.geomspace(100, 20_000, 100).astype(np.int64))


def paths(draw: Draw, name: str, runs: int) -> Iterator[tuple[Values, Values]]:
    """Difference and standard error at each look (runs in block, looks), from units that come in one by one."""
    random = generator(6, "sequential", name)
    block = 100
    for _ in range(runs // block):
        sums = []
        for _arm in range(2):
            values = draw(random, (block, int(LOOKS[-1])))
            total, squares = (np.cumsum(v, axis=1)[:, LOOKS - 1] for v in (values, values**2))
            sums.append((total / LOOKS, (squares - total**2 / LOOKS) / (LOOKS - 1) / LOOKS))
        (t, t_error), (c, c_error) = sums
        yield t - c, np.sqrt(t_error + c_error)


def bernoulli(random: np.random.Generator, size: tuple[int, ...]) -> Values:
    return (random.random(size, dtype=np.float32) < 0.05).astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("draw", [normal, lognormal, revenue, bernoulli])
@pytest.mark.parametrize("tightest_at", [1_000, 20_000])
def test_a_hundred_looks_err_in_at_most_5_percent(draw: Draw, tightest_at: int, record: Record) -> None:
    """5,000 A/A experiments of up to 40,000 units, 100 looks from the first that is allowed; one-look tests that are
    looked at as often err in a third of runs or more."""
    critical = boundary(2 * LOOKS, tightest_at=tightest_at)
    found, peeked, runs = 0, 0, 5_000
    for difference, error in paths(draw, draw.__name__, runs):
        z = np.abs(difference) / np.where(error > 0, error, np.inf)
        found += np.count_nonzero((z > critical).any(axis=1))
        peeked += np.count_nonzero((z > 1.96).any(axis=1))
    record(f"{draw.__name__}, tuned for {tightest_at}: {found / runs:.4f}; peeking {peeked / runs:.4f}")
    assert len(LOOKS) >= 95
    assert found / runs <= 0.05
    assert peeked / runs > 0.25


def test_the_looks_above_are_those_of_the_library() -> None:
    difference, error = next(iter(paths(lognormal, "same", 100)))
    critical = boundary(2 * LOOKS, tightest_at=5_000)
    for run in range(20):
        for look in range(0, len(LOOKS), 7):
            n, d, e = int(LOOKS[look]), float(difference[run, look]), float(error[run, look])
            arm = e**2 * n / 2
            effect = always_valid(Moments(n, 1 + d, arm), Moments(n, 1.0, arm), tightest_at=5_000)
            # The library's errors are those of Student's t, so that few units make its intervals wider.
            assert effect.p_value >= 0.05 or abs(d) / e > critical[look]
            width = critical[look] * e
            assert width <= effect.absolute.high - d <= width * (1 + critical[look] ** 2 / n)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.3, 0.7, 0.9])
def test_cuped_leaves_1_minus_the_squared_correlation(rho: float, record: Record) -> None:
    """Of the variance of the estimated effect over 50,000 experiments, to 2 % (standard error 0.6 %); and what an
    experiment says of its own variance agrees."""
    random = generator(6, "cuped", str(rho))
    n, blocks = 200, 100
    effects, said = [], []
    for _ in range(blocks):
        x, noise = random.standard_normal((2, BLOCK, 2, n))
        for own_x, own_y in zip(x, rho * x + np.sqrt(1 - rho**2) * noise, strict=True):
            treatment, control = adjust([JointMoments.from_columns(own_y[arm], own_x[arm]) for arm in range(2)]).arms
            effects.append(treatment.mean - control.mean)
            said.append(treatment.variance_of_mean + control.variance_of_mean)
    expected = (1 - rho**2) * 2 / n
    record(
        f"rho {rho}: variance {np.var(effects) / expected:.4f}, said {np.mean(said) / expected:.4f} of what it must be"
    )
    assert np.var(effects) == pytest.approx(expected, rel=0.02)
    assert np.mean(said) == pytest.approx(expected, rel=0.02)


def test_a_wrong_split_is_found_and_a_fair_one_is_not(record: Record) -> None:
    random = generator(6, "split")
    shares = {
        split: np.mean(
            [
                sample_ratio((int(first), 20_000 - int(first)), (0.5, 0.5)).mismatch
                for first in random.binomial(20_000, split, RUNS)
            ]
        )
        for split in (0.52, 0.5)
    }
    record(f"SRM: 52/48 found in {shares[0.52]:.4f}, 50/50 in {shares[0.5]:.5f}")
    assert shares[0.52] >= 0.98
    assert shares[0.5] <= 0.002


def test_imbalance_is_found_by_chance_as_often_as_it_says(record: Record) -> None:
    """Three arms of skewed values at a threshold of 5 %."""
    random = generator(6, "imbalance")
    found = 0
    for _ in range(RUNS // BLOCK):
        values = random.gamma(2.0, 1.0, (BLOCK, 3, 100))
        found += sum(
            pre_period_imbalance([Moments.from_values(arm) for arm in run], threshold=0.05).imbalanced for run in values
        )
    record(f"imbalance: {found / RUNS:.4f}")
    assert 0.04 <= found / RUNS <= 0.055


def test_a_harm_of_just_the_margin_passes_a_guardrail_as_seldom_as_it_says(record: Record) -> None:
    random = generator(6, "guardrail")
    n = 200
    passed = 0
    for _ in range(RUNS // BLOCK):
        t, c = (random.gamma(4.0, scale / 4.0, (BLOCK, n)) for scale in (0.95, 1.0))
        passed += sum(
            non_inferiority_p_value(Moments.from_values(a), Moments.from_values(b), 0.05) < 0.05
            for a, b in zip(t, c, strict=True)
        )
    record(f"guardrail: {passed / RUNS:.4f}")
    assert 0.045 <= passed / RUNS <= 0.055


def test_planned_experiments_have_their_power(record: Record) -> None:
    """Of 5,000 proportions and 5,000 adjusted means planned for 80 %, 80 % find the effect, to 2 points."""
    random = generator(6, "power")
    runs, rate, rise = 5_000, 0.1, 0.02
    size = sample_size(Baseline.from_rate(rate), rise)
    counts = zip(
        random.binomial(size.treatment, rate + rise, runs), random.binomial(size.control, rate, runs), strict=True
    )
    found = np.mean(
        [
            two_means(Proportion(int(t), size.treatment).moments(), Proportion(int(c), size.control).moments()).p_value
            < 0.05
            for t, c in counts
        ]
    )
    assert found == pytest.approx(0.8, abs=0.02)
    design, rho = Design(share=0.3, correlation=0.6), 0.6
    size = sample_size(Baseline(0.0, 1.0), 0.25, design)
    adjusted = 0
    for _ in range(runs):
        arms = []
        for n, effect in ((size.treatment, 0.25), (size.control, 0.0)):
            x = random.standard_normal(n)
            arms.append(JointMoments.from_columns(effect + rho * x + 0.8 * random.standard_normal(n), x))
        adjusted += two_means(*adjust(arms).arms).p_value < 0.05
    record(f"power: proportions {found:.4f}, CUPED {adjusted / runs:.4f}")
    assert adjusted / runs == pytest.approx(compute_power(Baseline(0.0, 1.0), 0.25, size.total, design), abs=0.02)
