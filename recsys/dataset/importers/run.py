"""One import, from files to the project's tables: read, check, combine, and swap the data folder whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.dataset.importers.columns import (
    INTERACTION_FIELDS,
    ITEM_FIELDS,
    REVIEW_FIELDS,
    USER_FIELDS,
    Aliases,
    name_columns,
)
from recsys.dataset.importers.formats import WITHOUT_CATALOG, FileFormat, Table, read_table, recognize
from recsys.dataset.importers.images import check_pictures, locate
from recsys.dataset.importers.interactions import finish_interactions, parse_interactions
from recsys.dataset.importers.items import finish_items, finish_rows, merge, parse_items, upsert
from recsys.dataset.importers.rejects import place, write_rejects
from recsys.dataset.importers.report import ImportReport
from recsys.dataset.importers.reviews import parse_reviews, with_reviews
from recsys.dataset.importers.table import RawTable, Reject, RowCheck
from recsys.dataset.importers.users import parse_users
from recsys.dataset.importers.values import as_series
from recsys.dataset.project import INTERACTIONS_FILE, ITEMS_FILE, USERS_FILE, Project
from recsys.dataset.splits import PART, Part
from recsys.errors import BadRowsError, DataError, ProjectError
from recsys.schema import EVENT, IMAGE, ITEM_ID, RATING, TIMESTAMP, USER_ID, EventKind
from recsys.storage.artifacts import exclusive_lock, replacing_folder, write_frame


class ImportMode(StrEnum):
    """What happens to rows that the project already has in a table that is given.

    REPLACE: they go. APPEND: they stay; an item or user with the same id is replaced whole.
    """

    REPLACE = "replace"
    APPEND = "append"


@dataclass(slots=True)
class _Tables:
    """The project's tables; None where it has none."""

    items: pd.DataFrame | None = None
    interactions: pd.DataFrame | None = None
    users: pd.DataFrame | None = None


