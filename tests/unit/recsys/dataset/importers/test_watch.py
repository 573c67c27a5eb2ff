"""Files that change: complete versions are imported once, and bad ones change nothing."""

from __future__ import annotations

from pathlib import Path

from recsys.dataset.importers import import_data
from recsys.dataset.importers.watch import WATCH_FILE, FileWatch
from recsys.dataset.project import Project
from tests.unit.recsys.dataset.conftest import Write


def watch_of(project: Project, path: Path, said: list[str]) -> FileWatch:
    return FileWatch([path], project.cache / WATCH_FILE, lambda: import_data(project, items=path), said.append)


def titles(project: Project) -> list[str]:
    return project.load_items()["title"].tolist()


def test_a_version_is_imported_once_it_is_complete(project: Project, write: Write, tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "items.csv"
    watch = watch_of(project, path, said)
    assert not watch.poll()
    assert not watch.poll()
    assert said == [f"waiting for {path}: No such file or directory"]
    write("items.csv", "item_id,title\n1,O")
    assert not watch.poll()
    write("items.csv", "item_id,title\n1,One\n2,Two\n")
    assert not watch.poll()
    assert watch.poll()
    assert titles(project) == ["One", "Two"]
    assert not watch.poll()
    # After a restart, the same version is not imported again.
    again = watch_of(project, path, said)
    assert [again.poll() for _ in range(3)] == [False] * 3


def test_a_bad_version_keeps_the_data_of_before_and_says_why(project: Project, write: Write) -> None:
    said: list[str] = []
    path = write("items.csv", "item_id,title,price\n1,One,1\n")
    watch = watch_of(project, path, said)
    assert [watch.poll() for _ in range(2)] == [False, True]
    write("items.csv", "item_id,title,price\n1,Changed,many\n")
    assert [watch.poll() for _ in range(4)] == [False] * 4
    (line,) = said
    assert line.startswith("not imported, and the data of before stay: ")
    assert "row 2, column 'price'" in line
    assert titles(project) == ["One"]
    write("items.csv", "item_id,title,price\n1,Mended,2.5\n")
    assert [watch.poll() for _ in range(2)] == [False, True]
    assert titles(project) == ["Mended"]
