"""Events of one item since the model was built: what they add to a user's history, and what they take back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recsys.config import EventSettings
from recsys.schema import TAKES_BACK, EventKind, Kinds, Undo

_OPINIONS = {EventKind.LIKE: EventKind.DISLIKE, EventKind.DISLIKE: EventKind.LIKE}
"""Opinions, each with the one that it replaces."""


@dataclass(frozen=True, slots=True)
class ItemState:
    """State of an item in a session.

    Attributes:
        weight: summed weight of the events that stand; the dislike's if the last opinion is a dislike.
        kinds: kinds of the events that stand.
        undone: kinds of which earlier events, in the user's history, are taken back or replaced.
    """

    weight: float
    kinds: Kinds
    undone: Kinds = Kinds.NONE

    @classmethod
    def from_weight(cls, weight: float) -> ItemState:
        """Return the state of an item of which only a weight is known: a click, or a dislike if it is negative."""
        return cls.from_events([(EventKind.DISLIKE if weight < 0 else EventKind.CLICK, weight)])

    @classmethod
    def from_events(cls, events: Iterable[tuple[EventKind | Undo, float]]) -> ItemState:
        """Return the state after events with their weights, in the order in which they happened.

        An undo takes back the last event of its kind, or all likes or dislikes; without one here, those in the history.
        """
        stands: dict[EventKind, list[float]] = {kind: [] for kind in EventKind}
        undone = Kinds.NONE
        for event, weight in events:
            if isinstance(event, Undo):
                kind = TAKES_BACK[event]
                if kind in _OPINIONS or not stands[kind]:
                    stands[kind].clear()
                    undone |= Kinds.from_kind(kind)
                else:
                    stands[kind].pop()
                continue
            stands[event].append(weight)
            if event in _OPINIONS:
                undone |= Kinds.from_kind(_OPINIONS[event])
                undone &= ~Kinds.from_kind(event)
            if event is EventKind.LIKE:
                stands[EventKind.DISLIKE].clear()
        kinds = Kinds.NONE
        for kind, weights in stands.items():
            if weights:
                kinds |= Kinds.from_kind(kind)
        disliked = stands[EventKind.DISLIKE]
        if disliked:
            return cls(disliked[-1], kinds & ~Kinds.LIKE, undone)
        return cls(sum(sum(weights) for weights in stands.values()), kinds, undone)


def share_left(before: Kinds, undone: Kinds, settings: EventSettings) -> float:
    """Return the part of a history's weight that is left once events of the kinds `undone` are taken back."""
    total = _weight(before, settings)
    return _weight(before & ~undone, settings) / total if total else 0.0


def _weight(kinds: Kinds, settings: EventSettings) -> float:
    if kinds & Kinds.DISLIKE:
        return settings.dislike
    return sum(settings.weight(kind) for kind in EventKind if kinds & Kinds.from_kind(kind))
