"""Tuning: the settings of a model that rank best on held-out events, none of which are the test's.

The test part of a project (the file that came as its test, else the last fifth of events, else a fifth of each
person's items) is cut off first, and no more is looked at than that. What is left is cut again by the same kind of
split, in several rounds where that is cheap, and every trial fits on the one part and ranks the whole catalog for the
other. Trials are proposed by the tree-structured Parzen estimator (Bergstra et al., "Algorithms for hyper-parameter
optimization", NeurIPS 2011) through Optuna: this module is its only door, and needs the extra `tune`.

Trials are kept in `<project>/tuning/<model>.log` as they end, so that a killed search goes on where it was. A study's
name has a hash of the events that are used and of what is searched: trials on other data are never mixed in.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys.config import AlsSettings
from recsys.dataset.bots import without_bots
from recsys.dataset.catalog import Catalog
from recsys.dataset.identifiers import ItemIdentifiers, UserIdentifiers
from recsys.dataset.interactions import drop_unknown_items
from recsys.dataset.project import SETTINGS_FILE, Project
from recsys.dataset.splits import (
    Holdout,
    SplitMethod,
    default_split_method,
    hold_out,
    random_per_user,
    rolling_splits,
    weak_generalization,
)
from recsys.errors import DataError, MissingExtraError, RequestError
from recsys.evaluation.metrics import ACCURACY
from recsys.evaluation.protocol import evaluate_holdout
from recsys.evaluation.significance import Comparison, Interval, Values, compare, mean_interval
from recsys.models.base import Model
from recsys.profiles.style_vectors import catalog_vectors
from recsys.progress import stage
from recsys.ranked import check_k
from recsys.rng import derive_seed, generator
from recsys.schema import TIMESTAMP, FloatArray
from recsys.storage.artifacts import exclusive_lock, write_bytes, write_text
from recsys.storage.toml_edit import format_toml_table, set_toml_values
from recsys.tuning.search_spaces import SPACES, OneOf, Parameter, Space, Tunable, Whole
from recsys.tuning.search_spaces import Values as SettingValues

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

TEST_SHARE = 0.2
ROUND_SHARE = {SplitMethod.TIME: 0.1, SplitMethod.RANDOM: 0.2}
"""What one round of validation holds out: of all events, or of each person's items."""
ROUNDS = 3
FEW_EVENTS = 100_000
"""Up to so many events three rounds are cheap; above, one is, and tells enough."""
MOST_USERS = 10_000
"""People asked in one round."""
RANDOM_TRIALS = 5
"""Trials that are drawn blindly, before the estimator has something to go by."""


@dataclass(frozen=True, slots=True)
class TuningReport:
    """Result of a search.

    `best` and `defaults`: settings by name. `best_quality`, `default_quality`: means of `metric` at `k` over `users`
    of the validation, with 95 % intervals. `difference`: best less default, paired; as the best was chosen on the
    same people, it flatters. `trials`: how many are known, those of earlier calls included. `stopped`: by Ctrl-C.
    """

    model: Tunable
    metric: str
    k: int
    split: SplitMethod
    rounds: int
    users: int
    trials: int
    stopped: bool
    best: SettingValues
    defaults: SettingValues
    best_quality: Interval
    default_quality: Interval
    difference: Comparison


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """Validation rounds that trials are measured on: the same users and items, without any test event."""

    split: SplitMethod
    rounds: tuple[Holdout, ...]

    def quality(self, make: Callable[[], Model], metric: str, k: int) -> Values:
        """(Q,) values of those with anything relevant in any round, each the mean over their rounds, by user row."""
        people = self.rounds[0].train.shape[0]
        sums, counts = np.zeros(people), np.zeros(people)
        for holdout in self.rounds:
            result = evaluate_holdout(make().fit(holdout.train.matrix()), holdout, k=k)
            sums[result.users] += result.per_user[metric]
            counts[result.users] += 1
        return np.asarray(sums[counts > 0] / counts[counts > 0])


