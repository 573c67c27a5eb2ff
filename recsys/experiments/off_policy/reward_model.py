"""Reward model q̂(x, a) for DM and the doubly robust estimators, fitted on other users than it predicts for."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack, spmatrix

from recsys.errors import ConfigError
from recsys.experiments.off_policy.intervals import recode_units
from recsys.experiments.off_policy.log import Log, Values
from recsys.rng import derive_seed, generator
from recsys.schema import IntArray

FOLDS = 5
LARGEST_CODES = 255
"""Most categories that scikit-learn's histogram trees accept."""


class RewardModel(StrEnum):
    """Kind of reward model. Linear ones have an intercept and slopes for each action."""

    LOGISTIC = "logistic"
    RIDGE = "ridge"
    BOOSTING = "boosting"


def cross_fit(log: Log, kind: RewardModel | None = None, *, folds: int = FOLDS, seed: int = 0) -> Values:
    """Predict q̂(x_i, a) of all actions, (n, A), with models that were not fitted on the user of decision i.

    Users are split into `folds` at random (Chernozhukov et al. 2018, definition 3.1). A model fitted on a decision's
    own reward would explain it away, and the doubly robust estimators would be biased with too narrow intervals. `kind`
    is logistic by default if all rewards are 0 or 1, else ridge. Logistic and boosting as a classifier keep q̂ in [0,
    1]. An action that the other folds lack is predicted from the context only. Takes 8 n A bytes.

    Raises:
        ConfigError: for fewer than 2 folds, or more folds than users.
    """
    users = recode_units(log.units)
    count = int(users.max()) + 1
    if not 2 <= folds <= count:
        raise ConfigError(f"folds is {folds}: give 2 or more, and at most one for each of {count} users")
    binary = bool(np.isin(log.rewards, (0.0, 1.0)).all())
    chosen = kind or (RewardModel.LOGISTIC if binary else RewardModel.RIDGE)
    fold = (generator(seed, "reward model folds").permutation(count) % folds)[users]
    found = np.empty((len(log), len(log.names)))
    for held_out in range(folds):
        inside = fold == held_out
        found[inside] = _fit(log.select(~inside), chosen, binary, seed)(log.contexts[inside])
    return found


class _Fitted:
    """Model of one fold; called with contexts (m, d) it returns q̂ (m, A)."""

    def __init__(self, model: Any, classifies: bool, actions: int, dense: bool, scale: tuple[Values, Values]) -> None:
        self._model, self._classifies, self._actions, self._dense = model, classifies, actions, dense
        self._mean, self._deviation = scale

    def __call__(self, contexts: Values) -> Values:
        scaled = (contexts - self._mean) / self._deviation
        columns = []
        for action in range(self._actions):
            features = _features(scaled, np.full(len(contexts), action), self._actions, self._dense)
            if self._classifies:
                columns.append(self._model.predict_proba(features)[:, 1])
            else:
                columns.append(self._model.predict(features))
        return np.column_stack(columns)


def _fit(log: Log, kind: RewardModel, binary: bool, seed: int) -> Any:
    classes = np.unique(log.rewards)
    if len(classes) == 1:
        return lambda contexts: np.full((len(contexts), len(log.names)), classes[0])
    deviation = log.contexts.std(axis=0)
    scale = (log.contexts.mean(axis=0), np.where(deviation > 0, deviation, 1.0))
    classifies = binary and kind is not RewardModel.RIDGE
    dense = kind is RewardModel.BOOSTING
    features = _features((log.contexts - scale[0]) / scale[1], log.actions, len(log.names), dense)
    model = _model(kind, classifies, len(log.names), seed)
    model.fit(features, log.rewards)
    return _Fitted(model, classifies, len(log.names), dense, scale)


def _model(kind: RewardModel, classifies: bool, actions: int, seed: int) -> Any:
    # scikit-learn takes half a second to load, so it is imported only to fit.
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    if kind is RewardModel.BOOSTING:
        boosting = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
        categories = [0] if actions <= LARGEST_CODES else None
        return boosting(max_iter=100, categorical_features=categories, random_state=derive_seed(seed, "boost") % 2**32)
    if kind is RewardModel.LOGISTIC:
        if not classifies:
            raise ConfigError("reward model logistic: rewards must be 0 or 1; use ridge or boosting for others")
        return LogisticRegression(C=1.0, max_iter=1000)
    return Ridge(alpha=1.0)


def _features(contexts: Values, actions: IntArray, count: int, dense: bool) -> Any:
    """Return features: action and context for trees, else context, action, and context times action (sparse)."""
    n, d = contexts.shape
    if dense:
        return np.column_stack([actions.astype(np.float64), contexts])
    with_level = np.column_stack([np.ones(n), contexts])
    columns = actions[:, None] * (d + 1) + np.arange(d + 1)
    rows = np.repeat(np.arange(n), d + 1)
    own: spmatrix = csr_matrix((with_level.ravel(), (rows, columns.ravel())), shape=(n, count * (d + 1)))
    return hstack([csr_matrix(contexts), own]).tocsr() if d else own
