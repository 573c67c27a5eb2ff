"""A list of recommendations from question to answer: page, person, experiments, ranking, pictures, exposure."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from fastapi import Response
from starlette.concurrency import run_in_threadpool

from recsys.api.context import RequestContext
from recsys.api.lists.answer_cache import CachedList, Key
from recsys.api.lists.cursors import MAX_ROWS, Cursor
from recsys.api.lists.links import Links
from recsys.api.lists.presenters import PendingList
from recsys.api.schemas.recommendations import RecommendationOptions, RestyleMode
from recsys.api.services import Services
from recsys.experiments.design.exposure import TriggerContext
from recsys.experiments.design.registry import Identity
from recsys.ranking.request import Answer, Request
from recsys.restyling.policy import Viewer
from recsys.schema import Basis, ItemId, UserId
from recsys.serving.arms import applied, as_served, asked_overrides
from recsys.serving.experiment_arms import UNTREATED, Treatment, context_of
from recsys.storage.live.exposures import Encoded
from recsys.storage.live.user_state import NOBODY

_PAGES_APART = {"cursor", "limit", "restyle", "deadline_ms", "items", "styles", "image_base64"}
"""Options that may differ from page to page."""
_OVERRIDES = ("diversity", "calibration", "exploration", "strength", "mode", "scene")
"""Options that arms of experiments set, too: a caller's goes first."""


