"""Users that look like bots: crawlers, monitors and scripts in a log of customers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recsys.clock import SECONDS_PER_DAY
from recsys.config import EventSettings
from recsys.dataset.activity import common_bound, usual_bound
from recsys.dataset.identifiers import ItemIdentifiers, UserIdentifiers
from recsys.dataset.interactions import Interactions
from recsys.schema import ITEM_ID, USER_ID, IntArray, UserRow

FEWEST_USERS = 10
"""With fewer users nobody can say who is unusual."""
FEWEST_EVENTS = 30
"""Users with fewer events are never called bots: they cannot do harm."""
NAMED = 3
"""Number of suspects that reports name."""
TRUST = "if one is a customer, add its id to events.trusted_users in recsys.toml"
GAP = 2.0
"""Ratio to the next user's number of events from which a count stands alone."""
EVENTS_PER_MINUTE = 30
"""Events in one minute that no customer makes for long."""
HOURS_OF_A_DAY = 20
"""Hours of one day with events that no customer has."""
ONE_ITEM = 0.9
"""Share of the events with one item from which an item is requested again and again."""
WHOLE_CATALOG, LARGE_CATALOG = 0.9, 50
"""Share of the catalog that only a crawler sees, if it has at least this many items."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """User that looks like a bot.

    Attributes:
        user_id: Id of the user.
        events: Number of events.
        share: Share of all events, in (0, 1].
        ratio: Events in medians of all users.
        signs: What looks like a machine, in words.
    """

    user_id: str
    events: int
    share: float
    ratio: float
    signs: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"user {self.user_id!r} has {self.share:.0%} of all events ({self.events:,}, {self.ratio:,.0f} times the "
            f"median): {', '.join(self.signs)}"
        )


def find_suspects(interactions: Interactions, trusted: Collection[str] = ()) -> tuple[Suspect, ...]:
    """Find the users that look like bots, those with the most events first.

    A user with more events than nearly all others (`common_bound`) is a suspect if nearly all events are with one
    item, or if they fall into 20 or more hours of one day. A user with more events than the usual bound is a suspect
    also with at least twice as many as every user below, if most events come at more than 30 per minute, or if they are
    with nearly all items.

    Args:
        interactions: All events.
        trusted: Ids of users that are never suspects.
    """
    counts = np.bincount(interactions.users, minlength=interactions.shape[0])
    if np.count_nonzero(counts) < FEWEST_USERS:
        return ()
    usual, common = usual_bound(counts), max(common_bound(counts), FEWEST_EVENTS)
    median = float(np.median(counts[counts > 0]))
    known = set(interactions.user_ids.find(list(trusted)).tolist())
    unusual = np.flatnonzero(counts > common)
    theirs = interactions.select(np.isin(interactions.users, unusual))
    places = np.split(np.argsort(theirs.users, kind="stable"), np.cumsum(counts[unusual])[:-1])
    has_clock = _has_clock(interactions.timestamps)
    # From fewer to more events: `accepted` is the largest number of a user who is no suspect.
    accepted = int(counts[counts <= common].max(initial=0))
    found = []
    for index in np.argsort(counts[unusual], kind="stable").tolist():
        events = int(counts[unusual[index]])
        own = theirs.items[places[index]], theirs.timestamps[places[index]]
        signs = _signs(*own, interactions.shape[1], has_clock=has_clock, many=events > usual)
        if events > max(usual, GAP * accepted):
            signs.insert(0, f"no other user has more than {accepted:,}")
        if unusual[index] in known or not signs:
            accepted = events
            continue
        user_id = interactions.user_ids.id(UserRow(int(unusual[index])))
        found.append(Suspect(user_id, events, events / len(interactions), events / median, tuple(signs)))
    return tuple(reversed(found))


def leave_out(interactions: Interactions, suspects: Collection[Suspect]) -> Interactions:
    """Return the interactions without these users, whose ids are left out too."""
    if not suspects:
        return interactions
    gone = np.zeros(interactions.shape[0], dtype=np.bool_)
    gone[interactions.user_ids.rows([suspect.user_id for suspect in suspects])] = True
    others = interactions.select(~gone[interactions.users])
    # The row of a user that stays, among those that stay.
    rows = np.cumsum(~gone) - 1
    ids: UserIdentifiers = UserIdentifiers("user", interactions.user_ids.values[~gone].tolist())
    return replace(others, user_ids=ids, users=rows[others.users])


def find_bots(interactions: Interactions, settings: EventSettings) -> tuple[Suspect, ...]:
    """Return the suspects that training and evaluation leave out; none if the settings say so."""
    return find_suspects(interactions, settings.trusted_users) if settings.leave_out_bots else ()


def without_bots(frame: pd.DataFrame, item_ids: ItemIdentifiers, settings: EventSettings) -> pd.DataFrame:
    """Return interactions as `Project.load_interactions` returns them, without the users that `find_bots` finds."""
    bots = [bot.user_id for bot in find_bots(Interactions.from_frame(frame, item_ids), settings)]
    return frame[~frame[USER_ID].isin(bots)].reset_index(drop=True) if bots else frame


def describe_suspects(frame: pd.DataFrame, settings: EventSettings) -> tuple[str, ...]:
    """Return notes for the report of an import about the suspects in its interactions; none without suspects."""
    item_ids: ItemIdentifiers = ItemIdentifiers.from_values("item", frame[ITEM_ID].unique())
    suspects = find_suspects(Interactions.from_frame(frame, item_ids), settings.trusted_users)
    if not suspects:
        return ()
    notes = [f"{suspect}: it looks like a bot" for suspect in suspects[:NAMED]]
    if len(suspects) > NAMED:
        events = sum(suspect.events for suspect in suspects[NAMED:])
        notes.append(f"{len(suspects) - NAMED:,} further users with {events:,} events look like bots")
    if settings.leave_out_bots:
        return (*notes, f"builds learn nothing from users that look like bots; {TRUST}")
    return (*notes, "builds learn from them too; to leave them out, set events.leave_out_bots = true")


def _signs(items: IntArray, times: IntArray, catalog: int, *, has_clock: bool, many: bool) -> list[str]:
    """Return the signs of a machine in the events (n,) of one user, for a catalog of so many items.

    Args:
        items: (n,) item rows.
        times: (n,) seconds since 1970 UTC.
        catalog: number of items.
        has_clock: the log has times of day.
        many: the user has more events than is usual, so that weak signs count too.
    """
    signs, events = [], len(items)
    if has_clock:
        _, per_minute = np.unique(times // 60, return_counts=True)
        if many and per_minute[per_minute >= EVENTS_PER_MINUTE].sum() > events / 2:
            signs.append(f"up to {per_minute.max():,} in one minute")
        hours = np.unique(times // 3600)
        busiest = int(np.unique(hours // 24, return_counts=True)[1].max())
        if busiest >= HOURS_OF_A_DAY:
            signs.append(f"in {busiest} hours of one day")
    touched, per_item = np.unique(items, return_counts=True)
    if per_item.max() >= ONE_ITEM * events:
        signs.append(f"{per_item.max() / events:.0%} of them with one item")
    if many and catalog >= LARGE_CATALOG and len(touched) >= WHOLE_CATALOG * catalog:
        signs.append(f"with {len(touched) / catalog:.0%} of all items")
    return signs


def _has_clock(times: IntArray) -> bool:
    """Return True if times have seconds: dates alone say nothing about the rate or the hours of events."""
    return bool(np.mean(times % 60 != 0) > 0.5) and bool(np.ptp(times) > SECONDS_PER_DAY)
