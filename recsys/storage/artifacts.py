"""Atomic writes of files and folders: after a crash, either the old or the new content is complete.

A file is written beside its target, flushed to the disk and renamed over it. A folder is staged beside its target and
swapped by renames; `recover_folder` finishes a swap that was killed half way. Formats are JSON, Parquet, and `.npy`
without objects; pickle is never read.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys.errors import DataError, ProjectError


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Yield a binary file that becomes `path` if the block succeeds, and is removed if it fails."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_write(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically as UTF-8; line ends stay as they are."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Write plain data as JSON with sorted keys, atomically. Raises ValueError for NaN and infinities."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises DataError if it is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON: {error}") from None


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as Parquet without its index, atomically; the same frame gives the same bytes."""
    with atomic_write(path) as file:
        frame.to_parquet(file, engine="pyarrow", compression="zstd", index=False)


def read_frame(path: Path) -> pd.DataFrame:
    """Read a frame from a Parquet file. Raises DataError if it is missing or not Parquet."""
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from None


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as `.npy`, atomically. Raises ValueError for arrays of objects."""
    with atomic_write(path) as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """Read an array from an `.npy` file; `mapped` leaves it on disk, read-only, until it is used.

    Raises DataError if the file is missing, truncated, larger than its header says, or holds pickled objects.
    """
    try:
        with path.open("rb") as file:
            _check_declared_size(file, path.stat().st_size)
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: not a plain .npy array: {error}") from None
    return array


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of an `.npz` file that is not compressed (`np.savez`), by name.

    Raises DataError if the file is missing, truncated, of another size than its header says, or holds anything else.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > path.stat().st_size:
                raise ValueError("its arrays would be larger than the file")
            arrays: dict[str, NDArray[Any]] = {}
            for member in members:
                with archive.open(member) as file:
                    _check_declared_size(file, member.file_size)
                with archive.open(member) as file:
                    arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(file, allow_pickle=False)
            return arrays
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    # An encrypted member raises RuntimeError, an unknown compression its subclass NotImplementedError.
    except (ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a plain .npz file: {error}") from None


def _check_declared_size(file: IO[bytes], size: int) -> None:
    """Check that a header declares as much memory as the `size` bytes of the file hold, before NumPy allocates it."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"format version {version}")
    declared, held = math.prod(shape) * dtype.itemsize, size - file.tell()
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which are not read (allow_pickle=False)")
    if declared != held or min(shape, default=0) < 0:
        raise ValueError(f"shape {shape} of {dtype} takes {declared} bytes, but the file has {held}")


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield a staging folder that becomes `target` if the block succeeds, and is removed if it fails.

    The old `target` is removed after the swap. A process killed at any moment leaves either folder complete: call
    `recover_folder(target)` before reading. Only one writer is allowed at a time: hold `exclusive_lock`.
    """
    recover_folder(target)
    staging = target.with_name(f".{target.name}.staging-{secrets.token_hex(8)}")
    staging.mkdir()
    try:
        yield staging
        for path in staging.rglob("*"):
            if path.is_dir():
                _sync_folder(path)
            else:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        _sync_folder(staging)
        staging.rename(_next(target))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _swap(target)


def recover_folder(target: Path) -> None:
    """Restore `target` after a kill: the new folder if the swap had begun, else the old one."""
    if not target.exists() and _next(target).exists():
        _swap(target)
    elif not target.exists() and _previous(target).exists():
        _previous(target).rename(target)
    for leftover in _leftovers(target):
        shutil.rmtree(leftover)


def needs_recovery(target: Path) -> bool:
    """Return True if a killed or running `replacing_folder` has left anything beside `target`."""
    return bool(_leftovers(target))


@contextmanager
def exclusive_lock(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the writer's lock of a folder; the system releases it when the process dies.

    Raises ProjectError at once if another process has it, unless `wait`.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise ProjectError(f"{folder}: another process is writing here; try again when it ends") from None
        yield
    finally:
        os.close(descriptor)


def _swap(target: Path) -> None:
    if target.exists():
        target.rename(_previous(target))
    _next(target).rename(target)
    _sync_folder(target.parent)
    shutil.rmtree(_previous(target), ignore_errors=True)


def _leftovers(target: Path) -> list[Path]:
    swap = [path for path in (_next(target), _previous(target)) if path.exists()]
    return swap + list(target.parent.glob(f".{target.name}.staging-*"))


def _next(target: Path) -> Path:
    return target.with_name(f".{target.name}.next")


def _previous(target: Path) -> Path:
    return target.with_name(f".{target.name}.previous")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
