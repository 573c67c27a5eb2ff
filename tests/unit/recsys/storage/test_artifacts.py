from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recsys
from recsys.errors import DataError, ProjectError
from recsys.storage.artifacts import (
    atomic_write,
    exclusive_lock,
    needs_recovery,
    read_array,
    read_arrays,
    read_frame,
    read_json,
    recover_folder,
    replacing_folder,
    sha256_file,
    write_array,
    write_frame,
    write_json,
    write_text,
)

REPOSITORY = Path(recsys.__file__).parents[1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.writelines([b"half of the new", None])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_written_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "ours", "")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_json_comes_back_and_its_bytes_do_not_depend_on_key_order(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1.5, "a": ["é", None]})
    write_json(tmp_path / "b.json", {"a": ["é", None], "b": 1.5})
    assert read_json(tmp_path / "a.json") == {"a": ["é", None], "b": 1.5}
    assert sha256_file(tmp_path / "a.json") == sha256_file(tmp_path / "b.json")


def test_json_refuses_nan_and_keeps_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json") == 1


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_frames_come_back_with_their_types(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["a", ""], "price": [1.5, np.nan], "n": np.array([1, 2], dtype=np.int64)})
    write_frame(tmp_path / "f.parquet", frame)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "f.parquet"), frame)


@pytest.mark.parametrize("mapped", [False, True])
def test_arrays_come_back(tmp_path: Path, mapped: bool) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_array(tmp_path / "a.npy", array)
    back = read_array(tmp_path / "a.npy", mapped=mapped)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, array)


def test_pickled_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        write_array(tmp_path / "a.npy", objects)
    assert names(tmp_path) == []
    np.save(tmp_path / "b.npy", objects, allow_pickle=True)
    with pytest.raises(DataError, match=r"b\.npy: not a plain"):
        read_array(tmp_path / "b.npy")


@pytest.mark.parametrize("read", [read_json, read_frame, read_array])
@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_a_damaged_or_missing_file_is_named(tmp_path: Path, read: object, content: bytes | None) -> None:
    path = tmp_path / "damaged"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read(path)  # type: ignore[operator]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "data"
    for content in ("old", "new"):
        with replacing_folder(target) as staging:
            (staging / content).write_text(content)
    assert names(target) == ["new"]
    assert names(tmp_path) == ["data"]


def test_a_failed_replacement_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "data"
    with replacing_folder(target) as staging:
        (staging / "old").write_text("")
    with pytest.raises(FileNotFoundError), replacing_folder(target) as staging:
        write_text(staging / "no such folder" / "new", "")
    assert names(target) == ["old"]
    assert names(tmp_path) == ["data"]


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (["data", ".data.staging-1"], "data"),
        (["data", ".data.next"], "data"),
        ([".data.next"], ".data.next"),
        ([".data.next", ".data.previous"], ".data.next"),
        (["data", ".data.previous"], "data"),
        ([".data.previous"], ".data.previous"),
    ],
)
def test_recovery_from_every_state_a_kill_can_leave(tmp_path: Path, left: list[str], kept: str) -> None:
    for name in left:
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    assert needs_recovery(tmp_path / "data")
    recover_folder(tmp_path / "data")
    assert names(tmp_path) == ["data"]
    assert (tmp_path / "data" / "who").read_text() == kept
    assert not needs_recovery(tmp_path / "data")


def test_one_writer_at_a_time_and_the_dead_hold_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from recsys.storage.artifacts import exclusive_lock\n"
        "with exclusive_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ProjectError, match="another process"), exclusive_lock(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with exclusive_lock(tmp_path):
        assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_archives_of_arrays_come_back(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.int64).reshape(2, 3), "b": np.float64(2.5), "c": np.zeros((0, 4), np.float32)}
    np.savez(tmp_path / "a.npz", allow_pickle=False, **arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert sorted(found) == ["a", "b", "c"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY"])
def test_what_is_no_archive_of_arrays_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz: not a plain \.npz file"):
        read_arrays(tmp_path / "a.npz")
    with pytest.raises(DataError, match="cannot be read"):
        read_arrays(tmp_path / "absent.npz")


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("shape", [(10**15,), (2, 2), (3,), (-4,)])
def test_a_header_that_lies_about_its_size_is_refused(tmp_path: Path, shape: tuple[int, ...], mapped: bool) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.write(bytes(4 * 5))
    with pytest.raises(
        DataError, match=r"a\.npy: not a plain \.npy array: shape .* takes .* bytes, but the file has 20"
    ):
        read_array(tmp_path / "a.npy", mapped=mapped)
