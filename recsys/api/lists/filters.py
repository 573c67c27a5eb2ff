"""What a person has touched, live events included."""

from __future__ import annotations

from dataclasses import replace

from recsys.api.services import Services
from recsys.ranking.request import Filters
from recsys.schema import UserId


async def unseen(services: Services, filters: Filters, user_id: str | None) -> Filters:
    """`filters` that leave out what a person touched since the model was built; what it knows, it leaves out itself."""
    if user_id is None or filters.seen:
        return filters
    state = await services.state(user_id)
    request = services.request_of(UserId(user_id), state)
    return replace(filters, exclude=filters.exclude | request.items.keys() | request.filters.exclude)
