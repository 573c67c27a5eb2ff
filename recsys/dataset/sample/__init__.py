"""Sample shop that ships with the package: a synthetic catalog with photos, users and events.

`data/README.md` in the source tree is its data card. The hidden truth (surface style of each item, preferred styles
of each user) is in separate files: it is for judging results, never for training.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pandas as pd

from recsys.errors import DataError
from recsys.schema import ITEM_ID, USER_ID


def sample_folder() -> Path:
    """Return the folder with `items.csv`, `users.csv`, `interactions.csv`, `styles.csv`, `images/` and `styles/`.

    Image paths in the tables are relative to it. Raises DataError if the package was installed without it.
    """
    folder = Path(str(files(__name__))) / "files"
    if not (folder / "items.csv").is_file():
        raise DataError(f"{folder}: the sample is missing; install the package again, not as a zip file")
    return folder


def items_file() -> Path:
    """Return the path of the catalog, one row per product."""
    return sample_folder() / "items.csv"


def users_file() -> Path:
    """Return the path of the users, one row each."""
    return sample_folder() / "users.csv"


def interactions_file() -> Path:
    """Return the path of the events, one row each, in the order of time."""
    return sample_folder() / "interactions.csv"


def styles_file() -> Path:
    """Return the path of the style references, one row each; scenes are separated by `|`."""
    return sample_folder() / "styles.csv"


def load_truth() -> pd.DataFrame:
    """Load the hidden truth of the items: `item_id`, `surface_style`."""
    return pd.read_csv(sample_folder() / "truth_items.csv", dtype={ITEM_ID: str})


def load_user_truth() -> pd.DataFrame:
    """Load the hidden truth of the users: `user_id`, `style`, `second_style` ("" for none), `style_share` in (0, 1]."""
    return pd.read_csv(sample_folder() / "truth_users.csv", dtype={USER_ID: str}, keep_default_na=False)
