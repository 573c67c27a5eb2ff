"""Imports: files in one of `FileFormat` become the project's tables, whole or not at all."""

from recsys.dataset.importers.formats import FileFormat
from recsys.dataset.importers.report import ImportReport
from recsys.dataset.importers.run import ImportMode, import_data

__all__ = ["FileFormat", "ImportMode", "ImportReport", "import_data"]
