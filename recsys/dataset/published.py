"""Published splits without a project folder: a train and a test file in a temporary project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from recsys.dataset.importers import FileFormat, ImportOptions, import_data
from recsys.dataset.project import Project


@contextmanager
def published_split(train: Path, test: Path, file_format: FileFormat | None = None) -> Iterator[Project]:
    """Yield a project in a temporary folder with both files as the parts of a split; the block's end deletes it.

    The catalog is built from the ids in the events. Raises like `import_data`.
    """
    with TemporaryDirectory(prefix="recsys-") as folder:
        project = Project.init(Path(folder) / "project", "published split")
        import_data(
            project,
            interactions=train,
            test_interactions=test,
            options=ImportOptions(file_format=file_format, items_of_events=True),
        )
        yield project
