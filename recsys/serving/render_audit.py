"""Audit log of restyled images that were served by name or made of a caller's photo.

Entries are read from the image's own mark, so that they record the image as it was painted, not as it was requested.
"""

from __future__ import annotations

import logging

from recsys.clock import now
from recsys.errors import StorageError
from recsys.restyling.render_result import RenderResult
from recsys.storage.live.renders import Render, RenderLog
from style.provenance.mark import read_mark

logger = logging.getLogger(__name__)


def log_image(log: RenderLog, result: RenderResult, request_id: str, user_id: str | None, item_id: str | None) -> None:
    """Log that an image was served; originals are not logged. If the database fails, only the process's log says so.

    Args:
        log: Audit log.
        result: The image.
        request_id: Id of the HTTP request.
        user_id: User whose taste was the target, None if there was none.
        item_id: Item of the photo, None for a caller's own photo.
    """
    mark = read_mark(result.data)
    if mark is None:
        return
    render = Render(
        request_id=request_id,
        timestamp=now(),
        user_id=user_id,
        item_id=item_id,
        style_id="" if mark.credit is None else mark.credit.style_id,
        license="" if mark.credit is None else mark.credit.license,
        engine=mark.version,
        strength=result.strength,
        sha256=result.etag,
    )
    try:
        log.append(render)
    except StorageError as error:
        logger.error("a restyled image is missing in the audit log: %s", error)
