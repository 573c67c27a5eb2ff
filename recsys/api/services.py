"""What the routes work with, made once by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request

from recsys.api.admission import Ranking
from recsys.api.drain import Drain
from recsys.api.exchange import exchange_of
from recsys.api.metrics import Metrics
from recsys.api.security import Security
from recsys.api.snapshots import Snapshot
from recsys.config import EventSettings
from recsys.pipeline.recommender import Recommender
from recsys.pipeline.restyle import Restyler


@dataclass(frozen=True, slots=True)
class Services:
    """One model's snapshot, the restyler, what events weigh, who may ask, the threads that rank, and the numbers kept.

    A request gets the services with the snapshot that it took at its start.
    """

    snapshot: Snapshot
    restyler: Restyler
    events: EventSettings
    security: Security
    ranking: Ranking
    metrics: Metrics
    drain: Drain

    @property
    def recommender(self) -> Recommender:
        """What ranks for this request."""
        return self.snapshot.recommender


def services_of(request: Request) -> Services:
    """The services with this request's snapshot; for routes where a dependency's microseconds count."""
    state = request.app.state
    services: Services = state.services
    snapshot = exchange_of(request.scope).snapshot
    if snapshot is not services.snapshot:
        # After a swap, one request makes the services of all that follow.
        services = state.services = replace(services, snapshot=snapshot)
    return services


async def _services(request: Request) -> Services:
    return services_of(request)


Served = Annotated[Services, Depends(_services)]
"""Parameter type of a route that needs the services."""
