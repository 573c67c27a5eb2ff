"""Checks of numbers read from files, before they are used in answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.errors import DataError


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected shape and type of an array; `low` and `high` bound its values."""

    shape: tuple[int, ...]
    dtype: type[np.generic] = np.float32
    low: float = -np.inf
    high: float = np.inf


def check_array(name: str, array: NDArray[Any], expected: Expected | None = None) -> None:
    """Raise DataError that names the array if it is not as `expected`, or holds NaN or infinities."""
    if expected is not None and array.shape != expected.shape:
        raise DataError(f"{name}: has shape {array.shape}, and {expected.shape} is right")
    if expected is not None and array.dtype != expected.dtype:
        raise DataError(f"{name}: holds {array.dtype}, and {np.dtype(expected.dtype)} is right")
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name}: holds {array.dtype}, which are no numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{name}: holds NaN or infinities")
    if expected is not None and array.size and (array.min() < expected.low or array.max() > expected.high):
        raise DataError(f"{name}: {array.min()} .. {array.max()} is outside {expected.low} .. {expected.high}")


def parse_penalty(value: object) -> float:
    """Return a saved penalty. Raises DataError if it is no number above 0."""
    if not isinstance(value, float | int) or not 0 < value < np.inf:
        raise DataError(f"penalty: {value!r} is no number above 0")
    return float(value)


def check_matrix(name: str, matrix: csr_matrix, shape: tuple[int, int], dtype: type[np.generic] = np.float32) -> None:
    """Raise DataError that names the matrix if it is not `dtype` of `shape`, not finite, or has wrong indices."""
    if matrix.shape != shape:
        raise DataError(f"{name}: has shape {matrix.shape}, and {shape} is right")
    check_array(f"{name}_data", matrix.data, Expected((len(matrix.indices),), dtype))
    try:
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise DataError(f"{name}_indices: {error}") from None