@dataclass(slots=True)
class _Findings:
    """What turned up on the way."""

    rejects: dict[str, list[Reject]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    duplicates: int = 0
    left_out: frozenset[str] = frozenset()

    @property
    def all_rejects(self) -> list[Reject]:
        return [reject for rejects in self.rejects.values() for reject in rejects]


def import_data(
    project: Project,
    *,
    items: Path | Sequence[Path] | None = None,
    interactions: Path | None = None,
    test_interactions: Path | None = None,
    users: Path | None = None,
    reviews: Path | None = None,
    images: Path | None = None,
    file_format: FileFormat | None = None,
    columns: Mapping[str, str] | None = None,
    mode: ImportMode = ImportMode.REPLACE,
    skip_bad: bool = False,
    check_images: bool = True,
    items_of_events: bool = False,
) -> ImportReport:
    """Bring tables into a project. Either all of it is there afterwards, or the project is as it was.

    Files are in one of `FileFormat`, each recognized by its suffix and first line, or all in `file_format`. A format
    without a catalog makes one of the ids in its events, where neither the project nor the import has any.
    `test_interactions`: the part of a published split that models are asked for; `interactions` is then its train.
    Several `items` files describe one catalog: their rows are matched by id, and where two have a value the
    earlier file's stands. Tables that are not given stay as they are. `reviews` become an attribute of the items they
    are of; new items without `reviews` have none.

    `images`: folder that relative image paths start from; default: the folder of each items file. Formats of data sets
    whose pictures are named by the item's id look there for them.
    `columns`: renames, the file's column to ours. `check_images` decodes every picture that is named.
    `items_of_events`: make the catalog of the ids in the events whatever the format.

    A row with any problem is bad as a whole, an item with a broken picture too (empty its image field to have
    it without one). Raises BadRowsError with every problem found; with `skip_bad` bad rows go to the
    project's `rejects` folder instead, and so do interactions with items left out. Raises DataError where a
    file as such is wrong or no good row remains, ProjectError where another import is running.
    """
    items_files = [items] if isinstance(items, Path) else list(items or ())
    renames = dict(columns or {})
    if not items_files and interactions is None and users is None and reviews is None:
        raise DataError("nothing to import: give items, interactions, users or reviews")
    if test_interactions is not None and interactions is None:
        raise DataError(f"{test_interactions}: a test part needs the interactions to learn from beside it")
    with exclusive_lock(project.root):
        raw_items = [read_table(path, Table.ITEMS, file_format, images) for path in items_files]
        raw_interactions = [
            read_table(path, Table.INTERACTIONS, file_format) for path in (interactions, test_interactions) if path
        ]
        raw_users = read_table(users, Table.USERS, file_format) if users else None
        raw_reviews = read_table(reviews, Table.REVIEWS, file_format) if reviews else None
        others = [table for table in (raw_users, raw_reviews) if table is not None]
        _check_renames(renames, [*raw_items, *raw_interactions, *others])
        found = _Findings()
        tables = _existing(project)
        if raw_items:
            parsed = [_items(raw, renames, project, images, check_images, found) for raw in raw_items]
            tables.items = _catalog(parsed, tables.items if mode is ImportMode.APPEND else None)
        if raw_users is not None:
            new = _users(raw_users, renames, found)
            keep = tables.users if mode is ImportMode.APPEND else None
            tables.users = finish_rows(new if keep is None else upsert(keep, new, USER_ID), USER_ID)
        if interactions is not None:
            alone = items_of_events or (file_format or recognize(interactions)) in WITHOUT_CATALOG
            if tables.items is None and alone:
                tables.items = _catalog_of_events(raw_interactions, renames, found)
            keep = tables.interactions if mode is ImportMode.APPEND else None
            tables.interactions = _interactions(raw_interactions, renames, project, tables, keep, skip_bad, found)
        if raw_reviews is not None:
            tables.items = _reviewed(raw_reviews, renames, tables.items, mode, found)
        if found.all_rejects and not skip_bad:
            raise BadRowsError(sorted((r.problem for r in found.all_rejects), key=place))
        given = {"items": bool(raw_items), "interactions": bool(interactions), "users": bool(users)}
        _drop_orphans(tables, skip_bad, found)
        _refuse_empty(tables, given)
        try:
            rejects = write_rejects(project.rejects, found.rejects)
            _publish(project.data, tables)
        except OSError as error:
            raise ProjectError(f"{project.root}: cannot be written: {error}; nothing was imported") from error
    return _report(tables, given, found, rejects)


def _check_renames(renames: Mapping[str, str], tables: Sequence[RawTable]) -> None:
    present = {name for table in tables for name in table.columns}
    for name in renames:
        if name not in present:
            raise DataError(f"cannot rename column {name!r}: no file has it; they have {', '.join(sorted(present))}")


def _existing(project: Project) -> _Tables:
    return _Tables(
        items=project.load_imported_items() if project.items_file.exists() else None,
        interactions=project.load_imported_interactions() if project.interactions_file.exists() else None,
        users=project.load_users() if project.users_file.exists() else None,
    )


def _start(raw: RawTable, known: Aliases, renames: Mapping[str, str]) -> tuple[RowCheck, dict[str, str]]:
    names = name_columns(raw.path, raw.columns, known, renames)
    return RowCheck(raw, names.fields), names.others


def _items(
    raw: RawTable,
    renames: Mapping[str, str],
    project: Project,
    images: Path | None,
    check_images: bool,
    found: _Findings,
) -> pd.DataFrame:
    check, others = _start(raw, ITEM_FIELDS, renames)
    frame = parse_items(check, others)
    root = (raw.path.parent if images is None else images).absolute()
    if check_images:
        check_pictures(check, root)
    found.rejects.setdefault("items", []).extend(check.rejects)
    good = frame[~check.bad]
    found.left_out |= frozenset(frame.loc[check.bad, ITEM_ID]) - frozenset(good[ITEM_ID])
    if IMAGE not in good:
        return good
    return good.assign(
        **{IMAGE: good[IMAGE].map(lambda name: project.image_reference(locate(name, root)), na_action="ignore")}
    )


def _catalog(parsed: list[pd.DataFrame], old: pd.DataFrame | None) -> pd.DataFrame:
    merged = parsed[0]
    for frame in parsed[1:]:
        merged = merge(merged, frame, ITEM_ID)
    finished = finish_items(merged.copy())
    return finished if old is None else finish_items(upsert(old, finished, ITEM_ID))


def _users(raw: RawTable, renames: Mapping[str, str], found: _Findings) -> pd.DataFrame:
    check, others = _start(raw, USER_FIELDS, renames)
    frame = parse_users(check, others)
    found.rejects["users"] = check.rejects
    return frame[~check.bad]


def _reviewed(
    raw: RawTable, renames: Mapping[str, str], items: pd.DataFrame | None, mode: ImportMode, found: _Findings
) -> pd.DataFrame:
    if items is None:
        raise DataError(f"{raw.path}: the project has no items yet; import items first, or together with these")
    check, _ = _start(raw, REVIEW_FIELDS, renames)
    frame = parse_reviews(check, items[ITEM_ID])
    found.rejects["reviews"] = check.rejects
    good = frame[~check.bad]
    found.notes.append(f"{len(good):,} reviews of {good[ITEM_ID].nunique():,} items")
    return with_reviews(items, good, keep=mode is ImportMode.APPEND)


def _catalog_of_events(parts: Sequence[RawTable], renames: Mapping[str, str], found: _Findings) -> pd.DataFrame:
    checks = [_start(part, INTERACTION_FIELDS, renames)[0] for part in parts]
    named = pd.concat([as_series(check.required(ITEM_ID)) for check in checks])
    ids = pd.unique(named[named != ""])
    found.notes.append(f"no catalog: {len(ids):,} items are known by their ids alone")
    return finish_items(pd.DataFrame({ITEM_ID: pd.Series(ids, dtype="str")}))


def _interactions(
    parts: Sequence[RawTable],
    renames: Mapping[str, str],
    project: Project,
    tables: _Tables,
    old: pd.DataFrame | None,
    skip_bad: bool,
    found: _Findings,
) -> pd.DataFrame:
    """The events of one file, or of a train and a test file, whose rows are then marked."""
    if tables.items is None:
        raise DataError(f"{parts[0].path}: the project has no items yet; import items first, or together with these")
    known = tables.items[ITEM_ID]
    if not skip_bad:
        # The item's own problem is reported; repeating it for each of its interactions would bury it.
        known = pd.concat([known, pd.Series(sorted(found.left_out), dtype="str")])
    frames = []
    for raw, part in zip(parts, Part, strict=False):
        check, others = _start(raw, INTERACTION_FIELDS, renames)
        frame = parse_interactions(check, project.settings.events, known, found.left_out)
        found.rejects.setdefault("interactions", []).extend(check.rejects)
        _note_interactions(check, others, project, found)
        good = frame[~check.bad]
        frames.append(good.assign(**{PART: part.value}) if len(parts) > 1 else good)
    if len(frames) > 1:
        found.notes.append(f"{len(frames[1]):,} events are the test part of a split that came with the data")
    if old is not None:
        frames.insert(0, old)
    whole = pd.concat(frames) if len(frames) > 1 else frames[0]
    finished, found.duplicates = finish_interactions(whole)
    return finished


def _note_interactions(check: RowCheck, others: Mapping[str, str], project: Project, found: _Findings) -> None:
    notes = []
    if others:
        notes.append(f"columns not used: {', '.join(others)}")
    if TIMESTAMP not in check.names:
        notes.append("no timestamp column: all times are 0, so nothing can be split or decayed by time")
    if EVENT not in check.names and RATING in check.names:
        threshold = project.settings.events.rating_threshold
        notes.append(f"no event column: ratings from {threshold:g} up are likes, the others dislikes")
    elif EVENT not in check.names:
        notes.append(f"no event or rating column: every row is a {EventKind.CLICK}")
    found.notes.extend(note for note in notes if note not in found.notes)


def _drop_orphans(tables: _Tables, skip_bad: bool, found: _Findings) -> None:
    if tables.items is None or tables.interactions is None:
        return
    known = tables.interactions[ITEM_ID].isin(tables.items[ITEM_ID])
    if known.all():
        return
    missing = tables.interactions.loc[~known, ITEM_ID]
    if not skip_bad:
        raise DataError(
            f"{len(missing)} of the project's interactions are with items that the new catalog lacks "
            f"(one is {missing.iloc[0]!r}): import interactions too, append the items, or skip bad rows"
        )
    found.notes.append(f"{len(missing):,} interactions went with items that the new catalog does not have")
    tables.interactions = tables.interactions[known].reset_index(drop=True)


def _refuse_empty(tables: _Tables, given: Mapping[str, bool]) -> None:
    for name, is_given in given.items():
        frame: pd.DataFrame | None = getattr(tables, name)
        if is_given and (frame is None or frame.empty):
            raise DataError(f"no good row of {name} remains; nothing was imported")


def _publish(data: Path, tables: _Tables) -> None:
    files = {ITEMS_FILE: tables.items, INTERACTIONS_FILE: tables.interactions, USERS_FILE: tables.users}
    with replacing_folder(data) as staging:
        for name, frame in files.items():
            if frame is not None:
                write_frame(staging / name, frame)


def _report(tables: _Tables, given: Mapping[str, bool], found: _Findings, rejects: tuple[Path, ...]) -> ImportReport:
    frames: dict[str, pd.DataFrame] = {name: getattr(tables, name) for name, is_given in given.items() if is_given}
    interactions = frames.get("interactions")
    times = np.array([]) if interactions is None else interactions[TIMESTAMP].to_numpy()
    return ImportReport(
        rows={name: len(frame) for name, frame in frames.items()},
        rejected={
            name: len({(r.problem.file, r.problem.row) for r in rejects_of})
            for name, rejects_of in found.rejects.items()
            if rejects_of
        },
        duplicates=found.duplicates,
        events={}
        if interactions is None
        else {str(kind): int(n) for kind, n in interactions[EVENT].value_counts().items()},
        period=(int(times.min()), int(times.max())) if times.any() else None,
        pictures=int((frames["items"][IMAGE] != "").sum()) if "items" in frames else 0,
        rejects=rejects,
        notes=tuple(found.notes),
    )
