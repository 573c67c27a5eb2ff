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
from recsys.ranking.calibrate import TargetMix, category_mix, taste_mix
from recsys.ranking.catalog_view import CatalogView
from recsys.ranking.explain import FROM_THE_CATALOG, Explainer, informative_features
from recsys.ranking.explore import ExploredList, LongTail, explore
from recsys.ranking.features import SAME_FOR_ALL, Features
from recsys.ranking.request import Answer, Recommendation, Request, TasteComponent, TasteReport
from recsys.ranking.rerank import POOL, Reranking, best_pool, rerank
from recsys.ranking.retrieve import Retriever
from recsys.ranking.similar import SimilarItems
from recsys.ranking.variants import first_of_groups, one_per_group, with_siblings
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
        """Prepare all lookups and vector indexes; this takes milliseconds if `previous` is given.

        Args:
            bundle: The model to answer from.
            previous: Recommender for the same bundle before its last items were added (`recsys.training.refresh`); its
                indexes are reused.
            changed_rows: (n,) rows of items of `previous` whose factors or style directions differ in this bundle.
        """
        self.bundle = bundle
        self.version = bundle.version
        self.blend: Blend = bundle.blend
        self.cold: BoolArray = bundle.cold
        self.catalog = CatalogView(bundle)
        self.styles = StyleLibrary(bundle.styles, bundle.style_vectors, bundle.space, bundle.settings.rights)
        self._space = bundle.space
        self._settings = bundle.settings.rank
        self._retriever: Retriever = Retriever.build(
            bundle.factors,
            bundle.space,
            bundle.trend,
            bundle.recency,
            None if previous is None else previous._retriever,
            changed_rows,
        )
        self._features = Features(bundle.catalog, bundle.factors, bundle.space, bundle.trend, bundle.recency)
        self._category_groups = category_groups(bundle.catalog.category_names)
        self._long_tail = LongTail.from_interactions(bundle.interacted)
        self._explainer = Explainer(bundle.catalog, bundle.factors, bundle.neighbors, bundle.space, self.styles)
        self._profiler = Profiler(
            user_ids=bundle.user_ids,
            item_ids=bundle.catalog.ids,
            factors=bundle.factors,
            neighbors=bundle.neighbors,
            recent=bundle.recent,
            interacted=bundle.interacted,
            space=bundle.space,
            taste=bundle.taste,
            weights=bundle.settings.events,
        )
        self.similar = SimilarItems(bundle, self.catalog, self._retriever, self._profiler, self.styles)

    def recommend(self, request: Request) -> Answer:
        """Return the best items for a request, best first; items shown before in the session come last.

        The list is as long as the request's limit if that many items pass the filters. An unknown user is treated as a
        user without a history.

        Raises:
            UnknownIdError: For an unknown item or style.
        """
        profile = self.profile(request)
        allowed = self.catalog.filter_items(request.filters, profile)
        if not allowed.any():
            empty_text = self.catalog.explain_empty(request.filters, profile)
            return Answer((), profile.basis, self.version, profile.taste, empty_text)
        if not request.shown:
            found = self._list(request, profile, allowed, request.limit)
            return Answer(found, profile.basis, self.version, profile.taste)
        shown = with_siblings(self.catalog.mask(request.shown), self.catalog.groups(request.filters))
        first = self._list(request, profile, allowed & ~shown, request.limit)
        # Items that were shown before need no exploration: their impressions are logged already.
        rest = self._list(replace(request, exploration=0.0), profile, allowed & shown, request.limit - len(first))
        return Answer(first + rest, profile.basis, self.version, profile.taste)

    def profile(self, request: Request) -> Profile:
        """Return the profile of the user or session behind a request; raises like `recommend`."""
        chosen = [self.styles.reference(style_id).values for style_id in request.styles]
        chosen += [style.values for style in request.liked_styles]
        return self._profiler.profile(
            request.user_id,
            request.session,
            chosen,
            ignore_style_history=request.ignore_style_history,
            merged=request.merged,
        )

    def profile_of_row(self, user: UserRow) -> Profile:
        """Return the profile of a user by their row."""
        return self._profiler.profile_of_row(user)

    def has_user(self, user_id: UserId) -> bool:
        """Return True if the bundle has a history of the user."""
        return user_id in self.bundle.user_ids

    def candidates(self, profile: Profile, items: BoolArray | None = None) -> tuple[IntArray, FloatArray]:
        """Retrieve candidates for a profile among `items` (I,) with which the user has not interacted.

        Returns:
            Rows (n,) of the candidates, and their features (n, len(FEATURES)).
        """
        allowed = self.bundle.catalog.present.copy() if items is None else items & self.bundle.catalog.present
        allowed[profile.interacted] = False
        rows = self._retriever.candidates(profile, allowed, self._settings.candidates)
        return rows, self._features.table(profile, rows)

    def scores(self, profile: Profile, items: BoolArray | None = None) -> FloatArray:
        """Return the scores (I,) by which `recommend` ranks `items` (I,) before reranking.

        Items that were not retrieved have -inf.
        """
        rows, table = self.candidates(profile, items)
        scores = np.full(len(self.catalog), -np.inf, dtype=np.float32)
        scores[rows] = self.blend.contributions(table, self.cold[rows]).sum(axis=1)
        return scores

    def taste(self, request: Request) -> TasteReport:
        """Return the taste behind a request, with the style references and items nearest to each component."""
        profile = self.profile(request)
        components = []
        for direction, share in zip(profile.taste.directions, profile.taste.shares, strict=True):
            items = tuple(self.bundle.catalog.ids.ids(self._examples(direction)))
            components.append(
                TasteComponent(self._space.to_style(direction), float(share), self.styles.nearest(direction), items)
            )
        return TasteReport(tuple(components), profile.basis, len(profile.taste_items), profile.taste)

    def _examples(self, direction: FloatArray) -> IntArray:
        """Return the rows (n,) of the items nearest to a direction (128,), one of each product."""
        present = self.bundle.catalog.present

        def find(count: int) -> Sequence[int]:
            rows: list[int] = self._retriever.similar_styles(direction, present, count)[0].tolist()
            return rows

        return np.array(one_per_group(find, int, EXAMPLE_ITEMS, self.bundle.catalog.groups), dtype=np.int64)

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
        blend = self.blend if request.blend is None else self.blend.with_weights(request.blend)
        ranked = self._rank(blend, profile, allowed, limit, self.catalog.groups(request.filters))
        order = self._rerank(request, profile, ranked, limit)
        listed = self._explore(request, profile, allowed, ranked.blend, ranked.rows[order])
        return self._explain(profile, listed, ranked)

    def _rank(
        self, blend: Blend, profile: Profile, allowed: BoolArray, limit: int, groups: IntArray | None
    ) -> _ScoredCandidates:
        count = max(self._settings.candidates, POOL * limit)
        rows = self._retriever.candidates(profile, allowed, count)
        # Variants share one position, so a list needs candidates of as many products.
        while groups is not None and len(rows) < allowed.sum() and len(np.unique(groups[rows])) < limit:
            count *= 4
            rows = self._retriever.candidates(profile, allowed, count)
        contributions = self._contributions(blend, profile, rows)
        scores = contributions.sum(axis=1)
        if groups is None:
            return _ScoredCandidates(blend, rows, contributions, best_pool(scores, limit))
        order = np.argsort(-scores, kind="stable")
        best = order[first_of_groups(rows[order], groups)]
        return _ScoredCandidates(blend, rows, contributions, best[best_pool(scores[best], limit)])

    def _contributions(self, blend: Blend, profile: Profile, rows: IntArray) -> FloatArray:
        """Compute contributions (n, len(FEATURES)) of all candidates (n,) together, since the blend compares them."""
        return blend.contributions(self._features.table(profile, rows), self.cold[rows])

    def _rerank(self, request: Request, profile: Profile, ranked: _ScoredCandidates, limit: int) -> IntArray:
        """Return the positions of the list's items in the pool of `ranked`."""
        settings, directions = self._settings, self._space.directions[ranked.rows]
        reranking = Reranking(
            request.reranker or settings.reranker,
            settings.diversity if request.diversity is None else request.diversity,
            settings.calibration if request.calibration is None else request.calibration,
        )
        mixes: list[TargetMix | None] = []
        if reranking.calibration:
            codes = self.bundle.catalog.category_codes
            mixes = [
                taste_mix(profile.taste, directions),
                category_mix(self._category_groups, codes[profile.liked], profile.weights, codes[ranked.rows]),
            ]
        return rerank(ranked.scores, directions, limit, reranking, [mix for mix in mixes if mix is not None])

    def _explore(
        self, request: Request, profile: Profile, allowed: BoolArray, blend: Blend, rows: IntArray
    ) -> ExploredList:
        """Give a share of the positions of the list `rows` (k,) to the long-tail items that fit the user best."""
        share = self._settings.exploration if request.exploration is None else request.exploration
        groups = self.catalog.groups(request.filters)
        long_tail = self._long_tail.among(allowed, rows) if share else np.zeros_like(allowed)
        if groups is not None:
            long_tail &= ~np.isin(groups, groups[rows])
        if not long_tail.any():
            return ExploredList.without_exploration(rows)
        unit = ("session",) if request.user_id is None else ("user", request.user_id)
        random = generator(self.bundle.settings.seed, "explore", *unit, request.exploration_seed)
        return explore(rows, self._rank(blend, profile, long_tail, len(rows), groups).rows, share, random)

    def _explain(self, profile: Profile, listed: ExploredList, ranked: _ScoredCandidates) -> tuple[Recommendation, ...]:
        contributions = self._parts(profile, listed, ranked)
        # A reason names the feature that lifts an item most above the average candidate.
        lifts = np.where(informative_features(profile), contributions - ranked.contributions.mean(axis=0), -np.inf)
        # Explored items are in the long tail: "popular" would be wrong, whatever their score says.
        lifts[np.ix_(listed.explored, _SAME_FOR_ALL)] = -np.inf
        components: Sequence[int | None] = [None] * len(listed.rows)
        if profile.taste:
            components = profile.taste.best_components(self._space.directions[listed.rows]).tolist()
        recommendations = []
        for index, item_id in enumerate(self.bundle.catalog.ids.ids(listed.rows)):
            explored = bool(listed.explored[index])
            reason, because = self._explainer.reason(profile, ItemRow(int(listed.rows[index])), lifts[index])
            recommendations.append(
                Recommendation(
                    item_id=item_id,
                    score=float(contributions[index].sum()),
                    contributions=dict(zip(FEATURES, contributions[index].tolist(), strict=True)),
                    reason=UNTRIED if explored and reason == FROM_THE_CATALOG else reason,
                    because=None if because is None else self.bundle.catalog.ids.id(because),
                    component=components[index],
                    propensity=float(listed.propensities[index]),
                    explored=explored,
                )
            )
        return tuple(recommendations)

    def _parts(self, profile: Profile, listed: ExploredList, ranked: _ScoredCandidates) -> FloatArray:
        """Return the contributions (k, len(FEATURES)) of the items of a list; explored ones may be no candidates."""
        rows = listed.rows
        if not listed.explored.any():
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
class _ScoredCandidates:
    """Candidates of one request with their contributions.

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
        """Rows of the pool, (m,)."""
        return np.asarray(self.candidates[self.pool])

    @property
    def scores(self) -> FloatArray:
        """Scores of the pool, (m,)."""
        return np.asarray(self.contributions[self.pool].sum(axis=1))
