"""Imports: files in one of `FileFormat` become the project's tables, either all of them or none.

`readers` turns files into raw tables of text; `parsing` checks and types them; `run` combines and stores them.
"""

from recsys.dataset.importers.options import ImportMode, ImportOptions
from recsys.dataset.importers.readers.formats import FileFormat
from recsys.dataset.importers.report import ImportReport
from recsys.dataset.importers.run import import_data
from recsys.dataset.importers.values import DateOrder

__all__ = ["DateOrder", "FileFormat", "ImportMode", "ImportOptions", "ImportReport", "import_data"]
