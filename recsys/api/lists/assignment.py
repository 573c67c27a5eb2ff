"""State of a user and arms of experiments for one list, computed once per request."""

from __future__ import annotations

from urllib.parse import parse_qs

from recsys.api.context import RequestContext
from recsys.api.schemas.recommendations import RecommendationOptions
from recsys.api.services import Services
from recsys.experiments.design.registry import Identity
from recsys.experiments.design.targeting import ANY_CONTEXT
from recsys.schema import UserId
from recsys.serving.experiment_arms import NO_ARMS, RequestArms, targeting_context
from recsys.storage.live.user_state import UserState


async def resolve_user(
    services: Services, context: RequestContext, user_id: UserId, query: bytes
) -> tuple[UserState, RequestArms]:
    """Read the state of a user and assign experiments, at the first call for a request.

    Args:
        services: Services with the snapshot of the request.
        context: Context of the request, which keeps both results.
        user_id: User of the list.
        query: Query as it was sent. It may be invalid: then the route rejects the request.

    Returns:
        The state, and the arms that experiments assign.

    Raises:
        StorageError: The live data cannot be read.
    """
    if context.state is None or context.arms is None:
        context.state = await services.state(user_id)
        context.arms = _arms_of_user(services, user_id, context.state, query)
    return context.state, context.arms


def _arms_of_user(services: Services, user_id: UserId, state: UserState, query: bytes) -> RequestArms:
    experiments = services.experiments.current
    if not experiments.any:
        return NO_ARMS
    if not experiments.by_query:
        return experiments.assign(Identity(user_id), ANY_CONTEXT, services.recommender)
    parameters = parse_qs(query.decode("latin-1"))
    platform, country, language, session_id = (
        parameters[name][-1] if name in parameters else None
        for name in ("platform", "country", "language", "session_id")
    )
    targeting = targeting_context(
        frozenset(parameters.get("category", ())),
        platform,
        country,
        language,
        known_user=services.knows_user(user_id, state),
    )
    return experiments.assign(Identity(user_id, session_id), targeting, services.recommender)


def assign_session(services: Services, options: RecommendationOptions) -> RequestArms:
    """Assign experiments to a request without a user."""
    experiments = services.experiments.current
    if not experiments.any:
        return NO_ARMS
    targeting = targeting_context(
        frozenset(options.category), options.platform, options.country, options.language, known_user=False
    )
    return experiments.assign(Identity(None, options.session_id), targeting, services.recommender)
