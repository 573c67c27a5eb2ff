"""Project folder: settings, imported data, bundles and all other paths.

<project>/recsys.toml      settings
<project>/data/            items.parquet, interactions.parquet, users.parquet; imports swap them together
<project>/rejects/         rows that imports with `skip_bad` left out, with reasons
<project>/bundles/         trained models
<project>/styles/          style references (optional)
<project>/experiments/     experiments, one TOML file each (optional)
<project>/engines/         engines trained for the project, one folder each (optional)
<project>/live/            database of live data, unless that is on a server; uploaded images
<project>/cache/           restyled images; may be deleted
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from recsys.config import ProjectSettings, Settings, load_settings
from recsys.dataset.splits import SPLIT_PART, SplitPart
from recsys.errors import ConfigError, DataError, ProjectError
from recsys.schema import EVENT, INTERACTION_COLUMNS, ITEM_COLUMNS, ITEM_ID, OLD_ID, TIMESTAMP, USER_COLUMNS, USER_ID
from recsys.storage.artifacts import (
    exclusive_lock,
    needs_recovery,
    read_frame,
    recover_folder,
    write_text,
)
from recsys.storage.toml_edit import format_toml_value
from style.transfer.engine_names import ENGINE_NAMES, trained_names

if TYPE_CHECKING:
    from recsys.storage.live.events import EventStore

SETTINGS_FILE = "recsys.toml"
ITEMS_FILE = "items.parquet"
INTERACTIONS_FILE = "interactions.parquet"
USERS_FILE = "users.parquet"
ALIASES_FILE = "aliases.parquet"
DATABASE_FILE = "live.db"


@dataclass(frozen=True, slots=True)
class Project:
    """Open project folder. `root` is absolute."""

    root: Path
    settings: ProjectSettings

    @classmethod
    def init(cls, path: Path, name: str) -> Project:
        """Create a project with default settings at `path` (created if absent), and open it.

        Raises ProjectError if there is one already, ConfigError if `name` is blank or unprintable.
        """
        if not name.strip() or not name.isprintable():
            raise ConfigError(f"project name {name!r}: use at least one visible character, and no control codes")
        if (path / SETTINGS_FILE).exists():
            raise ProjectError(f"{path}: is a project already; choose another folder or open this one")
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_text(path / SETTINGS_FILE, settings_template(ProjectSettings(name=name)))
        except OSError as error:
            raise ProjectError(f"{path}: cannot create a project here: {error.strerror}") from None
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Project:
        """Open a project, after finishing or undoing an import that was killed.

        Raises ProjectError if `path` is not a project, ConfigError if its settings are wrong.
        """
        root = path.absolute()
        if not (root / SETTINGS_FILE).is_file():
            raise ProjectError(f"{path}: not a project (it has no {SETTINGS_FILE}); create one with `recsys init`")
        project = cls(root, load_settings(root / SETTINGS_FILE))
        if needs_recovery(project.data):
            # A locked project has an import at work, not a dead one: its files are left alone.
            with suppress(ProjectError), exclusive_lock(root):
                recover_folder(project.data)
        return project

    @property
    def data(self) -> Path:
        """Return the folder of imported tables; absent before the first import."""
        return self.root / "data"

    @property
    def items_file(self) -> Path:
        """Return the path of the catalog; columns `ITEM_COLUMNS` and attributes."""
        return self.data / ITEMS_FILE

    @property
    def interactions_file(self) -> Path:
        """Return the path of the interactions; columns `INTERACTION_COLUMNS` and perhaps `rating`."""
        return self.data / INTERACTIONS_FILE

    @property
    def users_file(self) -> Path:
        """Return the path of the users; columns `USER_COLUMNS` and attributes."""
        return self.data / USERS_FILE

    @property
    def rejects(self) -> Path:
        """Return the folder of rows that imports left out, one CSV file per table and import."""
        return self.root / "rejects"

    @property
    def bundles(self) -> Path:
        """Return the folder of bundles."""
        return self.root / "bundles"

    @property
    def styles(self) -> Path:
        """Return the folder of style references; it may be absent."""
        return self.root / "styles"

    @property
    def experiments(self) -> Path:
        """Return the folder of experiments, one TOML file each; absent before the first one."""
        return self.root / "experiments"

    @property
    def engines(self) -> Path:
        """Return the folder of engines that were trained for this project; absent before the first one."""
        return self.root / "engines"

    @property
    def engine_names(self) -> tuple[str, ...]:
        """Return the values of `restyle.engine`: the engines that ship, then those trained for this project."""
        return (*ENGINE_NAMES, *trained_names(self.engines))

    @property
    def live(self) -> Path:
        """Return the folder of live data: the database, unless it is on a server, and uploaded images."""
        return self.root / "live"

    @property
    def database_url(self) -> str:
        """Return the address of the database of live data: the setting, or SQLite in the folder `live`."""
        return self.settings.storage.database or f"sqlite:///{self.live / DATABASE_FILE}"

    @property
    def cache(self) -> Path:
        """Return the folder of cached restyled images; it may be deleted at any time."""
        return self.root / "cache"

    def load_items(self) -> pd.DataFrame:
        """Load the current catalog, sorted by `item_id`; see `recsys.schema.ITEM_COLUMNS`.

        Raises ProjectError before the first import, DataError if the file is damaged.
        """
        return self.load_catalog()[0]

    def load_catalog(self) -> tuple[pd.DataFrame, int]:
        """Load the current catalog and the number of the last live change that it includes (0: none).

        Items that were put or deleted while the service ran override imported ones. Raises like `load_items`.
        """
        imported = self.load_imported_items()
        if not self.has_live_data:
            return imported, 0
        # Loaded here: database libraries are slow to import, and projects without live data do not need them.
        from recsys.dataset.live import apply_live_items
        from recsys.storage.database import Database
        from recsys.storage.live.items import ItemStore

        with closing(Database.open(self.database_url)) as database:
            changes = ItemStore(database).changes(0)
        return apply_live_items(imported, changes), changes[-1].seq if changes else 0

    def load_imported_items(self) -> pd.DataFrame:
        """Load the catalog of the last import, without live changes. Raises like `load_items`."""
        return _load_table(self.items_file, ITEM_COLUMNS, "items")

    def load_imported_interactions(self) -> pd.DataFrame:
        """Load imported events, by time; see `recsys.schema.INTERACTION_COLUMNS`. Raises like `load_items`."""
        return _load_table(self.interactions_file, INTERACTION_COLUMNS, "interactions")

    def load_interactions(self, through: int | None = None) -> pd.DataFrame:
        """Load imported and live events, by time; see `recsys.schema.INTERACTION_COLUMNS`.

        With a database of live data, events with items that the catalog does not have are left out, and no imported
        events are needed. Do not import events that were sent live: they would count twice.

        Args:
            through: number of the last live event to load; default: all.

        Raises:
            ProjectError: nothing was imported yet.
            DataError: a file is damaged.
            StorageError: the database cannot be read.
        """
        aliases_file = self.data / ALIASES_FILE
        if not self.has_live_data and not aliases_file.exists():
            return self.load_imported_interactions()
        from recsys.dataset.undo import standing_events, with_remaining_ids

        merged = {}
        if aliases_file.exists():
            aliases = self.load_aliases()
            merged = dict(zip(aliases[OLD_ID], aliases[USER_ID], strict=True))
        if not self.has_live_data:
            frame = self.load_imported_interactions()
        else:
            from recsys.storage.live.merges import MergeStore

            with self._open_events() as events:
                frame = events.frame(self.settings.events, through)
                live = MergeStore(events.database).mapping()
            merged = {old: live.get(user, user) for old, user in merged.items()} | dict(live)
            if self.interactions_file.exists():
                imported = self.load_imported_interactions()
                if frame.empty:
                    frame = imported
                else:
                    if SPLIT_PART in imported:
                        frame = frame.assign(**{SPLIT_PART: SplitPart.TRAIN.value})
                    frame = pd.concat([imported, frame], ignore_index=True)
        frame = with_remaining_ids(frame, merged)
        # Imported events came first; live ones may take them back.
        frame = standing_events(frame).frame
        frame = frame.sort_values([TIMESTAMP, USER_ID, ITEM_ID, EVENT], kind="stable", ignore_index=True)
        known = frame[ITEM_ID].isin(self.load_items()[ITEM_ID])
        return frame if known.all() else frame[known].reset_index(drop=True)

    def last_event(self) -> int:
        """Return the number of the newest live event; 0 without any. Raises StorageError."""
        if not self.has_live_data:
            return 0
        with self._open_events() as events:
            return events.last_seq()

    @property
    def has_live_data(self) -> bool:
        """Return True if there is a database of live data; this call creates none."""
        return bool(self.settings.storage.database) or (self.live / DATABASE_FILE).exists()

    @contextmanager
    def _open_events(self) -> Iterator[EventStore]:
        # Loaded here: database libraries are slow to import, and projects without live data do not need them.
        from recsys.storage.database import Database
        from recsys.storage.live.events import EventStore

        with closing(Database.open(self.database_url)) as database:
            yield EventStore(database)

    def load_users(self) -> pd.DataFrame:
        """Load users, sorted by `user_id`; see `recsys.schema.USER_COLUMNS`. Raises like `load_items`."""
        return _load_table(self.users_file, USER_COLUMNS, "users")

    def load_aliases(self) -> pd.DataFrame:
        """Load imported ids of visitors, each with its user: `old_id`, `user_id`. Raises like `load_items`."""
        return _load_table(self.data / ALIASES_FILE, (OLD_ID, USER_ID), "aliases")

    def resolve_image(self, image: str | Path) -> Path:
        """Return the absolute path of a catalog's `image`; relative ones start at the project folder.

        Raises DataError for the empty path of an item without an image.
        """
        if not str(image):
            raise DataError("this item has no image: its `image` is empty")
        return self.root / image

    def image_reference(self, path: Path) -> str:
        """Return the `image` value for a file: relative to the project if it is inside, else absolute."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return str(path)


