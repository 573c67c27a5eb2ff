"""What the routes work with, made once by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from recsys.api.security import Security
from recsys.config import EventSettings
from recsys.pipeline.recommender import Recommender
from recsys.pipeline.restyle import Restyler


@dataclass(frozen=True, slots=True)
class Services:
    """The recommender, the restyler, what events weigh, and who may ask."""

    recommender: Recommender
    restyler: Restyler
    events: EventSettings
    security: Security


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Served = Annotated[Services, Depends(_services)]
"""Parameter type of a route that needs the services."""
