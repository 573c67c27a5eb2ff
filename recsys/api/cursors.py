"""Cursors: opaque tokens that continue a list, which only this service can create.

Lists change with the events of a user, so a page is not a position in a fixed list. A cursor holds the rows of earlier
pages, and the next page is the best of all others. It is valid for one user, one set of options and one model.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from recsys.api.problems.answers import FieldError, ProblemError
from recsys.api.problems.types import BAD_CURSOR, STALE_CURSOR

MAX_ROWS = 1000
_TAG_BYTES = 16
_OWNER_BYTES = 16
_PURPOSE = "cursor 1"
_PARAMETER = "cursor"


@dataclass(frozen=True, slots=True)
class Cursor:
    """State of a list: the version of its model, and the item rows (0 to 2^32 - 1) of earlier pages, ascending."""

    model_version: str
    rows: tuple[int, ...]

    @classmethod
    def from_rows(cls, model_version: str, rows: Iterable[int]) -> Cursor:
        """Create a cursor from rows in any order. Raises ValueError for over 1,000 rows, or rows beyond 32 bits."""
        ordered = tuple(sorted(set(rows)))
        if len(ordered) > MAX_ROWS:
            raise ValueError(f"a cursor holds at most {MAX_ROWS} rows, got {len(ordered)}")
        if ordered and not 0 <= ordered[0] <= ordered[-1] < 2**32:
            raise ValueError("rows are numbers from 0 to 2^32 - 1")
        return cls(model_version, ordered)


class Cursors:
    """Encoder and decoder of tokens, signed by HMAC-SHA256, cut to 128 bits (RFC 2104, section 5).

    Args:
        key: `Security.derived_key("cursors")`, or any secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, _PURPOSE.encode(), "sha256")

    def encode(self, cursor: Cursor, *, asker: str, query: str) -> str:
        """Return the token, in characters that need no quoting in an address.

        Args:
            cursor: State of the list.
            asker: Caller of the list, such as a user id. It cannot be read from the token.
            query: Options of the list, always written in the same way. They cannot be read from the token.
        """
        version = cursor.model_version.encode()
        if len(version) > 255:
            raise ValueError("a model version has at most 255 bytes")
        # Gaps between ascending rows are small numbers, which need few bytes.
        gaps = (row - before for before, row in pairwise((0, *cursor.rows)))
        rows = zlib.compress(b"".join(map(_encode_varint, gaps)), 9)
        content = self._owner(asker, query) + bytes([len(version)]) + version + rows
        return _to_text(self._tag(content) + content)

    def decode(self, token: str, *, asker: str, query: str, model_version: str) -> Cursor:
        """Return the cursor of a token for the same asker, query and model.

        Raises:
            ProblemError: The token was changed or has another asker or query (bad-cursor, 400), or another model
                (stale-cursor, 410).
        """
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _bad_cursor("The cursor is not one of this service.") from None
        # The last character may have unused bits; only one spelling is valid.
        if _to_text(sealed) != token:
            raise _bad_cursor("The cursor was changed.")
        tag, content = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
        # Only signed content is decompressed, so a token cannot be a decompression bomb.
        if not hmac.compare_digest(tag, self._tag(content)):
            raise _bad_cursor("The cursor was changed or is not from this service.")
        owner, rest = content[:_OWNER_BYTES], content[_OWNER_BYTES:]
        if not hmac.compare_digest(owner, self._owner(asker, query)):
            raise _bad_cursor("The cursor belongs to another user or to other options.")
        end = 1 + rest[0]
        version = rest[1:end].decode()
        if version != model_version:
            raise ProblemError(STALE_CURSOR, f"The cursor is of model {version}; the service now uses {model_version}.")
        return Cursor(version, tuple(accumulate(_decode_varints(zlib.decompress(rest[end:])))))

    def _tag(self, content: bytes) -> bytes:
        return hmac.digest(self._key, b"t" + content, "sha256")[:_TAG_BYTES]

    def _owner(self, asker: str, query: str) -> bytes:
        """Return a keyed hash: addresses are logged, and a plain hash of an id could be found by trying all ids."""
        parts = b"".join(hashlib.sha256(text.encode(errors="surrogatepass")).digest() for text in (asker, query))
        return hmac.digest(self._key, b"w" + parts, "sha256")[:_OWNER_BYTES]


def _bad_cursor(what: str) -> ProblemError:
    return ProblemError(BAD_CURSOR, what, [FieldError(detail=what, parameter=_PARAMETER)])


def _to_text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _encode_varint(number: int) -> bytes:
    """Encode in LEB128: seven bits per byte, lowest first; the high bit marks that more bytes follow."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _decode_varints(encoded: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in encoded:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
