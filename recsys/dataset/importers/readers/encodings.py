"""Bytes of text files: compression and character encoding, recognized by content."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from recsys.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Marks at the beginning of files, longest first, and what they say."""
_COMPRESSED = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"PK\x03\x04": "ZIP (a workbook, if its name should end with .xlsx)",
}
"""First bytes of compressed files that are not read, and what they are."""
_SAMPLE = 4096
_CHUNK = 1 << 20
_FALLBACK = "cp1252"
_EXAMPLES = 3
_named: ContextVar[str | None] = ContextVar("recsys_import_encoding", default=None)


class Encoding(NamedTuple):
    """Character encoding of a file, and a note if it was guessed."""

    name: str
    note: str = ""


@contextmanager
def reading_as(encoding: str | None) -> Iterator[None]:
    """Read all text files of the block in this encoding; None: recognized for each file.

    Raises DataError if there is no such encoding.
    """
    try:
        codecs.lookup(encoding or "utf-8")
    except LookupError:
        raise DataError(
            f"--encoding {encoding!r}: no such encoding; use for example cp1251, latin-1 or utf-16"
        ) from None
    token = _named.set(encoding)
    try:
        yield
    finally:
        _named.reset(token)


def is_compressed(path: Path) -> bool:
    """Return True if the file begins as gzip files do."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP_MAGIC


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, decompressed if it is a gzip file or its name says so. Raises OSError."""
    if path.suffix.lower() == ".gz" or is_compressed(path):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


@contextmanager
def open_text(path: Path) -> Iterator[tuple[TextIO, str]]:
    """Open a text file in its encoding, with the note about a guess ("" without one); line ends stay as they are.

    Raises DataError if the file cannot be read, also within the block.
    """
    encoding = find_encoding(path)
    try:
        with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding.name, newline="") as file:
            yield file, encoding.note
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged: {error}; fetch the file again") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not {encoding.name}: {error.reason}; name the right one with `--encoding`") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def find_encoding(path: Path) -> Encoding:
    """Return the encoding of a text file: by its mark, as UTF-8 if all of it is, else Windows-1252 as a guess.

    Raises DataError if the file is mixed, or surely in another encoding.
    """
    named = _named.get()
    if named is not None:
        return Encoding(named)
    try:
        with open_bytes(path) as file:
            sample = file.read(_SAMPLE)
            sample_start = sample[:8]
            for mark, name in MARKS:
                if sample.startswith(mark):
                    return Encoding(name)
            zeros = sample[::2].count(0), sample[1::2].count(0)
            if max(zeros) > len(sample) // 5:
                # Text without marks: every other byte of Latin letters is zero.
                return Encoding("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le")
            decoder = codecs.getincrementaldecoder("utf-8")()
            while sample:
                decoder.decode(sample)
                sample = file.read(_CHUNK)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        for start, name in _COMPRESSED.items():
            if sample_start.startswith(start):
                raise DataError(f"{path}: compressed by {name}; unpack it, or compress it by gzip") from None
        return _guess(path)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        pass  # the reader reports the damage with its line
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    return Encoding("utf-8-sig")


def _guess(path: Path) -> Encoding:
    """Return Windows-1252 for a file that is not UTF-8, unless its words speak against it."""
    cure = "save the file as UTF-8, or name its encoding, e.g. `--encoding cp1251`"
    words: dict[str, None] = {}
    first, utf8, high, letters = 0, 0, 0, 0
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
                utf8 += 1
                continue
            except UnicodeDecodeError:
                first = first or number
            try:
                text = line.decode(_FALLBACK)
            except UnicodeDecodeError:
                raise DataError(f"{path}: line {number} is neither UTF-8 nor Windows-1252; {cure}") from None
            for word in re.findall(r"[^\W\d_]*[^\x00-\x7f][^\W\d_]*", text):
                high += sum(not letter.isascii() for letter in word)
                letters += len(word)
                words[word] = None
    if utf8:
        raise DataError(f"{path}: line {first} is not UTF-8, though others are; correct that line, or {cure}")
    examples = ", ".join(list(words)[:_EXAMPLES])
    if high > 0.7 * letters and letters > 8:
        raise DataError(f"{path}: line {first} is not UTF-8, and as Windows-1252 it reads {examples}; {cure}")
    return Encoding(_FALLBACK, f"{path}: not UTF-8, taken for Windows-1252 ({examples}); `--encoding` says otherwise")
