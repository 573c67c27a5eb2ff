"""List builder: from a request for a list to its answer (page, user, experiments, ranking, images, exposure)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fastapi import Response
from starlette.concurrency import run_in_threadpool

from recsys.api.answer_cache import CachedList, Key
from recsys.api.context import RequestContext
from recsys.api.cursors import MAX_ROWS, Cursor
from recsys.api.lists.assignment import assign_session, resolve_user
from recsys.api.lists.links import Links
from recsys.api.lists.presenters import PendingList
from recsys.api.lists.references import References
from recsys.api.schemas.recommendations import RecommendationOptions, RestyleMode
from recsys.api.services import Services
from recsys.experiments.design.exposure import TriggerContext
from recsys.profiles.cold_start import Profile
from recsys.ranking.request import Answer, Request
from recsys.restyling.policy import Viewer
from recsys.schema import Basis, ItemId, UserId
from recsys.serving.experiment_arms import NO_ARMS, RequestArms, apply_overrides, default_overrides, fixed_overrides
from recsys.storage.live.exposures import EncodedLists
from recsys.storage.live.user_state import NO_STATE

_PAGE_OPTIONS = {"cursor", "limit", "restyle", "deadline_ms", "items", "styles", "image_base64"}
"""Options that may differ from page to page."""
_OVERRIDES = ("diversity", "calibration", "exploration", "strength", "mode", "scene")
"""Options that arms of experiments also set; the caller's value is used first."""