@dataclass(frozen=True, slots=True)
class ListBuilder:
    """One question for a list. `wish` is what is asked apart from who asks; `treatment`: what experiments do to it."""

    services: Services
    links: Links
    exchange: RequestContext
    options: RecommendationOptions
    wish: Request
    # Before anything is done, so that ranking is part of what a deadline allows.
    asked_at: float = field(default_factory=time.monotonic)
    treatment: Treatment = UNTREATED

    async def of_user(self, user_id: UserId, query: bytes) -> Response:
        """The list of somebody with an account, known or not; `query` as it was sent: under it the answer is kept for
        the next time (`again`)."""
        who = Viewer(user_id, await self.services.state(user_id))
        treated = self._treated(who)
        made = await treated._made(who)
        # Whether pictures came in time is another thing each time; and what is forced is asked for to be looked at.
        if self.options.restyle is not RestyleMode.INLINE and not self.options.force:
            self.services.answers.put(Key(user_id, who.state, query, self.links.prefix, treated.treatment), made)
        return self._sent(made, user_id)

    async def of_session(self) -> Response:
        """The list of somebody without an account."""
        who = Viewer(None, NOBODY)
        return self._sent(await self._treated(who)._made(who), None)

    def _treated(self, who: Viewer) -> ListBuilder:
        """This question as experiments have it answered, perhaps by another model."""
        services, options = self.services, self.options
        treatments = services.experiments.current
        if not (treatments.any or options.force):
            return self
        active = services.recommender
        known = who.user_id is not None and services.knows_user(who.user_id, who.state)
        categories = frozenset(options.category)
        context = context_of(categories, options.platform, options.country, options.language, known_user=known)
        treatment = treatments.of(Identity(who.user_id, options.session_id), context, active)
        if options.force:
            treatment = treatments.forced(treatment, dict(one.split(":") for one in options.force), active)
        if treatment.model is not None:
            self.exchange.served = treatment.model
            services = replace(services, snapshot=treatment.model)
        return replace(self, services=services, treatment=treatment)

    async def _made(self, who: Viewer) -> CachedList:
        """Ranked on a ranking thread; pictures within the answer are waited for elsewhere, so that they hold no place
        among the requests that rank."""
        if self.options.restyle is RestyleMode.INLINE:
            draft, cursor = await self.services.ranking.run(self._drafted, who)
            return await run_in_threadpool(self._written, who, draft, cursor)
        return await self.services.ranking.run(lambda: self._written(who, *self._drafted(who)))

    def _drafted(self, who: Viewer) -> tuple[PendingList, str | None]:
        services, options = self.services, self.options
        shown = self._rows_before(who)
        request = self.wish
        if shown:
            exclude = request.filters.exclude | set(services.recommender.ids_of(shown))
            request = replace(request, filters=replace(request.filters, exclude=exclude))
        if who.user_id is not None:
            request = services.request_of(who.user_id, who.state, request)
        if services.host is not None:
            services.host.remember(request)
        arm = self.treatment.overrides
        if self.treatment is not UNTREATED:
            request = applied(request, arm)
            # How pictures come is the caller's to say, whether they are restyled an arm's, too.
            restyle = RestyleMode.OFF if arm.restyle is False else options.restyle
            options = options.model_copy(
                update={"restyle": restyle, "scene": options.scene or arm.scene, "mode": options.mode or arm.mode}
            )
        answer = services.recommender.recommend(request)
        choose = services.choices.chooser(
            who,
            services.recommender,
            answer.taste,
            options.strength,
            options.scene,
            options.refresh or "",
            arm.strength,
        )
        draft = PendingList.of(services, self.links, answer, options, choose, self._until(), arm.engine)
        return draft, self._next(who, shown, [found.item_id for found in answer.recommendations])

    def _occasion(self, who: Viewer, answer: Answer) -> TriggerContext:
        """What this request can show, whatever its arms."""
        services, options = self.services, self.options
        given = {name: getattr(options, name) for name in _OVERRIDES}
        return TriggerContext(
            places=options.limit,
            photos=options.restyle is not RestyleMode.OFF and services.recommender.has_photos,
            taste=bool(answer.taste),
            personal=bool(answer.taste) or answer.basis is not Basis.POPULAR,
            asked=asked_overrides(given, who.state.strength is not None),
            base=as_served(
                self.exchange.snapshot.recommender,
                services.restyler.settings,
                learned=services.choices.learned_for(who),
            ),
        )

    def _until(self) -> float:
        asked = self.options.deadline_ms
        wait_ms = self.services.restyler.settings.deadline_ms if asked is None else asked
        return self.asked_at + wait_ms / 1000

    def _written(self, who: Viewer, draft: PendingList, cursor: str | None) -> CachedList:
        answer, options, treatment = draft.answer, self.options, self.treatment
        listed = draft.written(
            self.services, self.links, explain=options.explain, next_cursor=cursor, experiments=treatment.arms
        )
        items = tuple(found.item_id for found in answer.recommendations)
        propensities = tuple(found.propensity for found in answer.recommendations)
        encoded = Encoded.of(items, propensities, draft.pictures)
        return CachedList(
            listed.model_dump_json().encode(),
            items,
            propensities,
            draft.pictures,
            encoded,
            model_version=answer.model_version,
            exposed=treatment.exposed(self._occasion(who, answer)) if treatment.placed else {},
            session_id=options.session_id,
            platform=options.platform,
            category=options.category[0] if len(options.category) == 1 else None,
        )

    def _rows_before(self, who: Viewer) -> tuple[int, ...]:
        if self.options.cursor is None:
            return ()
        cursor = self.services.cursors.decode(
            self.options.cursor,
            asker=who.user_id or "",
            query=self._query(),
            model_version=self.services.recommender.version,
        )
        return cursor.rows

    def _next(self, who: Viewer, before: tuple[int, ...], items: list[ItemId]) -> str | None:
        """The cursor behind this page; None where it was not full, or a cursor would have to hold too much."""
        recommender = self.services.recommender
        rows = (*before, *(int(recommender.row(item)) for item in items))
        if len(items) < self.options.limit or len(rows) > MAX_ROWS:
            return None
        cursor = Cursor.of(recommender.version, rows)
        return self.services.cursors.encode(cursor, asker=who.user_id or "", query=self._query())

    def _query(self) -> str:
        return self.options.model_dump_json(exclude=_PAGES_APART, exclude_defaults=True)

    def _sent(self, made: CachedList, user_id: UserId | None) -> Response:
        self.services.live.exposures.append(made.exposure(self.exchange.request_id, user_id))
        return Response(made.body, media_type="application/json")
