"""Errors that this package raises on purpose.

    RecsysError
    ├── ConfigError            a setting is missing, unknown or out of range
    │   └── ExperimentError    an experiment is declared wrongly, or its state forbids the action
    ├── DataError              input data is wrong; names file, row and field
    │   └── BadRowsError       some rows of an import are wrong; has all problems found
    ├── ProjectError           a project folder is missing or in the wrong state
    ├── BundleError            a bundle is missing, incomplete or fails its hashes
    ├── UnknownIdError         the catalog or the interactions do not have this id
    ├── NotFittedError         a model was used before it was fitted
    ├── RequestError           a recommendation request asks for something impossible
    ├── StorageError           the database of live data cannot be reached, read or written
    │   └── StorageFullError   the disk or the quota is full; the same call works once there is room
    ├── DeliveryError          a webhook or mail command did not accept a message
    └── MissingExtraError      an optional dependency is needed; names the extra

All messages state the problem, the place and the cure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class RecsysError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigError(RecsysError):
    """Setting is missing, unknown or out of range."""


class ExperimentError(ConfigError):
    """Experiment is declared wrongly, or its state forbids the action."""


class ProjectError(RecsysError):
    """Project folder is missing or in the wrong state."""


class BundleError(RecsysError):
    """Bundle is missing, incomplete or fails its hashes."""


_CURES = {
    "category": "; the category of an item is a column of its file, and names are matched exactly",
    "item": "; check the id, or import the item and run `recsys refresh`",
    "style": "; `recsys rights` lists the project's styles; add it to styles/styles.csv and run `recsys build`",
}


class UnknownIdError(RecsysError):
    """Id is not in the catalog or the interactions."""

    def __init__(self, kind: str, value: str) -> None:
        cure = _CURES.get(kind, "")
        super().__init__(f"unknown {kind} {value!r}: the bundle in use does not have it{cure}")
        self.kind = kind
        self.value = value


class NotFittedError(RecsysError):
    """Model was used before it was fitted."""

    def __init__(self, model: str) -> None:
        super().__init__(f"{model} is not fitted: call fit(...) or load(...) first")


class RequestError(RecsysError):
    """Recommendation request asks for something impossible; `field` names the parameter."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class StorageError(RecsysError):
    """Database of live data cannot be reached, read or written."""


class StorageFullError(StorageError):
    """Disk or quota is full; the same call works once there is room."""


class MissingExtraError(RecsysError):
    """Optional dependency is needed; the message names the extra that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'style-recsys[{extra}]'")


class DeliveryError(RecsysError):
    """Message was not accepted by a webhook or mail command."""


class DataError(RecsysError):
    """Input data is wrong."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One defect of the input, with its place and cure.

    Attributes:
        file: the file.
        row: line number as an editor shows it (the header is line 1 of a CSV); None for a defect of the whole file.
        field: the column, or None.
        message: defect and cure.
    """

    file: Path
    row: int | None
    field: str | None
    message: str

    def __str__(self) -> str:
        where = str(self.file)
        if self.row is not None:
            where += f", row {self.row}"
        if self.field is not None:
            where += f", column {self.field!r}"
        return f"{where}: {self.message}"


class BadRowsError(DataError):
    """Some rows of an import are wrong. `problems` has all of them; the message shows the first few."""

    shown = 10

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = [str(problem) for problem in problems[: self.shown]]
        if len(problems) > self.shown:
            lines.append(f"... and {len(problems) - self.shown} more")
        super().__init__("\n".join(lines))
        self.problems = tuple(problems)
