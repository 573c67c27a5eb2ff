"""Download images that items name by web addresses: the only part of the package that opens addresses from data.

`connection` decides where it may connect, `download` brings one address to one file, `run` does all items of a project.
"""

from recsys.dataset.fetch.connection import FetchLimits
from recsys.dataset.fetch.run import FetchReport, fetch_images

__all__ = ["FetchLimits", "FetchReport", "fetch_images"]
