"""Imports that are killed: the project then has the old data or the new, whole."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import recsys
from recsys.dataset.importers import import_data
from recsys.dataset.project import Project
from recsys.errors import ProjectError

REPOSITORY = Path(recsys.__file__).parents[1]
OLD, NEW = 3, 5

# Dies by SIGKILL just before or just after the nth call of a function that changes the folder.
KILLED_IMPORT = """
import os, signal, sys
from pathlib import Path
from recsys.dataset.importers import import_data
from recsys.dataset.project import Project

root, source, function, when, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
project = Project.open(root)
real, calls = getattr(os, function), 0

def deadly(*args, **kwargs):
    global calls
    calls += 1
    if calls == count and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*args, **kwargs)
    if calls == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(os, function, deadly)
import_data(project, items=source / "items.csv", interactions=source / "events.csv", users=source / "users.csv")
"""


def write_source(folder: Path, count: int, events_per_item: int = 1) -> Path:
    folder.mkdir()
    items = range(count)
    (folder / "items.csv").write_text("item_id\n" + "".join(f"{item}\n" for item in items))
    (folder / "users.csv").write_text("user_id\n" + "".join(f"u{item}\n" for item in items))
    with (folder / "events.csv").open("w") as file:
        file.write("user_id,item_id,event,timestamp\n")
        for item in items:
            file.writelines(f"u{item},{item},view,{1_700_000_000 + second}\n" for second in range(events_per_item))
    return folder


def import_all(project: Project, source: Path) -> None:
    import_data(
        project,
        items=source / "items.csv",
        interactions=source / "events.csv",
        users=source / "users.csv",
    )


def counts(root: Path) -> tuple[int, int, int]:
    project = Project.open(root)
    found = len(project.load_items()), len(project.load_interactions()), len(project.load_users())
    # Nothing of the killed import is left lying about.
    assert sorted(path.name for path in root.iterdir()) == ["data", "recsys.toml"]
    assert sorted(path.name for path in project.data.iterdir()) == [
        "interactions.parquet", "items.parquet", "users.parquet",
    ]  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("function", "when", "count", "left"),
    [
        ("fsync", "before", 1, OLD),  # the first table is half on its way
        ("replace", "after", 2, OLD),  # two of three tables are staged
        ("rename", "before", 1, OLD),  # all are staged
        ("rename", "after", 1, OLD),  # staged and marked as whole, the old still in place
        ("rename", "before", 3, NEW),  # the old is away, the new not yet there
        ("rename", "after", 3, NEW),  # swapped, the old not yet removed
        ("rmdir", "before", 1, NEW),  # the old half removed
    ],
)
def test_a_kill_at_each_step_of_the_swap(tmp_path: Path, function: str, when: str, count: int, left: int) -> None:
    project = Project.init(tmp_path / "shop", "shop")
    import_all(project, write_source(tmp_path / "old", OLD))
    source = write_source(tmp_path / "new", NEW)
    result = subprocess.run(
        [sys.executable, "-c", KILLED_IMPORT, str(project.root), str(source), function, when, str(count)],
        cwd=REPOSITORY,
        check=False,
    )
    assert result.returncode == -signal.SIGKILL
    assert counts(project.root) == (left, left, left)
    import_all(project, source)
    assert counts(project.root) == (NEW, NEW, NEW)


SHOPIFY = "Handle,Title,Variant SKU,Variant Price,Image Src,Status\n"


@pytest.mark.parametrize(
    ("function", "when", "count", "left"), [("rename", "after", 1, OLD), ("rename", "after", 3, NEW)]
)
def test_a_kill_during_the_import_of_exports(tmp_path: Path, function: str, when: str, count: int, left: int) -> None:
    project = Project.init(tmp_path / "shop", "shop")
    import_all(project, write_source(tmp_path / "old", OLD))
    source = write_source(tmp_path / "new", NEW)
    rows = "".join(f"h{item},T,{item},9.50,https://x.example/{item}.jpg,active\n" for item in range(NEW))
    (source / "items.csv").write_text(SHOPIFY + rows)
    subprocess.run(
        [sys.executable, "-c", KILLED_IMPORT, str(project.root), str(source), function, when, str(count)],
        cwd=REPOSITORY,
        check=False,
    )
    assert counts(project.root) == (left, left, left)


def test_a_first_import_that_is_killed_leaves_an_empty_project(tmp_path: Path) -> None:
    project = Project.init(tmp_path / "shop", "shop")
    source = write_source(tmp_path / "new", NEW)
    subprocess.run(
        [sys.executable, "-c", KILLED_IMPORT, str(project.root), str(source), "rename", "before", "1"],
        cwd=REPOSITORY,
        check=False,
    )
    reopened = Project.open(project.root)
    assert [path.name for path in project.root.iterdir()] == ["recsys.toml"]
    with pytest.raises(ProjectError, match="no items yet"):
        reopened.load_items()


def test_a_large_import_killed_at_any_moment(tmp_path: Path) -> None:
    project = Project.init(tmp_path / "shop", "shop")
    import_all(project, write_source(tmp_path / "old", OLD))
    source = write_source(tmp_path / "new", 200, events_per_item=1_000)
    whole = {(OLD, OLD, OLD), (200, 200_000, 200)}
    for attempt in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED_IMPORT, str(project.root), str(source), "rename", "after", "99"],
            cwd=REPOSITORY,
            stderr=subprocess.DEVNULL,
        ) as process:
            wait_for_staging(project, process)
            time.sleep(0.05 * attempt)
            process.kill()
        assert counts(project.root) in whole


def wait_for_staging(project: Project, process: subprocess.Popen[bytes]) -> None:
    """Until the import is writing its tables, or is over."""
    while process.poll() is None and not list(project.root.glob(".data.*")):
        time.sleep(0.002)


def test_a_full_disk_leaves_the_old_data_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.init(tmp_path / "shop", "shop")
    import_all(project, write_source(tmp_path / "old", OLD))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(ProjectError, match=r"No space left on device; nothing was imported"):
            import_all(project, write_source(tmp_path / "new", NEW))
    assert counts(project.root) == (OLD, OLD, OLD)
