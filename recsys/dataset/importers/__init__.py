"""Imports: CSV, Parquet and RecBole's atomic files become the project's tables, whole or not at all."""

from recsys.dataset.importers.report import ImportReport
from recsys.dataset.importers.run import ImportMode, import_data

__all__ = ["ImportMode", "ImportReport", "import_data"]
