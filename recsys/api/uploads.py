"""Pictures in requests: their bytes, and the look that they show."""

from __future__ import annotations

from recsys.api.problems.answers import ProblemError
from recsys.api.problems.types import BAD_IMAGE
from recsys.api.services import Services
from recsys.serving.uploads import Upload, decode_base64, embed_upload
from style.errors import ImageError
from style.vector import StyleVector


def decoded(base64: str) -> bytes:
    """The bytes in a field of base64. Raises ProblemError."""
    try:
        return decode_base64(base64)
    except ImageError as error:
        raise ProblemError(BAD_IMAGE, f"{error}.") from None


async def look_of(services: Services, picture: bytes) -> StyleVector:
    """The style vector of a picture of which nothing is kept. Raises ProblemError where it is none."""
    try:
        # In the space of what is served, whatever the settings say for the next build.
        settings = services.recommender.bundle.settings
        backbone, steps = settings.style.backbone, settings.preprocess.steps
        return await services.describe(lambda: embed_upload(Upload.of(picture), backbone, steps))
    except ImageError as error:
        raise ProblemError(BAD_IMAGE, f"{str(error)[:300]}.") from None
