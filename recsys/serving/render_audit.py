"""What the audit log keeps of a picture that was given out: read from the picture's own mark, so that it says what was
done and not what was asked."""

from __future__ import annotations

import logging

from recsys.clock import now
from recsys.errors import StorageError
from recsys.restyling.render_result import RenderResult
from recsys.storage.live.renders import Render, RenderLog
from style.provenance.mark import read_mark

logger = logging.getLogger(__name__)


def keep_render(
    log: RenderLog, picture: RenderResult, request_id: str, user_id: str | None, item_id: str | None
) -> None:
    """Keep that a picture was given out; originals are not kept. A database that fails is told in the log alone."""
    mark = read_mark(picture.data)
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
        strength=picture.strength,
        sha256=picture.etag,
    )
    try:
        log.append(render)
    except StorageError as error:
        logger.error("a restyled picture is missing in the audit log: %s", error)
