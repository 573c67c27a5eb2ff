"""Images in requests: decoding and embedding."""

from __future__ import annotations

from recsys.api.problems.answers import ProblemError
from recsys.api.problems.types import BAD_IMAGE
from recsys.api.services import Services
from recsys.serving.uploads import Upload, decode_base64, embed_upload
from style.errors import ImageError
from style.vector import StyleVector


def decode_image_field(base64: str) -> bytes:
    """Return the bytes of a field in base64. Raises ProblemError."""
    try:
        return decode_base64(base64)
    except ImageError as error:
        raise ProblemError(BAD_IMAGE, f"{error}.") from None


async def embed_image(services: Services, data: bytes) -> StyleVector:
    """Return the style vector of an image file without storing it. Raises ProblemError if it is no image."""
    try:
        # Settings of the served bundle, because the project's settings may already be those of the next build.
        settings = services.recommender.bundle.settings
        backbone, steps = settings.style.backbone, settings.preprocess.steps
        return await services.describe(lambda: embed_upload(Upload.from_bytes(data), backbone, steps))
    except ImageError as error:
        raise ProblemError(BAD_IMAGE, f"{str(error)[:300]}.") from None
