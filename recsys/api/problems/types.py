"""Every type of problem that the service answers with: when it occurs, and the cure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One documented type of problem. `meaning` says when it occurs, `cure` what the caller can do."""

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
    "Mend what `errors` names; /docs shows every parameter with its range.",
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
    "The item in the path is not in the catalog: it was never there, or was deleted.",
    "Check the id; PUT /v1/items/{id} adds an item, which is known within a second.",
)
UNKNOWN_REFERENCE = ProblemType(
    "unknown-reference",
    422,
    "The request names something unknown",
    "An item, style or category that the request refers to does not exist.",
    "Leave it out or correct it; /v1/styles lists the styles.",
)
LICENSE_FORBIDS = ProblemType(
    "license-forbids",
    403,
    "The style's license forbids it",
    "Pictures must not be restyled toward this style: its license does not allow what this shop does.",
    "Choose another style of /v1/styles, one with `restyle` true.",
)
NO_IMAGE = ProblemType(
    "no-image",
    404,
    "The item has no picture",
    "The catalog has no picture for this item.",
    "Show a placeholder, or import the item again with its picture.",
)
UNREADABLE_IMAGE = ProblemType(
    "unreadable-image",
    404,
    "The item's picture cannot be read",
    "The catalog names a picture, but the file is missing, damaged or beyond the limits.",
    "Show a placeholder, and have the shop import the picture again.",
)
BAD_IMAGE = ProblemType(
    "bad-image",
    422,
    "The picture that was sent cannot be read",
    "What was sent is no picture, is damaged, or is beyond the limits.",
    "Send a whole JPEG, PNG or WebP of 8 to 16384 pixels a side, 36 million pixels and 12 MiB at most.",
)
UNSUPPORTED_MEDIA = ProblemType(
    "unsupported-media-type",
    415,
    "The body is not of a type that this path takes",
    "The header Content-Type names none of the types that this path takes.",
    "Send the type that /docs shows for this path; pictures as image/jpeg, image/png or image/webp.",
)
MISSING_KEY = ProblemType(
    "missing-key",
    401,
    "An API key is needed",
    "This service asks for a key, and the request has none or a wrong one.",
    "Send a valid key in the header X-API-Key.",
)
BAD_SIGNATURE = ProblemType(
    "bad-signature",
    403,
    "The link's signature does not fit",
    "The link of a picture was changed, or signed by a service with another key.",
    "Use the link exactly as an answer gave it, or ask for the recommendations again.",
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
    "Use a method that the header Allow names.",
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
    "Name fewer items; what POST /v1/recommendations takes is in its body.",
)
MISSING_SCOPE = ProblemType(
    "missing-scope",
    403,
    "The key may not do this",
    "The request has a valid API key, but one without the scope that this route needs: read, events or admin. Where no "
    "key is set at all, admin routes answer only to the service's own machine.",
    "Use a key with the scope that `detail` names.",
)
TOO_MANY_REQUESTS = ProblemType(
    "too-many-requests",
    429,
    "Too many requests",
    "This key, or where no key is used this address, asked more often than the service allows.",
    "Wait as long as the header Retry-After says; RateLimit and RateLimit-Policy tell what is left.",
)
OVERLOADED = ProblemType(
    "overloaded",
    503,
    "The service has too much to do",
    "As many requests wait for a list as may wait; this one was refused at once instead of making all of them late.",
    "Try again after the seconds that Retry-After names, and wait longer each time.",
)
DRAINING = ProblemType(
    "draining",
    503,
    "The service is about to stop",
    "It was told to stop: requests that it has are answered, new ones should go elsewhere.",
    "Send requests to another instance; after a restart /readyz answers 200 again.",
)
BAD_CURSOR = ProblemType(
    "bad-cursor",
    400,
    "The cursor does not fit",
    "The cursor was changed, belongs to another person or to other options, or was made by another service.",
    "Use the cursor as the last page gave it, with the same options; without one, the first page comes.",
)
STALE_CURSOR = ProblemType(
    "stale-cursor",
    410,
    "The list of this cursor is gone",
    "Another model serves now, and pages of two models do not fit together.",
    "Ask for the first page again, without a cursor.",
)
IDEMPOTENCY_MISMATCH = ProblemType(
    "idempotency-mismatch",
    422,
    "The Idempotency-Key was used for another request",
    "A request with this Idempotency-Key came before, and it was not the same.",
    "Take a new key for each new request; repeat a request without any change.",
)
IDEMPOTENCY_IN_PROGRESS = ProblemType(
    "idempotency-in-progress",
    409,
    "The first request with this Idempotency-Key is still at work",
    "A request with this Idempotency-Key has begun and has not been answered yet.",
    "Repeat it in a moment; the answer of the first one will come.",
)
STORAGE_FULL = ProblemType(
    "storage-full",
    507,
    "No room is left",
    "The disk or database that keeps live data is full; nothing of this request was kept.",
    "Try again later; whoever runs the service has to make room.",
)
REJECTED = ProblemType(
    "rejected",
    400,
    "The request was refused",
    "The request breaks a rule of HTTP.",
    "See the detail.",
)
INTERNAL = ProblemType(
    "internal",
    500,
    "Something went wrong in the service",
    "An error that is the service's own fault.",
    "Try again; if it stays, report the header X-Request-ID, which finds it in the service's log.",
)

MODEL_REJECTED = ProblemType(
    "model-rejected",
    409,
    "The model is not taken into service",
    "The bundle is missing, damaged, or does not answer as it should; the one before serves on.",
    "Build again, or activate another version of /v1/models.",
)
UNKNOWN_EXPERIMENT = ProblemType(
    "unknown-experiment",
    404,
    "No such experiment",
    "There is no experiment of this key, or its file cannot be read.",
    "See /v1/experiments, which also says what is wrong with a file.",
)
EXPERIMENT_REJECTED = ProblemType(
    "experiment-rejected",
    409,
    "The experiment cannot be changed like this",
    "Its state, another experiment or what the shop has forbids it; nothing was changed.",
    "Do what `detail` says.",
)
NO_RESULTS = ProblemType(
    "no-results",
    409,
    "There is nothing to analyze",
    "The experiment was not started, or nobody was shown anything on which its arms differ.",
    "Start it, and see that lists are asked for; `detail` says what is missing.",
)
STORAGE_UNAVAILABLE = ProblemType(
    "storage-unavailable",
    503,
    "Live data cannot be reached",
    "The database of live data does not answer; nothing was kept.",
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
