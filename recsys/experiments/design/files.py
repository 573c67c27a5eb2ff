"""Experiments on disk: `<project>/experiments/<key>.toml`, each file changed atomically, comments kept."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recsys.errors import ConfigError, ExperimentError
from recsys.experiments.design.definition import Experiment, Status
from recsys.experiments.design.fields import NAME_PATTERN, problems_of, unknown_name
from recsys.experiments.design.lifecycle import config_drift, stop
from recsys.storage.artifacts import exclusive_lock, write_text
from recsys.storage.toml_edit import format_toml, format_toml_tables, set_toml_values

SUFFIX = ".toml"

_STATE = ("status", "started_at", "stopped_at", "coverage")
_HEAD = (
    "# An experiment: what its keys mean stands in recsys/experiments/design/definition.py. What runs is changed by\n"
)
_HEAD += "# `recsys experiment start`, `ramp` and `stop` alone, which write the history at the end.\n\n"


def experiment_files(folder: Path) -> list[Path]:
    """The files of all experiments, by key; none where the folder is absent."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))


def load_experiment(path: Path) -> Experiment:
    """Read and check one file. Raises ExperimentError that names the file, every wrong key, and what to do."""
    return parse_experiment(_read(path), path)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ExperimentError(
            f"{path}: not UTF-8 text: {error.reason} at byte {error.start}; save it as such"
        ) from None


def parse_experiment(text: str, path: Path) -> Experiment:
    """The experiment that a file's `text` declares; `path` gives the key and stands in messages.

    Raises like `load_experiment`. A stopped one may differ from its history, or what was changed in mid-run could not
    be stopped; `lifecycle.config_drift` tells its analysis.
    """
    experiment = _declared(text, path)
    problem = None if experiment.status is Status.STOPPED else config_drift(experiment)
    if problem is not None:
        raise ExperimentError(f"{path}: {problem}")
    return experiment


def _declared(text: str, path: Path) -> Experiment:
    if not re.fullmatch(NAME_PATTERN, path.stem):
        raise ExperimentError(f"{path}: the file's name is the key: use 1 to 64 of a-z, 0-9, - and _")
    try:
        raw = tomllib.loads(text)
        if "key" in raw:
            raise ExperimentError(f"{path}: key: the file's name is the key; leave it out")
        return Experiment.model_validate({**raw, "key": path.stem})
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(f"{path}: not valid TOML: {error}") from None
    except ValidationError as error:
        raise ExperimentError(f"{path}: " + "; ".join(problems_of(error))) from None


def create_experiment(folder: Path, experiment: Experiment) -> Path:
    """Write a new experiment's file. Raises ExperimentError where there is one of that key."""
    path = folder / f"{experiment.key}{SUFFIX}"
    text = _HEAD + format_toml(_plain(experiment))
    _same(parse_experiment(text, path), experiment, path)
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(folder, wait=True):
        if path.exists():
            raise ExperimentError(f"{path}: there is an experiment of this key already; choose another key")
        write_text(path, text)
    return path


def change_experiment(folder: Path, key: str, change: Callable[[Experiment], Experiment]) -> Experiment:
    """Apply a change of state (`recsys.experiments.design.lifecycle`) to a file, and give what it holds now.

    Raises ExperimentError for an unknown key, ConfigError with the lines to write where the file spells things in a way
    that cannot be edited; the file is then as it was.
    """
    return _rewritten(existing_file(folder, key), change, parse_experiment)


def stop_experiment(folder: Path, key: str, at: int) -> Experiment:
    """Stop at `at` (seconds since 1970 UTC), also what was changed in mid-run. Raises like `change_experiment`."""
    return _rewritten(existing_file(folder, key), lambda found: stop(found, at), _declared)


def _rewritten(
    path: Path, change: Callable[[Experiment], Experiment], parse: Callable[[str, Path], Experiment]
) -> Experiment:
    with exclusive_lock(path.parent, wait=True):
        text = _read(path)
        before = parse(text, path)
        after = change(before)
        write_text(path, edited(text, before, after, path))
    return after


def existing_file(folder: Path, key: str) -> Path:
    """The file of an experiment. Raises ExperimentError that names those there are."""
    known = [path.stem for path in experiment_files(folder)]
    if key not in known:
        cure = unknown_name("experiment", key, known) if known else f"no experiment {key!r}"
        raise ExperimentError(f"{folder}: {cure}; `recsys experiment create` makes one")
    return folder / f"{key}{SUFFIX}"


def edited(text: str, before: Experiment, after: Experiment, path: Path) -> str:
    """The file's `text` with what changed of the state, and the new entries of the history at its end."""
    old, new = _plain(before), _plain(after)
    top = {name: new[name] for name in _STATE if new.get(name) != old.get(name)}
    try:
        if top:
            text = set_toml_values(text, "", top)
        if new.get("namespace") != old.get("namespace"):
            text = set_toml_values(text, "namespace", {"segments": new["namespace"]["segments"]})
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    text = text.rstrip("\n") + "\n\n" + format_toml_tables("history", new["history"][len(before.history) :])
    _same(parse_experiment(text, path), after, path)
    return text


def _plain(experiment: Experiment) -> dict[str, Any]:
    values: dict[str, Any] = _filled(experiment.model_dump(mode="json", exclude={"key"}, exclude_none=True))
    return values


def _filled(value: Any) -> Any:
    """Without empty lists and tables, which are what absent ones are, and `[[history]]` could not follow."""
    if isinstance(value, dict):
        filled = {key: _filled(inner) for key, inner in value.items()}
        return {key: inner for key, inner in filled.items() if inner not in ([], {})}
    return [_filled(inner) for inner in value] if isinstance(value, list) else value


def _same(written: Experiment, wanted: Experiment, path: Path) -> None:
    if written != wanted:
        raise ExperimentError(f"{path}: cannot be changed without touching other things; edit it by hand")
