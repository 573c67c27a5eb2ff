"""Import files into a project: read, check and combine them, then swap the data folder as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.dataset.bots import describe_suspects
from recsys.dataset.importers.options import ImportOptions, ImportSources, RawTables
from recsys.dataset.importers.parsing import (
    ParsedTable,
    build_aliases,
    build_catalog,
    build_catalog_of_events,
    build_interactions,
    build_reviews,
    build_users,
    drop_orphans,
)
from recsys.dataset.importers.readers.formats import CATALOG_FREE, Source
from recsys.dataset.importers.rejects import problem_order, write_rejects
from recsys.dataset.importers.report import PREVIEW_ROWS, ImportReport
from recsys.dataset.project import ALIASES_FILE, INTERACTIONS_FILE, ITEMS_FILE, USERS_FILE, Project
from recsys.errors import BadRowsError, DataError, ProjectError
from recsys.schema import EVENT, IMAGE, TIMESTAMP
from recsys.storage.artifacts import exclusive_lock, replacing_folder, write_frame

_ITEMS, _INTERACTIONS, _USERS, _REVIEWS, _ALIASES = "items", "interactions", "users", "reviews", "aliases"
_FILES = {_ITEMS: ITEMS_FILE, _INTERACTIONS: INTERACTIONS_FILE, _USERS: USERS_FILE, _ALIASES: ALIASES_FILE}


def import_data(
    project: Project,
    *,
    items: Source | Sequence[Source] | None = None,
    interactions: Source | None = None,
    test_interactions: Source | None = None,
    users: Source | None = None,
    reviews: Source | None = None,
    aliases: Source | None = None,
    options: ImportOptions | None = None,
) -> ImportReport:
    """Import files or DataFrames into a project, either all of them or, after an error, none.

    Tables without a file stay as they are. A row with any problem is bad as a whole. An image that cannot be decoded
    costs itself: its item is imported without one, and the image is listed in the `rejects` folder. With
    `options.skip_bad`, bad rows and interactions with their items go to that folder, too. A format without a catalog
    builds one from the ids in its events if neither the project nor the import has items.

    Args:
        project: receives the tables.
        items: one or more files of one catalog. Rows are matched by id; if two files have a value, the earlier
            file's value is used.
        interactions: events or ratings.
        test_interactions: test part of a published split; `interactions` is then its train part.
        users: users and their attributes.
        reviews: texts about items. They become an attribute of these items; new items without reviews have none.
        aliases: ids of visitors (`old_id`) with the user (`user_id`) that each is; events of both count for the user.
        options: default: replace the tables, check everything.

    Raises:
        BadRowsError: with every problem found.
        DataError: a file as a whole is wrong, or no good row remains.
        ProjectError: another import is running, or the project cannot be written.
    """
    options = options or ImportOptions()
    files = (items,) if isinstance(items, Source) else tuple(items or ())
    sources = ImportSources(files, interactions, test_interactions, users, reviews, aliases)
    with exclusive_lock(project.root):
        raw = RawTables.read(sources, options)
        existing = _load_existing(project)
        parsed = _parse(raw, existing, project, options)
        rejects = {name: table.rejects for name, table in parsed.items()}
        if any(rejects.values()) and not options.skip_bad:
            problems = [reject.problem for rows in rejects.values() for reject in rows]
            raise BadRowsError(sorted(problems, key=problem_order))
        tables = existing | {name: table.frame for name, table in parsed.items()}
        notes = [note for table in parsed.values() for note in table.notes]
        if _REVIEWS in tables:
            tables[_ITEMS] = tables.pop(_REVIEWS)  # the items with their reviews
        if _ITEMS in tables and _INTERACTIONS in tables:
            linked = drop_orphans(tables[_INTERACTIONS], tables[_ITEMS], skip_bad=options.skip_bad)
            tables[_INTERACTIONS] = linked.frame
            notes += linked.notes
            if raw.interactions:
                notes += describe_suspects(linked.frame, project.settings.events)
        imported = {
            name: tables[name]
            for name, source in {
                _ITEMS: raw.items,
                _INTERACTIONS: raw.interactions,
                _USERS: raw.users,
                _ALIASES: raw.aliases,
            }.items()
            if source
        }
        for name, frame in imported.items():
            if frame.empty:
                first = min((reject.problem for reject in rejects.get(name, ())), key=problem_order, default=None)
                cause = "" if first is None else f"; the first wrong row is {first}"
                raise DataError(f"no good row of {name} remains, and nothing was imported{cause}")
        if options.dry_run:
            return _report(imported, parsed, (), notes, raw.describe(options))
        try:
            unusable = [reject for table in parsed.values() for reject in table.unusable]
            reject_files = write_rejects(project.rejects, rejects | {"images": unusable})
            with replacing_folder(project.data) as staging:
                for name, frame in tables.items():
                    write_frame(staging / _FILES[name], frame)
        except OSError as error:
            raise ProjectError(f"{project.root}: cannot be written: {error}; nothing was imported") from error
    return _report(imported, parsed, reject_files, notes)


def _load_existing(project: Project) -> dict[str, pd.DataFrame]:
    loaders = {
        _ITEMS: project.load_imported_items,
        _INTERACTIONS: project.load_imported_interactions,
        _USERS: project.load_users,
        _ALIASES: project.load_aliases,
    }
    return {name: load() for name, load in loaders.items() if (project.data / _FILES[name]).exists()}


def _parse(
    raw: RawTables, existing: Mapping[str, pd.DataFrame], project: Project, options: ImportOptions
) -> dict[str, ParsedTable]:
    """Parse all tables, by name, in the order in which they depend on each other; `reviews` holds the items."""
    old = existing if options.appends else {}
    parsed: dict[str, ParsedTable] = {}
    if raw.items:
        parsed[_ITEMS] = build_catalog(raw.items, old.get(_ITEMS), project, options)
    if raw.users is not None:
        parsed[_USERS] = build_users(raw.users, old.get(_USERS), options)
    if raw.aliases is not None:
        parsed[_ALIASES] = build_aliases(raw.aliases, old.get(_ALIASES), options)
    if raw.interactions:
        first = raw.interactions[0].path
        from_events = options.items_of_events or raw.interactions[0].format in CATALOG_FREE
        if from_events and _ITEMS not in parsed and _ITEMS not in existing:
            parsed[_ITEMS] = build_catalog_of_events(raw.interactions, options)
        catalog = _current_items(parsed, existing, first)
        aliases = parsed[_ALIASES].frame if _ALIASES in parsed else existing.get(_ALIASES)
        earlier = old.get(_INTERACTIONS)
        parsed[_INTERACTIONS] = build_interactions(raw.interactions, earlier, catalog, project, options, aliases)
    if raw.reviews is not None:
        items = _current_items(parsed, existing, raw.reviews.path).frame
        parsed[_REVIEWS] = build_reviews(raw.reviews, items, options)
    return parsed


def _current_items(parsed: Mapping[str, ParsedTable], existing: Mapping[str, pd.DataFrame], path: Path) -> ParsedTable:
    if _ITEMS in parsed:
        return parsed[_ITEMS]
    if _ITEMS in existing:
        return ParsedTable(existing[_ITEMS])
    raise DataError(f"{path}: the project has no items yet; import items first, or together with this file")


def _report(
    imported: Mapping[str, pd.DataFrame],
    parsed: Mapping[str, ParsedTable],
    reject_files: tuple[Path, ...],
    notes: Sequence[str],
    readings: tuple[str, ...] = (),
) -> ImportReport:
    interactions = imported.get(_INTERACTIONS)
    times = np.array([]) if interactions is None else interactions[TIMESTAMP].to_numpy()
    return ImportReport(
        rows={name: len(frame) for name, frame in imported.items()},
        # One row may have several problems; it is counted once.
        rejected={
            name: len({(reject.problem.file, reject.problem.row) for reject in table.rejects})
            for name, table in parsed.items()
            if table.rejects
        },
        duplicates=sum(table.duplicates for table in parsed.values()),
        events={}
        if interactions is None
        else {str(kind): int(n) for kind, n in interactions[EVENT].value_counts().items()},
        period=(int(times.min()), int(times.max())) if times.any() else None,
        images=int((imported[_ITEMS][IMAGE] != "").sum()) if _ITEMS in imported else 0,
        rejects=reject_files,
        notes=tuple(notes),
        readings=readings,
        preview={name: frame.head(PREVIEW_ROWS) for name, frame in imported.items()} if readings else {},
    )
