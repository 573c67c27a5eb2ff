"""Limits of requests: bytes of a body, entries of lists, characters of ids."""

from __future__ import annotations

from style.images import UPLOAD_LIMITS

MAX_BODY_BYTES = 256 * 1024
"""Limit of a body unless the route table says otherwise."""
MAX_IMAGE_BYTES = UPLOAD_LIMITS.max_bytes
MAX_IMAGE_CHARACTERS = 4 * ((MAX_IMAGE_BYTES + 2) // 3)
"""Limit of an image in base64."""
MAX_IMAGE_JSON_BYTES = MAX_IMAGE_CHARACTERS + MAX_BODY_BYTES
"""Limit of a JSON body that may hold one image in base64."""
MAX_EVENTS_BYTES = 2 * 1024 * 1024
MAX_BATCH_BYTES = 32 * 1024 * 1024

MAX_ERRORS = 20
"""Errors of fields in one answer."""
MAX_SESSION_ITEMS = 200
MAX_EXCLUDED = 1000
MAX_SHOWN = 1000
MAX_CATEGORIES = 50
MAX_STYLES = 8
MAX_ID_LENGTH = 512
MAX_DEADLINE_MS = 60_000
MAX_INLINE_IMAGES = 8
INLINE_WIDTH = 256
