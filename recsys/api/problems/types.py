"""Types of problems: the meaning of each, and its cure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemType:
    """Type of problem. `meaning` describes when it occurs, `cure` how the caller can solve it."""

    slug: str
    status: int
    title: str
    meaning: str
    cure: str

    @property
    def uri(self) -> str:
        """Relative reference to the explanation."""
        return f"/problems/{self.slug}"


INVALID_REQUEST = ProblemType(
    "invalid-request",
    422,
    "The request is not valid",
    "A parameter or field is missing, unknown, of the wrong type or out of range.",
    "Correct the fields in `errors`; /docs lists every parameter with its range.",
)
MALFORMED_JSON = ProblemType(
    "malformed-json",
    400,
    "The body is not JSON",
    "The body of the request cannot be read as JSON in UTF-8.",
    "Send JSON in UTF-8 with the header Content-Type: application/json; /docs shows its form.",
)
UNKNOWN_ITEM = ProblemType(
    "unknown-item",
    404,
    "No such item",
    "The item in the path is not in the catalog: it never was, or it was deleted.",
    "Check the id; PUT /v1/items/{id} adds an item, which is known within a second.",
)
UNKNOWN_REFERENCE = ProblemType(
    "unknown-reference",
    422,
    "The request names something unknown",
    "A style, or an item that the request is about, does not exist.",
    "Leave it out or correct it; /v1/styles lists the styles, GET /v1/items/{id} tells whether an item exists.",
)
LICENSE_FORBIDS = ProblemType(
    "license-forbids",
    403,
    "The style's license forbids it",
    "Images must not be restyled toward this style: its license does not allow the use in this shop.",
    "Choose another style of /v1/styles, one with `restyle` true.",
)
NO_IMAGE = ProblemType(
    "no-image",
    404,
    "The item has no image",
    "The catalog has no image for this item.",
    "Show a placeholder, or import the item again with its image.",
)
UNREADABLE_IMAGE = ProblemType(
    "unreadable-image",
    404,
    "The item's image cannot be read",
    "The catalog has an image, but its file is missing, damaged or beyond the limits.",
    "Show a placeholder, and import the image again.",
)
BAD_IMAGE = ProblemType(
    "bad-image",
    422,
    "The image in the request cannot be read",
    "The data is not an image, is damaged, or is beyond the limits.",
    "Send a complete JPEG, PNG or WebP of 8 to 16384 pixels a side, 36 million pixels and 12 MiB at most.",
)
UNSUPPORTED_MEDIA = ProblemType(
    "unsupported-media-type",
    415,
    "The body has an unsupported type",
    "The header Content-Type is none of the types that this path accepts.",
    "Send the type that /docs shows for this path; images as image/jpeg, image/png or image/webp.",
)
MISSING_KEY = ProblemType(
    "missing-key",
    401,
    "An API key is needed",
    "This service needs a key, and the request has none or a wrong one.",
    "Send a valid key in the header X-API-Key.",
)
BAD_SIGNATURE = ProblemType(
    "bad-signature",
    403,
    "The link's signature is not valid",
    "The link of an image was changed, or was signed by a service with another key.",
    "Use the link exactly as an answer contained it, or request the recommendations again.",
)
NO_SUCH_PATH = ProblemType(
    "no-such-path",
    404,
    "No such path",
    "The service has nothing at this path.",
    "See /docs for the paths that exist.",
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed",
    405,
    "Method not allowed",
    "The path exists, but not with this HTTP method.",
    "Use a method in the header Allow.",
)
TOO_LARGE = ProblemType(
    "too-large",
    413,
    "The body is too large",
    "The body of the request has more bytes than the service accepts.",
    "Send fewer items; the most recent ones say most.",
)
ADDRESS_TOO_LONG = ProblemType(
    "address-too-long",
    414,
    "The address is too long",
    "Path and query have more than 65,535 characters.",
    "Send fewer ids; POST /v1/recommendations takes them in its body.",
)
HEAD_TOO_LARGE = ProblemType(
    "head-too-large",
    431,
    "The head of the request is too large",
    "Address and headers, or the fields around the chunks of a body, have more than 128 KiB.",
    "Send fewer or shorter headers.",
)
TOO_SLOW = ProblemType(
    "too-slow",
    408,
    "The request arrived too slowly",
    "The head was not complete after 10 seconds, or the body paused for 10 seconds or had less than 1 KiB a second.",
    "Send the request again, on a faster connection or with a smaller body.",
)
MISSING_SCOPE = ProblemType(
    "missing-scope",
    403,
    "The key lacks a scope",
    "The request has a valid API key without the scope that this route needs: read, events or admin. If no key is set "
    "at all, admin routes answer only to the service's own machine.",
    "Use a key with the scope in `detail`.",
)
TOO_MANY_REQUESTS = ProblemType(
    "too-many-requests",
    429,
    "Too many requests",
    "This key, or without keys this address, sent more requests than the service allows.",
    "Wait as long as the header Retry-After says; RateLimit and RateLimit-Policy report what is left.",
)
OVERLOADED = ProblemType(
    "overloaded",
    503,
    "The service is overloaded",
    "The queue for lists is full; the request was rejected at once, because waiting would make all requests late.",
    "Try again after the seconds in Retry-After, and wait longer each time.",
)
DRAINING = ProblemType(
    "draining",
    503,
    "The service is about to stop",
    "The service drains: it answers the requests in flight, new ones should go elsewhere.",
    "Send requests to another instance; after a restart /readyz answers 200 again.",
)
BAD_CURSOR = ProblemType(
    "bad-cursor",
    400,
    "The cursor is not valid",
    "The cursor was changed, belongs to another user or to other options, or is from another service.",
    "Use the cursor as the last page returned it, with the same options; without a cursor, the first page is returned.",
)
STALE_CURSOR = ProblemType(
    "stale-cursor",
    410,
    "The list of this cursor is gone",
    "Another model serves now, and pages of two models do not fit together.",
    "Request the first page again, without a cursor.",
)
IDEMPOTENCY_MISMATCH = ProblemType(
    "idempotency-mismatch",
    422,
    "The Idempotency-Key was used for another request",
    "An earlier request with this Idempotency-Key was different.",
    "Use a new key for each new request; repeat a request without any change.",
)
IDEMPOTENCY_IN_PROGRESS = ProblemType(
    "idempotency-in-progress",
    409,
    "The first request with this Idempotency-Key is in progress",
    "A request with this Idempotency-Key has started and has not been answered yet.",
    "Repeat it in a moment; it gets the answer of the first one.",
)
STORAGE_FULL = ProblemType(
    "storage-full",
    507,
    "The storage is full",
    "The disk or database of the live data is full; nothing of this request was stored.",
    "Try again later; the operator of the service has to free space.",
)
REJECTED = ProblemType(
    "rejected",
    400,
    "The request was rejected",
    "The request breaks a rule of HTTP.",
    "See the detail.",
)
INTERNAL = ProblemType(
    "internal",
    500,
    "Internal error",
    "An unexpected error of the service itself.",
    "Try again; if it remains, report the header X-Request-ID, which is in the log of the service.",
)
MODEL_REJECTED = ProblemType(
    "model-rejected",
    409,
    "The model is not served",
    "The bundle is missing, damaged, or fails the warm-up; the current one keeps serving.",
    "Build again, or activate another version of /v1/models.",
)
UNKNOWN_EXPERIMENT = ProblemType(
    "unknown-experiment",
    404,
    "No such experiment",
    "There is no experiment with this key, or its file cannot be read.",
    "See /v1/experiments, which also lists problems of files.",
)
EXPERIMENT_REJECTED = ProblemType(
    "experiment-rejected",
    409,
    "The experiment cannot be changed like this",
    "Its state, another experiment or a missing model, engine or scene forbids it; nothing was changed.",
    "Follow `detail`.",
)
NO_RESULTS = ProblemType(
    "no-results",
    409,
    "There is nothing to analyze",
    "The experiment was not started, or its arms never differed in a list that was shown.",
    "Start it, and request lists; `detail` says what is missing.",
)
STORAGE_UNAVAILABLE = ProblemType(
    "storage-unavailable",
    503,
    "Live data cannot be reached",
    "The database of the live data does not answer; nothing was stored.",
    "Send the same request again in a moment.",
)

PROBLEM_TYPES = (
    INVALID_REQUEST,
    MALFORMED_JSON,
    UNKNOWN_ITEM,
    UNKNOWN_REFERENCE,
    LICENSE_FORBIDS,
    NO_IMAGE,
    UNREADABLE_IMAGE,
    BAD_IMAGE,
    UNSUPPORTED_MEDIA,
    MISSING_KEY,
    BAD_SIGNATURE,
    NO_SUCH_PATH,
    METHOD_NOT_ALLOWED,
    TOO_LARGE,
    ADDRESS_TOO_LONG,
    HEAD_TOO_LARGE,
    TOO_SLOW,
    MISSING_SCOPE,
    TOO_MANY_REQUESTS,
    OVERLOADED,
    DRAINING,
    BAD_CURSOR,
    STALE_CURSOR,
    IDEMPOTENCY_MISMATCH,
    IDEMPOTENCY_IN_PROGRESS,
    STORAGE_FULL,
    REJECTED,
    MODEL_REJECTED,
    UNKNOWN_EXPERIMENT,
    EXPERIMENT_REJECTED,
    NO_RESULTS,
    STORAGE_UNAVAILABLE,
    INTERNAL,
)
