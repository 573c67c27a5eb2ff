"""Experiment files, `<project>/experiments/<key>.toml`: changed atomically, with comments preserved."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recsys.errors import ConfigError, ExperimentError
from recsys.experiments.design.definition import Experiment, Status
from recsys.experiments.design.fields import NAME_PATTERN, list_problems, unknown_name
from recsys.experiments.design.lifecycle import check_declared_end, config_drift, stop
from recsys.storage.artifacts import exclusive_lock, write_text
from recsys.storage.toml_edit import format_toml, format_toml_tables, set_toml_values

SUFFIX = ".toml"

_STATE = ("status", "started_at", "stopped_at", "coverage")
_HEAD = (
    "# An experiment; recsys/experiments/design/definition.py documents its keys. Once it runs, change it only with\n"
)
_HEAD += "# `recsys experiment start`, `ramp` and `stop`, which write the history at the end.\n\n"


def experiment_files(folder: Path) -> list[Path]:
    """List the files of all experiments, by key; none if the folder is absent."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))


def load_experiment(path: Path) -> Experiment:
    """Read and validate one file.

    Raises:
        ExperimentError: naming the file, every wrong key, and the cure.
    """
    return parse_experiment(_read(path), path)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ExperimentError(
            f"{path}: not UTF-8 text: {error.reason} at byte {error.start}; save it as UTF-8"
        ) from None


def parse_experiment(text: str, path: Path) -> Experiment:
    """Parse and validate a file's `text`; `path` gives the key and appears in messages.

    A stopped experiment may differ from its history, so that an experiment that was edited while running can still be
    stopped. Its analysis reports this difference (`lifecycle.config_drift`).

    Raises:
        ExperimentError: naming the file, every wrong key, and the cure.
    """
    experiment = _validate(text, path)
    problem = None if experiment.status is Status.STOPPED else config_drift(experiment)
    if problem is not None:
        raise ExperimentError(f"{path}: {problem}")
    return experiment


def _validate(text: str, path: Path) -> Experiment:
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
        raise ExperimentError(f"{path}: " + "; ".join(list_problems(error))) from None


def create_experiment(folder: Path, experiment: Experiment, at: int | None = None) -> Path:
    """Write the file of a new experiment.

    Args:
        folder: folder of the experiments.
        experiment: definition of the experiment.
        at: present time in seconds since 1970 UTC, to check the declared end of a draft; None does not check it.

    Raises:
        ExperimentError: if an experiment with this key exists, or if a declared end is missing or past.
    """
    if at is not None:
        check_declared_end(experiment, at)
    path = folder / f"{experiment.key}{SUFFIX}"
    text = _HEAD + format_toml(_plain(experiment))
    _check_same(parse_experiment(text, path), experiment, path)
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(folder, wait=True):
        if path.exists():
            raise ExperimentError(f"{path}: an experiment with this key exists already; choose another key")
        write_text(path, text)
    return path


def change_experiment(folder: Path, key: str, change: Callable[[Experiment], Experiment]) -> Experiment:
    """Apply a change of status (`recsys.experiments.design.lifecycle`) to a file, and return the new experiment.

    Args:
        folder: folder of the experiments.
        key: key of the experiment.
        change: function from the experiment before to the experiment after.

    Raises:
        ExperimentError: if the key is unknown.
        ConfigError: if the file is spelled in a way that cannot be edited. The message has the lines to write, and
            the file is unchanged.
    """
    return _rewrite(find_file(folder, key), change, parse_experiment)


def stop_experiment(folder: Path, key: str, at: int) -> Experiment:
    """Stop an experiment at `at` (seconds since 1970 UTC), even if its file was edited while it ran.

    Raises:
        ExperimentError: if the key is unknown, or the experiment does not run.
        ConfigError: if the file is spelled in a way that cannot be edited.
    """
    return _rewrite(find_file(folder, key), lambda found: stop(found, at), _validate)


def _rewrite(
    path: Path, change: Callable[[Experiment], Experiment], parse: Callable[[str, Path], Experiment]
) -> Experiment:
    with exclusive_lock(path.parent, wait=True):
        text = _read(path)
        before = parse(text, path)
        after = change(before)
        write_text(path, edit_text(text, before, after, path))
    return after


def find_file(folder: Path, key: str) -> Path:
    """Return the file of an experiment.

    Raises:
        ExperimentError: if there is none; the message names the known keys.
    """
    known = [path.stem for path in experiment_files(folder)]
    if key not in known:
        cure = unknown_name("experiment", key, known) if known else f"no experiment {key!r}"
        raise ExperimentError(f"{folder}: {cure}; create one with `recsys experiment create`")
    return folder / f"{key}{SUFFIX}"


def edit_text(text: str, before: Experiment, after: Experiment, path: Path) -> str:
    """Edit the file's `text`: change the status, and append the new entries of the history."""
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
    _check_same(parse_experiment(text, path), after, path)
    return text


def _plain(experiment: Experiment) -> dict[str, Any]:
    values: dict[str, Any] = _drop_empty(experiment.model_dump(mode="json", exclude={"key"}, exclude_none=True))
    return values


def _drop_empty(value: Any) -> Any:
    """Drop empty lists and tables, same as absent ones; `[[history]]` could not follow `history = []`."""
    if isinstance(value, dict):
        dropped = {key: _drop_empty(inner) for key, inner in value.items()}
        return {key: inner for key, inner in dropped.items() if inner not in ([], {})}
    return [_drop_empty(inner) for inner in value] if isinstance(value, list) else value


def _check_same(written: Experiment, wanted: Experiment, path: Path) -> None:
    if written != wanted:
        raise ExperimentError(f"{path}: cannot be changed without changing other keys too; edit it by hand")
