"""Raw tables of an import become checked tables of the project, each with its rejects and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.dataset.importers.aliases import finish_aliases, parse_aliases
from recsys.dataset.importers.columns import (
    ALIAS_FIELDS,
    INTERACTION_FIELDS,
    ITEM_FIELDS,
    REVIEW_FIELDS,
    USER_FIELDS,
    Aliases,
    match_columns,
)
from recsys.dataset.importers.images import describe_images, link_fetched_images, locate_images, with_images
from recsys.dataset.importers.interactions import (
    MAX_QUANTITY,
    check_statuses,
    finish_interactions,
    kind_without_events,
    order_column,
    parse_interactions,
    read_ratings,
)
from recsys.dataset.importers.item_keys import join_items
from recsys.dataset.importers.items import (
    finish_items,
    finish_rows,
    merge_rows,
    parse_items,
    update_rows,
)
from recsys.dataset.importers.options import ImportOptions
from recsys.dataset.importers.ratings import RatingScale
from recsys.dataset.importers.reviews import add_reviews, parse_reviews
from recsys.dataset.importers.table import RawTable, Reject, RowCheck
from recsys.dataset.importers.users import parse_users
from recsys.dataset.importers.values import as_series
from recsys.dataset.project import Project
from recsys.dataset.splits import SPLIT_PART, SplitPart
from recsys.dataset.undo import with_remaining_ids
from recsys.errors import DataError
from recsys.schema import (
    CATEGORY,
    EVENT,
    ITEM_ID,
    OLD_ID,
    PRICE,
    QUANTITY,
    RATING,
    TIMESTAMP,
    TITLE,
    USER_ID,
)

_ITEM_DETAILS = (TITLE, CATEGORY, PRICE, "brand")


@dataclass(frozen=True, slots=True)
class ParsedTable:
    """One table with its good rows only.

    Attributes:
        frame: good rows, and earlier rows of the project if they stay.
        rejects: bad rows.
        notes: sentences for the import's report.
        rejected_ids: ids of items that have a bad row and no good one.
        duplicates: repeated interactions that were dropped.
        unusable: rows of images that cannot be used; their items are good.
    """

    frame: pd.DataFrame
    rejects: tuple[Reject, ...] = ()
    notes: tuple[str, ...] = ()
    rejected_ids: frozenset[str] = frozenset()
    duplicates: int = 0
    unusable: tuple[Reject, ...] = ()


def build_catalog(
    tables: Sequence[RawTable], old: pd.DataFrame | None, project: Project, options: ImportOptions
) -> ParsedTable:
    """Build the catalog from one or more files of items.

    Rows are matched by id. If two files have a value, the earlier file's value is used.

    Args:
        tables: one per file.
        old: items of the project that stay; of those in a file only its columns change. None if all are replaced.
        project: receives the images' paths, relative to its folder if they lie inside.
        options: renames, image folder and whether images are decoded.
    """
    frames, rejects, located = [], [], []
    notes: list[str] = []
    rejected_ids: frozenset[str] = frozenset()
    for raw in tables:
        check, others = _match(raw, ITEM_FIELDS, options.columns)
        frame = parse_items(check, others)
        root = (raw.path.parent if options.images is None else options.images).absolute()
        images = locate_images(check, root, project, decode=options.check_images)
        if images is not None:
            frame = with_images(frame, images)
            located.append(images)
        good = frame[~check.bad]
        rejects += check.rejects
        notes += check.notes
        rejected_ids |= frozenset(frame.loc[check.bad, ITEM_ID]) - frozenset(good[ITEM_ID])
        frames.append(good)
    merged = frames[0]
    for frame in frames[1:]:
        merged = merge_rows(merged, frame, ITEM_ID)
    if old is not None:
        merged, changes = update_rows(old, frames, merged, ITEM_ID)
        notes.append(changes)
    catalog = link_fetched_images(finish_items(merged.copy()), project)
    return ParsedTable(
        catalog,
        tuple(rejects),
        (*notes, *describe_images(located, catalog)),
        rejected_ids,
        unusable=tuple(reject for images in located for reject in images.problems),
    )


def build_catalog_of_events(tables: Sequence[RawTable], options: ImportOptions) -> ParsedTable:
    """Build a catalog from the item ids in events, and from what the events say of items (the last that is not empty).

    All other columns have their defaults.
    """
    frames = []
    for raw in tables:
        check, _ = _match(raw, INTERACTION_FIELDS, options.columns)
        frame = pd.DataFrame({ITEM_ID: as_series(check.require(ITEM_ID))})
        described = RowCheck(raw, {name: name for name in _ITEM_DETAILS if name in raw.columns})
        for name in described.names:
            values = (
                described.numbers(name)[0] if name == PRICE else as_series(described.require(name)).replace("", None)
            )
            frame[name] = pd.Series(values)
        frames.append(frame[frame[ITEM_ID] != ""])
    whole = pd.concat(frames)
    details = [name for name in whole.columns if name != ITEM_ID and whole[name].notna().any()]
    catalog = whole[[ITEM_ID, *details]].groupby(ITEM_ID, sort=False).last().reset_index()
    told = f"are described by the events alone ({', '.join(details)})" if details else "have an id and no other data"
    return ParsedTable(finish_items(catalog), notes=(f"no catalog: {len(catalog):,} items {told}",))


def build_users(raw: RawTable, old: pd.DataFrame | None, options: ImportOptions) -> ParsedTable:
    """Build the users table; users of `old` stay, and of those in the file only its columns change."""
    check, others = _match(raw, USER_FIELDS, options.columns)
    frame = parse_users(check, others)
    good = frame[~check.bad]
    if old is None:
        return ParsedTable(finish_rows(good, USER_ID), tuple(check.rejects), tuple(check.notes))
    merged, changes = update_rows(old, [good], good, USER_ID)
    return ParsedTable(finish_rows(merged, USER_ID), tuple(check.rejects), (*check.notes, changes))


def build_aliases(raw: RawTable, old: pd.DataFrame | None, options: ImportOptions) -> ParsedTable:
    """Build the table of aliases; those of `old` stay unless the file has their old id."""
    check, _ = _match(raw, ALIAS_FIELDS, options.columns)
    frame = parse_aliases(check)
    good = frame[~check.bad]
    return ParsedTable(finish_aliases(good if old is None else pd.concat([old, good])), tuple(check.rejects))


def build_interactions(
    tables: Sequence[RawTable],
    old: pd.DataFrame | None,
    catalog: ParsedTable,
    project: Project,
    options: ImportOptions,
    aliases: pd.DataFrame | None = None,
) -> ParsedTable:
    """Build the interactions from one file, or from a train and a test file; then a column says which is which.

    Args:
        tables: one or two.
        old: earlier interactions that stay; None if all are replaced.
        catalog: items that interactions may name.
        project: has the settings of events.
        options: renames, and whether bad rows are skipped.
        aliases: old ids with the users that remain.
    """
    known = catalog.frame[ITEM_ID]
    if not options.skip_bad:
        # The item's own row is reported already; repeating it for each of its interactions would hide it.
        known = pd.concat([known, pd.Series(sorted(catalog.rejected_ids), dtype="str")])
    checks = [_match(raw, INTERACTION_FIELDS, options.columns) for raw in tables]
    # Later files of one log may hold a part of the scale only.
    earlier = old[RATING].to_numpy(dtype=np.float32) if old is not None and RATING in old else np.zeros(0, np.float32)
    ratings = [read_ratings(check) for check, _ in checks]
    scale = None
    if EVENT not in checks[0][0].names and ratings[0] is not None:
        given = np.concatenate([earlier, *(one for one in ratings if one is not None)])
        scale = RatingScale.from_ratings(given, project.settings.events.rating_threshold, checks[0][0].table.path)
    frames, rejects = [], []
    notes: dict[str, None] = {}  # in order, each once
    for (check, others), own, part in zip(checks, ratings, SplitPart, strict=False):
        join_items(check, catalog.frame)
        frame = parse_interactions(check, project.settings.events, known, catalog.rejected_ids, own, scale)
        good = frame[~check.bad]
        frames.append(good.assign(**{SPLIT_PART: part.value}) if len(tables) > 1 else good)
        rejects += check.rejects
        notes |= dict.fromkeys(check.notes)
        if others:
            notes[f"columns not used: {', '.join(others)}"] = None
        if TIMESTAMP not in check.names:
            notes["no timestamp column: all times are 0, so nothing can be split or decayed by time"] = None
        if EVENT not in check.names and RATING not in check.names:
            order, kind = order_column(check), kind_without_events(check)
            why = "" if order is None else f", since {order!r} names its order"
            notes[f"no event or rating column: every row is a {kind}{why}"] = None
            notes |= dict.fromkeys(check_statuses(check) if order is not None else ())
        if QUANTITY in check.names:
            notes[f"quantities multiply the weights of events, up to {MAX_QUANTITY:g} times"] = None
    if scale is not None:
        good_ratings = pd.concat(frames)[RATING].to_numpy(dtype=np.float32)
        first = checks[0][0]
        notes |= dict.fromkeys(scale.describe(good_ratings, earlier, first.table.path, first.names.get(RATING, RATING)))
    if len(frames) > 1:
        notes[f"{len(frames[1]):,} events are the test part of a split that came with the data"] = None
    if aliases is not None:
        user_of = dict(zip(aliases[OLD_ID], aliases[USER_ID], strict=True))
        frames = [with_remaining_ids(frame, user_of) for frame in frames]
        old = None if old is None else with_remaining_ids(old, user_of)
    finished = finish_interactions(frames, old)
    if finished.frame.empty and any(map(len, frames)):
        cause = " ".join(f"{sentence}." for sentence in finished.notes())
        cure = "Import the log from its beginning, and later parts with `--append`"
        raise DataError(f"{checks[0][0].table.path}: no event is left, so nothing was imported. {cause} {cure}")
    notes |= dict.fromkeys(finished.notes())
    return ParsedTable(finished.frame, tuple(rejects), tuple(notes), duplicates=finished.duplicates)


def build_reviews(raw: RawTable, items: pd.DataFrame, options: ImportOptions) -> ParsedTable:
    """Return the items with the file's reviews as an attribute; earlier reviews stay if the import appends."""
    check, _ = _match(raw, REVIEW_FIELDS, options.columns)
    frame = parse_reviews(check, items[ITEM_ID])
    good = frame[~check.bad]
    count = f"{len(good):,} reviews of {good[ITEM_ID].nunique():,} items"
    return ParsedTable(add_reviews(items, good, keep=options.appends), tuple(check.rejects), (*check.notes, count))


def drop_orphans(interactions: pd.DataFrame, items: pd.DataFrame, *, skip_bad: bool) -> ParsedTable:
    """Drop interactions with items that the catalog does not have. Raises DataError unless `skip_bad`."""
    known = interactions[ITEM_ID].isin(items[ITEM_ID])
    if known.all():
        return ParsedTable(interactions)
    missing = interactions.loc[~known, ITEM_ID]
    if not skip_bad:
        raise DataError(
            f"{len(missing)} of the project's interactions are with items that the new catalog does not have "
            f"(one is {missing.iloc[0]!r}): import interactions too, append the items, or skip bad rows"
        )
    note = f"{len(missing):,} interactions were dropped: the new catalog does not have their items"
    return ParsedTable(interactions[known].reset_index(drop=True), notes=(note,))


def _match(raw: RawTable, known: Aliases, renames: Mapping[str, str]) -> tuple[RowCheck, dict[str, str]]:
    names = match_columns(raw.path, raw.columns, known, renames)
    return RowCheck(raw, names.fields), names.others
