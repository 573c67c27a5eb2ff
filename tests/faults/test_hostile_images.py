"""Hostile files are refused before they are decoded, or decoded right, and neither takes much time or memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.rng import generator
from recsys.serving.uploads import Upload
from style.errors import ImageError
from style.images import UPLOAD_LIMITS, decode_image
from tests.faults.hostile import DECODED, JPG, KINDS, PNG, REFUSED, cut_at_every_part
from tests.faults.test_bad_images import corners, encoded

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 2.0
MEGABYTES = 64
"""What a file may take beside what it is itself and its pixels."""

# Each file is decoded in a process of its own, of which the system says how much memory it ever held.
MEASURE = """
import json, os, sys, time
from style.errors import ImageError
from style.images import UPLOAD_LIMITS, decode_image
from tests.faults.hostile import KINDS

def watched(data):
    reading, writing = os.pipe()
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            told = "decoded %dx%d" % decode_image(data, limits=UPLOAD_LIMITS).size if data is not None else ""
        except ImageError as error:
            told = "refused " + str(error)
        except BaseException as error:
            told = "wrong " + repr(error)
        os.write(writing, told.encode()[:4000])
        os._exit(0)
    os.close(writing)
    told = os.fdopen(reading, "rb").read().decode()
    _, status, usage = os.wait4(child, 0)
    return told, time.perf_counter() - started, usage.ru_maxrss / 1024, status

idle = watched(None)[2]
print(json.dumps({name: [told, seconds, peak - idle, status]
                  for name, (data, _) in KINDS.items() for told, seconds, peak, status in [watched(data)]}))
"""


@pytest.fixture(scope="module")
def measured() -> Any:
    """For each kind: what became of it, seconds, megabytes above an idle process, exit status."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEASURE],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_there_are_many_kinds() -> None:
    assert len(KINDS) >= 70
    assert {what for _, what in KINDS.values()} == {REFUSED, DECODED}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_ends_as_it_should_soon_and_small(measured: Any, kind: str) -> None:
    told, seconds, megabytes, status = measured[kind]
    assert status == 0
    assert told.startswith(KINDS[kind][1]), told
    assert seconds < SECONDS
    assert megabytes < MEGABYTES


@pytest.mark.parametrize("kind", [kind for kind, (_, what) in KINDS.items() if what == DECODED])
def test_what_is_decoded_is_stored_as_a_new_file(kind: str) -> None:
    jpeg = Upload.from_bytes(KINDS[kind][0]).jpeg
    assert jpeg[:2] == b"\xff\xd8"
    assert jpeg[-2:] == b"\xff\xd9"
    for foreign in (b"alert", b"PK\x03\x04", b"Exif", b"ICC_PROFILE"):
        assert foreign not in jpeg


@pytest.mark.parametrize("whole", [PNG, JPG], ids=["png", "jpeg"])
def test_a_file_cut_at_any_of_its_parts_is_refused(whole: bytes) -> None:
    pixels = np.asarray(decode_image(whole))
    cuts = cut_at_every_part(whole)
    assert len(cuts) > 10
    for cut in cuts:
        try:
            picture = decode_image(cut)
        except ImageError:
            continue
        # Nothing but the end mark, and the check sum before it, is missing.
        assert len(cut) >= len(whole) - 16
        assert np.array_equal(np.asarray(picture), pixels)


def mutated(seed: int) -> bytes:
    """A small sound picture with flipped, cut, doubled, moved or overwritten bytes."""
    rng = generator(seed, "mutated image")
    data = bytearray(SOUND[int(rng.integers(len(SOUND)))])
    for _ in range(int(rng.integers(1, 6))):
        # Headers are where the harm is, so half of all changes are made there.
        reach = len(data) if rng.random() < 0.5 else min(len(data), 200)
        if reach < 2:
            break
        at, length = int(rng.integers(reach)), int(rng.integers(1, 40))
        kind = int(rng.integers(6))
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at] = int(rng.choice([0, 1, 127, 128, 254, 255]))
        elif kind == 2:
            data[at : len(data) if rng.random() < 0.2 else at + length] = b""
        elif kind == 3:
            data[at:at] = data[at : at + length]
        elif kind == 4:
            data[at : at + 4] = int(rng.choice([0, 2**31 - 1, 2**31, 2**32 - 1])).to_bytes(4)
        else:
            other = SOUND[int(rng.integers(len(SOUND)))]
            data[at : at + length] = other[at : at + length]
    return bytes(data)


SOUND = [
    JPG,
    encoded(corners(), "JPEG", progressive=True, quality=80),
    encoded(corners().convert("CMYK"), "JPEG"),
    PNG,
    encoded(corners().quantize(4)),
    encoded(corners().convert("RGBA")),
    encoded(corners(), "WEBP", quality=80),
    encoded(corners().convert("RGBA"), "WEBP", lossless=True),
]


def check_mutated(seeds: range) -> tuple[int, int]:
    """How many were decoded and how many refused; whatever else happens is raised."""
    decoded = refused = 0
    for seed in seeds:
        try:
            picture = decode_image(mutated(seed), name="a", limits=UPLOAD_LIMITS)
        except ImageError:
            refused += 1
            continue
        assert picture.mode == "RGB", seed
        assert not picture.info, seed
        assert np.asarray(picture).shape == (*picture.size[::-1], 3), seed
        decoded += 1
    return decoded, refused


@pytest.mark.timeout(60)
def test_a_thousand_mutated_pictures_are_refused_or_decoded() -> None:
    decoded, refused = check_mutated(range(1_000))
    assert min(decoded, refused) > 100


@pytest.mark.slow
def test_ten_thousand_mutated_pictures_are_refused_or_decoded() -> None:
    decoded, refused = check_mutated(range(10_000))
    assert min(decoded, refused) > 1_000
