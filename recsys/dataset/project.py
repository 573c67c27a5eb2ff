"""The project folder: settings, imported data, bundles, and where everything lies.

<project>/recsys.toml      settings
<project>/data/            items.parquet, interactions.parquet, users.parquet; swapped as one by imports
<project>/rejects/         rows that imports with `skip_bad` left out, and why
<project>/bundles/         what is trained
<project>/styles/          style references (optional)
<project>/experiments/     experiments, a TOML file each (optional)
<project>/engines/         engines trained for it, a folder each (optional)
<project>/live/            the database of what arrives while the service runs, unless it is a server; uploaded pictures
<project>/cache/           restyled pictures; may be deleted
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from recsys.config import ProjectSettings, Settings, load_settings
from recsys.dataset.splits import PART, Part
from recsys.errors import ConfigError, DataError, ProjectError
from recsys.schema import EVENT, INTERACTION_COLUMNS, ITEM_COLUMNS, ITEM_ID, TIMESTAMP, USER_COLUMNS, USER_ID
from recsys.storage.artifacts import (
    exclusive_lock,
    needs_recovery,
    read_frame,
    recover_folder,
    write_text,
)
from recsys.storage.toml_edit import toml_value
from style.transfer.engine_names import ENGINE_NAMES, trained_names

if TYPE_CHECKING:
    from recsys.storage.live.events import EventStore

SETTINGS_FILE = "recsys.toml"
ITEMS_FILE = "items.parquet"
INTERACTIONS_FILE = "interactions.parquet"
USERS_FILE = "users.parquet"
DATABASE_FILE = "live.db"


@dataclass(frozen=True, slots=True)
class Project:
    """An open project folder. `root` is absolute."""

    root: Path
    settings: ProjectSettings

    @classmethod
    def init(cls, path: Path, name: str) -> Project:
        """Make a project at `path` (created if absent) with default settings, and open it.

        Raises ProjectError where there is one already, ConfigError where `name` is blank or unprintable.
        """
        if not name.strip() or not name.isprintable():
            raise ConfigError(f"project name {name!r}: use at least one visible character, and no control codes")
        if (path / SETTINGS_FILE).exists():
            raise ProjectError(f"{path}: there is a project already; choose another folder or open this one")
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_text(path / SETTINGS_FILE, settings_template(ProjectSettings(name=name)))
        except OSError as error:
            raise ProjectError(f"{path}: cannot make a project here: {error.strerror}") from None
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Project:
        """Open a project, first finishing or undoing an import that was killed.

        Raises ProjectError where `path` is no project, ConfigError where its settings are wrong.
        """
        root = path.absolute()
        if not (root / SETTINGS_FILE).is_file():
            raise ProjectError(f"{path}: not a project (it has no {SETTINGS_FILE}); `recsys init` makes one")
        project = cls(root, load_settings(root / SETTINGS_FILE))
        if needs_recovery(project.data):
            # Locked means that an import is at work, not dead: what it leaves is its own.
            with suppress(ProjectError), exclusive_lock(root):
                recover_folder(project.data)
        return project

    @property
    def data(self) -> Path:
        """The folder of imported tables; absent before the first import."""
        return self.root / "data"

    @property
    def items_file(self) -> Path:
        """The catalog; columns `ITEM_COLUMNS` and attributes."""
        return self.data / ITEMS_FILE

    @property
    def interactions_file(self) -> Path:
        """The interactions; columns `INTERACTION_COLUMNS` and perhaps `rating`."""
        return self.data / INTERACTIONS_FILE

    @property
    def users_file(self) -> Path:
        """The people; columns `USER_COLUMNS` and attributes."""
        return self.data / USERS_FILE

    @property
    def rejects(self) -> Path:
        """Rows that imports left out, one CSV for each import that had some."""
        return self.root / "rejects"

    @property
    def bundles(self) -> Path:
        """What is trained."""
        return self.root / "bundles"

    @property
    def styles(self) -> Path:
        """Style references; optional."""
        return self.root / "styles"

    @property
    def experiments(self) -> Path:
        """Experiments, a TOML file each; absent before the first one."""
        return self.root / "experiments"

    @property
    def engines(self) -> Path:
        """Engines that were trained for this project, a folder each; absent before the first one."""
        return self.root / "engines"

    @property
    def engine_names(self) -> tuple[str, ...]:
        """What `restyle.engine` may be: the engines that ship, then those that were trained for this project."""
        return (*ENGINE_NAMES, *trained_names(self.engines))

    @property
    def live(self) -> Path:
        """What arrives while the service runs: the database, unless it is a server, and uploaded pictures."""
        return self.root / "live"

    @property
    def database_url(self) -> str:
        """Where live data are kept: the setting, or SQLite in the folder `live`."""
        return self.settings.storage.database or f"sqlite:///{self.live / DATABASE_FILE}"

    @property
    def cache(self) -> Path:
        """Restyled pictures; may be deleted at any time."""
        return self.root / "cache"

    def load_items(self) -> pd.DataFrame:
        """The catalog as it is now, sorted by `item_id`; see `recsys.schema.ITEM_COLUMNS`.

        Raises ProjectError before the first import, DataError where the file is damaged.
        """
        return self.load_catalog()[0]

    def load_catalog(self) -> tuple[pd.DataFrame, int]:
        """What `load_items` gives, and the seq of the last live change of an item that is in it (0: none).

        What was put or deleted while the service ran stands above what was imported. Raises like `load_items`.
        """
        imported = self.load_imported_items()
        if not self.has_live_data:
            return imported, 0
        # Projects without live data do without the time that the libraries of databases take to load.
        from recsys.dataset.live import with_live_items
        from recsys.storage.database import Database
        from recsys.storage.live.items import LiveItems

        with closing(Database.open(self.database_url)) as database:
            changes = LiveItems(database).changes(0)
        return with_live_items(imported, changes), changes[-1].seq if changes else 0

    def load_imported_items(self) -> pd.DataFrame:
        """The catalog as it was imported last, without live changes. Raises like `load_items`."""
        return _load(self.items_file, ITEM_COLUMNS, "items")

    def load_imported_interactions(self) -> pd.DataFrame:
        """What was imported, by time; see `recsys.schema.INTERACTION_COLUMNS`. Raises like `load_items`."""
        return _load(self.interactions_file, INTERACTION_COLUMNS, "interactions")

    def load_interactions(self, through: int | None = None) -> pd.DataFrame:
        """What was imported and what came live since, by time; see `recsys.schema.INTERACTION_COLUMNS`.

        Live events are those up to the number `through` (default: all). Once there is a database of live data, what
        is about items that the catalog does not have is left out, and live events alone will do. An event that was
        sent live is not to be imported as well: it would count twice. Raises like `load_items`, and StorageError
        where the database cannot be read.
        """
        if not self.has_live_data:
            return self.load_imported_interactions()
        with self._opened_events() as events:
            frame = events.frame(self.settings.events, through)
        if self.interactions_file.exists():
            frame = _joined(self.load_imported_interactions(), frame)
        known = frame[ITEM_ID].isin(self.load_items()[ITEM_ID])
        return frame if known.all() else frame[known].reset_index(drop=True)

    def last_event(self) -> int:
        """The number of the newest live event; 0 without any. Raises StorageError."""
        if not self.has_live_data:
            return 0
        with self._opened_events() as events:
            return events.last_seq()

    @property
    def has_live_data(self) -> bool:
        """Whether there is a database of live data; asking makes none."""
        return bool(self.settings.storage.database) or (self.live / DATABASE_FILE).exists()

    @contextmanager
    def _opened_events(self) -> Iterator[EventStore]:
        # Projects without live data do without the time that the libraries of databases take to load.
        from recsys.storage.database import Database
        from recsys.storage.live.events import EventStore

        database = Database.open(self.database_url)
        try:
            yield EventStore(database)
        finally:
            database.close()

    def load_users(self) -> pd.DataFrame:
        """The people, sorted by `user_id`; see `recsys.schema.USER_COLUMNS`. Raises like `load_items`."""
        return _load(self.users_file, USER_COLUMNS, "users")

    def resolve_image(self, image: str | Path) -> Path:
        """The absolute path of a catalog's `image`: relative ones start at the project folder.

        Raises DataError for the empty path of an item without a picture.
        """
        if not str(image):
            raise DataError("this item has no image: its `image` is empty")
        return self.root / image

    def image_reference(self, path: Path) -> str:
        """How the catalog names a picture: relative to the project where it lies inside, else absolute."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return str(path)


