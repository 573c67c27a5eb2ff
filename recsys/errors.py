"""What can go wrong with people, products and decisions.

    RecsysError
    ├── ConfigError            a setting is missing, unknown or out of range
    │   └── ExperimentError    an experiment is declared wrongly, or its state forbids what is asked
    ├── DataError              input data is wrong: names file, row and field
    │   └── BadRowsError       some rows of an import are wrong; carries every problem found
    ├── ProjectError           a project folder is missing or in the wrong state
    ├── BundleError            a bundle is missing, incomplete or fails its hashes
    ├── UnknownIdError         an id that the catalog or the interactions do not have
    ├── NotFittedError         a model was used before it was fitted
    ├── RequestError           a recommendation request asks for something impossible
    ├── StorageError           the database of live data cannot be reached, read or written
    │   └── StorageFullError   the disk or the quota is full; the same call works once there is room
    └── MissingExtraError      an optional dependency is needed; names the extra

Every message says what was wrong, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class RecsysError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigError(RecsysError):
    """A setting is missing, unknown or out of range."""


class ExperimentError(ConfigError):
    """An experiment is declared wrongly, or its state forbids what is asked."""


class ProjectError(RecsysError):
    """A project folder is missing or in the wrong state."""


class BundleError(RecsysError):
    """A bundle is missing, incomplete or fails its hashes."""


class UnknownIdError(RecsysError):
    """An id that the catalog or the interactions do not have."""

    def __init__(self, kind: str, value: str) -> None:
        super().__init__(f"unknown {kind} {value!r}: it is not in the data this bundle was built from")
        self.kind = kind
        self.value = value


class NotFittedError(RecsysError):
    """A model was used before it was fitted."""

    def __init__(self, model: str) -> None:
        super().__init__(f"{model} is not fitted: call fit(...) or load(...) first")


class RequestError(RecsysError):
    """A recommendation request asks for something impossible; `field` names the parameter."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class StorageError(RecsysError):
    """The database of live data cannot be reached, read or written."""


class StorageFullError(StorageError):
    """The disk or the quota is full; the same call works once there is room."""


class MissingExtraError(RecsysError):
    """An optional dependency is needed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'style-recsys[{extra}]'")


class DataError(RecsysError):
    """Input data is wrong."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One defect of the input: where it is and what to do.

    `row` is the line number in the file as an editor shows it (the header is line 1 of a CSV), or None where
    the defect is the file's own. `field` is the column, or None.
    """

    file: Path
    row: int | None
    field: str | None
    message: str

    def __str__(self) -> str:
        place = str(self.file)
        if self.row is not None:
            place += f", row {self.row}"
        if self.field is not None:
            place += f", column {self.field!r}"
        return f"{place}: {self.message}"


class BadRowsError(DataError):
    """Some rows of an import are wrong. `problems` has every one; the message shows the first few."""

    shown = 10

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = [str(problem) for problem in problems[: self.shown]]
        if len(problems) > self.shown:
            lines.append(f"... and {len(problems) - self.shown} more")
        super().__init__("\n".join(lines))
        self.problems = tuple(problems)