def tune(
    project: Project,
    model: Tunable = Tunable.ALS,
    *,
    trials: int = 30,
    minutes: float | None = None,
    metric: str = "ndcg",
    k: int = 20,
    split: SplitMethod | None = None,
    space: Space | None = None,
) -> TuningReport:
    """Search the settings of `model` on a project's validation part until `trials` are known or `minutes` have passed.

    The defaults are the first trial, and the project's own settings of ALS the second where they are others within the
    ranges, so that the best is never worse than these on the validation. A second call counts the trials of earlier
    ones, and a search that was interrupted takes the steps it would have taken. Ctrl-C ends the search, not the call.
    `split`: of the validation, TIME or RANDOM; by default TIME where there are times. `space`: other ranges.

    Raises RequestError for a metric, split or number that cannot be, MissingExtraError without Optuna, DataError where
    nothing can be held out or kept trials cannot be read, ProjectError before the first import or while another
    process tunes the same project.
    """
    check_k(k)
    if trials < 1:
        raise RequestError("trials", f"must be at least 1, not {trials}")
    if minutes is not None and not minutes > 0:
        raise RequestError("timeout", f"must be above 0 minutes, not {minutes}")
    if metric not in ACCURACY:
        raise RequestError("metric", f"{metric!r} is not known; use one of {', '.join(ACCURACY)}")
    if split not in (None, *ROUND_SHARE):
        raise RequestError("split", f"{split} is no split for validation; use one of {', '.join(ROUND_SHARE)}")
    _library()
    space = space or SPACES[model]
    catalog = Catalog.from_frame(project.load_items())
    seed = project.settings.seed
    events = drop_unknown_items(project.load_interactions(), catalog.ids)
    if default_split_method(events) is not SplitMethod.PREDEFINED:
        events = without_bots(events, catalog.ids, project.settings.events)
    validation = validation_of(events, catalog.ids, split, seed=seed)
    vectors = np.empty((0, 0), dtype=np.float32)
    if space.needs_style:
        vectors = catalog_vectors(project, catalog)
        if not vectors.any():
            raise DataError(f"{model} learns from photos and no item has one; tune {Tunable.ALS} instead")
    bench = _Bench(validation, space, vectors, metric, k, seed)
    own = {**space.defaults, **project.settings.als.model_dump()} if "factors" in space.parameters else {}
    starts = [dict(space.defaults), *([space.round_values(own)] if space.holds(own) else [])]
    folder = project.root / "tuning"
    folder.mkdir(exist_ok=True)
    with exclusive_lock(folder):
        study = _open_study(folder / f"{model}.log", f"{model}-{metric}@{k}-{bench.fingerprint()}")
        deadline = None if minutes is None else time.monotonic() + 60.0 * minutes
        stopped = _search(study, bench, starts, trials, deadline)
        return _report(study, bench, model, stopped)


def validation_of(
    frame: pd.DataFrame, item_ids: ItemIdentifiers, split: SplitMethod | None = None, *, seed: int = 0
) -> Validation:
    """Make the validation rounds of interactions as `Project.load_interactions` returns them, without their test part.

    Nothing that is returned depends on a test event: users without any other are none of its users. Raises DataError
    where nothing can be held out.
    """
    known = hold_out(frame, item_ids, split_of_test(frame), share=TEST_SHARE, seed=seed).train
    # Only the users who have an event.
    rows, users = np.unique(known.users, return_inverse=True)
    ids: UserIdentifiers = UserIdentifiers(known.user_ids.kind, known.user_ids.ids(rows))
    events = replace(known, user_ids=ids, users=users.astype(np.int64))
    method = split or (SplitMethod.TIME if _has_times(events.timestamps) else SplitMethod.RANDOM)
    rounds = ROUNDS if len(events) <= FEW_EVENTS else 1
    share = ROUND_SHARE[method]
    if method is SplitMethod.TIME:
        drawn = [weak_generalization(each) for each in rolling_splits(events, share, rounds)]
    else:
        seeds = (derive_seed(seed, "tune", "round", number) for number in range(rounds))
        drawn = [random_per_user(events, share, seed=each) for each in seeds]
    holdouts = []
    for each in drawn:
        later: csr_matrix = each.test.matrix()
        # A round needs a user who later likes an item without an earlier interaction.
        if ((later > 0) > each.history.interaction_mask()).nnz:
            holdouts.append(each)
    if not holdouts:
        raise DataError(f"nothing can be held out by {method} of the events that are not the test's: import more")
    measured = []
    for number, each in enumerate(holdouts):
        users = each.users
        if len(users) > MOST_USERS:
            users = np.sort(generator(seed, "tune", "users", number).choice(users, MOST_USERS, replace=False))
        measured.append(replace(each, users=users))
    return Validation(method, tuple(measured))


def split_of_test(frame: pd.DataFrame) -> SplitMethod:
    """Return the split that the test part is taken by: PREDEFINED, TIME or, without times, RANDOM."""
    method = default_split_method(frame)
    return SplitMethod.RANDOM if method is SplitMethod.TIME and not _has_times(frame[TIMESTAMP]) else method


def write_als(project: Project, values: SettingValues) -> None:
    """Put settings of ALS into `recsys.toml`, at once and whole; the rest of the file stays as it is.

    Raises ConfigError where the file spells its table `[als]` in a way that cannot be edited; it names the lines.
    """
    file = project.root / SETTINGS_FILE
    checked = AlsSettings.model_validate(values).model_dump(include=set(values))
    with exclusive_lock(project.root):
        write_text(file, set_toml_values(file.read_bytes().decode("utf-8-sig"), "als", checked))


def als_lines(values: SettingValues) -> list[str]:
    """Return the lines of `recsys.toml` that `write_als` would write."""
    return format_toml_table("als", values)


