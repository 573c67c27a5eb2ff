"""A list of recommendations from question to answer: page, person, ranking, pictures, exposure."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from fastapi import Response
from starlette.concurrency import run_in_threadpool

from recsys.api.answer_cache import Key, Made
from recsys.api.answers import Draft
from recsys.api.cursors import MAX_ROWS, Cursor
from recsys.api.exchange import Exchange
from recsys.api.links import Links
from recsys.api.schemas import RecommendationOptions, RestyleMode
from recsys.api.services import Services
from recsys.pipeline.request import Request
from recsys.schema import ItemId, UserId
from recsys.serving.pictures import Wisher
from recsys.storage.exposures import Encoded
from recsys.storage.persons import NOBODY

_PAGES_APART = {"cursor", "limit", "restyle", "deadline_ms", "items", "styles", "image_base64"}
"""Options that may differ from page to page."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One question for a list. `wish` is what is asked apart from who asks."""

    services: Services
    links: Links
    exchange: Exchange
    options: RecommendationOptions
    wish: Request
    # Before anything is done, so that ranking is part of what a deadline allows.
    asked_at: float = field(default_factory=time.monotonic)

    async def of_user(self, user_id: UserId, query: bytes) -> Response:
        """The list of somebody with an account, known or not; `query` as it was sent: under it the answer is kept for
        the next time (`again`)."""
        services = self.services
        who = Wisher(user_id, await services.state(user_id))
        if self.options.restyle is RestyleMode.INLINE:
            # Whether pictures came in time is another thing each time.
            return self._sent(await self._made(who), user_id)
        made = await self._made(who)
        services.answers.put(Key(user_id, who.state, query, self.links.prefix), made)
        return self._sent(made, user_id)

    async def of_session(self) -> Response:
        """The list of somebody without an account."""
        return self._sent(await self._made(Wisher(None, NOBODY)), None)

    async def _made(self, who: Wisher) -> Made:
        """Ranked on a ranking thread; pictures within the answer are waited for elsewhere, so that they hold no place
        among the requests that rank."""
        if self.options.restyle is RestyleMode.INLINE:
            draft, cursor = await self.services.ranking.run(self._drafted, who)
            return await run_in_threadpool(self._written, draft, cursor)
        return await self.services.ranking.run(lambda: self._written(*self._drafted(who)))

    def _drafted(self, who: Wisher) -> tuple[Draft, str | None]:
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
        answer = services.recommender.recommend(request)
        choose = services.choices.chooser(
            who, services.recommender, answer.taste, options.strength, options.scene, options.refresh or ""
        )
        draft = Draft.of(services, self.links, answer, options, choose, self._until())
        return draft, self._next(who, shown, [found.item_id for found in answer.recommendations])

    def _until(self) -> float:
        asked = self.options.deadline_ms
        wait_ms = self.services.restyler.settings.deadline_ms if asked is None else asked
        return self.asked_at + wait_ms / 1000

    def _written(self, draft: Draft, cursor: str | None) -> Made:
        answer = draft.answer
        listed = draft.written(self.services, self.links, explain=self.options.explain, next_cursor=cursor)
        items = tuple(found.item_id for found in answer.recommendations)
        propensities = tuple(found.propensity for found in answer.recommendations)
        encoded = Encoded.of(items, propensities, draft.pictures)
        return Made(listed.model_dump_json().encode(), items, propensities, draft.pictures, encoded)

    def _rows_before(self, who: Wisher) -> tuple[int, ...]:
        if self.options.cursor is None:
            return ()
        cursor = self.services.cursors.decode(
            self.options.cursor,
            asker=who.user_id or "",
            query=self._query(),
            model_version=self.services.recommender.version,
        )
        return cursor.rows

    def _next(self, who: Wisher, before: tuple[int, ...], items: list[ItemId]) -> str | None:
        """The cursor behind this page; None where it was not full, or a cursor would have to hold too much."""
        recommender = self.services.recommender
        rows = (*before, *(int(recommender.row(item)) for item in items))
        if len(items) < self.options.limit or len(rows) > MAX_ROWS:
            return None
        cursor = Cursor.of(recommender.version, rows)
        return self.services.cursors.encode(cursor, asker=who.user_id or "", query=self._query())

    def _query(self) -> str:
        return self.options.model_dump_json(exclude=_PAGES_APART, exclude_defaults=True)

    def _sent(self, made: Made, user_id: UserId | None) -> Response:
        version = self.services.recommender.version
        self.services.live.exposures.append(made.exposure(self.exchange.request_id, user_id, version))
        return Response(made.body, media_type="application/json")