@dataclass(frozen=True, slots=True)
class ListBuilder:
    """Builder of one list.

    Attributes:
        services: Services with the model that ranks.
        links: Maker of links to images.
        context: Context of the HTTP request.
        options: Options of the caller.
        request: Ranking request without the user.
        names: Items and categories of the request that were looked up.
        started_at: Start of the deadline, by `time.monotonic`; ranking is part of it.
        arms: Arms of experiments.
    """

    services: Services
    links: Links
    context: RequestContext
    options: RecommendationOptions
    request: Request
    names: References
    started_at: float = field(default_factory=time.monotonic)
    arms: RequestArms = NO_ARMS

    async def answer_user(self, user_id: UserId, query: bytes) -> Response:
        """Return the list of a user, known or not, and store it in the answer cache.

        Args:
            user_id: Id of the user.
            query: Query as it was sent, part of the key in the answer cache.
        """
        state, arms = await resolve_user(self.services, self.context, user_id, query)
        viewer = Viewer(user_id, state)
        builder = self._with_arms(arms)
        cached = await builder._build(viewer)
        # Inline images depend on the time that rendering took, and forced arms are for inspection.
        if self.options.restyle is not RestyleMode.INLINE and not self.options.force:
            self.services.answers.put(Key(user_id, state, query, self.links.prefix, builder.arms), cached)
        return self._respond(cached, user_id)

    async def answer_session(self) -> Response:
        """Return the list of a visitor without a user id."""
        builder = self._with_arms(assign_session(self.services, self.options))
        return self._respond(await builder._build(Viewer(None, NO_STATE)), None)

    def _with_arms(self, arms: RequestArms) -> ListBuilder:
        """Return the builder with the arms of the request, and with the model that they ask for."""
        services, force = self.services, self.options.force
        if force:
            named = dict(one.split(":") for one in force)
            arms = services.experiments.current.force(arms, named, services.recommender)
        if arms is NO_ARMS:
            return self
        if arms.model is not None:
            self.context.served = arms.model
            services = replace(services, snapshot=arms.model)
        return replace(self, services=services, arms=arms)

    async def _build(self, viewer: Viewer) -> CachedList:
        """Rank on a ranking thread. Wait for inline images on another thread, so that they do not block ranking."""
        if self.options.restyle is RestyleMode.INLINE:
            pending, cursor = await self.services.ranking.run(self._rank, viewer)
            return await run_in_threadpool(self._write, viewer, pending, cursor)
        return await self.services.ranking.run(lambda: self._write(viewer, *self._rank(viewer)))

    def _rank(self, viewer: Viewer) -> tuple[PendingList, str | None]:
        """Return the ranked list and the cursor of the next page."""
        services, options = self.services, self.options
        shown = self._decode_cursor(viewer)
        request = self.request
        if shown:
            exclude = request.filters.exclude | set(services.recommender.catalog.present_ids(shown))
            request = replace(request, filters=replace(request.filters, exclude=exclude))
        if viewer.user_id is not None:
            request = services.request_of(viewer.user_id, viewer.state, request)
        if services.host is not None:
            services.host.remember(request)
        overrides = self.arms.overrides
        if self.arms is not NO_ARMS:
            request = apply_overrides(request, overrides)
            # The caller decides how images are delivered, an arm can only turn restyling off.
            restyle = RestyleMode.OFF if overrides.restyle is False else options.restyle
            options = options.model_copy(
                update={
                    "restyle": restyle,
                    "scene": options.scene or overrides.scene,
                    "mode": options.mode or overrides.mode,
                }
            )
        answer = services.recommender.recommend(request)
        choose = services.choices.chooser(
            viewer,
            services.recommender,
            answer.taste,
            options.strength,
            options.scene,
            options.exploration_seed or "",
            overrides.strength,
        )
        deadline_ms = services.restyler.settings.deadline_ms if options.deadline_ms is None else options.deadline_ms
        until = self.started_at + deadline_ms / 1000
        pending = PendingList.from_answer(services, self.links, answer, options, choose, until, overrides.engine)
        return pending, self._encode_cursor(viewer, shown, [one.item_id for one in answer.recommendations])

    def _write(self, viewer: Viewer, pending: PendingList, cursor: str | None) -> CachedList:
        """Return the list as JSON, with the data for its exposure."""
        answer, options, arms = pending.answer, self.options, self.arms
        listed = pending.view(
            self.services, self.links, explain=options.explain, next_cursor=cursor, experiments=arms.names
        )
        listed.unknown, listed.hints = list(self.names.unknown), list(self.names.hints)
        items = tuple(one.item_id for one in answer.recommendations)
        propensities = tuple(one.propensity for one in answer.recommendations)
        return CachedList(
            body=listed.model_dump_json().encode(),
            items=items,
            propensities=propensities,
            pictures=pending.exposures,
            encoded=EncodedLists.from_lists(items, propensities, pending.exposures),
            model_version=answer.model_version,
            exposed=arms.exposures(self._trigger(viewer, answer)) if arms.assignments else {},
            session_id=options.session_id,
            platform=options.platform,
            category=options.category[0] if len(options.category) == 1 else None,
        )

    def _trigger(self, viewer: Viewer, answer: Answer) -> TriggerContext:
        """Return the properties of this request that decide whether arms can differ in it."""
        services, options = self.services, self.options
        given = {name: getattr(options, name) for name in _OVERRIDES}
        return TriggerContext(
            positions=options.limit,
            photos=options.restyle is not RestyleMode.OFF and services.recommender.catalog.has_photos,
            taste=bool(answer.taste),
            personal=bool(answer.taste) or answer.basis is not Basis.POPULAR,
            requested=fixed_overrides(given, viewer.state.strength is not None),
            base=default_overrides(
                self.context.snapshot.recommender,
                services.restyler.settings,
                learned=services.choices.uses_ratings(viewer),
            ),
        )

    def _decode_cursor(self, viewer: Viewer) -> tuple[int, ...]:
        """Return the item rows of earlier pages."""
        if self.options.cursor is None:
            return ()
        cursor = self.services.cursors.decode(
            self.options.cursor,
            asker=viewer.user_id or "",
            query=self._cursor_query(),
            model_version=self.services.recommender.version,
        )
        return cursor.rows

    def _encode_cursor(self, viewer: Viewer, shown: tuple[int, ...], items: list[ItemId]) -> str | None:
        """Return the cursor of the next page, None if this page is not full or the cursor would hold too many rows."""
        recommender = self.services.recommender
        rows = (*shown, *(int(recommender.catalog.row(item)) for item in items))
        if len(items) < self.options.limit or len(rows) > MAX_ROWS:
            return None
        cursor = Cursor.from_rows(recommender.version, rows)
        return self.services.cursors.encode(cursor, asker=viewer.user_id or "", query=self._cursor_query())

    def _cursor_query(self) -> str:
        return self.options.model_dump_json(exclude=_PAGE_OPTIONS, exclude_defaults=True)

    def _respond(self, cached: CachedList, user_id: UserId | None) -> Response:
        if not self.context.is_head:
            self.services.live.exposures.append(cached.exposure(self.context.request_id, user_id))
        return Response(cached.body, media_type="application/json")


async def profile_reader(services: Services, user_id: str | None) -> Callable[[], Profile | None]:
    """Return a function that computes the profile of a user with the latest events, None without a user.

    Call it on a ranking thread.
    """
    if user_id is None:
        return lambda: None
    state = await services.state(user_id)
    return lambda: services.recommender.profile(services.request_of(UserId(user_id), state))