def settings_template(settings: ProjectSettings) -> str:
    """Return the text of `recsys.toml` with these settings, each section and setting below its documentation."""
    values = {name: getattr(settings, name) for name in ProjectSettings.model_fields}
    plain = {name: value for name, value in values.items() if not isinstance(value, Settings)}
    lines = ["# Settings of a recsys project. A line or section that is removed takes its default.", ""]
    lines += _format_settings(settings, list(plain))
    for name, section in values.items():
        if isinstance(section, Settings):
            text = (type(section).__doc__ or "").strip()
            lines += ["", *(f"# {line.strip()}".rstrip() for line in text.splitlines()), f"[{name}]"]
            lines += _format_settings(section, list(type(section).model_fields))
    return "\n".join(lines) + "\n"


def _format_settings(section: Settings, names: list[str]) -> list[str]:
    docs = section.field_docs()
    lines = []
    for name in names:
        lines += textwrap.wrap(docs[name], 118, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
        lines.append(f"{name} = {format_toml_value(getattr(section, name))}")
    return lines


def _load_table(path: Path, columns: tuple[str, ...], table: str) -> pd.DataFrame:
    if not path.exists():
        raise ProjectError(f"{path}: no {table} yet; import them with `recsys import --{table} FILE`")
    frame = read_frame(path)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; import the {table} again")
    return frame
