"""Cursors: where a list was left, as an opaque token that only this service can make.

A page is not a place in a fixed list, as lists change with what a person does: a cursor holds the rows already shown,
and the next page is the best of all others. It fits the person and the options it was made for, and one model.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recsys.api.problems.answers import FieldError, ProblemError
from recsys.api.problems.types import BAD_CURSOR, STALE_CURSOR

MAX_ROWS = 1000
_TAG_BYTES = 16
_WHO_BYTES = 16
_PURPOSE = "cursor 1"
_PARAMETER = "cursor"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a list was left: which model made it, and the item rows (0 to 2^32 - 1) that were shown, ascending."""

    model_version: str
    rows: tuple[int, ...]

    @classmethod
    def from_rows(cls, model_version: str, rows: Iterable[int]) -> Cursor:
        """A cursor behind these rows, in any order. Raises ValueError above 1,000 of them, or beyond 32 bits."""
        ordered = tuple(sorted(set(rows)))
        if len(ordered) > MAX_ROWS:
            raise ValueError(f"a cursor holds at most {MAX_ROWS} rows, got {len(ordered)}")
        if ordered and not 0 <= ordered[0] <= ordered[-1] < 2**32:
            raise ValueError("rows are numbers from 0 to 2^32 - 1")
        return cls(model_version, ordered)


class Cursors:
    """Makes and reads tokens: HMAC-SHA256, cut to 128 bits (RFC 2104, section 5), over everything in them.

    `key`: `Security.derived_key("cursors")`, or any secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, _PURPOSE.encode(), "sha256")

    def encode(self, cursor: Cursor, *, asker: str, query: str) -> str:
        """The token, of characters that need no quoting in an address.

        `asker`: who asks, such as a user's id. `query`: the options that the list goes by, always written alike.
        Neither can be read from the token.
        """
        version = cursor.model_version.encode()
        if len(version) > 255:
            raise ValueError("a model version has at most 255 bytes")
        rows = zlib.compress(b"".join(_varint(gap) for gap in _gaps(cursor.rows)), 9)
        content = self._who(asker, query) + bytes([len(version)]) + version + rows
        return _text(self._tag(content) + content)

    def decode(self, token: str, *, asker: str, query: str, model_version: str) -> Cursor:
        """The cursor of a token that was made for the same asker, query and model.

        Raises ProblemError: bad-cursor (400) for one that was changed or is foreign, stale-cursor (410) for one of
        another model.
        """
        sealed = _bytes(token)
        tag, content = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
        # Nothing is unpacked that this service has not packed: only what is signed can be a bomb.
        if not hmac.compare_digest(tag, self._tag(content)):
            raise _bad("The cursor was changed or is not from this service.")
        who, rest = content[:_WHO_BYTES], content[_WHO_BYTES:]
        if not hmac.compare_digest(who, self._who(asker, query)):
            raise _bad("The cursor belongs to another person or to other options.")
        end = 1 + rest[0]
        version = rest[1:end].decode()
        if version != model_version:
            raise ProblemError(STALE_CURSOR, f"The cursor is of model {version}; now {model_version} serves.")
        return Cursor(version, tuple(_sums(_numbers(zlib.decompress(rest[end:])))))

    def _tag(self, content: bytes) -> bytes:
        return hmac.digest(self._key, b"t" + content, "sha256")[:_TAG_BYTES]

    def _who(self, asker: str, query: str) -> bytes:
        """A keyed hash: addresses end up in logs, and the hash of an id alone could be guessed from all ids."""
        parts = b"".join(hashlib.sha256(text.encode(errors="surrogatepass")).digest() for text in (asker, query))
        return hmac.digest(self._key, b"w" + parts, "sha256")[:_WHO_BYTES]


def _bad(what: str) -> ProblemError:
    return ProblemError(BAD_CURSOR, what, [FieldError(detail=what, parameter=_PARAMETER)])


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _bytes(token: str) -> bytes:
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad("The cursor is not one of this service.") from None
    # The last character may have bits to spare; only one spelling is the right one.
    if _text(sealed) != token:
        raise _bad("The cursor was changed.")
    return sealed


def _gaps(rows: Iterable[int]) -> Iterator[int]:
    last = 0
    for row in rows:
        yield row - last
        last = row


def _sums(gaps: Iterable[int]) -> Iterator[int]:
    row = 0
    for gap in gaps:
        row += gap
        yield row


def _varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; the high bit says that more follow (LEB128)."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _numbers(encoded: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in encoded:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
