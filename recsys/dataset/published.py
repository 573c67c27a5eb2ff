"""A published split without a project of one's own: two files, for as long as they are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys.dataset.importers import FileFormat, import_data
from recsys.dataset.project import Project


@contextmanager
def published_split(train: Path, test: Path, file_format: FileFormat | None = None) -> Iterator[Project]:
    """A project in a temporary folder that holds both files as the parts of a split; the folder goes with the block.

    The catalog is made of the ids in the events. Raises like `import_data`.
    """
    with TemporaryDirectory(prefix="recsys-") as folder:
        project = Project.init(Path(folder) / "project", "published split")
        import_data(project, interactions=train, test_interactions=test, file_format=file_format, items_of_events=True)
        yield project
