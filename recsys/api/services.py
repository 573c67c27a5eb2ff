"""What the routes work with, made once by `create_app`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from recsys.api.analysis_cache import AnalysisCache
from recsys.api.auth.security import Security
from recsys.api.context import request_context_of
from recsys.api.lists.answer_cache import AnswerCache
from recsys.api.lists.cursors import Cursors
from recsys.api.metrics import Metrics
from recsys.api.model_source import Snapshot
from recsys.api.overload.admission import RankingPool
from recsys.api.overload.drain import Drain
from recsys.config import EventSettings
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request as RecommendationRequest
from recsys.restyling.policy import RestylePolicy
from recsys.restyling.renderer import Renderer
from recsys.schema import ItemId, UserId
from recsys.serving.catalog_editor import CatalogEditor
from recsys.serving.experiments import LiveExperiments
from recsys.serving.live_store import LiveStore
from recsys.serving.model_host import ModelHost
from recsys.storage.live.user_state import PersonState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Services:
    """One model's snapshot, the restyler, what events weigh, who may ask, live data, the threads that rank, the one
    that writes and the one that describes pictures, the numbers kept, and the experiments.

    A request gets the services with the snapshot that it took at its start. `host` is None where one model serves for
    good.
    """

    snapshot: Snapshot
    restyler: Renderer
    events: EventSettings
    security: Security
    ranking: RankingPool
    metrics: Metrics
    drain: Drain
    live: LiveStore
    editor: CatalogEditor
    choices: RestylePolicy
    cursors: Cursors
    answers: AnswerCache
    writer: Executor
    describer: Executor
    host: ModelHost | None
    experiments: LiveExperiments
    analyses: AnalysisCache

    @property
    def recommender(self) -> Recommender:
        """What ranks for this request."""
        return self.snapshot.recommender

    async def state(self, user_id: str) -> PersonState:
        """What live data say of a person. SQLite answers in microseconds; a server is waited for elsewhere."""
        if self.live.database.is_sqlite:
            return self.live.states.read(user_id)
        return await run_in_threadpool(self.live.states.read, user_id)

    async def write(self, work: Callable[[], T]) -> T:
        """Run `work` on the thread that writes, one after the other: writers of one process need not contend."""
        return await asyncio.wrap_future(self.writer.submit(work))

    async def describe(self, work: Callable[[], T]) -> T:
        """Run `work` on the thread that decodes and embeds pictures, where it keeps nobody else from writing."""
        return await asyncio.wrap_future(self.describer.submit(work))

    def request_of(
        self, user_id: UserId, state: PersonState, wish: RecommendationRequest | None = None
    ) -> RecommendationRequest:
        """A person's request as of now: with what they did since the model was built, and what they chose."""
        return self.live.persons.request(user_id, state, self.recommender, wish or RecommendationRequest())

    def knows_user(self, user_id: UserId, state: PersonState) -> bool:
        """Whether a person has a history, in the model or since it was built."""
        return not state.erased and (bool(state.last_event) or self.recommender.has_user(user_id))

    def knows_item(self, item_id: ItemId) -> bool:
        """Whether the catalog has an item, one that was put a moment ago included."""
        if self.recommender.has_item(item_id):
            return True
        put = self.live.items.get(item_id)
        return put is not None and not put.deleted

    def of(self, snapshot: Snapshot) -> Services:
        """The same with another model, to which no answers belong yet."""
        return replace(self, snapshot=snapshot, answers=self.answers.emptied())


def services_of(scope: Scope) -> Services:
    """The services with this request's snapshot."""
    state = scope["app"].state
    services: Services = state.services
    snapshot = request_context_of(scope).snapshot
    if snapshot is not services.snapshot:
        # After a swap, one request makes the services of all that follow.
        services = state.services = services.of(snapshot)
    return services


async def _services(request: Request) -> Services:
    return services_of(request.scope)


Served = Annotated[Services, Depends(_services)]
"""Parameter type of a route that needs the services."""