def settings_template(settings: ProjectSettings) -> str:
    """`recsys.toml` that holds these settings, each section under its own documentation."""
    values = {name: getattr(settings, name) for name in ProjectSettings.model_fields}
    plain = {name: value for name, value in values.items() if not isinstance(value, Settings)}
    lines = ["# Settings of a recsys project. A line or section that is removed takes its default.", ""]
    lines += [f"{name} = {toml_value(value)}" for name, value in plain.items()]
    for name, section in values.items():
        if isinstance(section, Settings):
            lines += ["", *_comment(section), f"[{name}]"]
            lines += [f"{key} = {toml_value(getattr(section, key))}" for key in type(section).model_fields]
    return "\n".join(lines) + "\n"


def _comment(section: Settings) -> list[str]:
    text = (type(section).__doc__ or "").strip()
    return [f"# {line.strip()}".rstrip() for line in text.splitlines()]


def _joined(imported: pd.DataFrame, live: pd.DataFrame) -> pd.DataFrame:
    if live.empty:
        return imported
    if PART in imported:
        live = live.assign(**{PART: Part.TRAIN.value})
    order = [TIMESTAMP, USER_ID, ITEM_ID, EVENT]
    return pd.concat([imported, live]).sort_values(order, kind="stable", ignore_index=True)


def _load(path: Path, columns: tuple[str, ...], table: str) -> pd.DataFrame:
    if not path.exists():
        raise ProjectError(f"{path}: no {table} yet; `recsys import --{table} FILE` brings them in")
    frame = read_frame(path)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; import the {table} again")
    return frame
