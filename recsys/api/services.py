"""Services that the routes use, created once by `create_app`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from starlette.types import Scope

from recsys.api.analysis_cache import AnalysisCache
from recsys.api.answer_cache import AnswerCache
from recsys.api.auth.security import Security
from recsys.api.context import request_context_of
from recsys.api.cursors import Cursors
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
from recsys.storage.live.user_state import UserState, person_ids

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Services of the routes. A request uses them with the snapshot that it took at its start.

    Model:
        snapshot: The model of this request.
        host: Owner of the served model, None if one model is served permanently.
        restyler: Renderer of restyled images.
        choices: Policy that chooses how images are restyled.
        experiments: Experiments with the models of their arms.

    Data:
        live: Live data of the project.
        events: Weights of events.
        editor: Writer of live changes to the catalog.
        answers: Cache of lists, of this snapshot only.
        analyses: Cache of experiment results.
        cursors: Encoder of cursors.
        security: API keys and signatures of links.
        metrics: Metrics of this process.

    Threads:
        ranking: Threads that rank.
        reader: Threads that read a database server, apart from those of other routes, which go on if it hangs.
        writer: Thread that writes live data.
        describer: Thread that decodes and embeds images.
        drain: State of stopping.
    """

    snapshot: Snapshot
    host: ModelHost | None
    restyler: Renderer
    choices: RestylePolicy
    experiments: LiveExperiments

    live: LiveStore
    events: EventSettings
    editor: CatalogEditor
    answers: AnswerCache
    analyses: AnalysisCache
    cursors: Cursors
    security: Security
    metrics: Metrics

    ranking: RankingPool
    reader: Executor
    writer: Executor
    describer: Executor
    drain: Drain

    @property
    def recommender(self) -> Recommender:
        """Recommender of this request."""
        return self.snapshot.recommender

    async def state(self, user_id: str) -> UserState:
        """Return the state of a user in the live data.

        SQLite answers in microseconds, so it is read here; a database server is read on another thread.
        """
        if self.live.database.is_sqlite:
            return self.live.states.read(user_id)
        return await asyncio.wrap_future(self.reader.submit(self.live.states.read, user_id))

    async def write(self, work: Callable[[], T]) -> T:
        """Run `work` on the thread that writes, so that writers of one process do not contend."""
        return await asyncio.wrap_future(self.writer.submit(work))

    async def describe(self, work: Callable[[], T]) -> T:
        """Run `work` on the thread that decodes and embeds images, so that it does not delay writers."""
        return await asyncio.wrap_future(self.describer.submit(work))

    def request_of(
        self, user_id: UserId, state: UserState, options: RecommendationRequest | None = None
    ) -> RecommendationRequest:
        """Return the request of a user, with events since the model was built and with the user's choices."""
        return self.live.user_requests.build(user_id, state, self.recommender, options or RecommendationRequest())

    def knows_user(self, user_id: UserId, state: UserState) -> bool:
        """Return whether a user has a history, in the model or in the live data."""
        return not state.erased and (
            bool(state.last_event) or any(map(self.recommender.has_user, person_ids(user_id, state)))
        )

    def knows_item(self, item_id: ItemId) -> bool:
        """Return whether the catalog has an item, including one that was just put."""
        return self.recommender.catalog.has_item(item_id) or self.editor.knows(item_id, self.recommender)

    def with_snapshot(self, snapshot: Snapshot) -> Services:
        """Return the services with another model and an empty answer cache."""
        return replace(self, snapshot=snapshot, answers=self.answers.empty_copy())


def services_of(scope: Scope) -> Services:
    """Return the services with the snapshot of this request."""
    state = scope["app"].state
    services: Services = state.services
    snapshot = request_context_of(scope).snapshot
    if snapshot is not services.snapshot:
        # After a swap, the first request creates the services of all later ones.
        services = state.services = services.with_snapshot(snapshot)
    return services


async def _services(request: Request) -> Services:
    return services_of(request.scope)


Served = Annotated[Services, Depends(_services)]
"""Parameter type of a route that needs the services."""
