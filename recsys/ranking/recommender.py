"""Recommendations for one request: profile, retrieve, rank, rerank, explore, explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.bundle.types import Bundle
from recsys.dataset.categories import category_groups
from recsys.models.blend import Blend
from recsys.profiles.cold_start import Profile, Profiler
from recsys.profiles.style_library import StyleLibrary
from recsys.ranking.calibrate import Mix, category_mix, taste_mix
from recsys.ranking.catalog_view import CatalogView
from recsys.ranking.explain import FROM_THE_CATALOG, Explainer, speaking
from recsys.ranking.explore import LongTail, Places, explore
from recsys.ranking.features import SAME_FOR_ALL, Features
from recsys.ranking.request import Answer, Recommendation, Request, TasteMode, TasteReport
from recsys.ranking.rerank import POOL, Reranking, best_pool, rerank
from recsys.ranking.retrieve import Retriever
from recsys.ranking.similar import SimilarItems
from recsys.rng import generator
from recsys.schema import FEATURES, BoolArray, FloatArray, IntArray, ItemRow, UserId, UserRow
from style.vector import StyleVector

_SAME_FOR_ALL = np.isin(FEATURES, SAME_FOR_ALL)
EXAMPLE_ITEMS = 6
"""Number of items that show a taste component."""
UNTRIED = "New to most people here"


class Recommender:
    """Answers requests from one bundle. Immutable after construction, hence safe to share between threads.

    Attributes:
        catalog: Item cards, photos, ids and filters.
        styles: Style references with their credits and rights.
        similar: Similar items, and search by a style vector or by words.
    """

    def __init__(
        self, bundle: Bundle, previous: Recommender | None = None, changed_rows: IntArray | None = None
    ) -> None:
        """Prepare all look-ups and vector indexes; this takes milliseconds if `previous` is given.

        Args:
            bundle: The model to answer from.
            previous: Recommender for the same bundle before its last items were added (`recsys.training.refresh`); its
                indexes are reused.
            changed_rows: (n,) rows of items of `previous` whose factors or style directions differ in this bundle.
        """
        self.bundle = bundle
        self.version = bundle.version
        self.blend: Blend = bundle.blend
        self.untouched: BoolArray = bundle.untouched
        self.catalog = CatalogView(bundle)
        self.styles = StyleLibrary(bundle.styles, bundle.style_vectors, bundle.space, bundle.settings.rights)
        self._space = bundle.space
        self._settings = bundle.settings.rank
        self._retriever: Retriever = Retriever.of(
            bundle.factors,
            bundle.space,
            bundle.trend,
            bundle.fresh,
            None if previous is None else previous._retriever,
            changed_rows,
        )
        self._features = Features(
            bundle.catalog, bundle.factors, bundle.space, bundle.trend, bundle.fresh, self.untouched
        )
        self._category_groups = category_groups(bundle.catalog.category_names)
        self._long_tail = LongTail.of(bundle.seen)
        self._explainer = Explainer(bundle.catalog, bundle.factors, bundle.neighbors, bundle.space, self.styles)
        self._profiler = Profiler(
            user_ids=bundle.user_ids,
            item_ids=bundle.catalog.ids,
            factors=bundle.factors,
            neighbors=bundle.neighbors,
            recent=bundle.recent,
            seen=bundle.seen,
            space=bundle.space,
            taste=bundle.taste,
        )
        self.similar = SimilarItems(bundle, self.catalog, self._retriever, self._profiler, self.styles)

    def recommend(self, request: Request) -> Answer:
        """Return the best items for a request, best first; items shown before in the session come last.

        The list is as long as the request's limit if that many items pass the filters. An unknown user is treated as a
        user without a history.

        Raises:
            UnknownIdError: For an unknown item, style or category.
        """
        profile = self.profile(request)
        allowed = self.catalog.allowed(request.filters, profile)
        if not request.shown:
            found = self._list(request, profile, allowed, request.limit)
            return Answer(found, profile.basis, self.version, profile.taste)
        shown = self.catalog.mask(request.shown)
        first = self._list(request, profile, allowed & ~shown, request.limit)
        # Items that were shown before need no exploration: their impressions are logged already.
        rest = self._list(replace(request, exploration=0.0), profile, allowed & shown, request.limit - len(first))
        return Answer(first + rest, profile.basis, self.version, profile.taste)

    def profile(self, request: Request) -> Profile:
        """Return the profile of the user or session behind a request; raises like `recommend`."""
        chosen = [self.styles.reference(style_id).values for style_id in request.styles]
        chosen += [look.values for look in request.looks]
        return self._profiler.profile(request.user_id, request.items, chosen, fresh_taste=request.fresh_taste)

    def profile_of_row(self, user: UserRow) -> Profile:
        """Return the profile of a user by their row."""
        return self._profiler.of_row(user)

    def has_user(self, user_id: UserId) -> bool:
        """Return True if the bundle has a history of the user."""
        return user_id in self.bundle.user_ids

    def candidates(self, profile: Profile, items: BoolArray | None = None) -> tuple[IntArray, FloatArray]:
        """Retrieve candidates for a profile among `items` (I,) with which the user has not interacted.

        Returns:
            Rows (n,) of the candidates, and their features (n, len(FEATURES)).
        """
        allowed = self.bundle.catalog.present.copy() if items is None else items & self.bundle.catalog.present
        allowed[profile.touched] = False
        rows = self._retriever.candidates(profile, allowed, self._settings.candidates)
        return rows, self._features.table(profile, rows)

    def scores(self, profile: Profile, items: BoolArray | None = None) -> FloatArray:
        """Return the scores (I,) by which `recommend` ranks `items` (I,) before reranking; -inf for items that were not
        retrieved."""
        rows, table = self.candidates(profile, items)
        scores = np.full(len(self.catalog), -np.inf, dtype=np.float32)
        scores[rows] = self.blend.contributions(table, self.untouched[rows]).sum(axis=1)
        return scores

    def taste(self, request: Request) -> TasteReport:
        """Return the taste behind a request, with the style references and items nearest to each component."""
        profile = self.profile(request)
        modes = []
        for direction, share in zip(profile.taste.directions, profile.taste.shares, strict=True):
            rows, _ = self._retriever.similar_styles(direction, self.bundle.catalog.present, EXAMPLE_ITEMS)
            items = tuple(self.bundle.catalog.ids.ids(rows))
            modes.append(
                TasteMode(self._space.to_style(direction), float(share), self.styles.nearest(direction), items)
            )
        return TasteReport(tuple(modes), profile.basis, len(profile.told), profile.taste)

    def style_for(self, request: Request, component: int | None = None) -> StyleVector | None:
        """Return the style vector that images are restyled toward for the user of a request, or None without a taste.

        Args:
            request: The user, the session, and chosen styles.
            component: Index of the taste component; the default is the first.

        Raises:
            RequestError: If the taste does not have the component.
        """
        return self.styles.style_of_taste(self.profile(request).taste, component)

    def _list(self, request: Request, profile: Profile, allowed: BoolArray, limit: int) -> tuple[Recommendation, ...]:
        """Retrieve, rank, rerank, explore and explain among the `allowed` items (I,)."""
        if limit < 1 or not allowed.any():
            return ()
        blend = self.blend if request.blend is None else self.blend.reweighted(request.blend)
        ranked = self._ranked(blend, profile, allowed, limit)
        order = self._reranked(request, profile, ranked, limit)
        places = self._with_explored(request, profile, allowed, ranked.blend, ranked.rows[order])
        return self._explained(profile, places, ranked)

    def _ranked(self, blend: Blend, profile: Profile, allowed: BoolArray, limit: int) -> _Ranked:
        rows = self._retriever.candidates(profile, allowed, max(self._settings.candidates, POOL * limit))
        contributions = self._contributions(blend, profile, rows)
        return _Ranked(blend, rows, contributions, best_pool(contributions.sum(axis=1), limit))

    def _contributions(self, blend: Blend, profile: Profile, rows: IntArray) -> FloatArray:
        """Compute contributions (n, len(FEATURES)) of all candidates (n,) together, since the blend compares them."""
        return blend.contributions(self._features.table(profile, rows), self.untouched[rows])

    def _reranked(self, request: Request, profile: Profile, ranked: _Ranked, limit: int) -> IntArray:
        """Return the positions of the list's items in the pool of `ranked`."""
        settings, directions = self._settings, self._space.directions[ranked.rows]
        reranking = Reranking(
            request.reranker or settings.reranker,
            settings.diversity if request.diversity is None else request.diversity,
            settings.calibration if request.calibration is None else request.calibration,
        )
        mixes: list[Mix | None] = []
        if reranking.calibration:
            codes = self.bundle.catalog.category_codes
            mixes = [
                taste_mix(profile.taste, directions),
                category_mix(self._category_groups, codes[profile.liked], profile.say, codes[ranked.rows]),
            ]
        return rerank(ranked.scores, directions, limit, reranking, [mix for mix in mixes if mix is not None])

    def _with_explored(
        self, request: Request, profile: Profile, allowed: BoolArray, blend: Blend, rows: IntArray
    ) -> Places:
        """Give a share of the positions of the list `rows` (k,) to the long-tail items that fit the user best."""
        share = self._settings.exploration if request.exploration is None else request.exploration
        long_tail = self._long_tail.among(allowed, rows) if share else np.zeros_like(allowed)
        if not long_tail.any():
            return Places.certain(rows)
        unit = ("session",) if request.user_id is None else ("user", request.user_id)
        random = generator(self.bundle.settings.seed, "explore", *unit, request.exploration_seed)
        return explore(rows, self._ranked(blend, profile, long_tail, len(rows)).rows, share, random)

    def _explained(self, profile: Profile, places: Places, ranked: _Ranked) -> tuple[Recommendation, ...]:
        contributions = self._parts(profile, places, ranked)
        # A reason names the feature that lifts an item most above the average candidate.
        lifts = np.where(speaking(profile), contributions - ranked.contributions.mean(axis=0), -np.inf)
        # Explored items are in the long tail: "popular" would be wrong, whatever their score says.
        lifts[np.ix_(places.explored, _SAME_FOR_ALL)] = -np.inf
        modes: Sequence[int | None] = [None] * len(places.rows)
        if profile.taste:
            modes = profile.taste.best_modes(self._space.directions[places.rows]).tolist()
        recommendations = []
        for place, item_id in enumerate(self.bundle.catalog.ids.ids(places.rows)):
            explored = bool(places.explored[place])
            reason, because = self._explainer.reason(profile, ItemRow(int(places.rows[place])), lifts[place])
            recommendations.append(
                Recommendation(
                    item_id=item_id,
                    score=float(contributions[place].sum()),
                    contributions=dict(zip(FEATURES, contributions[place].tolist(), strict=True)),
                    reason=UNTRIED if explored and reason == FROM_THE_CATALOG else reason,
                    because=None if because is None else self.bundle.catalog.ids.id(because),
                    mode=modes[place],
                    propensity=float(places.propensities[place]),
                    explored=explored,
                )
            )
        return tuple(recommendations)

    def _parts(self, profile: Profile, places: Places, ranked: _Ranked) -> FloatArray:
        """Return the contributions (k, len(FEATURES)) of the items of a list; explored ones may be no candidates."""
        rows = places.rows
        if not places.explored.any():
            # Candidates ascend, so a binary search finds each row.
            return np.asarray(ranked.contributions[np.searchsorted(ranked.candidates, rows)])
        missing = np.setdiff1d(rows, ranked.candidates)
        known, contributions = np.concatenate([ranked.candidates, missing]), ranked.contributions
        if len(missing):
            # The blend compares candidates with each other, so the missing ones are scored among all of them.
            scored = self._contributions(ranked.blend, profile, known)
            contributions = np.vstack([contributions, scored[-len(missing) :]])
        order = np.argsort(known)
        return np.asarray(contributions[order[np.searchsorted(known, rows, sorter=order)]])


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """Scored candidates of one request.

    Attributes:
        blend: The blend that scored them.
        candidates: (n,) rows of everything retrieved, ascending.
        contributions: (n, len(FEATURES)) the part of each feature in the score.
        pool: (m,) positions of the best candidates, best first.
    """

    blend: Blend
    candidates: IntArray
    contributions: FloatArray
    pool: IntArray

    @property
    def rows(self) -> IntArray:
        """Return the rows of the pool, (m,)."""
        return np.asarray(self.candidates[self.pool])

    @property
    def scores(self) -> FloatArray:
        """Return the scores of the pool, (m,)."""
        return np.asarray(self.contributions[self.pool].sum(axis=1))