class _Bench:
    """Measures settings, and remembers what each came to."""

    def __init__(
        self, validation: Validation, space: Space, vectors: FloatArray, metric: str, k: int, seed: int
    ) -> None:
        self.validation, self.space, self.vectors = validation, space, vectors
        self.metric, self.k, self.seed = metric, k, seed
        self._known: dict[str, Values] = {}

    def measure(self, settings: SettingValues) -> Values:
        """(Q,) by person."""
        key = json.dumps(settings, sort_keys=True)
        if key not in self._known:
            self._known[key] = self.validation.quality(
                lambda: self.space.make(settings, self.vectors, self.seed), self.metric, self.k
            )
        return self._known[key]

    def fingerprint(self) -> str:
        """32 hexadecimal digits that change with anything a trial's value or meaning depends on."""
        space = {name: {type(each).__name__: asdict(each)} for name, each in self.space.parameters.items()}
        about = [self.metric, self.k, self.seed, self.validation.split, space, self.vectors.shape]
        digest = hashlib.sha256(json.dumps(about).encode())
        for holdout in self.validation.rounds:
            for events in (holdout.train, holdout.test):
                for ids in (events.user_ids, events.item_ids):
                    digest.update(json.dumps(ids.values.tolist()).encode())
                for array in (events.users, events.items, events.kinds, events.weights, events.timestamps):
                    digest.update(array.tobytes())
            digest.update(holdout.users.tobytes())
        digest.update(self.vectors.tobytes())
        return digest.hexdigest()[:32]


def _search(study: Study, bench: _Bench, starts: Sequence[SettingValues], trials: int, deadline: float | None) -> bool:
    """Run trials until `trials` are complete or the time is up; True where Ctrl-C ended it."""
    optuna = _library()
    distributions = {name: _distribution(parameter) for name, parameter in bench.space.parameters.items()}
    done = len(_complete(study))
    with stage("trials", max(trials - done, 0), "trial") as counting:
        try:
            for start in starts[:trials]:
                if all(bench.space.round_values(trial.params) != start for trial in _complete(study)):
                    value = float(bench.measure(start).mean())
                    study.add_trial(
                        optuna.trial.create_trial(params=dict(start), distributions=distributions, value=value)
                    )
                    counting.advance()
            while len(complete := _complete(study)) < trials and (deadline is None or time.monotonic() < deadline):
                # Seeded by its number, a trial is the same whether or not the search was interrupted before it.
                study.sampler = optuna.samplers.TPESampler(
                    multivariate=True,
                    n_startup_trials=RANDOM_TRIALS,
                    seed=derive_seed(bench.seed, "tune", study.study_name, len(complete)) & 0xFFFFFFFF,
                )
                trial = study.ask(distributions)
                study.tell(trial, float(bench.measure(bench.space.round_values(trial.params)).mean()))
                counting.advance()
        except KeyboardInterrupt:
            if not _complete(study):
                raise
            return True
    return False


def _complete(study: Study) -> list[Any]:
    """Finished trials, oldest first. What a kill left unfinished stays in the file and counts for nothing."""
    return list(study.get_trials(deepcopy=False, states=(_library().trial.TrialState.COMPLETE,)))


def _report(study: Study, bench: _Bench, model: Tunable, stopped: bool) -> TuningReport:
    best = bench.space.round_values(study.best_params)
    default_values = bench.measure(bench.space.defaults)
    best_values = bench.measure(best)
    return TuningReport(
        model=model,
        metric=bench.metric,
        k=bench.k,
        split=bench.validation.split,
        rounds=len(bench.validation.rounds),
        users=len(best_values),
        trials=len(_complete(study)),
        stopped=stopped,
        best=best,
        defaults=bench.space.defaults,
        best_quality=mean_interval(best_values),
        default_quality=mean_interval(default_values),
        difference=compare(best_values, default_values),
    )


def _open_study(path: Path, name: str) -> Study:
    """Open the study of this name in the file, or create it; the caller holds the folder's lock."""
    optuna = _library()
    # A process killed while it wrote leaves its lock, and half a line that the next would be glued to.
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        write_bytes(path, whole)
    try:
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
        study: Study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a readable record of trials ({error!r}); delete it to begin anew") from None
    return study


def _distribution(parameter: Parameter) -> BaseDistribution:
    kinds = _library().distributions
    distribution: BaseDistribution
    if isinstance(parameter, OneOf):
        distribution = kinds.CategoricalDistribution(parameter.names)
    elif isinstance(parameter, Whole):
        distribution = kinds.IntDistribution(parameter.low, parameter.high, log=parameter.log)
    else:
        distribution = kinds.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    return distribution


def _library() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("optuna", "tune") from None
    # Its own handler would write to standard error whatever the application has set up.
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    return optuna


def _has_times(timestamps: Any) -> bool:
    return len(np.unique(timestamps)) > 1
